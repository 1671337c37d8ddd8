"""Adapters in a project's library: listed with kind, rank and base, used in a recipe by name."""

import json

import pytest
import torch
from safetensors.torch import save_file

from solera.errors import CheckpointError
from solera.execution.writer import write_checkpoint
from solera.projects.project import Project
from solera.workbench.workbench import Workbench


def make(folder, **config):
    folder.mkdir()
    plain = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "base_model_name_or_path": "org/base", **config}
    (folder / "adapter_config.json").write_text(json.dumps(plain))
    torch.manual_seed(0)
    tensors = {"a.lora_A.weight": torch.randn(2, 6), "a.lora_B.weight": torch.randn(8, 2)}
    save_file({f"base_model.model.{n}": t for n, t in tensors.items()}, folder / "adapter_model.safetensors")
    return folder


def test_it_is_listed_as_what_it_is(tmp_path):
    with Project.create(tmp_path / "p") as project:
        entry = project.library.add(make(tmp_path / "lora", use_rslora=True))
        assert (entry.role, entry.adapter, entry.base) == ("adapter", "rsLoRA, rank 2", "org/base")
        assert (entry.numel, entry.dtype, entry.architecture) == (28, "float32", "")
        assert project.library.entries() == [entry]
        made = project.library.get("outputs/x") if make(project.outputs / "x") else None
        assert made is not None
        assert (made.role, made.adapter) == ("made", "LoRA, rank 2")


def test_one_that_is_not_read_is_refused_with_its_reason(tmp_path):
    with Project.create(tmp_path / "p") as project:
        with pytest.raises(CheckpointError, match="'PREFIX_TUNING'"):
            project.library.add(make(tmp_path / "prefix", peft_type="PREFIX_TUNING"))
        lora = project.library.add(make(tmp_path / "lora"))
        (tmp_path / "lora/adapter_model.safetensors").unlink()
        assert "no weights" in project.library.get(lora.name).trouble


def test_a_recipe_names_it_by_its_entry_and_is_merged_in_the_project(tmp_path):
    with Project.create(tmp_path / "p") as project:
        write_checkpoint({"a.weight": torch.ones(8, 6), "n.weight": torch.ones(6)}, tmp_path / "base")
        project.library.add(tmp_path / "base")
        project.library.add(make(tmp_path / "lora"))
        (project.folder / "recipes/r.yaml").write_text(
            "solera: 1\nnodes:\n  base: {checkpoint: 'library:base'}\n  lora: {adapter: 'library:lora', base: base}\n"
            "  out: {sum: [base, lora]}\noutput: out\n"
        )
        with Workbench(project, records=False) as bench:
            recipe = bench.recipe("recipes/r.yaml", project.folder)
            assert not bench.check(recipe)
            opened = bench.inputs.checkpoints(recipe)
            assert bench.inputs.checkpoints(recipe)["lora"] is opened["lora"]
            job = bench.submit_merge(recipe, "out")
            bench.jobs.wait(job.id, 60)
            assert job.state == "done", job.error
            with bench.open("outputs/out") as made:
                want = 1 + opened["lora"]["a.weight"].read()
                assert torch.equal(made["a.weight"].read(), want)
            entry = project.library.get("outputs/out")
            assert set(entry.lineage["inputs"]) == {"base", "lora"}
            (tmp_path / "lora/adapter_config.json").write_text('{"peft_type": "LORA", "r": 2, "lora_alpha": 4}')
            assert "n.weight" in opened["lora"]
            faults = bench.check(bench.recipe({"solera": 1, "nodes": {
                "base": {"checkpoint": str(tmp_path / "gone")}, "lora": {"adapter": "library:lora", "base": "base"},
                "out": {"sum": ["base", "lora"]}}, "output": "out"}, project.folder))  # fmt: skip
            assert [fault.fields["node"] for fault in faults] == ["base"]

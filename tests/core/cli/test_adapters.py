"""``solera extract``, and adapters in the other commands."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from solera.checkpoints.adapters.opening import open_delta
from solera.checkpoints.opening import open_checkpoint
from solera.cli.main import main
from solera.execution.writer import write_checkpoint

RECIPE = """\
solera: 1
nodes:
  base: {checkpoint: base}
  one: {adapter: one, base: base}
  two: {adapter: two, base: base}
  both: {method: knots, base: base, inputs: [one, two], density: 1}
output: both
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base, two adapters of rank 2 on it, and a recipe of both, in the current folder."""
    torch.manual_seed(0)
    state = {"a.weight": torch.randn(12, 9), "b.weight": torch.randn(5, 12), "norm.weight": torch.ones(5)}
    write_checkpoint(state, tmp_path / "base")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        plain = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "base_model_name_or_path": "base"}
        (tmp_path / name / "adapter_config.json").write_text(json.dumps(plain))
        factors = {"a.lora_A.weight": torch.randn(2, 9), "a.lora_B.weight": torch.randn(12, 2)}
        named = {f"base_model.model.{key}": tensor for key, tensor in factors.items()}
        save_file(named, tmp_path / name / "adapter_model.safetensors")
    (tmp_path / "both.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def test_adapters_are_merged_and_the_result_is_taken_apart_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "merge", "both.yaml", "merged", "-q")
    assert code == 0
    code, out, _ = run(capsys, "extract", "merged", "back", "--base", "base", "--rank", "4", "-q")
    assert (code, out) == (0, "")
    with open_checkpoint(folder / "base") as base, open_checkpoint(folder / "merged") as merged:
        back = open_delta(base, folder / "back")
        for name in base:
            torch.testing.assert_close(base[name].read() + back[name].read(), merged[name].read(), rtol=0, atol=1e-5)
        # KnOTS at full density takes, where both agree, their mean: the sum of the two deltas has rank 4 at most.
        assert back.adapter.config.rank == 4


def test_a_recipe_is_extracted_without_being_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "extract", "both.yaml", "adapter", "--base", "base", "--energy", "0.99", "--json")
    assert code == 0
    result = json.loads(out.splitlines()[-1])
    assert result["extracted"]["share"] >= 0.99
    assert list(result["extracted"]["ranks"]) == ["a"]
    assert not result["extracted"]["left_out"]
    assert set(load_file(folder / "adapter/adapter_model.safetensors")) == {
        "base_model.model.a.lora_A.weight", "base_model.model.a.lora_B.weight",
    }  # fmt: skip


def test_it_says_what_it_made_and_what_it_left(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = load_file(folder / "base/model.safetensors")
    write_checkpoint({name: tensor + 0.1 * torch.randn_like(tensor) for name, tensor in state.items()}, folder / "m")
    code, out, _ = run(
        capsys, "extract", "m", "x", "--base", "base", "--rank", "3", "--leave", "b", "--dtype", "bfloat16"
    )
    assert code == 0
    assert "1 module, rank 3" in out
    assert "Not in it: 2 tensors" in out
    assert "b.weight" in out
    assert load_file(folder / "x/adapter_model.safetensors")["base_model.model.a.lora_A.weight"].dtype == torch.bfloat16


def test_inspect_tells_an_adapter(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "inspect", "one")
    assert code == 0
    assert "LoRA, rank 2" in out
    assert "trained on" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("extract", "both.yaml", "x", "--base", "base"), "how much"),
        (("extract", "base", "x", "--base", "base", "--rank", "2"), "does not differ"),
        (("extract", "both.yaml", "x", "--base", "nowhere", "--rank", "2"), "nowhere"),
        (("extract", "both.yaml", "x", "--base", "one", "--rank", "2"), "is an adapter"),
        (("extract", "both.yaml", "one", "--base", "base", "--rank", "2"), "exists"),
        (("extract", "both.yaml", "x", "--base", "base", "--rank", "2", "--dtype", "tiny"), "No dtype"),
    ],
)
def test_refusals(folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str) -> None:
    code, _, err = run(capsys, *words)
    assert code in {1, 2}
    assert says in err
    assert not (folder / "x").exists()


def test_a_model_with_its_adapter_is_named_in_one_word(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "extract", "base+one", "again", "--base", "base", "--rank", "2", "--json")
    assert code == 0
    assert json.loads(out.splitlines()[-1])["extracted"]["share"] == pytest.approx(1.0)
    with open_checkpoint(folder / "base") as base:
        want, got = open_delta(base, folder / "one"), open_delta(base, folder / "again")
        torch.testing.assert_close(got["a.weight"].read(), want["a.weight"].read(), rtol=0, atol=1e-5)
    code, _, err = run(capsys, "extract", "base+nobody", "x", "--base", "base", "--rank", "2")
    assert (code, "no adapter" in err) == (2, True)
    code, _, err = run(capsys, "extract", "one", "x", "--base", "base", "--rank", "2")
    assert (code, "is an adapter" in err) == (2, True)

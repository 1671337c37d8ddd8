"""Every fixture of the methods we have, through the path a user takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from solera.errors import NotFoundError
from solera.extend.registry import Registry
from solera.testing.goldens import verify

DATA = Path(__file__).parent / "data" / "methods"

#: What we do not do (yet), by name: nothing may be added here silently.
UNSUPPORTED: set[str] = set()
CASES = {f"{file.parent.name}/{file.stem}" for file in DATA.rglob("*.json")}


@pytest.fixture(scope="module")
def methods():
    return Registry.discover().methods


@pytest.mark.parametrize("folder", sorted(path.name for path in DATA.iterdir()))
def test_every_supported_case_passes(folder, methods):
    results = {result.case: result for result in verify(DATA / folder, methods)}
    assert set(results) == {case for case in CASES if case.startswith(f"{folder}/")}
    failed = {case: result.note for case, result in results.items() if result.outcome == "failed"}
    assert not failed
    assert {case for case, result in results.items() if result.outcome == "unsupported"} == {
        case for case in UNSUPPORTED if case.startswith(f"{folder}/")
    }


@pytest.mark.parametrize("case", ["ties/eight_models", "task_arithmetic/tv_single", "slerp/t0.5", "soups/uniform5"])
def test_a_wrong_value_is_noticed(case, methods, tmp_path):
    folder = tmp_path / case.split("/")[0]
    folder.mkdir()
    source = DATA / f"{case}.safetensors"
    tensors = load_file(source)
    tensors["out.merged/conv.weight"].view(-1)[5] += 1e-3
    save_file(tensors, folder / source.name)
    (folder / source.with_suffix(".json").name).write_text(source.with_suffix(".json").read_text())
    (result,) = verify(folder, methods)
    assert result.outcome == "failed"
    assert "merged/conv.weight: 1 of 108 elements off" in result.note


def test_a_case_that_expects_failure_passes_only_when_finite_or_refused(methods, tmp_path):
    source = DATA / "ties" / "density_one_K1.0.json"
    tensors = load_file(source.with_suffix(".safetensors"))
    tensors["in.m0/one"] = torch.tensor([float("nan")])
    save_file(tensors, tmp_path / "case.safetensors")
    (tmp_path / "case.json").write_text(source.read_text())
    (result,) = verify(tmp_path, methods)
    assert result.outcome == "passed"
    assert "NaN" in result.note


def test_other_folders_are_listed_not_counted(methods, tmp_path):
    (tmp_path / "fisher").mkdir()
    (tmp_path / "fisher" / "a.json").write_text('{"method": "fisher"}')
    assert [result.outcome for result in verify(tmp_path, methods)] == ["unsupported"]
    with pytest.raises(NotFoundError):
        list(verify(tmp_path / "nothing", methods))

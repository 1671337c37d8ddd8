"""What people have on their disks, through the command line: a sentence that names the tensor, or the right numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from solera.cli.main import main
from solera.execution.writer import write_checkpoint


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def state(seed: int, **changes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Weights, a number, a counter of batch normalisation, positions, a boolean mask, an empty tensor."""
    generator = torch.Generator().manual_seed(seed)
    made = {
        "embed.weight": torch.randn(12, 6, generator=generator),
        "layers.0.weight": torch.randn(6, 6, generator=generator),
        "scale": torch.randn((), generator=generator),
        "bn.running_var": torch.rand(6, generator=generator),
        "bn.num_batches_tracked": torch.tensor(seed + 5),
        "positions": torch.arange(12),
        "mask": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
    }
    return {**made, **changes}


def models(folder: Path, *states: dict[str, torch.Tensor]) -> None:
    for name, tensors in zip("abc", states, strict=False):
        write_raw(tensors, folder / name)


def write_raw(tensors: dict[str, torch.Tensor], folder: Path) -> None:
    """Without a look at what they hold."""
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def recipe(node: str, *names: str, extra: str = "") -> None:
    nodes = "".join(f"  {name}: {{checkpoint: {name}}}\n" for name in names)
    Path("o.yaml").write_text(f"solera: 1\nnodes:\n{nodes}{extra}  o: {node}\noutput: o\n")


def merge(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["merge", "o.yaml", "out", "-q", *words])
    return code, capsys.readouterr().err


def made(out: str = "out") -> dict[str, torch.Tensor]:
    return load_file(Path(out) / "model.safetensors")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("node", ["{method: linear, inputs: [a, b]}", "{method: ties, base: a, inputs: [b]}"])
def test_nan_and_infinity_in_an_input(bad: float, node: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = state(1)["layers.0.weight"].clone()
    wrong[3, 2] = bad
    models(folder, state(0), state(1, **{"layers.0.weight": wrong}))
    recipe(node, "a", "b")
    code, err = merge(capsys)
    assert code == 1
    assert "'layers.0.weight'" in err
    assert "checkpoint b" in err
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b", "o.yaml"]


def test_they_pass_where_a_person_allows_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = state(1)["layers.0.weight"].clone()
    wrong[3, 2] = math.nan
    models(folder, state(0), state(1, **{"layers.0.weight": wrong}))
    recipe("{method: linear, inputs: [a, b]}", "a", "b")
    code, err = merge(capsys, "--allow-nonfinite")
    assert code == 0
    assert "'layers.0.weight'" in err
    assert "let pass" in err
    result = made()["layers.0.weight"]
    assert torch.isnan(result).sum() == 1
    assert torch.isnan(result[3, 2])
    assert all(bool(torch.isfinite(t).all()) for name, t in made().items() if name != "layers.0.weight")


def test_an_overflow_of_the_output_dtype(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    big = {"layers.0.weight": torch.full((6, 6), 60_000.0)}
    models(folder, state(0, **big), state(1, **big))
    recipe(
        "{sum: [{node: a}, {times: 1.0, node: d}]}", "a", "b", extra="  d: {sum: [{node: b}, {times: -1, node: a}]}\n"
    )
    assert merge(capsys, "--dtype", "float16") == (0, "")
    recipe(
        "{sum: [{node: a}, {times: 9.0, node: d}]}", "a", "b", extra="  d: {sum: [{node: b}, {times: -1, node: a}]}\n"
    )
    models_again = state(2, **{"layers.0.weight": torch.full((6, 6), 64_000.0)})
    save_file(models_again, folder / "b" / "model.safetensors")
    code, err = merge(capsys, "--dtype", "float16", "--force")
    assert code == 1
    assert "'layers.0.weight'" in err
    assert "float16" in err
    assert float(made()["layers.0.weight"].max()) == 60_000.0, "the old result is still there"
    code, err = merge(capsys, "--dtype", "float16", "--force", "--allow-nonfinite")
    assert code == 0
    assert torch.isinf(made()["layers.0.weight"]).all()


@pytest.mark.parametrize(
    "node",
    [
        "{method: linear, inputs: [a, b, c]}",
        "{method: slerp, inputs: [a, b]}",
        "{method: ties, base: a, inputs: [b, c]}",
        "{method: dare, base: a, inputs: [b, c]}",
        "{method: model_stock, base: a, inputs: [b, c]}",
        "{sum: [{times: 0.5, node: a}, {times: 0.5, node: b}]}",
    ],
)
def test_integers_numbers_and_counters(node: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Integers are the reference's; a 0-dim tensor is a tensor like any other; an empty one stays empty."""
    models(folder, state(0), state(1), state(2))
    recipe(node, "a", "b", "c")
    code, err = merge(capsys)
    assert (code, err) == (0, "")
    result = made()
    assert int(result["bn.num_batches_tracked"]) == 5
    assert torch.equal(result["positions"], torch.arange(12))
    assert result["mask"].tolist() == [True, False]
    assert result["scale"].shape == ()
    assert bool(torch.isfinite(result["scale"]))
    assert result["empty"].shape == (0, 3)
    assert not torch.equal(result["bn.running_var"], state(0)["bn.running_var"]) or "model_stock" in node


def test_frozen_tensors_in_a_spherical_method(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zero = {"layers.0.weight": torch.zeros(6, 6)}
    models(folder, state(0, **zero), state(1, **zero))
    recipe("{method: slerp, inputs: [a, b], t: 0.3}", "a", "b")
    assert merge(capsys) == (0, "")
    assert torch.equal(made()["layers.0.weight"], torch.zeros(6, 6))


def test_rows_of_length_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = {"layers.0.weight": torch.randn(6, 1)}
    models(folder, state(0, **one), state(1, **one))
    for node in ("{method: slerp, inputs: [a, b]}", "{method: model_stock, base: a, inputs: [b, a]}"):
        recipe(node, "a", "b")
        assert merge(capsys, "--force") == (0, "")
        assert made()["layers.0.weight"].shape == (6, 1)


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        ("{method: linear, inputs: [a, b], weight: [1, -1], normalize: true}", "total 0"),
        ("{method: ties, base: a, inputs: [b], density: 1.5}", "density"),
        ("{method: ties, base: a, inputs: [b], density: -0.1}", "density"),
        ("{method: ties, base: a, inputs: [b], densty: 0.5}", "Did you mean 'density'"),
    ],
)
def test_numbers_that_make_no_sense(node: str, sentence: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models(folder, state(0), state(1))
    recipe(node, "a", "b")
    code, err = merge(capsys)
    assert code in {1, 2}
    assert sentence in err
    assert "Traceback" not in err
    assert not Path("out").exists()


def test_mismatched_vocabularies_are_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models(folder, state(0), state(1, **{"embed.weight": torch.randn(14, 6)}))
    recipe("{method: linear, inputs: [a, b]}", "a", "b")
    code, err = merge(capsys)
    assert code == 2
    assert "'embed.weight'" in err
    assert "12" in err
    assert "14" in err
    assert "vocabular" in err


def test_all_mismatches_come_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = state(1, **{"layers.0.weight": torch.randn(6, 5)})
    del other["scale"]
    models(folder, state(0), other)
    recipe("{method: linear, inputs: [a, b]}", "a", "b")
    assert main(["check", "o.yaml", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    said = " ".join(fault["message"] for fault in answer["faults"])
    assert "'scale'" in said
    assert "'layers.0.weight'" in said
    assert "6" in said


def test_faults_of_the_text_and_of_the_files_come_together(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models(folder, state(0), state(1, **{"layers.0.weight": torch.randn(6, 5)}))
    recipe("{method: ties, base: a, inputs: [b], densty: 0.5}", "a", "b", "gone")
    Path("o.yaml").write_text(Path("o.yaml").read_text().replace("inputs: [b]", "inputs: [b, gone]"))
    code, err = merge(capsys)
    assert code == 2
    assert "Did you mean 'density'" in err
    assert "'layers.0.weight' is [6, 6] in 'a' and [6, 5] in 'b'" in err
    assert "gone" in err.partition("densty")[2]
    assert "3 faults" in err


def nest(container: str, tensors: dict[str, Any]) -> dict[str, Any]:
    return {container: tensors, "epoch": 3, "optimizer": {"state": {0: {"step": torch.tensor(9.0)}}}}


@pytest.mark.parametrize("container", ["state_dict", "model", "model_state_dict"])
def test_a_nested_state_dict(container: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The model is found in it; what is written is a plain one."""
    for i, name in enumerate("ab"):
        torch.save(nest(container, state(i)), folder / f"{name}.ckpt")
    Path("o.yaml").write_text(
        "solera: 1\nnodes:\n  a: {checkpoint: a.ckpt}\n  b: {checkpoint: b.ckpt}\n"
        "  o: {method: linear, inputs: [a, b]}\noutput: o\n"
    )
    code, err = merge(capsys)
    assert (code, err) == (0, "")
    assert set(made()) == set(state(0))
    torch.testing.assert_close(
        made()["layers.0.weight"], (state(0)["layers.0.weight"] + state(1)["layers.0.weight"]) / 2
    )


def test_inputs_of_several_dtypes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Arithmetic is float32 whatever they are stored in; the result has the reference's dtype, tensor by tensor."""
    half = {name: t.half() if t.is_floating_point() else t for name, t in state(0).items()}
    double = {name: t.double() if t.is_floating_point() else t for name, t in state(1).items()}
    brain = {name: t.bfloat16() if t.is_floating_point() else t for name, t in state(2).items()}
    models(folder, half, double, brain)
    recipe("{method: linear, inputs: [a, b, c]}", "a", "b", "c")
    assert merge(capsys) == (0, "")
    name = "layers.0.weight"
    want = (half[name].float() + double[name].float() + brain[name].float()) / 3
    assert made()[name].dtype == torch.float16
    torch.testing.assert_close(made()[name], want.half())


def test_a_value_that_float32_does_not_hold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    huge = state(1)["layers.0.weight"].double()
    huge[0, 0] = 1e300
    models(folder, state(0), state(1, **{"layers.0.weight": huge}))
    recipe("{method: linear, inputs: [a, b]}", "a", "b")
    code, err = merge(capsys)
    assert code == 1
    assert "'layers.0.weight'" in err
    assert "1e+300" in err


def test_a_file_that_is_cut(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models(folder, state(0), state(1))
    file = folder / "b" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-7])
    recipe("{method: linear, inputs: [a, b]}", "a", "b")
    code, err = merge(capsys)
    assert code == 2
    assert "model.safetensors" in err
    assert "Traceback" not in err


def test_a_space_that_is_too_small(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    models(folder, state(0), state(1))
    recipe("{method: linear, inputs: [a, b]}", "a", "b")
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    code, err = merge(capsys)
    assert code == 1
    assert "GB free" in err
    assert not Path(".out.solera").exists()


def test_the_result_is_not_one_of_the_inputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_checkpoint(state(0), folder / "a")
    write_checkpoint(state(1), folder / "b")
    recipe("{method: linear, inputs: [a, b]}", "a", "b")
    assert main(["merge", "o.yaml", "b", "--force", "-q"]) == 1
    assert "one of the inputs" in capsys.readouterr().err

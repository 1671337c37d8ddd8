"""The script face: a journey of its own."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import solera
from solera.api import MethodSpec, method
from solera.errors import FaultsError, InputError, MismatchError, NotFoundError


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from solera.projects.project import Project
    from solera.settings import Settings
    from solera.workbench import Workbench

    folder = tmp_path_factory.mktemp("script") / "demo"
    with Project.create(folder) as project, Workbench(project, settings=Settings(threads=1)) as bench:
        assert bench.jobs.wait(bench.submit_demo("digits").id, 200).state == "done"
    return folder / "checkpoints"


def test_arithmetic_says_what_it_does(checkpoints: Path, tmp_path: Path) -> None:
    base, left, right = (solera.open(checkpoints / f"digits-{name}") for name in ("base", "rotated", "inverted"))
    merged = base + 0.8 * solera.merge("ties", [left - base, right - base], density=0.5)
    assert merged.check() == ()
    average = 0.5 * left + right / 2
    made = average.state_dict()
    for name, tensor in made.items():
        expected = (left.checkpoint[name].read().double() + right.checkpoint[name].read().double()) / 2
        torch.testing.assert_close(tensor.double(), expected, rtol=1e-6, atol=1e-7)
    out = average.save(tmp_path / "average", dtype="bfloat16")
    again = solera.open(out)
    assert set(again.checkpoint.dtypes) == {"bfloat16"}
    assert solera.open(write(tmp_path / "recipe.yaml", merged.to_yaml())).recipe.nodes == merged.recipe.nodes


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_what_is_refused(checkpoints: Path) -> None:
    base, left = (solera.open(checkpoints / f"digits-{name}") for name in ("base", "rotated"))
    with pytest.raises(FaultsError, match="total 2"):
        (base + left).state_dict()
    with pytest.raises(InputError, match="known"):
        solera.merge("stirring", [base, left])
    with pytest.raises(InputError, match="density"):
        solera.merge("ties", [left - base], densty=0.2)
    with pytest.raises(NotFoundError):
        solera.open(checkpoints / "nothing")
    with pytest.raises(TypeError):
        base + 3  # type: ignore[operator]
    with pytest.raises(InputError, match="computed"):
        _ = (left - base).checkpoint


def test_a_model_scores_as_the_module_it_becomes(checkpoints: Path) -> None:
    left, right = (solera.open(checkpoints / f"digits-{name}") for name in ("rotated", "inverted"))
    task = solera.task("digits", "rotated", transform="rotation")
    blend = 0.75 * left + 0.25 * right
    loss, accuracy = blend.evaluate(task)
    module = blend.to_torch()
    config = left.checkpoint.config
    same = solera.open(module, config=config, name="same").evaluate(task)
    assert (loss.value, accuracy.value) == (same[0].value, same[1].value)
    assert accuracy.count == 497
    with pytest.raises(MismatchError, match="factory"):
        solera.open(module).evaluate(task)


def tiny() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def test_weights_in_memory_with_a_factory(tmp_path: Path) -> None:
    torch.manual_seed(0)
    a, b = (solera.open(tiny(), name=name, factory=tiny) for name in "ab")
    task = solera.task("digits")
    run = solera.explore(solera.line(a, b), task, points=3, limit=32, out=tmp_path / "runs", report="")
    assert run.header.labels == {"a": [0.0], "b": [1.0]}
    points = run.points()
    (middle,) = points.values[points.coords[:, 0] == 0.5]
    assert middle[0] == pytest.approx((0.5 * a + 0.5 * b).evaluate(task, "selection", limit=32)[0].value, rel=1e-5)
    assert solera.runs.open(run.path).summary == run.summary


def test_a_file_without_a_config_and_a_factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made_here.py").write_text(
        "from torch import nn\n\ndef tiny():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    models = []
    for seed, name in enumerate("ab"):
        torch.manual_seed(seed)
        torch.save(tiny().state_dict(), tmp_path / f"{name}.pt")
        models.append(solera.open(tmp_path / f"{name}.pt", factory="made_here:tiny"))
    assert isinstance(models[0].to_torch(), nn.Sequential)
    task = solera.task("digits")
    run = solera.explore(solera.line(*models), task, points=3, limit=32, out=tmp_path / "runs", report="")
    assert run.count == 3
    assert run.header.experiment["factory"] == "made_here:tiny", "whoever resumes the run needs it"


def test_a_search_over_variables(checkpoints: Path, tmp_path: Path) -> None:
    base, left, right = (solera.open(checkpoints / f"digits-{name}") for name in ("base", "rotated", "inverted"))
    model = base + solera.var("x", 0, 1, 0.5) * (left - base) + solera.var("y", 0, 1, 0.5) * (right - base)
    tasks = [solera.task("digits", name, transform=name) for name in ("rotation", "inversion")]
    run = solera.explore(model, tasks, "pareto", budget=24, limit=24, out=tmp_path)
    index, volume = run.indicator("hypervolume")
    assert index[-1] == 24
    assert (volume[1:] >= volume[:-1]).all()
    family = model.family(x=(0.0, 0.5))
    assert [coord.high for coord in family.coords] == [0.5, 1.0]
    assert model.at(x=1.0, y=0.0).evaluate(tasks[0])[1].value == left.evaluate(tasks[0])[1].value


def test_the_face_is_lazy_and_complete() -> None:
    assert set(solera.__all__) <= set(dir(solera))
    assert all(getattr(solera, name) is not None for name in solera.__all__)
    assert solera.__version__
    with pytest.raises(AttributeError):
        _ = solera.nothing


def test_a_decorated_function_is_a_method(checkpoints: Path, tmp_path: Path) -> None:
    base, left, right = (solera.open(checkpoints / f"digits-{name}") for name in ("base", "rotated", "inverted"))

    def declared(factor: float) -> MethodSpec:
        @method("script_sum", takes="delta", base="required", granularity="element")
        def script_sum(deltas: list[torch.Tensor], *, scale: float = 1.0) -> torch.Tensor:
            """Add up."""
            return torch.stack(deltas).sum(dim=0) * (scale * factor)

        return script_sum

    for factor in (1.0, 2.0):  # a cell that is run again
        merged = solera.merge(declared(factor), [left, right], base, scale=0.5)
        want = base + (0.5 * factor) * (left - base) + (0.5 * factor) * (right - base)
        for name, tensor in want.state_dict().items():
            torch.testing.assert_close(merged.state_dict()[name], tensor, atol=1e-6, rtol=1e-5)
    merged.save(tmp_path / "out")
    with pytest.raises(InputError, match="no parameter depth"):
        solera.merge(declared(1.0), [left], base, depth=1.0)
    taken = replace(declared(1.0), name="ties")
    with pytest.raises(InputError, match="has a method 'ties'; give yours another name"):
        solera.merge(taken, [left], base)

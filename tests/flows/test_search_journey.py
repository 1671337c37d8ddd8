"""A person searches, with and without a window: a front of prose against code by MAP, a greedy soup of twelve."""

import shutil
from collections.abc import Callable
from importlib.resources import as_file
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox
from tests.flows.person import LEFT, LONG, PLAIN, Person, drop

from solera.context import QuietContext
from solera.projects.project import Project
from solera.runs.reader import RunReader
from solera.workbench import Workbench
from solera_app.run_desk import RunTab
from solera_app.soup_tab import SoupTab

POINTS = 17
FRONT = f"""\
solera: 1
kind: explore
title: Prose against code
family: {{recipe: recipes/text-two-scales.yaml}}
tasks: [prose, code]
objectives: [prose.perplexity, code.perplexity]
explorer: {{name: map, params: {{points: {POINTS}}}}}
limit: 64
"""


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """The prose and code example with a Llama so small that it is trained in seconds."""
    pytest.importorskip("transformers")
    pytest.importorskip("tokenizers")
    from solera_plugins.prose_code.example import ProseCodeExample
    from solera_plugins.prose_code.numbers import Training

    tiny = Training(
        hidden=32, layers=2, heads=2, vocabulary=300, window=24, base_steps=60, expert_steps=60, batch=8, base_share=0.1
    )  # fmt: skip
    with Project.create(tmp_path / "texts", "texts") as project:
        made = ProseCodeExample(tiny).make(project.folder, QuietContext())
        for name, entry in made["tasks"].items():
            params = {key: value for key, value in entry.items() if key != "task"}
            project.set_task(name, entry["task"], params | {"window": 24})
    (tmp_path / "texts" / "experiments" / "front.yaml").write_text(FRONT)
    return tmp_path / "texts"


def check_front(reader: RunReader) -> None:
    """The run of a search by MAP that went well: its fit learned, and a merge is better at both than the base."""
    points = reader.points()
    assert (points.phase == "search").sum() == POINTS
    _, volumes = reader.indicator("hypervolume")
    assert list(volumes) == sorted(volumes)
    assert volumes[-1] > volumes[0] > 0
    assert len([name for name in reader.indicators if name.startswith("left-out:")]) == 2
    names = [f"{column['task']}.{column['metric']}" for column in reader.header.columns]
    wanted = [names.index("prose.perplexity"), names.index("code.perplexity")]
    search = points.values[points.phase == "search"][:, wanted]
    assert (search > 1).all()
    base = search[(points.coords[points.phase == "search"] == 0).all(axis=1)][0]
    assert (search < base).all(axis=1).any()
    assert (points.phase == "report").any()


@pytest.mark.heavy
def test_prose_against_code_by_map(window: Callable[..., Any], qtbot: Any, texts: Path, tmp_path: Path) -> None:
    person = Person(window(texts), qtbot)
    person.drop_files([texts / "recipes" / "text-two-scales.yaml"])
    person.until(lambda: getattr(person.tab, "opened", None) and len(person.document.recipe.variables) == 2)
    person.explore("recipe", "map", ("prose", "code"), points=POINTS)
    person.until(lambda: isinstance(person.tab, RunTab) and person.tab.view.names[:1] == ("pareto",), LONG)
    person.until_idle()
    view = person.tab.view
    person.until(lambda: view.snapshot.state == "done", LONG)
    for axis in [box for box in view.findChildren(QComboBox) if box.currentText().endswith(" loss")]:
        axis.setFocus()
        QTest.keyClicks(axis, axis.currentText().replace("loss", "perplexity"))
        assert axis.currentText().endswith("perplexity")
    person.until(lambda: person.plot().position(POINTS - 1) is not None)
    plot = person.plot()
    QTest.mouseClick(plot.canvas.viewport(), LEFT, PLAIN, plot.position(POINTS - 1).toPoint())
    assert view.selected >= 0
    assert person.window.inspector.header.title.text() == "Selected point"
    person.until(lambda: not [box for box in view.findChildren(QComboBox) if box.currentText().endswith(" loss")])
    person.window.grab().save(str(tmp_path / "map.png"))
    check_front(RunReader(next((texts / "runs").glob("*.h5"))))


@pytest.mark.heavy
def test_prose_against_code_by_map_without_a_window(texts: Path) -> None:
    from solera.settings import Settings
    from solera.workbench.experiment import load_experiment

    with Project.open(texts) as project, Workbench(project, settings=Settings(threads=1)) as bench:
        experiment = load_experiment(texts / "experiments" / "front.yaml")
        job = bench.jobs.wait(bench.submit_explore(experiment.to_plain()).id, 100)
        assert job.state == "done", job.error
        assert job.result is not None
        check_front(RunReader(job.result["path"]))


@pytest.fixture
def twelve(tmp_path: Path) -> Path:
    """Twelve models on the way from the base to four experts, near and far."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "twelve"
    with as_file(resources("solera_assets") / "examples" / "digits" / "checkpoints") as made:
        base = load_file(made / "digits-base" / "model.safetensors")
        for expert in ("rotated", "inverted", "mirrored", "transposed"):
            far = load_file(made / f"digits-{expert}" / "model.safetensors")
            for share in (0.2, 0.5, 0.9):
                kept = folder / f"{expert}-{round(10 * share)}"
                kept.mkdir(parents=True)
                blend = {name: torch.lerp(base[name].float(), far[name].float(), share) for name in base}
                save_file({name: each.contiguous() for name, each in blend.items()}, kept / "model.safetensors")
                shutil.copy(made / "digits-base" / "config.json", kept)
    return folder


@pytest.mark.heavy
def test_a_greedy_soup_of_twelve(person: Person, twelve: Path, project: Path, tmp_path: Path) -> None:
    names = sorted(each.name for each in twelve.iterdir())
    person.drop_files([twelve / name for name in names])
    person.until(lambda: sorted(person.entries) == names, LONG)
    person.act("canvas.soup")
    tab = person.tab
    assert isinstance(tab, SoupTab)
    canvas, panel = tab.canvas, tab.panel
    assert drop(canvas, person.window.library.view.mime(names), canvas.rect().center())
    person.until(lambda: bool(tab.scores.tasks) and len(tab.soup.pool) == 12, LONG)
    panel.accept.setCurrentIndex(panel.accept.findData("better"))
    QTest.mouseClick(panel.run, LEFT)
    person.until(lambda: not tab.search.job and not tab.search.followed, 2 * LONG)

    reader = RunReader(next((project / "runs").glob("*.h5")))
    points = reader.points()
    search = points.rows(points.phase == "search")
    assert len(search) == 12 + 11  # each alone, then one trial for every model but the best
    assert reader.header.experiment["explorer"]["params"]["accept"] == "better"
    assert (search.coords[:12].sum(axis=1) == 1).all()
    _, taken = reader.indicator("soup:taken")
    _, size = reader.indicator("soup:size")
    assert size[-1] == 1 + taken.sum()
    assert 1 <= taken.sum() < 11  # some help, not all do
    _, scores = reader.indicator("soup:score")
    assert np.isfinite(scores).all()
    verdicts = [step.verdict for step in canvas.steps._steps]
    assert verdicts == ["taken", *("taken" if yes else "left" for yes in taken.tolist())]
    assert len(tab.soup.pot) == size[-1]
    person.until(lambda: not tab._alone and not tab._asked, LONG)
    person.window.grab().save(str(tmp_path / "soup.png"))

    QTest.mouseClick(panel.use, LEFT)
    node = person.document.node("soup")
    assert (node.method, len(node.inputs)) == ("linear", size[-1])

"""A person explores every family there is from the window, each by the explorer it is mostly explored with."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint
from PySide6.QtTest import QTest
from tests.flows.person import LEFT, PLAIN, Person

from solera.families.forms import FORMS
from solera.projects.project import Project
from solera.runs.reader import RunReader
from solera_app.explore_dialog import ExploreDialog
from solera_app.run_desk import RunTab
from solera_app.task_dialog import TaskDialog

LONG = 40_000
#: What makes an exploration short; the rest has few points by itself.
SHORT: dict[str, dict[str, Any]] = {
    "grid": {"points": 3},
    "learned_soup": {"steps": 2},
    "adaptive_blocks": {"means": 2, "steps": 3},
}
BUDGETS = {"genome": 12, "subspace": 14, "stack": 20}


def run(person: Person, form: str) -> RunReader:
    """The experiment of the dialog at this family, begun by its button; the run it made."""
    bench = person.desk.workbench
    before = {job.id for job in bench.jobs.jobs()}
    why, foreseen = looked_at(person, form, go=True)
    assert why == "", f"{form}: {why}"
    assert "points at most" in foreseen
    made = [job for job in bench.jobs.jobs() if job.id not in before]
    assert len(made) == 1
    person.until(lambda: made[0].state in {"done", "failed"}, LONG)
    assert made[0].state == "done", f"{form}: {made[0].error}"
    assert made[0].result is not None
    return RunReader(made[0].result["path"])


def looked_at(person: Person, form: str, *, go: bool) -> tuple[str, str]:
    """What the dialog says of a family: why it cannot be explored, or what it would be; begun if it can be."""
    said: list[str] = []

    def fill(dialog: ExploreDialog) -> None:
        try:
            dialog.family.kind.setCurrentIndex(dialog.family.kind.findData(form))
            for name, value in SHORT.get(dialog.explorer.currentData(), {}).items():
                dialog.params._root.child(name).setValue(value)
            dialog.budget.setValue(BUDGETS.get(form, 0))
            dialog.limit.setCurrentIndex(1)
            person.until(lambda: dialog.foreseen.text() or dialog._why.text(), LONG)
            said.extend([dialog._why.text(), dialog.foreseen.text()])
            assert dialog.go.isEnabled() == (said[0] == "")
            if go and not said[0]:
                QTest.mouseClick(dialog.go, LEFT)
        finally:
            if dialog.isVisible():
                dialog.reject()

    person.in_dialog(ExploreDialog, fill)
    person.act("run.explore")
    return said[0], said[1]


#: These need layers in a row; the digits' network has none.
LAYERED = ("blocks", "genome", "stack")


@pytest.mark.heavy
def test_every_family_runs_from_the_window(furnished: Person) -> None:
    person = furnished
    person.merge()
    QTest.mouseClick(person.canvas.viewport(), LEFT, PLAIN, person.body("ties"))
    bracket = next(iter(person.window.inspector.form._root.child("density").items)).widget.bracket
    QTest.mouseClick(bracket, LEFT)
    canvas, kinds = person.tab, list[str]()
    for form in FORMS:
        person.window.tabs.setCurrentWidget(canvas)
        if form in LAYERED:
            why, _ = looked_at(person, form, go=True)
            assert "no numbered layers" in why, f"{form}: {why}"
            continue
        reader = run(person, form)
        person.until_idle()
        person.until(lambda: isinstance(person.tab, RunTab), LONG)
        points = reader.points()
        assert len(points) > 2, form
        assert np.isfinite(points.values).any(), form
        kinds.append(reader.header.experiment["family"]["kind"])
    assert len(set(kinds)) == len(FORMS) - len(LAYERED)  # each was really another family


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("form", "picture"),
    [("simplex", "triangle"), ("random_directions", "surface"), ("trajectory", "trajectory"), ("subset", "soup")],
)
def test_the_picture_of_a_family_is_opened_and_a_point_of_it_chosen(furnished: Person, form: str, picture: str) -> None:
    person = furnished
    run(person, form)
    person.until_idle()
    person.until(lambda: isinstance(person.tab, RunTab) and picture in person.tab.view.names, LONG)
    view = person.tab.view
    place = view.names.index(picture)
    QTest.mouseClick(view.tabs, LEFT, PLAIN, view.tabs.tabRect(place).center())
    person.until(lambda: view.tabs.currentIndex() == place and person.plot().position(1) is not None, LONG)
    plot = person.plot()
    QTest.mouseClick(plot.canvas.viewport(), LEFT, PLAIN, plot.position(1).toPoint())
    person.until(lambda: view.selected >= 0)
    assert person.window.inspector.header.title.text() == "Selected point"


@pytest.mark.heavy
def test_families_of_layers_run_from_the_window_on_a_task_made_there(window: Any, qtbot: Any, tmp_path: Path) -> None:
    models = language_models(tmp_path)
    with Project.create(tmp_path / "project", "stacks"):
        pass
    person = Person(window(tmp_path / "project"), qtbot)
    person.drop_files([models / name for name in "abc"])
    person.until(lambda: person.entries == ["a", "b", "c"])
    for row, name in enumerate("abc"):
        person.drag_from_library([name], QPoint(60, 60 + 130 * row))
    for kind, name in (("language", "text"), ("language", "short")):
        make_task(person, kind, name, models)
    assert person.desk.workbench.project.tasks["short"].params["window"] == 5
    canvas = person.tab
    for form in LAYERED:
        person.window.tabs.setCurrentWidget(canvas)
        assert len(run(person, form).points()) >= 9, form
        person.until_idle()
        person.until(lambda: isinstance(person.tab, RunTab), LONG)


def make_task(person: Person, kind: str, name: str, models: Path) -> None:
    """A task from the explore dialog's button, which is then left."""
    said: list[str] = []

    def make(dialog: TaskDialog) -> None:
        try:
            dialog.kind.setCurrentIndex(dialog.kind.findData(kind))
            said.append(dialog._why.text())
            QTest.keyClicks(dialog.name, name)
            said.append(dialog._why.text())
            for key, value in (("data", models / "texts.jsonl"), ("tokenizer", models / "tokenizer.json")):
                dialog.params._root.child(key).setValue(str(value))
            dialog.params._root.child("window").setValue(8 if name == "text" else 5)
            QTest.mouseClick(dialog.go, LEFT)
        finally:
            if dialog.isVisible():
                dialog.reject()

    def ask(dialog: ExploreDialog) -> None:
        try:
            person.in_dialog(TaskDialog, make)
            QTest.mouseClick(dialog.new_task, LEFT)
            said.append(" ".join(box.text() for box in dialog.tasks if box.isChecked()))
        finally:
            dialog.reject()

    person.in_dialog(ExploreDialog, ask)
    person.act("run.explore")
    assert said[0] == "Give it a name."
    assert "data" in said[1]
    assert name in said[2].split()


def language_models(folder: Path) -> Path:
    """Three tiny language models of three layers, with a tokenizer and texts."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = [f"w{i}" for i in range(12)]
    for seed, name in enumerate("abc"):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            config = transformers.LlamaConfig(
                vocab_size=12, hidden_size=8, intermediate_size=8, num_hidden_layers=3, num_attention_heads=2,
                num_key_value_heads=1, max_position_embeddings=32, initializer_range=0.3,
            )  # fmt: skip
            transformers.LlamaForCausalLM(config).save_pretrained(folder / name)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    rng = np.random.default_rng(0)
    texts = [{"text": " ".join(rng.choice(words, 20)), "split": split} for split in ("selection", "report") * 3]
    (folder / "texts.jsonl").write_text("\n".join(map(json.dumps, texts)))
    return folder

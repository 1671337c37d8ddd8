"""Bad input at the window: each is a sentence that says what, where and what to do, and the window stays."""

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from tests.flows.person import Person

from solera.documents.commands import AddNodes, Connect, SetRecipe
from solera.documents.document import SaveNode
from solera.projects.project import Project
from solera.recipes.nodes import CheckpointNode, MethodNode
from solera_app.main import Application
from solera_app.plugin_manager import PluginManager

LONG = 40_000


def truncated(folder: Path, good: Path) -> Path:
    made = folder / "cut.safetensors"
    whole = (good / "model.safetensors").read_bytes()
    made.write_bytes(whole[: len(whole) // 2])
    return made


def text_file(folder: Path, good: Path) -> Path:
    made = folder / "notes.txt"
    made.write_text("shopping list")
    return made


def empty(folder: Path, good: Path) -> Path:
    made = folder / "empty.safetensors"
    made.touch()
    return made


class _Evil:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/solera-was-here",)


def malicious(folder: Path, good: Path) -> Path:
    made = folder / "evil.pt"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps(_Evil(), protocol=2))
        archive.writestr("evil/version", "3\n")
    return made


def missing_shard(folder: Path, good: Path) -> Path:
    made = folder / "sharded"
    made.mkdir()
    (made / "model.safetensors.index.json").write_text(
        '{"metadata": {"total_size": 8}, "weight_map": {"w": "model-00001-of-00002.safetensors"}}'
    )
    return made


@pytest.mark.parametrize("make", [truncated, text_file, empty, malicious, missing_shard])
def test_a_file_that_is_no_checkpoint_is_told_and_the_others_are_added(
    person: Person, incoming: Path, tmp_path: Path, make: Callable[[Path, Path], Path]
) -> None:
    trap = Path("/tmp/solera-was-here")
    bad = make(tmp_path, incoming / "base")
    person.drop_files([bad, incoming / "base"])
    person.until(lambda: person.entries == ["base"])
    person.until(lambda: person.toasts)
    sentence = person.toasts[0]
    assert bad.name in sentence
    assert "Traceback" not in sentence
    assert len(sentence.split()) >= 5
    assert not trap.exists()
    assert person.window.isVisible()


def test_many_bad_files_are_one_message_and_none_is_lost(person: Person, incoming: Path, tmp_path: Path) -> None:
    bad = [make(tmp_path, incoming / "base") for make in (truncated, text_file, empty, missing_shard)]
    person.drop_files([*bad, incoming / "base"])
    person.until(lambda: person.toasts)
    assert len(person.toasts) == 1
    assert person.toasts[0].startswith("4 of 5")
    details = person.window.toasts.showing()[0].details
    assert all(path.name in details for path in bad)


def test_what_was_said_can_be_read_again_in_the_log(person: Person, incoming: Path, tmp_path: Path) -> None:
    person.drop_files([text_file(tmp_path, incoming)])
    person.until(lambda: "notes.txt" in person.window.log.text.toPlainText())


def test_a_plugin_that_raises_on_import(window: Any, project: Path, qtbot: Any, incoming: Path) -> None:
    folder = Path(os.environ["SOLERA_CONFIG"]).parent / "plugins" / "broken"
    folder.mkdir(parents=True)
    (folder / "broken_method.py").write_text("raise RuntimeError('no luck today')\n")
    (folder / "plugin.toml").write_text(
        'name = "broken"\nversion = "1"\napi = "0"\nsummary = "Raises."\n\n'
        '[[contributions]]\nkind = "method"\nname = "boom"\ntitle = "Boom"\nobject = "broken.broken_method:boom"\n'
        'summary = "Never runs."\n'
    )
    person = Person(window(project), qtbot)
    person.furnish(incoming)
    person.add("boom")
    assert isinstance(person.document.node("boom"), MethodNode)
    person.link("base", "boom", "input:+")
    person.act("run.check")
    said = person.until_toast("broken")
    assert "no luck today" in said + person.window.toasts.showing()[-1].details
    person.act("run.run")
    assert not person.desk.workbench.jobs.jobs()
    person.act("tools.plugins")
    (manager,) = person.window.findChildren(PluginManager)
    states = {row.title: row.right for row in manager.view.rows_model.rows}
    assert states["broken"] == "Failed"
    manager.choose("broken")
    assert "no luck today" in manager.trouble.toPlainText()
    manager.close()
    person.act("edit.undo")
    assert person.window.isVisible()


def test_a_task_whose_data_are_missing(person: Person, incoming: Path, project: Path) -> None:
    assert person.desk.workbench is not None
    person.desk.workbench.project.set_task("lost", "classification", {"data": "data/nowhere.npz"})
    person.furnish(incoming)
    person.explore("line", tasks=["lost"], points=3)
    said = person.until_toast("nowhere.npz")
    assert "lost" in said
    person.until_idle()
    assert person.window.isVisible()


def test_shapes_that_do_not_match_are_a_fault_with_the_tensors_name(person: Person, incoming: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(incoming / "rotated" / "model.safetensors")
    name = max(tensors, key=lambda key: tensors[key].size)
    tensors[name] = np.zeros((2, 3), dtype=np.float32)
    save_file(tensors, incoming / "rotated" / "model.safetensors")
    person.furnish(incoming)
    person.merge()
    person.until(lambda: person.tab.opened.faults)
    assert any(name in fault.message for fault in person.tab.opened.faults)
    person.until(person.window.faults.isVisible)  # a toolbar shows its tools when it is laid out next
    QTest.mouseClick(person.window.run_button, Qt.MouseButton.LeftButton)
    assert name in person.until_toast(name)
    assert not person.desk.workbench.jobs.jobs()


def test_nan_weights_fail_the_job_with_the_tensors_name_and_leave_nothing(
    person: Person, incoming: Path, project: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(incoming / "rotated" / "model.safetensors")
    name = max(tensors, key=lambda key: tensors[key].size)
    tensors[name] = tensors[name].copy()
    tensors[name].flat[5] = np.nan
    save_file(tensors, incoming / "rotated" / "model.safetensors")
    person.furnish(incoming)
    person.merge()
    QTest.mouseClick(person.window.run_button, Qt.MouseButton.LeftButton)
    said = person.until_toast(name)
    assert "rotated" in said
    person.until_idle()
    assert [job.state for job in person.desk.workbench.jobs.jobs()] == ["failed"]
    assert list((project / "outputs").iterdir()) == []
    assert person.canvas.picture.items_by_id["ties"].state == "failed"


def test_an_output_that_cannot_be_written(person: Person, incoming: Path, project: Path) -> None:
    person.furnish(incoming)
    person.merge()
    (project / "outputs").rmdir()
    (project / "outputs").write_text("in the way")
    QTest.mouseClick(person.window.run_button, Qt.MouseButton.LeftButton)
    person.until_toast("outputs")
    person.until_idle()
    assert person.document.node("ties").base == "base"
    assert person.window.isVisible()


# --- projects that are not ours to write ---------------------------------------------------------------------------


def recipe_file(project: Path) -> Path:
    made = project / "recipes" / "blend.yaml"
    made.write_text("solera: 1\nname: blend\nnodes:\n  base: {checkpoint: 'library:base'}\noutput: base\n")
    return made


def test_a_second_window_opens_read_only_and_harms_nothing(
    window: Callable[..., Application], project: Path, qtbot: Any, incoming: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    file = recipe_file(project)
    before = file.read_text()
    first = Person(window(project), qtbot)
    second = Person(window(project), qtbot)
    said = second.until_toast("read-only")
    assert "in use" in said
    assert "read-only" in second.window.project_name.text()
    second.until(lambda: second.window.tabs.count() == 1)
    second.tab.opened.history.do(AddNodes((CheckpointNode("extra", "library:extra"),)))
    second.act("file.save")
    second.until_toast("blend", "read-only")
    assert file.read_text() == before
    assert second.tab.opened.modified
    second.tab.opened.autosave()
    assert not list(project.rglob("*.autosave"))
    second.drop_files([incoming / "base"])
    second.until(lambda: any("close the other window" in said for said in second.toasts))
    elsewhere = tmp_path / "mine.yaml"
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", lambda *a: (str(elsewhere), ""))
    second.act("file.save-as")
    assert "extra" in elsewhere.read_text()
    assert not second.tab.opened.modified
    first.drop_files([incoming / "base"])
    first.until(lambda: first.entries == ["base"])


def test_a_project_that_cannot_be_written_opens_read_only(
    window: Callable[..., Application], project: Path, qtbot: Any
) -> None:
    recipe_file(project)
    (project / ".lock").mkdir()  # what refuses a lock even for root
    person = Person(window(project), qtbot)
    said = person.until_toast("read-only")
    assert "cannot be written" in said
    assert person.window.tabs.count() == 1
    assert person.document.ids == {"base"}


def test_a_folder_that_is_no_project_leaves_the_open_one(person: Person, tmp_path: Path) -> None:
    before = person.desk.workbench
    (tmp_path / "solera.toml").write_text("name = [")
    person.drop_files([tmp_path])
    person.until_toast("solera.toml")
    assert person.desk.workbench is before
    assert person.window.isVisible()


def test_a_recipe_with_faults_opens_and_shows_them(
    person: Person, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = project / "recipes" / "bad.yaml"
    bad.write_text("solera: 1\nnodes:\n  a: {checkpoint: 'library:none'}\n  b: {metod: ties}\noutput: c\n")
    person.drop_files([bad])
    person.until(lambda: person.window.tabs.count() == 2)
    person.until(lambda: person.tab.opened.faults)
    assert "a" in person.document.ids
    person.until(lambda: person.window.faults.isVisible())
    person.until_toast("bad.yaml", "could not be read")
    person.act("run.run")
    assert not person.desk.workbench.jobs.jobs()
    assert any("metod" in fault.message for fault in person.tab.opened.faults)
    asked: list[object] = []
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", lambda *a: asked.append(a) or ("", ""))
    person.act("file.save")
    assert asked
    assert "metod" in bad.read_text()


def test_a_full_disk_keeps_the_document(person: Person, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = person.tab.opened
    opened.history.do(AddNodes((CheckpointNode("base", "library:base"), SaveNode("out", "base", "blend"))))
    opened.history.do(SetRecipe(output="base"))
    opened.history.do(Connect("base", "out", "source"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    target = project / "recipes" / "new.yaml"
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getSaveFileName", lambda *a: (str(target), ""))
    monkeypatch.setattr("os.fsync", full)
    person.act("file.save")
    person.until_toast("No space left", "new.yaml")
    assert opened.modified
    assert not target.exists()
    monkeypatch.undo()
    opened.save(target)
    assert not opened.modified


def test_no_project_is_a_sentence_too(window: Callable[..., Application], qtbot: Any, incoming: Path) -> None:
    person = Person(window(), qtbot)
    person.until(lambda: person.window.welcome._cards.count() > 0)
    person.drop_files([incoming / "base"])
    person.until_toast("Open or make a project first")
    assert person.window.on_welcome
    with Project.create(incoming.parent / "fresh"):
        pass
    person.drop_files([incoming.parent / "fresh"])
    person.until(lambda: person.desk.workbench is not None)
    assert not person.window.on_welcome

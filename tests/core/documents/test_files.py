"""Documents on disk: round trips, a crash in the middle of writing, journals left by a killed process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from solera.documents import commands as c
from solera.documents.document import Document, Interpolation, SaveNode, TaskNode
from solera.documents.files import layout_path, load_document, save_document
from solera.documents.journal import Journal, left_behind
from solera.errors import NotFoundError, OutputError
from solera.params import PerModel, Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, SumNode, Term


def blend() -> Document:
    nodes = (
        CheckpointNode("base", "../base"),
        CheckpointNode("math", "../math", "sha256:00"),
        SumNode("delta", (Term("math", 1.0), Term("base", -1.0)), note="what math learned"),
        MethodNode("merge", "unknown_method", ("delta",), "", {"density": Var("density", 0.1, 0.9, 0.2)}),
        MethodNode("other", "unknown_method", ("delta", "math"), "base", {"weight": PerModel((0.5, 1.0))}),
    )
    return Document(
        Recipe(nodes, "other", "bfloat16", "blend"),
        (SaveNode("save", "other", "out", "float32"), TaskNode("score", "other", "rotated")),
        {"base": (0.0, 1.5), "save": (400.0, -8.0)},
        Interpolation(("base", "math"), (0.25, 0.75)),
    )


def test_a_document_survives_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "blend.yaml"
    save_document(blend(), path)
    loaded, _ = load_document(path, {})
    assert loaded == blend()
    first = path.read_bytes()
    save_document(loaded, path)
    assert path.read_bytes() == first


def test_a_recipe_opens_without_or_with_a_broken_sidecar(tmp_path: Path) -> None:
    path = tmp_path / "blend.yaml"
    save_document(blend(), path)
    layout_path(path).write_text("{broken")
    document, faults = load_document(path, {})
    assert document == Document(blend().recipe)
    assert any(fault.code == "layout.read" for fault in faults)
    layout_path(path).write_text(json.dumps({"sinks": [{"kind": "nonsense"}], "positions": 3}))
    document, faults = load_document(path, {})
    assert document.recipe == blend().recipe
    assert any(fault.code == "layout.form" for fault in faults)
    layout_path(path).unlink()
    assert load_document(path, {})[0].layout == {}


def test_a_sink_of_a_node_that_is_gone_is_unconnected(tmp_path: Path) -> None:
    path = tmp_path / "blend.yaml"
    save_document(blend(), path)
    changed = c.RemoveNodes(("other",)).apply(blend())
    path.write_text(path.read_text().split("  other:")[0] + "output: merge\n")
    document, _ = load_document(path, {})
    assert [sink.source for sink in document.sinks] == ["", ""]
    assert {sink.id for sink in document.sinks} == {sink.id for sink in changed.sinks}


def test_missing_and_unwritable_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no recipe at"):
        load_document(tmp_path / "none.yaml", {})
    with pytest.raises(OutputError, match="cannot be written"):
        save_document(blend(), tmp_path / "no folder" / "blend.yaml")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "blend.yaml"
    save_document(blend(), path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        save_document(c.SetRecipe(name="other").apply(blend()), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir() if file.name.endswith(".tmp")] == []


EDIT_AND_WAIT = """
import sys, time
from pathlib import Path
from solera.documents.commands import SetRecipe
from solera.documents.files import load_document
from solera.documents.journal import Journal
path = Path(sys.argv[1])
document, _ = load_document(path, {})
journal = Journal(path.parent, path)
journal.record(SetRecipe(name="unsaved edit").apply(document))
untitled = Journal(path.parent)
untitled.record(SetRecipe(name="never saved").apply(document))
print("ready", flush=True)
time.sleep(60)
"""


def test_unsaved_edits_survive_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "blend.yaml"
    save_document(blend(), path)
    before = path.read_bytes()
    process = subprocess.Popen([sys.executable, "-c", EDIT_AND_WAIT, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    assert left_behind((tmp_path,), {}) == (), "a living process keeps its journals"
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = {r.document.recipe.name: r for r in left_behind((tmp_path,), {})}
    assert set(found) == {"unsaved edit", "never saved"}
    assert found["unsaved edit"].path == path
    assert not found["unsaved edit"].changed_since
    assert found["never saved"].path is None
    assert path.read_bytes() == before
    time.sleep(0.01)
    path.write_text(path.read_text() + "# touched\n")
    assert {r.document.recipe.name: r.changed_since for r in left_behind((tmp_path,), {})}["unsaved edit"]


def test_saving_clears_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path, tmp_path / "blend.yaml")
    journal.record(blend())
    assert journal.file.exists()
    journal.clear()
    assert not journal.file.exists()
    journal.clear()


def test_a_journal_is_left_behind_though_its_process_number_is_in_use_again(tmp_path: Path) -> None:
    path = tmp_path / "blend.yaml"
    save_document(blend(), path)
    journal = Journal(tmp_path, path)
    journal.record(c.SetRecipe(name="unsaved edit").apply(blend()))
    assert left_behind((tmp_path,), {}) == (), "we are alive"
    content = json.loads(journal.file.read_text())
    assert content["started"] > 0
    journal.file.write_text(json.dumps({**content, "started": content["started"] - 1}))
    assert [r.document.recipe.name for r in left_behind((tmp_path,), {})] == ["unsaved edit"]
    journal.file.write_text(json.dumps({**content, "host": "another machine"}))
    assert len(left_behind((tmp_path,), {})) == 1


def test_a_second_reader_does_not_remove_the_journal_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "blend.yaml"
    save_document(blend(), path)
    writing, reading = Journal(tmp_path, path), Journal(tmp_path, path)
    writing.record(blend())
    reading.clear()  # it was opened read-only, and closed
    assert writing.file.exists()
    writing.clear()
    assert not writing.file.exists()


def test_a_journal_that_cannot_be_read_is_skipped_and_kept(tmp_path: Path) -> None:
    file = tmp_path / ".blend.yaml.autosave"
    for text in ("", "{", "[]", '{"solera_autosave": 1, "pid": 4194303, "path": "", "time": 0, "document": []}'):
        file.write_text(text)
        assert left_behind((tmp_path,), {}) == ()
        assert file.read_text() == text


def test_a_journal_belongs_to_the_recipe_beside_it_wherever_both_went(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    path = tmp_path / "old" / "blend.yaml"
    save_document(blend(), path)
    journal = Journal(path.parent, path)
    journal.record(blend())
    content = json.loads(journal.file.read_text())
    journal.file.write_text(json.dumps({**content, "pid": 2**22 + 1}))  # of a process that is gone
    (tmp_path / "old").rename(tmp_path / "new")
    (recovery,) = left_behind((tmp_path / "new",), {})
    assert recovery.path == tmp_path / "new" / "blend.yaml"

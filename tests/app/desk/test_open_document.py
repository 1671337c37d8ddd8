"""An open document: its journal within a second, saving, read-only, what its file said and could not be read."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from solera.documents.commands import AddNodes
from solera.documents.document import Document
from solera.documents.journal import left_behind
from solera.errors import LockedError, OutputError
from solera.recipes.nodes import CheckpointNode
from solera_app.open_document import AUTOSAVE_MS, OpenDocument


def add(opened: OpenDocument, name: str = "base") -> None:
    opened.history.do(AddNodes((CheckpointNode(name, f"library:{name}"),), {name: (1.0, 2.0)}))


def journals(folder: Path) -> list[Path]:
    return list(folder.rglob("*.autosave"))


def test_an_edit_is_journalled_within_a_second(qtbot: Any, qapp: Any, tmp_path: Path) -> None:
    assert AUTOSAVE_MS < 1000
    opened = OpenDocument(Document(), None, tmp_path)
    began = time.monotonic()
    add(opened)
    assert journals(tmp_path) == []
    qtbot.waitUntil(lambda: bool(journals(tmp_path)), timeout=5000)
    assert time.monotonic() - began < 3
    kept = json.loads(opened.journal.read_text())
    assert kept["document"]["layout"]["positions"] == {"base": [1.0, 2.0]}
    opened.discard()
    assert journals(tmp_path) == []


def test_a_stream_of_edits_does_not_put_the_journal_off(qtbot: Any, qapp: Any, tmp_path: Path) -> None:
    opened = OpenDocument(Document(), None, tmp_path)
    names = iter(range(10_000))
    began = time.monotonic()

    def edit_until_journalled() -> bool:
        add(opened, f"n{next(names)}")
        return bool(journals(tmp_path))

    qtbot.waitUntil(edit_until_journalled, timeout=5000)
    assert time.monotonic() - began < 3
    opened.discard()


def test_what_a_dead_process_left_is_found(qapp: Any, tmp_path: Path) -> None:
    opened = OpenDocument(Document(), None, tmp_path)
    add(opened)
    opened.autosave()
    content = json.loads(opened.journal.read_text())
    assert left_behind((tmp_path,), {}) == ()  # we live
    opened.journal.write_text(json.dumps({**content, "pid": 2**22 - 3}))
    (recovery,) = left_behind((tmp_path,), {})
    assert recovery.document == opened.document
    again = OpenDocument(recovery.document, recovery.path, tmp_path, modified=True)
    assert again.modified
    again.discard()
    opened.discard()


def test_saving_ends_the_journal_and_the_bullet(qtbot: Any, qapp: Any, tmp_path: Path) -> None:
    opened = OpenDocument(Document(), None, tmp_path)
    add(opened)
    opened.autosave()
    assert opened.modified
    with qtbot.waitSignal(opened.changed):
        opened.save(tmp_path / "blend.yaml")
    assert bool(opened.modified) is False
    assert opened.name == "blend"
    assert journals(tmp_path) == []
    again = OpenDocument.load(tmp_path / "blend.yaml", {})
    assert again.document == opened.document
    assert [fault.code for fault in again.faults] == ["recipe.no-output"]
    assert again.unread == ()
    add(again, "more")
    again.history.undo()
    assert not again.modified


def test_a_save_that_fails_keeps_everything(qapp: Any, tmp_path: Path) -> None:
    opened = OpenDocument(Document(), None, tmp_path)
    add(opened)
    opened.autosave()
    with pytest.raises(OutputError, match="cannot be written"):
        opened.save(tmp_path / "no" / "such" / "folder.yaml")
    assert opened.modified
    assert opened.path is None
    assert journals(tmp_path)
    opened.discard()


def test_read_only_writes_nothing_but_saves_elsewhere(qapp: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    OpenDocument(Document(), None, tmp_path).save(file)
    before = file.read_bytes()
    opened = OpenDocument.load(file, {}, read_only=True)
    add(opened)
    opened.autosave()
    with pytest.raises(LockedError, match="Save it under another name"):
        opened.save()
    assert file.read_bytes() == before
    assert journals(tmp_path) == []
    opened.save(tmp_path / "b.yaml")
    assert not opened.modified
    add(opened, "later")
    opened.save()
    assert "later" in (tmp_path / "b.yaml").read_text()
    opened.discard()


def test_what_could_not_be_read_is_remembered_until_it_is_saved(qapp: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("solera: 1\nnodes:\n  a: {checkpoint: x}\n  b: {metod: ties}\noutput: a\n")
    opened = OpenDocument.load(file, {})
    assert any("metod" in fault.message for fault in opened.unread)
    assert set(opened.unread) <= set(opened.faults)
    opened.save()
    assert opened.unread == ()

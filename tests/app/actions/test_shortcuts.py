"""Shortcuts are a person's to choose: kept in a file, refused with a sentence where they clash, reset."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from solera.errors import InputError
from solera_app.actions.build import Actions, is_bare
from solera_app.actions.shortcuts import TAKEN, Shortcuts, plain
from solera_app.actions.shortcuts_dialog import ShortcutsDialog
from solera_app.actions.table import ACTIONS

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def shortcuts(qapp: Any, tmp_path: Path) -> Shortcuts:
    return Shortcuts(tmp_path / "deep" / "shortcuts.json")


def test_what_is_chosen_is_kept_and_only_that(shortcuts: Shortcuts) -> None:
    assert shortcuts.of("file.save") == "Ctrl+S"
    shortcuts.set("file.save", "ctrl+j")
    shortcuts.set("run.check", "")
    again = Shortcuts(shortcuts.file)
    assert (again.of("file.save"), again.of("run.check"), again.of("file.new-recipe")) == ("Ctrl+J", "", "Ctrl+N")
    assert again.is_own("file.save")
    assert not again.is_own("file.new-recipe")
    again.set("file.save", "Ctrl+S")
    assert not again.is_own("file.save")
    again.reset()
    assert Shortcuts(shortcuts.file).of("run.check") == "Ctrl+K"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("Ctrl+O", "Ctrl+O belongs to 'Open project'"),
        ("ctrl+o", "take it from there first"),
        ("Return", "Return opens what is chosen everywhere"),
        ("Ctrl+K, Ctrl+J", "one combination"),
        ("Ctrl+NoSuchKey", "not 'Ctrl+NoSuchKey'"),
    ],
)
def test_a_clash_is_refused_with_a_sentence(shortcuts: Shortcuts, keys: str, words: str) -> None:
    with pytest.raises(InputError) as told:
        shortcuts.set("file.save", keys)
    assert words in str(told.value)
    assert shortcuts.of("file.save") == "Ctrl+S"


def test_a_key_that_was_given_up_is_free_and_a_reset_that_clashes_is_refused(shortcuts: Shortcuts) -> None:
    shortcuts.set("file.open-project", "")
    shortcuts.set("file.save", "Ctrl+O")
    with pytest.raises(InputError, match="Ctrl\\+O belongs to 'Save recipe'"):
        shortcuts.reset("file.open-project")
    shortcuts.reset("file.save")
    shortcuts.reset("file.open-project")
    assert shortcuts.of("file.open-project") == "Ctrl+O"


@pytest.mark.parametrize("text", ["", "[", "[1]", '{"file.save": 5, "no.such": "Ctrl+J", "run.run": "Ctrl+Nonsense"}'])
def test_a_broken_file_is_an_empty_one(qapp: Any, tmp_path: Path, text: str) -> None:
    file = tmp_path / "shortcuts.json"
    file.write_text(text)
    read = Shortcuts(file)
    assert all(read.of(row.id) == row.shortcut for row in ACTIONS)


IDS = [row.id for row in ACTIONS]
KEYS = ["", "Ctrl+S", "Ctrl+J", "F", "Alt+2", "Return", "Ctrl+1", "Tab", "?"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(KEYS))))
def test_no_two_commands_ever_share_keys(tmp_path_factory: Any, edits: list[tuple[str, str]]) -> None:
    found = Shortcuts(tmp_path_factory.mktemp("keys") / "shortcuts.json")
    for id_, keys in edits:
        try:
            found.set(id_, keys)
        except InputError:
            pass
    held = [plain(found.of(row.id)) for row in ACTIONS if found.of(row.id)]
    assert len(held) == len(set(held))
    assert not set(held) & set(TAKEN)


def test_actions_follow_and_say_so(shortcuts: Shortcuts) -> None:
    owner = QObject()
    made = Actions({row.id: (lambda: None) for row in ACTIONS}, owner, shortcuts)
    shortcuts.set("file.save", "Ctrl+J")
    made.show_shortcuts()
    assert made.by_id["file.save"].shortcut().toString() == "Ctrl+J"
    assert made.by_id["file.save"].toolTip().startswith("Save recipe (Ctrl+J)")
    owner.deleteLater()


def test_with_clicks_and_keys(shortcuts: Shortcuts, qtbot: Any) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    dialog = ShortcutsDialog(shortcuts, parent)
    dialog.show()
    QTest.keyClicks(dialog.search, "save recipe as")
    (row,) = [row for row in dialog.view.rows_model.rows if not row.section]
    assert row.right == "Ctrl+Shift+S"
    place = dialog.view.visualRect(dialog.view.rows_model.find(row.id)).center()
    QTest.mouseClick(dialog.view.viewport(), LEFT, pos=place)
    dialog.keys.setFocus()
    QTest.keyClick(dialog.keys, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    QTest.mouseClick(dialog.give, LEFT)
    assert "belongs to 'Open project'" in dialog.told.text()
    assert dialog.told.property("tone") == "error"
    dialog.keys.clear()
    QTest.keyClick(dialog.keys, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    with qtbot.waitSignal(dialog.changed):
        QTest.mouseClick(dialog.give, LEFT)
    assert Shortcuts(shortcuts.file).of("file.save-as") == "Ctrl+J"
    assert next(row for row in dialog.view.rows_model.rows if row.id == "file.save-as").right == "Ctrl+J"
    QTest.mouseClick(dialog.back, LEFT)
    assert shortcuts.of("file.save-as") == "Ctrl+Shift+S"
    dialog.search.clear()
    shown = {row.id for row in dialog.view.rows_model.rows if not row.section}
    assert shown == {row.id for row in ACTIONS}
    dialog.close()


def test_keys_without_ctrl_work_in_the_tabs_alone() -> None:
    assert [is_bare(keys) for keys in ("Tab", "Del", "F", "Shift+G", "+")] == [True] * 4 + [False]
    assert not any(is_bare(keys) for keys in ("", "F1", "Shift+F1", "Ctrl+S", "Alt+2", "Ctrl+Shift+P"))

"""The table of actions: every row has a handler, shortcuts are unique, conditions decide, the palette finds."""

from collections import Counter
from typing import Any

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMainWindow, QMenu, QToolBar

from solera_app.actions.build import Actions
from solera_app.actions.palette import Palette
from solera_app.actions.table import ACTIONS, MENUS
from solera_app.bridge.slots import notices

#: Conditions that tabs (see solera_app.tabs) and the desk bring about.
CONDITIONS = {
    "", "project", "document", "tab", "canvas", "exportable", "undo", "redo", "selection", "runnable", "interpolation",
    "busy",
}  # fmt: skip


def test_ids_and_shortcuts_are_unique() -> None:
    for values in ([row.id for row in ACTIONS], [row.shortcut for row in ACTIONS if row.shortcut]):
        assert [value for value, count in Counter(values).items() if count > 1] == []
    for row in ACTIONS:
        assert not row.shortcut or not QKeySequence(row.shortcut).isEmpty()


def test_every_row_says_what_it_does() -> None:
    for row in ACTIONS:
        assert row.tip.endswith("."), row.id
        assert row.title[0].isupper(), row.id
        assert row.menu in MENUS, row.id
        assert row.when in CONDITIONS, row.id


@pytest.fixture
def calls() -> list[str]:
    return []


@pytest.fixture
def actions(qapp: Any, calls: list[str]) -> Any:
    owner = QObject()
    made = Actions({row.id: (lambda id_=row.id: calls.append(id_)) for row in ACTIONS}, owner)  # type: ignore[misc]
    yield made
    owner.deleteLater()


@pytest.mark.parametrize("condition", sorted(CONDITIONS))
def test_an_action_is_enabled_only_when_its_condition_holds(actions: Actions, condition: str) -> None:
    actions.enable(frozenset({condition} - {""}))
    for row in ACTIONS:
        assert actions.by_id[row.id].isEnabled() is (row.when in {"", condition}), row.id


def test_every_action_calls_its_handler_once(actions: Actions, calls: list[str]) -> None:
    actions.enable(frozenset(CONDITIONS))
    for row in ACTIONS:
        actions.by_id[row.id].trigger()
    assert calls == [row.id for row in ACTIONS]


def test_menus_and_toolbar_hold_every_row_that_says_so(actions: Actions, qtbot: Any) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    bar = QToolBar()
    window.addToolBar(bar)
    actions.fill_menus(window.menuBar())
    actions.fill_toolbar(bar)
    titles = [action.text() for action in window.menuBar().actions()]
    assert tuple(title.replace("&", "") for title in titles) == MENUS
    assert len({title[title.index("&") + 1] for title in titles}) == len(MENUS)  # each key opens one menu
    menus = {menu.title().replace("&", ""): menu for menu in window.menuBar().findChildren(QMenu)}
    for row in ACTIONS:
        assert actions.by_id[row.id] in menus[row.menu].actions()
        on_bar = actions.by_id[row.id] in bar.actions()
        assert on_bar is bool(row.toolbar)
        if on_bar:
            assert bar.widgetForAction(actions.by_id[row.id]).accessibleName()
            assert not actions.by_id[row.id].icon().isNull()


def test_what_a_handler_raises_is_told(qapp: Any, qtbot: Any) -> None:
    def broken() -> None:
        raise ValueError("wanted this")

    owner = QObject()
    made = Actions({"file.save": broken}, owner)
    with qtbot.waitSignal(notices().raised) as told:
        made.by_id["file.save"].trigger()
    level, sentence, details = told.args
    assert level == "error"
    assert "wanted this" in sentence
    assert "Traceback" in details
    owner.deleteLater()


# --- the palette ----------------------------------------------------------------------------------------------------


@pytest.fixture
def palette(actions: Actions, qtbot: Any) -> Palette:
    window = QMainWindow()
    qtbot.addWidget(window)
    window.resize(800, 600)
    window.show()
    actions.enable(frozenset({"project"}))
    made = Palette(window)
    made.open_with([(row.id, row.menu, actions.by_id[row.id]) for row in ACTIONS])
    return made


def titles(palette: Palette) -> list[str]:
    return [row.title for row in palette.view.rows_model.rows]


def test_the_palette_offers_what_can_be_done_now(palette: Palette) -> None:
    assert "Open recipe…" in titles(palette)
    assert "Undo" not in titles(palette)


def test_words_in_any_order_arrows_and_enter(palette: Palette, qtbot: Any) -> None:
    QTest.keyClicks(palette.search, "open project")
    assert titles(palette)[0] == "Open project…"
    palette.search.clear()
    QTest.keyClicks(palette.search, "open")
    first, second = titles(palette)[:2]
    assert first != second
    QTest.keyClick(palette.search, Qt.Key.Key_Down)
    with qtbot.waitSignal(palette.chosen) as told:
        QTest.keyClick(palette.search, Qt.Key.Key_Return)
    assert told.args == [next(row.id for row in ACTIONS if row.title == second)]
    assert not palette.isVisible()


def test_no_match_is_said_and_enter_does_nothing(palette: Palette, qtbot: Any) -> None:
    QTest.keyClicks(palette.search, "zzz")
    assert titles(palette) == ["No match for 'zzz'"]
    with qtbot.assertNotEmitted(palette.chosen):
        QTest.keyClick(palette.search, Qt.Key.Key_Return)

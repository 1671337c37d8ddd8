"""The list of runs by day, and the log."""

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

import pytest
from PySide6.QtTest import QTest

from solera.events import Logged
from solera_app.docks.log import LogDock, LogHandler
from solera_app.docks.runs import RunsDock
from solera_app.models.rows import ROW_ROLE
from solera_app.theme import themes

NOON = time.mktime((*time.localtime()[:3], 12, 0, 0, 0, 0, -1))


@dataclass
class Info:
    id: str
    title: str
    created: float
    kind: str = "explore"
    state: str = "done"
    count: int = 0
    planned: int | None = None
    summary: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""


@pytest.fixture
def runs(shown: Any) -> RunsDock:
    made: RunsDock = shown(RunsDock())
    made.set_runs(
        [
            Info("a", "Line", NOON, count=9, planned=21, state="interrupted"),
            Info("b", "Front", NOON + 60, count=1200, planned=1000, summary="hypervolume 0.170; and more"),
            Info("c", "Old", NOON - 86_400, kind="merge"),
            Info("d", "Older", time.mktime((2020, 2, 3, 4, 5, 0, 0, 0, -1)), kind="unheard-of"),
        ]
    )
    return made


def test_runs_stand_by_day_newest_first(runs: RunsDock) -> None:
    rows = runs.view.rows_model.rows
    assert [row.title for row in rows] == [
        "Today", "Front", "Line", "Yesterday", "Old", "3 February 2020", "Older"
    ]  # fmt: skip
    assert rows[1].facts.endswith(" · 1,000 points · hypervolume 0.170")  # 200 were scored again
    assert rows[2].facts.endswith(" · 9 of 21 points")
    assert (rows[2].right, rows[1].right) == ("Interrupted", "")


def test_runs_are_found_by_any_word_of_them(runs: RunsDock) -> None:
    QTest.keyClicks(runs.search, "hypervolume front")
    assert [row.title for row in runs.view.rows_model.rows] == ["Today", "Front"]
    QTest.keyClicks(runs.search, "!")
    assert [row.title for row in runs.view.rows_model.rows] == ["No match for 'hypervolume front!'"]


def test_the_same_runs_again_keep_the_selection(runs: RunsDock) -> None:
    runs.view.choose("a")
    runs.set_runs([Info("a", "Line", NOON, count=12, planned=21, state="running"), *runs._runs[:1], *runs._runs[2:]])
    assert runs.view.selected_ids() == ["a"]
    assert runs.view.currentIndex().data(ROW_ROLE).id == "a"
    assert runs.view.rows_model.rows[2].facts.endswith("12 of 21 points")


def test_a_list_that_grows_keeps_the_selection(runs: RunsDock) -> None:
    runs.view.choose("a")
    runs.set_runs([Info("e", "New", NOON + 120), *runs._runs])
    assert runs.view.selected_ids() == ["a"]
    assert runs.view.currentIndex().data(ROW_ROLE).id == "a"


def test_messages_from_any_thread_are_shown_in_order(shown: Any, qtbot: Any) -> None:
    log = shown(LogDock())
    logger = logging.getLogger("solera.test-log")
    logger.setLevel(logging.INFO)
    handler = LogHandler(log)
    logger.addHandler(handler)
    try:
        worker = threading.Thread(target=lambda: [logger.info("line %d", i) for i in range(50)])
        worker.start()
        worker.join()
    finally:
        logger.removeHandler(handler)
    log.on_logged(Logged(level="warning", text="two\nlines", time=0))
    qtbot.waitUntil(lambda: "lines" in log.text.toPlainText())
    text = log.text.toPlainText()
    assert [line.rsplit(" ", 1)[1] for line in text.splitlines() if "line " in line] == [str(i) for i in range(50)]
    themes().apply("dark")
    qtbot.waitUntil(lambda: log.text.toPlainText() == text)

"""Jobs: each state has its words, its look and its buttons; progress repaints late and once; order is kept."""

from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from solera.events import JobChanged, Progress
from solera_app.docks.jobs import JobsDock
from solera_app.models.rows import Row

WANTED = {
    "queued": {"stop"}, "running": {"pause", "stop"}, "paused": {"resume", "stop"}, "done": set(),
    "failed": {"retry", "details"}, "cancelled": {"retry"}, "interrupted": {"retry"},
}  # fmt: skip


def changed(job: str, state: Any, at: float = 100.0, **more: Any) -> JobChanged:
    return JobChanged(job=job, kind="merge", title=f"Merge {job}", state=state, time=at, **more)


def hover(jobs: JobsDock, over: bool) -> None:
    QApplication.sendEvent(jobs.view.viewport(), QEvent(QEvent.Type.Enter if over else QEvent.Type.Leave))


@pytest.fixture
def jobs(shown: Any) -> JobsDock:
    made: JobsDock = shown(JobsDock())
    QCursor.setPos(made.mapToGlobal(QPoint(-50, -50)))
    made.resize(900, 200)
    hover(made, False)
    return made


def row(jobs: JobsDock, job: str) -> Row:
    return next(row for row in jobs.view.rows_model.rows if row.id == job)


@pytest.mark.parametrize("state", list(WANTED))
def test_every_state_has_words_an_icon_and_its_buttons(jobs: JobsDock, state: str) -> None:
    jobs.on_job(changed("a", state, error={"message": "No such file: x.\nMore."} if state == "failed" else None))
    shown = row(jobs, "a")
    assert {button.action for button in shown.buttons} == WANTED[state]
    assert all(button.tip for button in shown.buttons)
    assert shown.icon
    assert shown.middle or shown.right
    assert jobs.state_of("a") == state
    assert ("a" in jobs.running) is (state in {"running", "paused"})
    if state == "failed":
        assert shown.middle == "No such file: x."


def listed(jobs: JobsDock) -> str:
    return "".join(row.id for row in jobs.view.rows_model.rows)


def test_what_runs_is_first_then_what_waits_then_what_is_over(jobs: JobsDock) -> None:
    for at, name in enumerate("abcd"):
        jobs.on_job(changed(name, "queued", at=100.0 + at))
    assert listed(jobs) == "abcd"
    for name in "ab":
        jobs.on_job(changed(name, "running", at=110.0))
        jobs.on_job(changed(name, "done", at=122.0 if name == "a" else 130.0))
    jobs.on_job(changed("c", "running", at=130.0))
    assert listed(jobs) == "cdba"
    assert row(jobs, "a").middle == "Took 12 s"
    assert row(jobs, "a").right == "Done"
    assert row(jobs, "d").facts == "Merge"
    jobs.on_job(changed("a", "queued", at=140.0))
    assert listed(jobs) == "cdab"
    jobs.set_waiting(["a", "d"])
    assert listed(jobs) == "cadb"


def test_a_job_of_an_earlier_session_does_not_say_when_it_began(jobs: JobsDock) -> None:
    jobs.on_job(changed("a", "interrupted"))
    assert row(jobs, "a").facts == "Merge"
    jobs.on_job(changed("a", "queued", at=200.0))
    jobs.on_job(changed("a", "running", at=201.0))
    assert row(jobs, "a").facts.startswith("Merge · started ")


def test_nothing_moves_under_the_pointer(jobs: JobsDock, qtbot: Any) -> None:
    jobs.on_job(changed("a", "running"))
    jobs.on_job(changed("b", "queued"))
    hover(jobs, True)
    jobs.on_job(changed("a", "done", at=101.0))
    jobs.on_job(changed("c", "queued", at=102.0))
    assert listed(jobs) == "cab"
    hover(jobs, False)
    qtbot.waitUntil(lambda: listed(jobs) == "bca")


def test_progress_is_shown_once_for_a_hundred_events(jobs: JobsDock, qtbot: Any) -> None:
    jobs.on_job(changed("a", "running"))
    repaints: list[Any] = []
    jobs.view.rows_model.dataChanged.connect(lambda *_: repaints.append(1))
    for done in range(101):
        jobs.on_progress(Progress(job="a", done=done, total=200, unit="B", rate=2e6, left=151))
    assert not repaints
    qtbot.waitUntil(lambda: bool(repaints))
    assert len(repaints) == 1
    assert row(jobs, "a").progress == 0.5
    assert row(jobs, "a").middle == "50 % · 2.00 MB/s · 2 min 31 s left"
    jobs.on_progress(Progress(job="stranger", done=1))
    assert [row.id for row in jobs.view.rows_model.rows] == ["a"]


def test_buttons_are_pressed_with_the_mouse(jobs: JobsDock, qtbot: Any) -> None:
    jobs.on_job(changed("a", "running"))
    view = jobs.view
    rect = view.visualRect(view.rows_model.find("a"))
    with qtbot.waitSignal(jobs.commanded) as told:
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(rect.right() - 20, rect.center().y()))
    assert told.args == ["a", "stop"]
    with qtbot.waitSignal(jobs.commanded) as told:
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(rect.right() - 48, rect.center().y()))
    assert told.args == ["a", "pause"]
    with qtbot.assertNotEmitted(jobs.commanded):
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(60, rect.center().y()))


def test_details_and_runs_are_opened(jobs: JobsDock, qtbot: Any) -> None:
    jobs.on_job(changed("a", "failed", error={"message": "Wanted x.", "traceback": "Traceback ..."}))
    with qtbot.waitSignal(jobs.detailsRequested) as told:
        jobs.view.buttonPressed.emit("a", "details")
    assert told.args == ["Wanted x.", "Traceback ..."]
    jobs.on_job(changed("b", "running", run="r1"))
    jobs.on_job(changed("b", "done"))
    with qtbot.waitSignal(jobs.opened) as told:
        jobs.view.activatedRow.emit("b")
    assert told.args == ["r1"]


def test_busy_is_told_when_it_changes_only(jobs: JobsDock) -> None:
    heard: list[bool] = []
    jobs.busyChanged.connect(heard.append)
    for state in ("queued", "running", "paused", "running", "done"):
        jobs.on_job(changed("a", state))
    assert heard == [True, False]
    jobs.clear()
    assert not jobs.view.rows_model.rows
    assert jobs._stack.empty.isVisible()

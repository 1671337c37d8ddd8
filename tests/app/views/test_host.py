import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from solera.errors import InputError, NotFoundError
from solera.events import Event, PointScored
from solera.runs.reader import RunReader
from solera.runs.writer import RunWriter
from solera_app.pictures import registered
from solera_app.views.host import RunView
from solera_app.views.snapshot import Snapshot


class Threads:
    """A reader factory that remembers where it was called."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, source: Path) -> RunReader:
        self.seen.append(threading.get_ident())
        return RunReader(source)


@pytest.fixture
def factory() -> Threads:
    return Threads()


@pytest.fixture
def host(qtbot: QtBot, factory: Threads) -> RunView:
    made = RunView(factory, registered())
    qtbot.addWidget(made, before_close_func=lambda widget: widget.close_run())
    made.resize(1024, 640)
    made.show()
    return made


def snapshot(host: RunView) -> Snapshot:
    assert host.snapshot is not None
    return host.snapshot


def front(host: RunView) -> Any:
    assert host.current is not None
    return host.current


def opened(qtbot: QtBot, host: RunView, path: Path) -> None:
    with qtbot.waitSignal(host.opened, timeout=10_000):
        host.open(path)


def test_a_run_is_read_in_another_thread_and_gets_its_tabs(
    qtbot: QtBot, host: RunView, factory: Threads, run_file: Callable[[str], Path]
) -> None:
    opened(qtbot, host, run_file("search"))
    assert factory.seen
    assert threading.get_ident() not in factory.seen
    assert list(host.names) == ["pareto", "hypervolume", "parallel", "table"]
    assert host.run == "search"
    host.show_view("table")
    assert front(host).title == "Table"
    opened(qtbot, host, run_file("line"))
    assert host.names == ("curve", "table")
    with pytest.raises(InputError, match="curve"):
        host.show_view("surface")


def test_a_view_draws_at_once_after_a_rest_and_waits_while_it_is_dear(
    qtbot: QtBot, host: RunView, run_file: Callable[[str], Path]
) -> None:
    opened(qtbot, host, run_file("search"))
    view, timer = front(host), front(host)._timer
    view._drew, view._pause = time.perf_counter(), 30_000
    view.update_run(snapshot(host))
    view.update_run(snapshot(host))
    assert timer.remainingTime() > 10_000
    timer.stop()
    view._drew -= 60
    with qtbot.waitSignal(view.drawn):
        view.update_run(snapshot(host))
    assert not timer.isActive()


def test_a_live_run_grows_on_the_screen_until_it_ends(
    qtbot: QtBot, host: RunView, growing: Callable[[str], tuple[RunWriter, list[Event]]]
) -> None:
    writer, events = growing("plane")
    opened(qtbot, host, writer.path)
    assert snapshot(host).state == "running"
    for event in events[:20]:
        writer.append(event)
    writer.flush()
    qtbot.waitUntil(lambda: len(snapshot(host).points) == 20, timeout=5000)
    plot = front(host).plots()[0]
    qtbot.waitUntil(lambda: plot.header.state == "Running 57 %", timeout=5000)
    for event in events[20:]:
        writer.append(event)
    writer.close("done", "finished")
    qtbot.waitUntil(lambda: plot.header.state == "Done", timeout=5000)
    assert len(snapshot(host).points) == len(events)


def test_points_heard_of_before_their_file_are_shown_and_not_lost(
    qtbot: QtBot, host: RunView, growing: Callable[[str], tuple[RunWriter, list[Event]]]
) -> None:
    writer, events = growing("line")
    opened(qtbot, host, writer.path)
    heard = [event for event in events if isinstance(event, PointScored)]
    host.take(heard[:4])
    assert len(snapshot(host).points) == 4
    host.take(heard[2:6])
    host.take(heard[9:])  # a gap: the file will tell
    assert len(snapshot(host).points) == 6
    for event in events[:5]:
        writer.append(event)
    writer.flush()
    for event in events[5:]:
        writer.append(event)
    writer.close("done", "")
    qtbot.waitUntil(lambda: len(snapshot(host).points) == len(events) and not snapshot(host).live, timeout=5000)


def test_selection_is_shared_by_the_views_and_a_double_click_asks_for_the_recipe(
    qtbot: QtBot, host: RunView, run_file: Callable[[str], Path]
) -> None:
    opened(qtbot, host, run_file("plane"))
    plot = front(host).plots()[0]
    at = plot.position(8).toPoint()
    with qtbot.waitSignal(host.pointSelected) as chosen:
        qtbot.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert chosen.args == ["plane", 8]
    with qtbot.waitSignal(host.recipeRequested) as asked:
        qtbot.mouseDClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert asked.args == ["plane", 8]
    host.show_view("table")
    assert front(host).selected == 8
    assert front(host).view.currentIndex().siblingAtColumn(0).data() == 9


def test_a_missing_run_is_a_sentence_and_the_view_lives_on(
    qtbot: QtBot, host: RunView, run_file: Callable[[str], Path], tmp_path: Path
) -> None:
    with qtbot.waitSignal(host.failed, timeout=10_000) as told:
        host.open(tmp_path / "gone.h5")
    assert isinstance(told.args[0], NotFoundError)
    assert "gone.h5" in host.message.text()
    opened(qtbot, host, run_file("line"))
    assert host.current is not None


def test_export_writes_the_view_in_front(
    qtbot: QtBot, host: RunView, run_file: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError):
        host.export("csv", tmp_path / "a.csv")
    opened(qtbot, host, run_file("search"))
    text = host.export("csv", tmp_path / "a.csv").read_text()
    assert "Rotated cross-entropy" in text.splitlines()[0]
    host.show_view("table")
    assert "rotated.cross_entropy" in host.export("csv", tmp_path / "b.csv").read_text().splitlines()[0]


def test_a_view_thrown_away_ends_its_thread(
    qtbot: QtBot, factory: Threads, growing: Callable[[str], tuple[RunWriter, list[Event]]]
) -> None:
    writer, _ = growing("line")
    thrown = RunView(factory, registered())
    opened(qtbot, thrown, writer.path)
    thread = thrown.watch._thread
    assert thread.isRunning()
    thrown.deleteLater()
    del thrown
    qtbot.waitUntil(thread.isFinished, timeout=5000)
    writer.close("done", "")

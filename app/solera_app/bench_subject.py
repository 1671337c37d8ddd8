"""What the window's benchmark measures, each in a process of its own: ``python -m solera_app.bench_subject WHAT``.

``paint``: the whole way of ``solera app`` to the first paint. ``late SECONDS FOLDER ...``: the event loop's lateness in
a window on a project while it imports, idle, beside a job with two live views, and with two more jobs, in the other
folders. ``memory FOLDER``: anonymous memory over fifty jobs. ``cancel FOLDER LARGE``: how soon jobs end. ``draw``: see
:mod:`solera_app.bench_drawing`. ``bare-paint`` and ``bare-late SECONDS`` are the floors: an empty window. Each writes
one JSON object to stdout.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMainWindow

    from solera_app.bench_jobs import Others
    from solera_app.main import Application
    from solera_app.views.host import RunView

#: Milliseconds between two ticks of the timer whose lateness is measured.
TICK = 5
#: Points a view shows before its phase is measured: what a first picture costs comes once.
_BEGIN = 30
_HEAVY = ("torch", "h5py", "optuna", "transformers", "pydantic", "scipy", "pyqtgraph", "numpy")


class Lateness:
    """How late a precise timer of :data:`TICK` ms is, and what the window's own thread computes between two ticks.

    Attributes:
        late: Milliseconds late, per tick.
        busy: Milliseconds of CPU this thread used since the tick before: what other programs do does not enter.
    """

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.late: list[float] = []
        self.busy: list[float] = []
        self._wall = self._cpu = 0.0
        self._timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=TICK)
        self._timer.timeout.connect(self._tick)

    def start(self) -> None:
        """Begin."""
        self._wall, self._cpu = time.perf_counter(), time.thread_time()
        self._timer.start()

    def stop(self) -> dict[str, list[float]]:
        """End; the figures."""
        self._timer.stop()
        return {"late": self.late, "busy": self.busy}

    def _tick(self) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        self.late.append(max((wall - self._wall) * 1e3 - TICK, 0.0))
        self.busy.append((cpu - self._cpu) * 1e3)
        self._wall, self._cpu = wall, cpu


def paint() -> None:
    """Start as ``solera app`` does, and end at the first paint."""
    import solera.cli.main
    import solera_app.commands

    probe = solera_app.commands.probe_display

    def probed(load: Callable[[], object]) -> None:
        probe(load)
        import solera_app.main
        from solera_app.first_paint import FirstPaint

        class Timed(solera_app.main.Application):
            def open(self, *arguments: Any) -> None:
                FirstPaint(self.window, lambda: _painted(self.window))
                super().open(*arguments)

        solera_app.main.Application = Timed  # type: ignore[misc]  # the command makes its application by this name

    solera_app.commands.probe_display = probed  # type: ignore[assignment]  # the command always says what to load
    solera.cli.main.main(["app"])


def bare_paint() -> None:
    """The floor: Qt and an empty main window."""
    from solera_app.first_paint import FirstPaint

    qt, window = _bare()
    FirstPaint(window, lambda: _painted(window))
    window.show()
    qt.exec()


def _painted(window: QMainWindow) -> None:
    loaded = [name for name in _HEAVY if name in sys.modules]
    told = {"at": time.monotonic(), "cpu": time.process_time(), "loaded": loaded, "size": window.size().toTuple()}
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()
    import os

    os._exit(0)  # nothing after the first paint is measured


def bare_late(seconds: float) -> None:
    """The floor: the timer in an empty window."""
    from PySide6.QtCore import QTimer

    from solera_app.first_paint import FirstPaint

    qt, window = _bare()
    lateness = Lateness()

    def end() -> None:
        sys.stdout.write(json.dumps({"bare": lateness.stop()}))
        qt.quit()

    FirstPaint(window, lateness.start)
    window.show()
    QTimer.singleShot(int(seconds * 1e3), end)
    qt.exec()


def _bare() -> tuple[Any, QMainWindow]:
    from PySide6.QtWidgets import QApplication, QMainWindow

    qt = QApplication([])
    window = QMainWindow()
    window.resize(1280, 800)
    return qt, window


class _Session:
    """Importing, idle, then a surface, a front, a front beside two other jobs: measures each and quits."""

    def __init__(
        self, application: Application, seconds: float, experiments: dict[str, Path], others: Callable[[], Others]
    ) -> None:
        from PySide6.QtCore import QTimer

        from solera_app.first_paint import FirstPaint

        self._application = application
        self._desk = application.desk
        self._seconds = seconds
        kinds = {"surface": "surface", "front": "front", "three": "front"}
        self._left = [(name, experiments[f"bench-{kind}"]) for name, kind in kinds.items()]
        self._begin_others = others
        self._others: Others | None = None
        self._second: RunView | None = None
        self._job = ""
        self._name = "importing"
        self._lateness: Lateness | None = Lateness()
        self._ready: Callable[[], bool] = lambda: True
        self.found: dict[str, Any] = {}
        self._timer = QTimer(interval=100)
        self._timer.timeout.connect(self._look)
        FirstPaint(application.window, self._painted)

    def _painted(self) -> None:
        assert self._lateness is not None
        self._lateness.start()
        self._timer.start()

    def _settled(self) -> bool:
        from solera_app.bridge.background import idle

        return self._desk.workbench is not None and idle()

    def _look(self) -> None:
        """Ten times a second: begin to measure when all is ready, end when the time is over."""
        from PySide6.QtCore import QTimer

        if self._others is not None:
            self._others.keep_on()
        if self._name == "importing":
            if self._settled():
                self.found["importing"] = {**self._lateness.stop(), "points": 0} if self._lateness is not None else {}
                self._name, self._lateness = "idle", None
        elif self._lateness is None and self._ready():
            self._lateness = Lateness()
            self._begun = self._scored()
            self._lateness.start()
            QTimer.singleShot(int(self._seconds * 1e3), self._measured)

    def _measured(self) -> None:
        assert self._lateness is not None
        self.found[self._name] = {**self._lateness.stop(), "points": self._scored() - self._begun}
        bench = self._desk.workbench
        assert bench is not None
        if self._job:
            bench.jobs.cancel(self._job)
            bench.jobs.wait(self._job, 10.0)
        if self._second is not None:
            self._second.close()
            self._second = None
        if not self._left:
            self._timer.stop()
            if self._others is not None:
                self._others.end()
            self._application.window.close()
            return
        self._name, path = self._left.pop(0)
        if self._name == "three":
            self._others = self._begin_others()
        self._job = bench.submit_explore(path, fresh=True).id
        self._desk.runs.await_run(self._job)
        self._ready = self._live
        self._lateness = None

    def _tab(self) -> RunView | None:
        tab = self._desk.tab
        view = getattr(tab, "view", None)
        bench = self._desk.workbench
        assert bench is not None
        return view if view is not None and view.run and view.run == bench.jobs.get(self._job).run else None

    def _live(self) -> bool:
        """Whether the run's tab and a second window on it both show what is scored."""
        view = self._tab()
        if view is None:
            return False
        if self._second is None:
            self._second = self._beside(view)
        shown = self._second.snapshot
        return shown is not None and len(shown.points) > _BEGIN and self._second.current is not None

    def _beside(self, first: RunView) -> RunView:
        """The same run's table in a window of its own."""
        from solera.runs.header import run_path
        from solera.runs.reader import RunReader
        from solera_app.views.host import RunView

        bench, bridge = self._desk.workbench, self._desk.bridge
        assert bench is not None
        assert bridge is not None
        shelf = bench.registry.views
        second = RunView(RunReader, {name: shelf[name] for name in shelf})
        second.resize(640, 480)
        second.opened.connect(lambda _: second.show_view("table"))
        bridge.pointsArrived.connect(lambda run, points: second.take(points))
        second.show()
        second.open(run_path(bench.runs_folder, first.run))
        return second

    def _scored(self) -> int:
        view = self._tab() if self._job else None
        return len(view.snapshot.points) if view is not None and view.snapshot is not None else 0


def late(seconds: float, folder: Path, more: Sequence[Path], large: Path) -> None:
    """Measure a window on a project that has the experiments ``bench-surface`` and ``bench-front``.

    Args:
        seconds: How long each state is watched.
        folder: The project.
        more: Two like it, for the other jobs.
        large: Large checkpoints, see :func:`solera_app.bench_jobs.make_large`.
    """
    from solera.projects.project import Project
    from solera_app.bench_jobs import Others

    with Project.open(folder, lock=False, read_only=True) as project:
        experiments = {path.stem: path for path in project.experiments()}
    application = _application(folder)
    session = _Session(application, seconds, experiments, lambda: Others(more, large))
    application.open(folder)
    application.run()
    sys.stdout.write(json.dumps(session.found))


def _application(folder: Path) -> Application:
    from solera_app.main import Application
    from solera_app.session.store import SessionStore

    return Application(session=SessionStore(folder / "session.json"))


def _tell(found: object) -> None:
    sys.stdout.write(json.dumps(found))


def main(words: list[str]) -> None:
    """Do what the first word says."""
    match words:
        case ["paint"]:
            paint()
        case ["bare-paint"]:
            bare_paint()
        case ["late", seconds, folder, *more, large]:
            late(float(seconds), Path(folder), [Path(other) for other in more], Path(large))
        case ["memory", folder]:
            from solera_app.bench_jobs import memory

            _tell({"anonymous": memory(_application(Path(folder)), Path(folder))})
        case ["cancel", folder, large]:
            from solera_app.bench_jobs import cancelled

            _tell(cancelled(Path(folder), Path(large)))
        case ["draw"]:
            from solera_app.bench_drawing import drawing

            _tell(drawing())
        case ["bare-late", seconds]:
            bare_late(float(seconds))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Events of the core, drained by ONE timer every 33 ms and coalesced into a few Qt signals."""

from __future__ import annotations

import time
from queue import Empty, SimpleQueue

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from solera.events import (
    ArtifactMade,
    Event,
    Indicator,
    JobChanged,
    Logged,
    PointScored,
    Progress,
    RunEnded,
    RunStarted,
)

#: Milliseconds between two drains: 30 a second is what an eye follows.
INTERVAL = 33
#: Seconds one drain may take before it leaves the rest to the next.
BUDGET = 0.008


class Bridge(QObject):
    """The one place where events become signals.

    Progress is coalesced to the latest per job; points are handed on in lists per run, in order.

    Args:
        queue: The subscription of the job queue.
        parent: Owner.
    """

    jobChanged = Signal(object)
    progressed = Signal(object)
    runStarted = Signal(object)
    runEnded = Signal(object)
    pointsArrived = Signal(str, object)
    indicated = Signal(str, object)
    logged = Signal(object)
    artifactMade = Signal(object)

    def __init__(self, queue: SimpleQueue[Event], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(INTERVAL)
        self._timer.timeout.connect(self.drain)

    def start(self) -> None:
        """Begin to drain."""
        self._timer.start()

    def stop(self) -> None:
        """Drain what is left and end."""
        self._timer.stop()
        self.drain()

    def drain(self) -> None:
        """Take what is there, for at most :data:`BUDGET` seconds, and emit it."""
        points: dict[str, list[PointScored]] = {}
        indicators: dict[str, list[Indicator]] = {}
        progress: dict[str, Progress] = {}
        end = time.perf_counter() + BUDGET
        while time.perf_counter() < end:
            try:
                event = self._queue.get_nowait()
            except Empty:
                break
            match event:
                case PointScored():
                    points.setdefault(event.run, []).append(event)
                case Indicator():
                    indicators.setdefault(event.run, []).append(event)
                case Progress():
                    progress[event.job] = event
                case _:
                    self._flush(points, indicators, progress)
                    self._send(event)
        self._flush(points, indicators, progress)

    def _flush(
        self,
        points: dict[str, list[PointScored]],
        indicators: dict[str, list[Indicator]],
        progress: dict[str, Progress],
    ) -> None:
        for run, batch in points.items():
            self.pointsArrived.emit(run, batch)
        for run, numbers in indicators.items():
            self.indicated.emit(run, numbers)
        for last in progress.values():
            self.progressed.emit(last)
        points.clear()
        indicators.clear()
        progress.clear()

    def _send(self, event: Event) -> None:
        match event:
            case JobChanged():
                self.jobChanged.emit(event)
            case RunStarted():
                self.runStarted.emit(event)
            case RunEnded():
                self.runEnded.emit(event)
            case Logged():
                self.logged.emit(event)
            case ArtifactMade():
                self.artifactMade.emit(event)

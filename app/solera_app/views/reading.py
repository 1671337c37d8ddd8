"""Reading a run in a thread of its own and handing it over as arrays; the window's thread never opens a file."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, QThread, QTimer, Signal, Slot

from solera.events import FINAL_STATES
from solera.runs.header import RunHeader
from solera.runs.picture import Picture
from solera.runs.points import Points
from solera_app.bridge.slots import attempt
from solera_app.views.pairs import Pairs
from solera_app.views.snapshot import Snapshot

_POLL_MS = 200  # five times a second while it grows
_REST_MS = 1000  # an interrupted run may be resumed: look again, less often


class Reader(Protocol):
    """What is read from: :class:`solera.runs.reader.RunReader` is one. Used in one thread only."""

    header: RunHeader

    @property
    def count(self) -> int:
        """Points so far."""
        ...

    @property
    def state(self) -> str:
        """``"running"``, or how it ended."""
        ...

    @property
    def summary(self) -> str:
        """The line it ended with."""
        ...

    @property
    def indicators(self) -> tuple[str, ...]:
        """Names of the indicators."""
        ...

    def refresh(self) -> int:
        """Read what has grown."""
        ...

    def points(self, start: int = 0) -> Points:
        """Points from ``start`` on."""
        ...

    def indicator(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """After how many points, and the value."""
        ...

    def picture(self) -> Picture | None:
        """The newest interpolated picture; asked for only where the header says that some are drawn."""
        ...

    def samples(self, column: int | str, rows: Sequence[int] | NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Per-sample values of some points; asked for only where the header says that they are kept."""
        ...


#: Opens a run: called in the reading thread.
ReaderFactory = Callable[[Any], Reader]


def snapshot_of(reader: Reader, pairs: Pairs | None = None) -> Snapshot:
    """All that a reader knows by now.

    Args:
        reader: It.
        pairs: The paired errors of what was read before; made anew if None.
    """
    points = reader.points(0)
    return Snapshot(
        reader.header,
        points,
        reader.state,
        reader.summary,
        {name: reader.indicator(name) for name in reader.indicators},
        (pairs or Pairs(reader.header)).grow(reader, points),
        reader.picture() if reader.header.picture else None,
    )


class _Worker(QObject):
    """Lives in the reading thread."""

    opened = Signal(object)
    grew = Signal(object)
    failed = Signal(object)

    def __init__(self, factory: ReaderFactory) -> None:
        super().__init__()
        self._factory = factory
        self._reader: Reader | None = None
        self._pairs: Pairs | None = None
        self._seen: tuple[object, ...] = ()
        self._timer: QTimer | None = None

    @Slot(object)
    def open(self, source: object) -> None:
        """Open a run and follow it."""
        self.rest()
        reader, error = attempt(lambda: self._factory(source))
        if error is not None:
            self.failed.emit(error)
            return
        self._reader = reader
        self._pairs = Pairs(reader.header)
        snapshot, error = attempt(lambda: snapshot_of(reader, self._pairs))
        if error is not None:
            self.failed.emit(error)
            return
        self._seen = _mark(snapshot)
        self.opened.emit(snapshot)
        self._follow(snapshot.state)

    def _follow(self, state: str) -> None:
        if state in FINAL_STATES and state != "interrupted":
            return
        if self._timer is None:
            self._timer = QTimer(self)
            self._timer.setSingleShot(True)
            self._timer.timeout.connect(self._poll)
        self._timer.start(_REST_MS if state == "interrupted" else _POLL_MS)

    def _poll(self) -> None:
        reader = self._reader
        if reader is None:
            return

        def look() -> Snapshot:
            before = reader.count
            reader.refresh()
            if reader.count < before:  # another file has taken its place
                self._pairs = Pairs(reader.header)
            return snapshot_of(reader, self._pairs)

        snapshot, error = attempt(look)
        if error is not None:
            self.failed.emit(error)
            return
        if _mark(snapshot) != self._seen:
            self._seen = _mark(snapshot)
            self.grew.emit(snapshot)
        self._follow(snapshot.state)

    @Slot()
    def rest(self) -> None:
        """Stop following."""
        if self._timer is not None:
            self._timer.stop()
        self._reader = None


def _mark(snapshot: Snapshot) -> tuple[object, ...]:
    """What changes when there is something to tell."""
    sizes = tuple(int(values.size) for _, values in snapshot.indicators.values())
    drawn = -1 if snapshot.picture is None else snapshot.picture.index
    return (len(snapshot.points), snapshot.state, snapshot.summary, sizes, drawn)


#: A thread and what lives in it must outlast the widget that asked for them: kept here until the thread has ended.
_running: dict[QThread, _Worker] = {}


def _forget_ended() -> None:
    for thread in [thread for thread in _running if thread.isFinished()]:
        del _running[thread]


@atexit.register
def _end_threads() -> None:
    for thread in tuple(_running):
        thread.quit()
        thread.wait(2000)


class RunWatch(QObject):
    """Follows one run at a time.

    Args:
        factory: Opens a run from what :meth:`open` is given, in the reading thread.

    Signals:
        opened: Snapshot, once after :meth:`open`.
        grew: Snapshot, whenever there is more; at most five times a second.
        failed: The exception, when the run cannot be opened or read on.
    """

    opened = Signal(object)
    grew = Signal(object)
    failed = Signal(object)
    _asked = Signal(object)
    _rested = Signal()

    def __init__(self, factory: ReaderFactory, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = QThread()
        self._thread.setObjectName("solera-reading")
        self._worker = _Worker(factory)
        self._worker.moveToThread(self._thread)
        queued = Qt.ConnectionType.QueuedConnection
        self._asked.connect(self._worker.open, queued)
        self._rested.connect(self._worker.rest, queued)
        for name in ("opened", "grew", "failed"):
            getattr(self._worker, name).connect(getattr(self, name), queued)
        _forget_ended()
        _running[self._thread] = self._worker
        # The last act of the thread itself, so that the timer is stopped where it lives.
        self._thread.finished.connect(self._worker.rest, Qt.ConnectionType.DirectConnection)
        self.destroyed.connect(self._thread.quit)
        self._thread.start()

    def open(self, source: object) -> None:
        """Follow another run."""
        self._asked.emit(source)

    def rest(self) -> None:
        """Follow nothing."""
        self._rested.emit()

    def close(self) -> None:
        """End the thread; waits for a read in progress."""
        if self._thread.isRunning():
            self._rested.emit()
            self._thread.quit()
            self._thread.wait(5000)

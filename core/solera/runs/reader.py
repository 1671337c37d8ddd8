"""Read a run that is live, killed or finished."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from solera.errors import InputError, RunError
from solera.events import Logged, PictureDrawn
from solera.runs import _h5, layout
from solera.runs._h5 import H5File, Table
from solera.runs.header import RunHeader
from solera.runs.peek import live_state
from solera.runs.picture import Picture, on_cells
from solera.runs.points import PHASES, Points

if TYPE_CHECKING:
    from solera.runs.figure import Figure, Theme
    from solera.runs.results import Result


class RunReader:
    """What is in a run file, as arrays in memory.

    The file is opened for each :meth:`refresh` and closed again, so a reader never stands in the way of the writer,
    of a recovery or of another program. Points are kept in memory; samples are read when asked for. Thread rule: any
    thread may use it, but never the window's: opening waits for HDF5's global lock.

    Args:
        path: The run file.

    Raises:
        NotFoundError: There is no such file.
        RunError: It is not a readable run.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._lock = threading.RLock()
        inode = _inode(self.path)
        file = _h5.open_to_read(self.path)
        try:
            self.header: RunHeader = layout.read_header(file)
            self._clear()
            self._pull(file)
        finally:
            file.close()
        self._inode = inode

    @property
    def count(self) -> int:
        """Points read so far."""
        return len(self._points)

    @property
    def state(self) -> str:
        """``"running"``, or how it ended; ``"interrupted"`` when its writer died without a word."""
        if self._ended is not None:
            return str(self._ended.get("state", "done"))
        return live_state(self.path)

    @property
    def summary(self) -> str:
        """The line the run ended with; empty while it runs."""
        return "" if self._ended is None else str(self._ended.get("summary", ""))

    def refresh(self) -> int:
        """Read what has grown; how many points are new.

        Raises:
            NotFoundError: The file is gone.
            RunError: It is no longer readable.
        """
        with self._lock:
            inode = _inode(self.path)
            file = _h5.open_to_read(self.path)
            try:
                before = self.count
                if len(file.table(layout.POINT)) < before:
                    before = 0
                if inode != self._inode or before == 0:
                    self._clear()  # a recovered file has taken its place, without the rows that pointed nowhere
                self._inode = inode
                self._pull(file)
                return self.count - before
            finally:
                file.close()

    def points(self, start: int = 0) -> Points:
        """The points from ``start`` on, as of the last refresh."""
        return self._points.rows(slice(start, None))

    def result(self) -> Result:
        """What a probe found, as of the last refresh.

        Raises:
            InputError: It is a run of another kind.
        """
        from solera.runs.results import Result

        return Result.of(self.header, self.points())

    def samples(self, column: int | str, rows: Sequence[int] | NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Per-sample values of a column.

        Args:
            column: Its position, or its name ``"task.metric"``.
            rows: Which points; all if None.

        Returns:
            float32 of shape (len(rows), n) with n the longest among them; NaN where a point has none.

        Raises:
            InputError: There is no such column or point, or the run kept no samples.
        """
        wanted = self._column(column)
        if not self.header.keep_samples:
            raise InputError(f"Run '{self.header.id}' kept no samples; explore with samples kept to compare pairs.")
        chosen = np.arange(self.count) if rows is None else np.asarray(rows, dtype=np.int64)
        if chosen.size and not (int(chosen.min()) >= 0 and int(chosen.max()) < self.count):
            raise InputError(f"Run '{self.header.id}' has points 0 to {self.count - 1}; asked for {chosen.tolist()}.")
        with self._lock:
            file = _h5.open_to_read(self.path)
            try:
                flat = file.table(layout.SAMPLE_ENDS).read(0, self.count).reshape(-1)
                starts = np.concatenate([[0], flat[:-1]])
                cells = chosen * len(self.header.columns) + wanted
                pieces = [file.table(layout.SAMPLES).read(int(starts[cell]), int(flat[cell])) for cell in cells]
            finally:
                file.close()
        found = np.full((len(pieces), max((piece.size for piece in pieces), default=0)), np.nan, dtype=np.float32)
        for row, piece in zip(found, pieces, strict=True):
            row[: piece.size] = piece
        return found

    def traces(self, start: int = 0) -> NDArray[np.float32]:
        """What pictures are interpolated from: shape (n, ``header.trace``), of the points from ``start`` on.

        Raises:
            InputError: The run kept none.
        """
        if not self.header.trace:
            raise InputError(f"Run '{self.header.id}' kept no traces; an explorer that interpolates has them.")
        with self._lock:
            file = _h5.open_to_read(self.path)
            try:
                return file.table(layout.TRACE).read(start, self.count)
            finally:
                file.close()

    def picture(self) -> Picture | None:
        """The newest interpolated picture, as of the last refresh; None if there is none yet."""
        drawn = [said for said in self._said if said.get("event") == PictureDrawn.KIND]
        if not drawn or not self.header.picture:
            return None
        said = drawn[-1]
        with self._lock:
            file = _h5.open_to_read(self.path)
            try:
                cells = file.table(layout.PICTURES).read(len(drawn) - 1, len(drawn))[0]
            finally:
                file.close()
        points = self._points.rows(self._points.phase == "search").rows(slice(0, int(said["index"])))
        axes = tuple(np.array(axis, dtype=np.float64) for axis in said["axes"])
        held_out = np.array(said["held_out"], dtype=np.int64)
        values = cells.astype(np.float64).reshape(len(cells), *(len(axis) for axis in axes))
        evaluated, rows = on_cells(axes, points.coords)
        values[:, evaluated] = points.values[rows].T  # as they were scored, not rounded
        return Picture(
            int(said["index"]),
            tuple(said["nodes"]),
            axes,
            values,
            evaluated,
            points.coords[held_out],
            np.array(said["errors"], dtype=np.float64).reshape(len(held_out), -1),
            tuple(said["sampled"]),
        )

    @property
    def indicators(self) -> tuple[str, ...]:
        """Names of the indicators there are, in order of first appearance."""
        return tuple(self._indicators)

    def indicator(self, name: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """An indicator as it grew: after how many points, and its value; both of shape (n,), empty if never said."""
        found = self._indicators.get(name, [])
        return np.array([at for at, _ in found], dtype=np.int64), np.array([x for _, x in found], dtype=np.float64)

    def log(self) -> tuple[Logged, ...]:
        """What was logged, in order."""
        return tuple(
            Logged(time=said["time"], job=said.get("job", ""), level=said.get("level", "info"), text=said["text"])
            for said in self._said
            if said.get("event") == Logged.KIND
        )

    def events(self) -> tuple[dict[str, Any], ...]:
        """Everything stored besides points and indicators, in plain form, in order."""
        return tuple(self._said)

    def figure(
        self,
        view: str = "",
        *,
        theme: Theme = "light",
        size: tuple[int, int] = (1000, 700),
        scale: float = 2.0,
        beside: RunReader | None = None,
        among: Sequence[RunReader] = (),
        **choices: str,
    ) -> Figure:
        """A picture of the run, as the window draws it; shown by a notebook, written by ``figure.save("loss.pdf")``.

        It is drawn from the file, in a process of its own that needs no display.

        Args:
            view: A registered view; see ``solera views``. The first that shows the run unless given.
            theme: ``"light"`` or ``"dark"``.
            size: Logical pixels.
            scale: Image pixels per logical pixel of a PNG.
            beside: Another run, shown at the right by the same view, on linked axes.
            among: Further searches in the picture of ``hypervolume``: of equal experiments the median over their seeds,
                between the quartiles.
            **choices: What the view's choosers are set to: ``score="rotated.accuracy"``.

        Raises:
            InputError: The theme, size or scale is out of range.
        """
        from solera.runs.figure import Figure

        return Figure(
            self.path,
            view,
            theme,
            size,
            scale,
            choices,
            None if beside is None else beside.path,
            tuple(run.path for run in among),
        )

    def __repr__(self) -> str:
        return f"<Run {self.header.id}: {self.header.title}, {self.count:,} points, {self.state}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from solera.runs.notebook import run_html

        return run_html(self)

    def _column(self, column: int | str) -> int:
        names = self.header.column_names
        if isinstance(column, str) and column in names:
            return names.index(column)
        if isinstance(column, int) and 0 <= column < len(names):
            return column
        raise InputError(f"Run '{self.header.id}' has no column {column!r}; it has {', '.join(names) or 'none'}.")

    def _clear(self) -> None:
        d, m, k = len(self.header.coords), len(self.header.columns), len(self.header.shape)
        self._points = Points(
            0, np.empty((0, d)), np.empty((0, m)), np.empty((0, m)), np.empty((0, m), dtype=np.int64),
            np.empty(0, dtype="<U6"), np.empty((0, k), dtype=np.int64), np.empty(0, dtype="<U1"), np.empty(0),
            np.empty(0),
        )  # fmt: skip
        self._indicators: dict[str, list[tuple[int, float]]] = {}
        self._labels: dict[int, str] = {}
        self._said: list[dict[str, Any]] = []
        self._ended: dict[str, Any] | None = None
        self._read = dict.fromkeys((layout.LABELS, layout.INDICATORS, layout.EVENTS), 0)

    def _pull(self, file: H5File) -> None:
        tables = layout.open_tables(file, self.header)
        stop = min(len(tables[name]) for name in layout.point_tables(self.header))
        text = _Text(tables[layout.TEXT])
        for row in self._new_rows(tables[layout.LABELS], layout.LABELS):
            self._labels[int(row["point"])] = text.words(row)  # its point may come with the next refresh
        for row in self._new_rows(tables[layout.INDICATORS], layout.INDICATORS):
            at, value = int(row["index"]), float(row["value"])
            self._indicators.setdefault(text.words(row), []).append((at, value))
        for row in self._new_rows(tables[layout.EVENTS], layout.EVENTS):
            self._take(json.loads(text.words(row)))
        self._points = self._grown(tables, stop)

    def _new_rows(self, table: Table, name: str) -> NDArray[Any]:
        rows = table.read(self._read[name])
        self._read[name] += len(rows)
        return rows

    def _take(self, said: dict[str, Any]) -> None:
        self._said.append(said)
        if said.get("event") == "run-ended":
            self._ended = said
        elif said.get("event") == "run-started":
            self._ended = None

    def _grown(self, tables: dict[str, Table], stop: int) -> Points:
        old, header = self._points, self.header
        start = len(old)

        def more(name: str, size: int | None, dtype: DTypeLike) -> NDArray[Any]:
            if size == 0:
                return np.empty((stop - start, 0), dtype=dtype)
            return tables[name].read(start, stop).astype(dtype, copy=False)

        d, m, k = len(header.coords), len(header.columns), len(header.shape)
        names = np.array([self._labels.get(index, "") for index in range(start, stop)], dtype=np.str_)
        return Points(
            0,
            _joined(old.coords, more(layout.POSITION, d, "f8")),
            _joined(old.values, more(layout.SCORE, m, "f8")),
            _joined(old.stderrs, more(layout.STDERR, m, "f8")),
            _joined(old.counts, more(layout.COUNT, m, "i8")),
            _joined(old.phase, np.array(PHASES)[more(layout.PHASE, None, "i8")]),
            _joined(old.cells, more(layout.CELL, k, "i8")),
            _joined(old.labels, names if names.size else np.empty(0, dtype="<U1")),
            _joined(old.seconds, more(layout.SECONDS, None, "f8")),
            _joined(old.times, more(layout.TIME, None, "f8")),
        )


class _Text:
    """The byte table, read once and only if somebody points into it."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._bytes: bytes | None = None
        self._from = 0

    def words(self, row: Any) -> str:
        at, length = int(row["at"]), int(row["length"])
        if self._bytes is None or at < self._from:
            self._from = at
            self._bytes = self._table.read(at).tobytes()
        if at - self._from + length > len(self._bytes):
            raise RunError("A run's text is shorter than its tables say; the file is damaged.")
        return self._bytes[at - self._from : at - self._from + length].decode()


def _inode(path: Path) -> int:
    """Which file of this name it is; 0 if there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _joined(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    both = np.concatenate([old, new]) if len(old) else new
    both.flags.writeable = False
    return both

"""Events to rows: one open run file, used by one thread at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from solera.events import Event, Indicator, PictureDrawn, PointScored, RunStarted, to_plain
from solera.runs import layout
from solera.runs._h5 import H5File
from solera.runs.header import RunHeader
from solera.runs.points import PHASES


class Store:
    """The tables of a run file that is being written.

    Args:
        file: The open file; :func:`solera.runs.layout.create_tables` has been there.
        header: Its header.
    """

    def __init__(self, file: H5File, header: RunHeader) -> None:
        self.file = file
        self.header = header
        self._tables = layout.open_tables(file, header)
        self._text_end = len(self._tables[layout.TEXT])
        self._known: dict[str, int] = {}  # names that come again and again are written once

    @property
    def count(self) -> int:
        """Points in the file."""
        return len(self._tables[layout.POINT])

    def write(self, events: Sequence[Event]) -> None:
        """Append the events and hand them to the operating system, points last: a reader never sees half a point."""
        points = [event for event in events if isinstance(event, PointScored)]
        indicators = [event for event in events if isinstance(event, Indicator)]
        others = [event for event in events if not isinstance(event, PointScored | Indicator)]
        rows: dict[str, NDArray[Any]] = {}
        text = bytearray()
        labelled = [(event.index, *self._note(text, event.label, again=True)) for event in points if event.label]
        rows[layout.LABELS] = np.array(labelled, dtype=layout.LABEL_ROW)
        numbers = [(event.index, event.value, *self._note(text, event.name, again=True)) for event in indicators]
        rows[layout.INDICATORS] = np.array(numbers, dtype=layout.INDICATOR_ROW)
        said = [(event.time, event.KIND.encode(), *self._note(text, _json(event))) for event in others]
        rows[layout.EVENTS] = np.array(said, dtype=layout.EVENT_ROW)
        rows[layout.TEXT] = np.frombuffer(bytes(text), dtype="u1")
        self._text_end += len(text)
        if self.header.picture:
            rows[layout.PICTURES] = self._picture_rows([event for event in others if isinstance(event, PictureDrawn)])
        if points:
            rows |= self._point_rows(points)
        for name, table in self._tables.items():  # dicts keep order: what is pointed into comes first
            if name in rows and len(rows[name]):
                table.append(rows[name])
                table.flush()

    def close(self, *, abandon: bool = False) -> None:
        """Write everything out and close the file; after a failed write, abandon it as it is."""
        if abandon:
            self.file.abandon()
        else:
            self.file.close()

    def _note(self, text: bytearray, words: str, *, again: bool = False) -> tuple[int, int]:
        """Put words into the text to come; where they are and how many bytes they take."""
        encoded = words.encode()
        if again and words in self._known:
            return self._known[words], len(encoded)
        at = self._text_end + len(text)
        text += encoded
        if again:
            self._known[words] = at
        return at, len(encoded)

    def _point_rows(self, points: Sequence[PointScored]) -> dict[str, NDArray[Any]]:
        header, n = self.header, len(points)
        rows: dict[str, NDArray[Any]] = {
            layout.POINT: np.array([point.index for point in points], dtype="i8"),
            layout.PHASE: np.array([PHASES.index(point.phase) for point in points], dtype="i1"),
            layout.SECONDS: np.array([point.seconds for point in points], dtype="f8"),
            layout.TIME: np.array([point.time for point in points], dtype="f8"),
        }
        if header.coords:
            rows[layout.POSITION] = _matrix((point.coords for point in points), n, "f8")
        if header.columns:
            rows[layout.SCORE] = _matrix((point.values for point in points), n, "f8")
            rows[layout.STDERR] = _matrix((point.stderrs for point in points), n, "f8")
            rows[layout.COUNT] = _matrix((point.counts for point in points), n, "i8")
        if rank := len(header.shape):
            rows[layout.CELL] = _matrix((point.cell or (-1,) * rank for point in points), n, "i4")
        if header.stores_samples:
            rows |= self._sample_rows(points)
        if header.trace:
            rows[layout.TRACE] = np.full((n, header.trace), np.nan, dtype="f4")
            for row, point in zip(rows[layout.TRACE], points, strict=True):
                if point.trace is not None:
                    row[:] = point.trace
        return rows

    def _picture_rows(self, drawn: Sequence[PictureDrawn]) -> NDArray[Any]:
        columns = len(self.header.columns)
        pieces = [np.asarray(event.values, dtype="f4").reshape(1, columns, -1) for event in drawn]
        return np.concatenate(pieces) if pieces else np.empty((0, columns, 0), dtype="f4")

    def _sample_rows(self, points: Sequence[PointScored]) -> dict[str, NDArray[Any]]:
        nothing = np.empty(0, dtype="f4")
        width = len(self.header.columns)
        pieces = [
            nothing if piece is None else np.asarray(piece, dtype="f4").reshape(-1)
            for point in points
            for piece in (point.samples if point.samples is not None else (None,) * width)
        ]
        lengths = np.array([piece.size for piece in pieces], dtype="i8")
        ends = len(self._tables[layout.SAMPLES]) + np.cumsum(lengths)
        return {
            layout.SAMPLES: np.concatenate([nothing, *pieces]),
            layout.SAMPLE_ENDS: ends.reshape(len(points), width),
        }


def _matrix(rows: Iterable[Sequence[float]], n: int, dtype: DTypeLike) -> NDArray[Any]:
    return np.array(list(rows), dtype=dtype).reshape(n, -1)


def _json(event: Event) -> str:
    if isinstance(event, RunStarted):
        event = replace(event, header={})  # the file has it already
    return json.dumps(to_plain(event), ensure_ascii=False, default=str)

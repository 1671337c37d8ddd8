"""Mend a run whose writer was killed: copy what is whole into a new file, then rename."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solera.events import PictureDrawn
from solera.locks import FileLock
from solera.runs import _h5, layout
from solera.runs._h5 import Table
from solera.runs.header import RunHeader

_BYTES = 1 << 22


def recover(path: str | os.PathLike[str], *, locked: bool = False) -> Path:
    """Make a killed run an ordinary file again: every point that was flushed is kept. Harmless on a finished run.

    Args:
        path: The run file.
        locked: The caller holds the run's lock already.

    Raises:
        NotFoundError: There is no such file.
        LockedError: It is being written now.
        RunError: It cannot be read at all; it is left as it is.
    """
    target = Path(path).absolute()
    if locked:
        return _recover(target)
    with FileLock(target.with_name(f"{target.name}.lock"), "run"):
        return _recover(target)


def _recover(target: Path) -> Path:
    source = _h5.open_to_read(target)
    fresh = target.with_name(f".{target.name}.recovered")
    try:
        header = layout.read_header(source)
        file = _h5.create(fresh)
        try:
            layout.create_tables(file, header)
            _copy(layout.open_tables(source, header), layout.open_tables(file, header), header)
        finally:
            file.close()
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    finally:
        source.close()
    os.replace(fresh, target)
    return target


def _copy(old: dict[str, Table], new: dict[str, Table], header: RunHeader) -> None:
    """Rows of all tables, cut to what belongs to whole points and whole words."""
    points = layout.point_tables(header)
    count = min(len(old[name]) for name in points)
    ends = dict.fromkeys(points, count)
    if header.stores_samples:
        last = old[layout.SAMPLE_ENDS].read(count - 1, count) if count else np.zeros((0, 0), dtype="i8")
        ends[layout.SAMPLES] = int(last.max()) if last.size else 0
    text = len(old[layout.TEXT])
    if header.picture:  # a picture whose event was lost would be taken for the next one
        events = old[layout.EVENTS].read()
        kinds = events[_whole(events, text, count)]["kind"]
        ends[layout.PICTURES] = int(np.count_nonzero(kinds == PictureDrawn.KIND.encode()))
    for name in old:
        if name in (layout.LABELS, layout.INDICATORS, layout.EVENTS):
            rows = old[name].read()
            new[name].append(rows[_whole(rows, text, count)])
        else:
            end = ends.get(name, len(old[name]))
            step = max(1, _BYTES // old[name].row_bytes)
            for start in range(0, end, step):
                new[name].append(old[name].read(start, min(start + step, end)))


def _whole(rows: NDArray[Any], text: int, count: int) -> NDArray[np.bool_]:
    """Which rows point into text that is there, at points that are there."""
    whole: NDArray[np.bool_] = rows["at"] + rows["length"] <= text
    if "point" in (rows.dtype.names or ()):
        whole &= rows["point"] < count
    if "index" in (rows.dtype.names or ()):
        whole &= rows["index"] <= count  # an indicator says after how many points
    return whole

"""What is in a run file, and where. Everything is created here, before the first reader can come.

The root group is a plain netCDF-4 table with named dimensions, so xarray opens a finished run as it is::

    point (point)            0, 1, 2 ...
    position (point, coord)  where; coord holds the coordinates' names
    score, stderr, count (point, column)   column holds "task.metric"; task, metric, split (column) say it in parts
    phase, seconds, time (point)           phase: 0 search, 1 report
    cell (point, axis)       only for grids; -1 where a point is in no cell

The group ``solera`` holds what a table cannot: ``header`` (JSON), ``text`` (bytes that the other tables point into by
offset and length), ``labels``, ``indicators``, ``events`` (everything else that was said, as JSON), and, when samples
are kept, ``samples`` (one long row of float32) with ``sample_ends``, shape (point, column). A run that interpolates has
``trace`` (float32, one row per point, NaN for points without) and ``pictures`` (float32, columns x cells, one row per
event of the kind ``picture``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from solera.errors import RunError
from solera.runs._h5 import H5File, Table
from solera.runs.header import FORMAT, RunHeader

POINT, POSITION, SCORE, STDERR, COUNT = "point", "position", "score", "stderr", "count"
PHASE, SECONDS, TIME, CELL = "phase", "seconds", "time", "cell"
HEADER, TEXT, LABELS, INDICATORS, EVENTS = (
    f"solera/{name}" for name in ("header", "text", "labels", "indicators", "events")
)
SAMPLES, SAMPLE_ENDS = "solera/samples", "solera/sample_ends"
TRACE, PICTURES = "solera/trace", "solera/pictures"

TEXT_FIELDS = [("at", "i8"), ("length", "i4")]
LABEL_ROW = np.dtype([("point", "i8"), *TEXT_FIELDS])
INDICATOR_ROW = np.dtype([("index", "i8"), ("value", "f8"), *TEXT_FIELDS])
EVENT_ROW = np.dtype([("time", "f8"), ("kind", "S16"), *TEXT_FIELDS])

_SMALL_RUN = 4096
_TRACE_CHUNK = 2**18  # bytes


def create_tables(file: H5File, header: RunHeader) -> None:
    """Fill an empty file with every table, attribute and dimension it will ever have."""
    d, m, k = len(header.coords), len(header.columns), len(header.shape)
    small = header.planned is not None and header.planned <= _SMALL_RUN
    chunk = 256 if small else 2048
    dimensions: dict[str, tuple[str, ...]] = {}

    def points(name: str, dtype: DTypeLike, *axis: str, **attributes: Any) -> None:
        size = {"coord": d, "column": m, "axis": k}
        file.create(name, dtype, [size[item] for item in axis], chunk=chunk, attributes=attributes)
        dimensions[name] = (POINT, *axis)

    points(POINT, "i8")
    points(PHASE, "i1", flag_values=np.array([0, 1], dtype="i1"), flag_meanings="search report")
    points(SECONDS, "f8", long_name="cost of the point", units="s")
    points(TIME, "f8", long_name="when it was scored", units="seconds since 1970-01-01")
    if d:
        file.create_fixed("coord", list(header.coord_names))
        points(POSITION, "f8", "coord")
    if m:
        file.create_fixed("column", list(header.column_names))
        for part in ("task", "metric", "split"):
            file.create_fixed(part, [str(column.get(part, "")) for column in header.columns])
            dimensions[part] = ("column",)
        for name, dtype in ((SCORE, "f8"), (STDERR, "f8"), (COUNT, "i8")):
            points(name, dtype, "column", coordinates="task metric split")
    if k:
        file.create_fixed("axis", np.arange(k, dtype="i8"))
        points(CELL, "i4", "axis")
    _create_texts(file, header, small=small)
    file.link_dimensions(dimensions)
    file.set_attributes(
        solera_format=FORMAT, id=header.id, kind=header.kind, title=header.title, created=header.created
    )


def _create_texts(file: H5File, header: RunHeader, *, small: bool) -> None:
    plain = json.dumps(header.to_plain(), ensure_ascii=False, allow_nan=True).encode()
    file.create_fixed(HEADER, np.frombuffer(plain, dtype="u1"))
    file.create(TEXT, "u1", chunk=4096 if small else 65536)
    file.create(LABELS, LABEL_ROW, chunk=32)
    file.create(INDICATORS, INDICATOR_ROW, chunk=256)
    file.create(EVENTS, EVENT_ROW, chunk=64)
    if header.stores_samples:
        file.create(SAMPLES, "f4", chunk=16384 if small else 262144)
        file.create(SAMPLE_ENDS, "i8", [len(header.columns)], chunk=256 if small else 2048)
    if header.trace:
        file.create(TRACE, "f4", [header.trace], chunk=max(1, _TRACE_CHUNK // (4 * header.trace)))
    if header.picture:
        file.create(PICTURES, "f4", [len(header.columns), math.prod(header.picture)], chunk=1)


def point_tables(header: RunHeader) -> tuple[str, ...]:
    """Names of the tables with one row per point; :data:`POINT`, whose length counts, comes last."""
    names = [PHASE, SECONDS, TIME]
    names += [POSITION] * bool(header.coords)
    names += [SCORE, STDERR, COUNT] * bool(header.columns)
    names += [CELL] * bool(header.shape)
    names += [SAMPLE_ENDS] * header.stores_samples
    names += [TRACE] * bool(header.trace)
    return (*names, POINT)


def text_tables(header: RunHeader) -> tuple[str, ...]:
    """Names of the other tables, in the order in which they must reach the disk: what is pointed into comes first."""
    return (
        TEXT, *([SAMPLES] * header.stores_samples), *([PICTURES] * bool(header.picture)), LABELS, INDICATORS, EVENTS,
    )  # fmt: skip


def open_tables(file: H5File, header: RunHeader) -> dict[str, Table]:
    """All growing tables by name, in the order in which they must reach the disk."""
    names = (*text_tables(header), *point_tables(header))
    # A reader learns a table's length when it opens it, so it must open in the opposite order.
    opened = {name: file.table(name) for name in reversed(names)}
    return {name: opened[name] for name in names}


def read_header(file: H5File) -> RunHeader:
    """The header of an open file.

    Raises:
        RunError: It is no run of Solera, or of a newer one.
    """
    if file.attribute("solera_format") is None:
        raise RunError(f"{file.path} is an HDF5 file, but not a run of Solera.", path=str(file.path))
    if int(file.attribute("solera_format")) > FORMAT:
        RunHeader.from_plain({"format": int(file.attribute("solera_format"))})
    try:
        plain = json.loads(file.table(HEADER).read().tobytes())
    except ValueError as error:
        raise RunError(f"The header of {file.path} is damaged.", path=str(file.path)) from error
    if not isinstance(plain, Mapping):
        raise RunError(f"The header of {file.path} is damaged.", path=str(file.path))
    return RunHeader.from_plain(plain)

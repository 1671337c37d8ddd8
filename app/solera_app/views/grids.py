"""The scores of a run over its plane, as a grid: what was scored, what its picture interpolates, what lies beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solera.runs.header import RunHeader
from solera_app.plots.numerals import counted, number
from solera_app.views.facts import ColumnFacts, coordinate_title, family_kind, scale
from solera_app.views.snapshot import Snapshot

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A score over two coordinates, in the units that it is drawn in.

    Attributes:
        xs, ys: Grid lines, true distances where they were measured.
        values: Shape (rows, columns); rows are the second coordinate. NaN where there is no number.
        stderrs: Same shape. scored: Same shape, evaluated. numbers: Same shape, index of the cell's point, or -1.
        guessed: Same shape, interpolated by the run's picture.
        strays: Positions of points of the search that lie on no cell, shape (k,). stray_at: Where, shape (k, 2).
        words: What the header says of the picture; empty without one.
    """

    xs: Floats
    ys: Floats
    values: Floats
    stderrs: Floats
    scored: NDArray[np.bool_]
    numbers: NDArray[np.int64]
    guessed: NDArray[np.bool_]
    strays: NDArray[np.int64]
    stray_at: Floats
    words: str = ""


def has_grid(header: RunHeader) -> bool:
    """Whether a run fills a grid of two coordinates, or draws a picture over them."""
    flat = len(header.coords) == 2 and (len(header.shape) == 2 or len(header.picture) == 2)
    return header.kind == "explore" and flat and bool(header.columns)


def grid_of(snapshot: Snapshot, column: ColumnFacts) -> Grid:
    """A score of a run over its plane, as far as it is known."""
    header, points = snapshot.header, snapshot.points
    lengths = np.array(scale(header) or (1.0, 1.0))
    if len(header.shape) == 2:
        lines = [_lines(coord, count) for coord, count in zip(header.coords, header.shape, strict=True)]
        for axis in (0, 1):  # what was really scored has the last word
            cells, at = points.cells[:, axis], points.coords[:, axis]
            known = (cells >= 0) & (cells < lines[axis].size)
            lines[axis][cells[known]] = at[known]
        cells = points.cells
    else:
        picture = snapshot.picture
        axes = picture.axes if picture is not None else None
        lines = [_lines(c, n) for c, n in zip(header.coords, header.picture, strict=True)] if axes is None else [*axes]
        cells = np.column_stack([_place(line, points.coords[:, axis]) for axis, line in enumerate(lines)])
    shape = (lines[1].size, lines[0].size)
    values, stderrs = np.full(shape, np.nan), np.full(shape, np.nan)
    scored, numbers, guessed = np.zeros(shape, bool), np.full(shape, -1, np.int64), np.zeros(shape, bool)
    words = ""
    if snapshot.picture is not None and not len(header.shape):
        drawn = snapshot.picture
        values = drawn.values[column.place].T.copy()
        guessed = np.isfinite(values)
        words = _held_out(float(drawn.largest[column.place]), drawn.errors, column, len(drawn.held_out))
    on = snapshot.search & (cells >= 0).all(axis=1)
    rows = np.nonzero(on)[0]
    across, up = cells[rows, 0], cells[rows, 1]
    values[up, across], stderrs[up, across] = points.values[rows, column.place], points.stderrs[rows, column.place]
    scored[up, across], numbers[up, across], guessed[up, across] = True, points.index[rows], False
    strays = np.nonzero(snapshot.search & ~on)[0]
    return Grid(
        lines[0] * lengths[0], lines[1] * lengths[1], values, stderrs, scored, numbers, guessed, strays,
        points.coords[strays] * lengths, words,
    )  # fmt: skip


def models_at(header: RunHeader) -> dict[str, tuple[float, float]]:
    """The named models of a run over two coordinates, where they are drawn."""
    lengths = scale(header) or (1.0, 1.0)
    return {name: (float(at[0]) * lengths[0], float(at[1]) * lengths[1]) for name, at in header.labels.items()}


def plane_titles(header: RunHeader) -> tuple[str, str]:
    """Axis titles of a run over two coordinates."""
    titles = [coordinate_title(coord) for coord in header.coords]
    if scale(header):
        titles = [f"Distance along {title[:1].lower()}{title[1:]} (L2 norm of weights)" for title in titles]
    return titles[0], titles[1]


def equal_scales(header: RunHeader) -> bool:
    """Whether both coordinates are distances, to be drawn at one scale."""
    return bool(scale(header)) or family_kind(header) in ("plane", "trajectory", "random_directions")


def _held_out(largest: float, errors: Floats, column: ColumnFacts, count: int) -> str:
    if np.isnan(largest):
        return "interpolated, its error not measured yet"
    fraction = (column.metric.low, column.metric.high) == (0, 1)  # its errors are absolute, others' relative
    plain = fraction and not column.percent
    said = number(largest) if plain else f"{100 * largest:.2g} {'points' if fraction else '%'}"
    broken = int(np.isinf(errors[:, column.place]).sum())
    more = f", {broken:,} without a number" if broken else ""
    return f"interpolated, at {counted(count, 'held-out point')} wrong by at most {said}{more}"


def _place(line: Floats, at: Floats) -> NDArray[np.int64]:
    """Which grid line each number is exactly on; -1 for none."""
    found = np.minimum(np.searchsorted(line, at), line.size - 1)
    return np.where(line[found] == at, found, -1)


def _lines(coord: Mapping[str, Any], count: int) -> Floats:
    """Grid lines of a coordinate, evenly spaced on its scale."""
    low, high = float(coord.get("low", 0.0)), float(coord.get("high", 1.0))
    if count == 1:
        return np.array([low])
    if coord.get("log") and low > 0:
        return np.geomspace(low, high, count)
    return np.linspace(low, high, count)

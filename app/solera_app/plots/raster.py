"""From the scored cells of a grid to a picture's pixels: filled, smoothed, and honest about what was not measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float64]
Mask = NDArray[np.bool_]


def fill(values: Grid, scored: Mask) -> tuple[Grid, Mask]:
    """Cells not scored yet take the value of the nearest scored one, if they lie among scored cells.

    Only cells inside the bounding box of what is scored are filled: a coarse-to-fine order covers the whole grid
    at once, a row-by-row order leaves the rest blank.

    Args:
        values: Shape (rows, columns); NaN where the score is not finite or not there.
        scored: Same shape; True where a cell has been evaluated (its value may be NaN).

    Returns:
        The filled values and the mask of filled (interpolated) cells.
    """
    filled = np.where(scored, values, np.nan)
    rows, cols = np.nonzero(scored)
    if rows.size == 0 or rows.size == scored.size:
        return filled, np.zeros(scored.shape, dtype=bool)
    box = np.zeros(scored.shape, dtype=bool)
    box[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1] = True
    guessed = box & ~scored
    known = np.unique(rows)  # only these can be nearest: few, as long as the grid is coarse
    across, gap = _nearest_in_row(scored[known])
    places = known[:, None]
    for row in np.nonzero(guessed.any(axis=1))[0].tolist():
        source = np.argmin(gap + (places - row) ** 2, axis=0)  # the row whose nearest cell is nearest
        here = np.nonzero(guessed[row])[0]
        filled[row, here] = values[known[source[here]], across[source[here], here]]
    return filled, guessed


def _nearest_in_row(scored: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each cell the column of the nearest scored cell of its row, and the squared distance (huge without one)."""
    count = scored.shape[1]
    far, cols = 10 * sum(scored.shape), np.arange(count)
    left = np.maximum.accumulate(np.where(scored, cols, -far), axis=1)
    right = np.minimum.accumulate(np.where(scored, cols, count + far)[:, ::-1], axis=1)[:, ::-1]
    nearest = np.where(cols - left <= right - cols, left, right)
    gap = (nearest - cols) ** 2
    return np.clip(nearest, 0, count - 1), gap


def hatching(cells: Mask, across: Grid, up: Grid, *, step: int, width: int) -> NDArray[np.uint32]:
    """Diagonal white lines over some cells, a quarter opaque, as premultiplied ARGB pixels.

    Args:
        cells: Shape (rows, columns), row 0 lowest: which cells are hatched.
        across: Ascending left and right borders of the columns, px, shape (columns + 1,).
        up: Descending lower and upper borders of the rows, px, shape (rows + 1,).
        step: Pixels from line to line along a row.
        width: Pixels of a line along a row.

    Returns:
        Row 0 highest; from the first to the last border both ways.
    """
    right, high = np.round(across).astype(np.intp), np.round(up).astype(np.intp)
    columns = np.repeat(np.arange(cells.shape[1]), right[1:] - right[:-1])
    rows = np.repeat(np.arange(cells.shape[0]), high[:-1] - high[1:])[::-1]
    line = np.arange(rows.size + columns.size) % step < width
    diagonal = np.lib.stride_tricks.sliding_window_view(line, columns.size)[: rows.size]
    return (cells[np.ix_(rows, columns)] & diagonal) * np.uint32(0x60606060)


def magnify(values: Grid, factor: int, *, smooth: bool) -> NDArray[np.float32]:
    """A grid as pixels from its first to its last line, ``factor`` pixels a cell (even).

    The value of a pixel is bilinear between the four grid points around it (those that are finite), or the
    nearest one's; it is NaN where the nearest grid point is.

    Args:
        values: Shape (rows, columns), both at least 1.
        factor: Pixels per grid step; even, so that nearest cells end on a pixel's edge.
        smooth: Bilinear rather than nearest.

    Returns:
        float32 of shape ((rows - 1) * factor, (columns - 1) * factor); an axis of one line gives ``factor``.
    """
    row_at, col_at = _positions(values.shape[0], factor), _positions(values.shape[1], factor)
    near_rows, near_cols = np.floor(row_at + 0.5).astype(np.intp), np.floor(col_at + 0.5).astype(np.intp)
    nearest = values[np.ix_(near_rows, near_cols)].astype(np.float32)
    if not smooth:
        return nearest
    known = np.isfinite(values)
    whole = bool(known.all())
    base = np.where(known, values, 0.0).astype(np.float32)
    smoothed = _bilinear(base, row_at, col_at)
    if whole:
        return smoothed
    weight = _bilinear(known.astype(np.float32), row_at, col_at)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.isfinite(nearest), smoothed / weight, np.float32(np.nan)).astype(np.float32)


def _positions(count: int, factor: int) -> NDArray[np.float64]:
    """Grid index at the middle of each pixel."""
    if count == 1:
        return np.zeros(factor)
    return (np.arange((count - 1) * factor) + 0.5) / factor


def _bilinear(grid: NDArray[np.float32], rows: NDArray[np.float64], cols: NDArray[np.float64]) -> NDArray[np.float32]:
    def along(array: NDArray[np.float32], at: NDArray[np.float64]) -> NDArray[np.float32]:
        low = np.minimum(np.floor(at).astype(np.intp), max(array.shape[0] - 2, 0))
        high = np.minimum(low + 1, array.shape[0] - 1)
        share = (at - low).astype(np.float32)[:, None]
        return np.asarray(array[low] * (1 - share) + array[high] * share)

    return along(along(grid, rows).T, cols).T


def colour_range(values: Grid, *, clip: float = 2.0) -> tuple[float, float, bool]:
    """Limits of a colour scale: all finite values, or without the far tails when these would swallow the rest.

    A tail is cut at its ``clip`` percentile when it reaches further beyond it than half of what remains.

    Returns:
        Low, high, and whether something was cut. (0, 1, False) without finite values.
    """
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0, False
    low, high = float(finite.min()), float(finite.max())
    inner_low, inner_high = (float(edge) for edge in np.percentile(finite, (clip, 100 - clip)))
    body = inner_high - inner_low
    cut = False
    if finite.size >= 25 and body > 0:
        if high - inner_high > body / 2:
            high, cut = inner_high, True
        if inner_low - low > body / 2:
            low, cut = inner_low, True
    if high <= low:
        pad = abs(low) * 0.05 or 0.5
        low, high = low - pad, high + pad
    return low, high, cut

"""A value between scattered points of a plane: linear over the triangles of their Delaunay triangulation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def between(at: Floats, values: Floats, xs: Floats, ys: Floats) -> Floats:
    """Linear interpolation on a grid.

    Args:
        at: Points, shape (n, 2), finite; of equal ones the first counts.
        values: Shape (n,). Every triangle with a corner that is not finite stays blank.
        xs: Grid lines across, shape (c,).
        ys: Grid lines along, shape (r,).

    Returns:
        Shape (r, c); NaN outside of the points' hull, and everywhere where they span no triangle.
    """
    blank = np.full((ys.size, xs.size), np.nan)
    unique, first = np.unique(at, axis=0, return_index=True)
    if len(unique) < 3:
        return blank
    from scipy.spatial import Delaunay, QhullError

    origin, span = unique.min(axis=0), np.maximum(np.ptp(unique, axis=0), 1e-300)
    try:
        triangles = Delaunay((unique - origin) / span)
    except QhullError:  # all on one line: there is no between
        return blank
    places = np.stack(np.meshgrid((xs - origin[0]) / span[0], (ys - origin[1]) / span[1]), axis=-1).reshape(-1, 2)
    which = triangles.find_simplex(places)
    inside = which >= 0
    affine = triangles.transform[which[inside]]
    shares = np.einsum("nij,nj->ni", affine[:, :2], places[inside] - affine[:, 2])
    shares = np.column_stack((shares, 1 - shares.sum(axis=1)))
    corners = np.where(np.isfinite(values), values, np.nan)[first][triangles.simplices[which[inside]]]
    found = blank.ravel()
    found[inside] = (shares * corners).sum(axis=1)
    return found.reshape(blank.shape)

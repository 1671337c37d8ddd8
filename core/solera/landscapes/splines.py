"""Interpolation on grids as one matrix per axis: a value between nodes is a weighted sum of values at nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]

#: Most bytes of interpolated numbers held at once.
_BLOCK_BYTES = 32 * 2**20


def spline_weights(nodes: NDArray[np.float64], at: NDArray[np.float64], degree: int = 3) -> Weights:
    """The interpolating spline (not-a-knot) through all nodes.

    Args:
        nodes: Shape (n,), ascending.
        at: Shape (m,), where values are wanted.
        degree: 3 is cubic, 5 quintic; lower where there are too few nodes for it.

    Returns:
        Shape (m, n): rows sum to 1; at a node the row is that node's unit vector, exactly.
    """
    from scipy.interpolate import make_interp_spline

    degree = min(degree, len(nodes) - 1)
    found = np.asarray(make_interp_spline(nodes, np.eye(len(nodes)), k=degree)(at), dtype=np.float64)
    return _exact_at_nodes(found, nodes, at)


def local_weights(nodes: NDArray[np.float64], at: NDArray[np.float64], degree: int = 3) -> Weights:
    """The polynomial through the ``degree + 1`` nodes around each place (Lagrange): other nodes have no say at all.

    Args:
        nodes: Shape (n,), ascending.
        at: Shape (m,).
        degree: As in :func:`spline_weights`.
    """
    size = min(degree + 1, len(nodes))
    found = np.zeros((len(at), len(nodes)))
    first = np.clip(np.searchsorted(nodes, at, side="right") - 1 - (size - 1) // 2, 0, len(nodes) - size)
    for row, (x, start) in enumerate(zip(at, first, strict=True)):
        here = nodes[start : start + size]
        for i in range(size):
            others = np.delete(here, i)
            found[row, start + i] = np.prod((x - others) / (here[i] - others))
    return _exact_at_nodes(found, nodes, at)


def _exact_at_nodes(weights: Weights, nodes: NDArray[np.float64], at: NDArray[np.float64]) -> Weights:
    for row, x in enumerate(at):
        found = np.flatnonzero(nodes == x)
        if found.size:
            weights[row] = 0.0
            weights[row, found[0]] = 1.0
    return weights


def on_grid(weights: Sequence[Weights], values: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Values at all crossings of the axes' places, in blocks along the first axis, row-major.

    Args:
        weights: One matrix per axis, shape (m_i, n_i).
        values: Shape (n_1, ..., n_d, width).

    Yields:
        Shape (rows, m_2, ..., m_d, width), float32.
    """
    width = values.shape[-1]
    row_bytes = 4 * width * int(np.prod([w.shape[0] for w in weights[1:]], dtype=np.int64))
    step = max(1, _BLOCK_BYTES // max(row_bytes, 1))
    narrow = [w.astype(np.float32) for w in weights]
    for start in range(0, weights[0].shape[0], step):
        block = values
        for axis, matrix in enumerate(narrow):
            block = _contracted(matrix[start : start + step] if axis == 0 else matrix, block, axis)
        yield block


def _contracted(matrix: NDArray[np.float32], values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """One axis of ``values`` replaced by the places a matrix knows."""
    before, rest = values.shape[:axis], values.shape[axis + 1 :]
    flat = values.reshape(int(np.prod(before, dtype=np.int64)), values.shape[axis], -1)
    return np.asarray(np.matmul(matrix, flat).reshape(*before, matrix.shape[0], *rest), dtype=np.float32)


def at_places(weights: Sequence[Weights], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values at single places.

    Args:
        weights: One matrix per axis, shape (k, n_i): a row per place.
        values: Shape (n_1, ..., n_d, width).

    Returns:
        Shape (k, width), float32.
    """
    joint = weights[0]
    for matrix in weights[1:]:
        joint = (joint[:, :, None] * matrix[:, None, :]).reshape(len(joint), -1)
    return joint.astype(np.float32) @ values.reshape(joint.shape[1], -1)


def touched(weights: Sequence[Weights], holes: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """At which crossings a hole has a say.

    Args:
        weights: One matrix per axis, shape (m_i, n_i).
        holes: Shape (n_1, ..., n_d): nodes without a value.

    Returns:
        Shape (m_1, ..., m_d).
    """
    found = holes.astype(np.float64)
    for axis, matrix in enumerate(weights):
        found = np.moveaxis(np.tensordot(np.abs(matrix), found, axes=(1, axis)), 0, axis)
    return np.asarray(found > 0)

"""True distances among models of a family, and the models' own weights there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solera.errors import InputError


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where the models that span a family lie.

    Attributes:
        scale: Euclidean length in weight space of one unit of each coordinate. All ones when nobody measured (see
            :func:`solera.families.frames.line`).
        points: The spanning models: label -> coordinates, one more than there are coordinates; empty where none do.
        products: Inner products of the axes, row by row, where they are not at right angles; else empty.
    """

    scale: tuple[float, ...]
    points: Mapping[str, tuple[float, ...]]
    products: tuple[tuple[float, ...], ...] = ()

    def distances(self, coords: Sequence[float]) -> tuple[float, ...]:
        """Where a point lies in true distances: an orthonormal frame whose origin is that of the coordinates.

        ``x = alpha * dx``, ``y = beta * dy`` for axes at right angles; else the first axis stays and each further one
        is turned into the space that those before it leave.
        """
        if not self.products:
            return tuple(value * scale for value, scale in zip(coords, self.scale, strict=True))
        root = np.linalg.cholesky(np.asarray(self.products, dtype=np.float64))
        return tuple(map(float, root.T @ np.asarray(coords, dtype=np.float64)))

    def barycentric(self, coords: Sequence[float]) -> tuple[float, ...]:
        """The weights, totalling 1, with which the spanning models blend to this point, in the order of ``points``.

        Negative outside the simplex they span.
        """
        wanted = np.append(np.asarray(coords, dtype=np.float64), 1.0)
        return tuple(float(weight) for weight in np.linalg.solve(self._corners(), wanted))

    def from_barycentric(self, weights: Sequence[float]) -> tuple[float, ...]:
        """The coordinates of a blend of the spanning models. Exact at each of them.

        Args:
            weights: One per spanning model, in the order of ``points``, totalling 1.

        Raises:
            InputError: There are more or fewer, or they do not total 1.
        """
        if len(weights) != len(self.points) or abs(sum(weights) - 1) > 1e-6:
            raise InputError(
                f"A blend of {', '.join(self.points)} needs {len(self.points)} weights that total 1, not {[*weights]}."
            )
        return tuple(
            float(sum(weight * at[axis] for weight, at in zip(weights, self.points.values(), strict=True)))
            for axis in range(len(self.scale))
        )

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready."""
        plain: dict[str, Any] = {
            "scale": list(self.scale),
            "points": {label: list(at) for label, at in self.points.items()},
        }
        return {**plain, "products": [list(row) for row in self.products]} if self.products else plain

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Geometry:
        """The inverse of :meth:`to_plain`."""
        points = {str(label): tuple(map(float, at)) for label, at in plain["points"].items()}
        products = tuple(tuple(map(float, row)) for row in plain.get("products", ()))
        return Geometry(tuple(map(float, plain["scale"])), points, products)

    def _corners(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        corners = np.array(list(self.points.values()), dtype=np.float64).T
        return np.vstack([corners, np.ones(len(self.points))])

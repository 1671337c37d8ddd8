"""Where the points of a run lie in weight space: shares of its models, true distances, planes through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solera.families.geometry import Geometry
from solera.runs.header import RunHeader
from solera_app.plots.stops import Stops
from solera_app.views.snapshot import Snapshot

Floats = NDArray[np.float64]
_NONE = 1e-9  # a share below it is none


def family_of(header: RunHeader) -> Mapping[str, Any]:
    """The family that was explored, in plain form; empty when the run says none."""
    family = header.experiment.get("family", {})
    return family if isinstance(family, Mapping) else {}


def spanning(header: RunHeader) -> tuple[str, ...]:
    """The models whose blends or soups a run explored and whose distances are known, in order; else none."""
    family = family_of(header)
    if family.get("kind") == "subset" and "products" in family.get("facts", {}):
        return tuple(label for label, at in header.labels.items() if sum(at) == 1)
    geometry = family.get("geometry")
    if family.get("kind") != "simplex" or not isinstance(geometry, Mapping):
        return ()
    return tuple(geometry.get("points", ()))


def shares(header: RunHeader, coords: Floats) -> Floats:
    """Of each point the share of every spanning model: shape (n, models), rows total 1; a soup's are equal."""
    if family_of(header).get("kind") == "subset":
        taken = (np.asarray(coords) > 0.5).astype(np.float64)
        return np.asarray(taken / np.maximum(taken.sum(axis=1, keepdims=True), 1.0))
    geometry = _geometry(header)
    corners = np.vstack([np.array(list(geometry.points.values()), dtype=np.float64).T, np.ones(len(geometry.points))])
    wanted = np.vstack([coords.T, np.ones(len(coords))])
    return np.asarray(np.linalg.solve(corners, wanted).T)


def corners(header: RunHeader) -> Floats:
    """The spanning models in an orthonormal frame: true distances, shape (models, models - 1)."""
    if family_of(header).get("kind") == "subset":
        values, vectors = np.linalg.eigh(np.asarray(family_of(header)["facts"]["products"], dtype=np.float64))
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        return np.vstack([np.zeros(len(root)), root])
    geometry = _geometry(header)
    return np.array([geometry.distances(at) for at in geometry.points.values()], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """The triangle of three models among those that span a simplex.

    Attributes:
        names: The three. others: Those whose share is 0 in it.
        corners: Where the three lie, at true distances, shape (3, 2).
        rows: Which points lie in it: positions, shape (k,).
        at: Where those lie, shape (k, 2).
        shares: Of those, the shares of the three, shape (k, 3).
    """

    names: tuple[str, ...]
    others: tuple[str, ...]
    corners: Floats
    rows: NDArray[np.int64]
    at: Floats
    shares: Floats


def slices(header: RunHeader) -> list[tuple[int, int, int]]:
    """Every choice of three among the models that span a simplex; none of a run over something else."""
    if family_of(header).get("kind") != "simplex":
        return []
    return list(combinations(range(len(spanning(header))), 3))


def slice_of(header: RunHeader, coords: Floats, three: tuple[int, int, int]) -> Slice:
    """The points of a run that blend only three of its models.

    Args:
        header: Of a run over a simplex.
        coords: Shape (n, d).
        three: Positions of the three in :func:`spanning`.
    """
    names, every = spanning(header), shares(header, coords)
    rest = [place for place in range(len(names)) if place not in three]
    inside = (np.abs(every[:, rest]) <= _NONE).all(axis=1)
    flat = triangle(corners(header)[list(three)])
    taken = every[inside][:, list(three)]
    return Slice(
        tuple(names[place] for place in three), tuple(names[place] for place in rest), flat, np.nonzero(inside)[0],
        taken @ flat, taken,
    )  # fmt: skip


def triangle(points: Floats) -> Floats:
    """Three points laid flat at their distances: the first at the origin, the second to its right; shape (3, 2)."""
    a, b = points[1] - points[0], points[2] - points[0]
    length = float(np.linalg.norm(a))
    along = float(a @ b) / length
    up = float(np.sqrt(max(float(b @ b) - along**2, 0.0)))
    return np.array([[0.0, 0.0], [length, 0.0], [along, up]])


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """Points laid onto the plane in which some models spread most.

    Attributes:
        models: Where the models lie, shape (m, 2). model_off: How far each is from the plane, shape (m,).
        at: Where the points lie, shape (n, 2). off: How far each is from the plane, shape (n,).
        explained: Share of the models' spread about their mean in the plane.
    """

    models: Floats
    model_off: Floats
    at: Floats
    off: Floats
    explained: float


def flattened(header: RunHeader, coords: Floats) -> Flat:
    """The points of a simplex run on the plane in which its models spread most; distances in it are true ones.

    Args:
        header: Of a run over a simplex of three models or more.
        coords: Shape (n, d).
    """
    where = corners(header)
    middle = where.mean(axis=0)
    _, sizes, axes = np.linalg.svd(where - middle, full_matrices=False)
    axes = axes[:2] * np.where(axes[:2, :1] < 0, -1.0, 1.0)
    points = shares(header, coords) @ where

    def onto(these: Floats) -> tuple[Floats, Floats]:
        flat = (these - middle) @ axes.T
        return flat, np.linalg.norm(these - middle - flat @ axes, axis=1)

    models, points_flat = onto(where), onto(points)
    whole = float((sizes**2).sum())
    return Flat(*models, *points_flat, float((sizes[:2] ** 2).sum()) / whole if whole > 0 else 1.0)


def path_stops(header: RunHeader) -> Stops | None:
    """The path of the run's family, such as a training run's checkpoints; None if it has none."""
    path: Sequence[Mapping[str, Any]] = family_of(header).get("path", ())
    if not path:
        return None
    at = np.array([stop["at"] for stop in path], dtype=np.float64)
    off = np.array([float(stop.get("off", np.nan)) * 100 for stop in path])
    return Stops(at, tuple(str(stop["label"]) for stop in path), off, "% of its way to the last")


def soup_rows(snapshot: Snapshot, objectives: Sequence[int]) -> NDArray[np.int64]:
    """Positions of the points at which a soup grew, in order, the single model it began with first; empty if none did.

    Args:
        snapshot: A run of an explorer that says ``soup:taken`` and ``soup:score``.
        objectives: The scores it made good.
    """
    at, taken = snapshot.indicators.get("soup:taken", (np.empty(0, dtype=np.int64), np.empty(0)))
    after, score = snapshot.indicators.get("soup:score", (np.empty(0, dtype=np.int64), np.empty(0)))
    grown = [int(row) - 1 for row, yes in zip(at, taken, strict=True) if yes > 0]
    if not after.size or not objectives:
        return np.array(grown, dtype=np.int64)
    pool = int(after[0])
    means = snapshot.points.values[:pool, list(objectives)].mean(axis=1)
    gaps = np.abs(means - score[0])
    first = [int(np.nanargmin(gaps))] if np.isfinite(gaps).any() else []
    return np.array([*first, *grown], dtype=np.int64)


def _geometry(header: RunHeader) -> Geometry:
    return Geometry.from_plain(family_of(header)["geometry"])

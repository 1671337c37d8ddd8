"""Where points lie: shares total 1, and distances on paper are those of weight space."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from solera.runs.header import RunHeader
from solera_app.views.places import (
    corners,
    flattened,
    path_stops,
    shares,
    slice_of,
    slices,
    soup_rows,
    spanning,
    triangle,
)
from solera_app.views.snapshot import Snapshot

WEIGHTS = arrays(np.float64, (4, 6), elements=st.floats(-3, 3, width=16))


def simplex_header(weights: np.ndarray, kind: str = "simplex") -> RunHeader:
    """A family over these models, as families say it: inner products of the differences from the first."""
    away = weights[1:] - weights[0]
    names = [f"m{row}" for row in range(len(weights))]
    if kind == "subset":
        labels = {name: np.eye(len(names))[row].tolist() for row, name in enumerate(names)}
        family = {"kind": "subset", "facts": {"products": (away @ away.T).tolist()}}
        coords = len(names)
    else:
        points = {name: [float(row == place) for place in range(1, len(names))] for row, name in enumerate(names)}
        labels = points
        scale = np.sqrt(np.diag(away @ away.T)).tolist()
        family = {
            "kind": "simplex",
            "geometry": {"scale": scale, "points": points, "products": (away @ away.T).tolist()},
        }
        coords = len(names) - 1
    return RunHeader(
        kind="explore", title="t", coords=tuple({"name": f"c{k}"} for k in range(coords)), labels=labels,
        experiment={"family": family},
    )  # fmt: skip


def spread(weights: np.ndarray) -> bool:
    away = weights[1:] - weights[0]
    return bool(np.linalg.svd(away)[1][-1] > 1e-2)


@settings(max_examples=40, deadline=None)
@given(WEIGHTS, st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4))
def test_blends_lie_where_their_weights_do(weights: np.ndarray, given_shares: list[float]) -> None:
    if not spread(weights) or sum(given_shares) < 0.1:
        return
    share = np.array(given_shares) / sum(given_shares)
    header = simplex_header(weights)
    np.testing.assert_allclose(shares(header, share[None, 1:])[0], share, atol=1e-9)
    flat = corners(header)
    for a, b in itertools.combinations(range(4), 2):
        assert np.linalg.norm(flat[a] - flat[b]) == pytest.approx(np.linalg.norm(weights[a] - weights[b]), abs=1e-6)
    point = share @ weights
    onto = flattened(header, share[None, 1:])
    # What lies in the plane and what lies off it together are the true distance to every model.
    for row, model in enumerate(weights):
        middle = weights.mean(axis=0)
        off_both = onto.off[0] ** 2, np.linalg.norm(model - middle) ** 2
        assert np.linalg.norm(onto.at[0] - onto.models[row]) <= np.linalg.norm(point - model) + 1e-6
        assert off_both[1] == pytest.approx(np.sum(onto.models[row] ** 2) + onto.model_off[row] ** 2, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(WEIGHTS)
def test_a_slice_is_the_triangle_of_its_three_models(weights: np.ndarray) -> None:
    if not spread(weights):
        return
    header = simplex_header(weights)
    assert slices(header) == [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]
    coords = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 0.0], [0.25, 0.25, 0.25], [0.0, 0.5, 0.5]])
    part = slice_of(header, coords, (0, 1, 2))
    assert part.others == ("m3",)
    assert part.rows.tolist() == [0, 1]
    for a, b in itertools.combinations(range(3), 2):
        apart = np.linalg.norm(part.corners[a] - part.corners[b])
        assert apart == pytest.approx(np.linalg.norm(weights[a] - weights[b]), abs=1e-6)
    middle = (weights[1] + weights[2]) / 2
    assert np.linalg.norm(part.at[0] - part.corners[0]) == pytest.approx(np.linalg.norm(middle - weights[0]), abs=1e-6)


def test_a_soup_has_equal_shares_at_true_distances() -> None:
    weights = np.random.default_rng(0).normal(size=(4, 6))
    header = simplex_header(weights, "subset")
    assert spanning(header) == ("m0", "m1", "m2", "m3")
    np.testing.assert_allclose(shares(header, np.array([[1.0, 1.0, 0.0, 1.0]])), [[1 / 3, 1 / 3, 0, 1 / 3]])
    flat = corners(header)
    for a, b in itertools.combinations(range(4), 2):
        assert np.linalg.norm(flat[a] - flat[b]) == pytest.approx(np.linalg.norm(weights[a] - weights[b]))
    assert slices(header) == []


def test_three_points_lie_flat_at_their_distances() -> None:
    three = np.array([[1.0, 2.0, 2.0], [3.0, 2.0, 2.0], [1.0, 2.0, 7.0]])
    np.testing.assert_allclose(triangle(three), [[0, 0], [2, 0], [0, 5]], atol=1e-12)


def test_the_way_of_a_soup_begins_with_its_best_model(snapshots: dict[str, Snapshot]) -> None:
    assert soup_rows(snapshots["soup"], (0, 2)).tolist() == [1, 4, 6]
    assert soup_rows(snapshots["line"], (0,)).tolist() == []


def test_a_path_says_how_far_its_stops_are_off_the_plane(snapshots: dict[str, Snapshot]) -> None:
    stops = path_stops(snapshots["trajectory"].header)
    assert stops is not None
    assert stops.names == tuple(f"step {i}" for i in range(5))
    np.testing.assert_allclose(stops.off, [40, 30, 20, 10, 0])
    assert stops.describe(1) == ("step 1", "Stop 2 of 5", "Off the plane: 30.00 % of its way to the last")
    assert stops.describe(4) == ("step 4", "Stop 5 of 5", "In the plane")
    assert path_stops(snapshots["plane"].header) is None

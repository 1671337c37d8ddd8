"""Interpolation between scattered points, against SciPy's as the slow twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import LinearNDInterpolator

from solera_app.plots.between import between

GRID = np.linspace(-0.2, 1.2, 13)


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 25), st.integers(0, 10**6), st.booleans())
def test_it_is_linear_over_delaunay_triangles(count: int, seed: int, broken: bool) -> None:
    rng = np.random.default_rng(seed)
    at, values = rng.random((count, 2)), rng.normal(size=count)
    if broken:
        values[0] = np.nan
    x, y = np.meshgrid(GRID, GRID)
    span = np.ptp(at, axis=0)
    low = at.min(axis=0)
    twin = LinearNDInterpolator((at - low) / span, values)((x - low[0]) / span[0], (y - low[1]) / span[1])
    found = between(at, values, GRID, GRID)
    np.testing.assert_allclose(found, twin, atol=1e-9, equal_nan=True)


def test_a_plane_is_met_exactly_and_nothing_is_said_outside() -> None:
    at = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [1.0, 2.0]])
    found = between(at, 3 * at[:, 0] - at[:, 1], np.array([-0.5, 0.25, 0.5]), np.array([0.0, 1.5]))
    np.testing.assert_allclose(found[:, 1:], [[0.75, 1.5], [-0.75, 0.0]])
    assert np.isnan(found[:, 0]).all()


@pytest.mark.parametrize("at", [[[0.0, 0.0], [1.0, 1.0]], [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], [[1.0, 1.0]] * 4])
def test_points_that_span_nothing_leave_it_blank(at: list[list[float]]) -> None:
    assert np.isnan(between(np.array(at), np.ones(len(at)), GRID, GRID)).all()


def test_infinity_is_no_corner() -> None:
    at = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert np.isnan(between(at, np.array([1.0, np.inf, 2.0]), GRID, GRID)).all()

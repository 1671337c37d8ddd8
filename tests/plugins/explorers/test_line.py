"""The line: heights and places of all four barriers from 18 evaluations."""

import numpy as np
import pytest

from solera.api import Column, Coord, History, InputError, Seed, Space
from solera.landscapes.barriers import barriers
from solera_plugins.explorers.line import Line

SPACE = Space((Coord("t", 0.0, 1.0),), (Column("task", "loss", "selection"),), {}, (0,))


def walk(curve, points=18, **params):
    line, history = Line(points=points, **params), History.empty(SPACE)
    while asks := line.ask(SPACE, history, 1, Seed(0)):
        t = np.array([[ask.coords[0]] for ask in asks])
        history = History(np.vstack([history.coords, t]), np.vstack([history.values, curve(t)]))
    assert len(history) == points
    assert len(np.unique(history.coords)) == points
    return barriers(history.coords[:, 0], history.values[:, 0])


def bump(at, wide, skew=0.0, slope=0.0, height=1.0):
    """A barrier that leans to one side, on a slope."""

    def curve(t):
        x = (t - at) / (wide * (1 + skew * np.tanh((t - at) / wide)))
        return 0.3 + slope * t + height * np.exp(-(x**2) / 2)

    return curve


CURVES = {
    "even": bump(0.5, 0.15),
    "aside": bump(0.828, 0.12, slope=0.2),
    "leaning": bump(0.37, 0.12, skew=0.6, slope=-0.25),
    "narrow": bump(0.463, 0.06),
    "small on a slope": bump(0.61, 0.2, slope=0.5, height=0.05),
    "kinked": lambda t: 1 - np.abs(t - 0.47) ** 1.2 + 0.2 * t,
    "a dip": lambda t: 1 - bump(0.55, 0.15)(t),
}


@pytest.mark.parametrize("name", CURVES)
def test_height_within_a_hundredth_and_place_within_a_hundredth(name):
    t = np.linspace(0, 1, 100_001)
    truth, found = barriers(t, CURVES[name](t)), walk(CURVES[name])
    for kind, barrier in truth.items():
        if abs(barrier.height) < 1e-9:
            assert abs(found[kind].height) < 1e-9
            continue
        assert found[kind].height == pytest.approx(barrier.height, rel=0.01), kind
        assert found[kind].at == pytest.approx(barrier.at, abs=0.01), kind


def test_a_point_without_a_number_does_not_stop_it():
    found = walk(lambda t: np.where(np.abs(t - 0.2) < 0.01, np.nan, bump(0.6, 0.15)(t)))
    assert np.isnan(found["chord"].height)  # never filled


def test_where_it_has_no_score_it_does_not_ask_again():
    curve = bump(0.6, 0.15)
    first: list[float] = []

    def holed(t):  # the first place it closes in on, and all near it, have no score
        if len(t) == 1 and not first and t[0, 0] * 10 % 1 > 1e-6:
            first.append(t[0, 0])
        near = np.abs(t - first[0]) < 0.004 if first else np.zeros(t.shape, dtype=bool)
        return np.where(near, np.nan, curve(t))

    found = walk(holed, points=40)  # which checks that no place came twice
    assert first
    assert found["chord"].at == pytest.approx(0.6, abs=0.05) or np.isnan(found["chord"].at)
    walk(lambda t: np.where((t > 0.5) & (t < 0.58), np.nan, curve(t)), points=60)


def test_a_plane_has_no_barrier():
    with pytest.raises(InputError, match="2 coordinates"):
        Line().plan(Space((Coord("x", 0, 1), Coord("y", 0, 1)), SPACE.columns, {}, (0,)))
    with pytest.raises(InputError, match=r"0\.2 to 1"):
        Line().plan(Space((Coord("x", 0.2, 1),), SPACE.columns, {}, (0,)))


def test_more_even_points_than_points_are_refused():
    with pytest.raises(InputError, match="Of 9 points 11"):
        Line(points=9)

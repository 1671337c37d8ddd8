"""The grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.api import Ask, Column, History, InputError, Seed, Space
from solera.families.coords import Coord
from solera.families.region import Region
from solera_plugins.explorers.grid import Grid, nested_cells


def space(*coords: Coord) -> Space:
    return Space(coords, (Column("task", "loss", "selection"),), {}, (0,))


PLANE = space(Coord("x", -0.2, 1.2), Coord("rate", 1e-3, 10.0, log=True))


def walk(grid: Grid, over: Space, n: int) -> list[Ask]:
    """Ask to the end, telling scores that must not matter."""
    asks: list[Ask] = []
    rng = np.random.default_rng(1)
    while True:
        coords = np.array([ask.coords for ask in asks]).reshape(len(asks), len(over.coords))
        found = grid.ask(over, History(coords, rng.normal(size=(len(asks), 1))), n, Seed(0))
        if not found:
            return asks
        asks += found


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(2, 7), min_size=1, max_size=3).map(tuple), st.integers(1, 9))
def test_each_point_comes_once_whatever_the_batch(shape, n):
    over = space(*(Coord(f"x{i}", 0, i + 1) for i in range(len(shape))))
    grid = Grid(shape="x".join(map(str, shape)) if len(shape) > 1 else "", points=shape[0])
    assert grid.plan(over).shape == shape
    asks = walk(grid, over, n)
    assert len(asks) == grid.plan(over).total == len({ask.cell for ask in asks}) == len({ask.coords for ask in asks})
    for ask in asks:
        want = [coord.at(i / (size - 1)) for coord, i, size in zip(over.coords, ask.cell, shape, strict=True)]
        assert list(ask.coords) == want


def test_a_51_by_31_grid_is_asymmetric_and_has_its_ends_exactly():
    asks = walk(Grid(shape="51 x 31"), PLANE, 100)
    by_cell = {ask.cell: ask.coords for ask in asks}
    assert by_cell[0, 0] == (-0.2, 1e-3)
    assert by_cell[50, 30] == (1.2, 10.0)
    assert by_cell[25, 15] == pytest.approx((0.5, 0.1))
    assert by_cell[50, 0] == (1.2, 1e-3)


def test_coarse_grids_come_first_and_cover_everything():
    cells = nested_cells((51, 51))
    assert {tuple(cell) for cell in cells[:4]} == {(0, 0), (0, 50), (50, 0), (50, 50)}
    assert tuple(cells[6]) == (25, 25)
    early = cells[: 17 * 17]  # a twelfth of the points
    nearest = np.abs(cells[:, None] - early[None]).max(axis=2).min(axis=1)
    assert nearest.max() <= 3  # no hole in the picture is wider than seven cells


def test_it_is_stateless():
    history = History(np.zeros((7, 2)), np.zeros((7, 1)))
    used = Grid(points=5)
    walk(used, PLANE, 3)
    assert used.ask(PLANE, history, 4, Seed(0)) == Grid(points=5).ask(PLANE, history, 4, Seed(9))


@pytest.mark.parametrize("shape", ["5", "1x5", "5x", "axb", "5x5x5"])
def test_shapes_that_do_not_fit_are_sentences(shape):
    with pytest.raises(InputError, match="grid's shape"):
        Grid(shape=shape).plan(PLANE)


def test_a_grid_beyond_reason_is_refused():
    with pytest.raises(InputError, match="1,002,001 points"):
        Grid(points=1001).plan(PLANE)


def test_a_grid_stays_in_the_region_and_takes_each_value_of_a_whole_coordinate_once():
    columns = (Column("task", "loss", "selection"),)
    triangle = Space((Coord("b", 0, 1), Coord("c", 0, 1)), columns, {}, (0,), region=Region("simplex"))
    asks = walk(Grid(points=7), triangle, 4)
    assert len(asks) == Grid(points=7).plan(triangle).total == 7 * 8 // 2
    assert all(sum(ask.coords) <= 1 + 1e-9 for ask in asks)
    soups = Space(tuple(Coord(name, 0, 1, kind="whole") for name in "abc"), columns, {}, (0,), region=Region("subset"))
    asks = walk(Grid(points=21), soups, 3)
    assert {ask.coords for ask in asks} == {(float(i & 1), float(i >> 1 & 1), float(i >> 2)) for i in range(1, 8)}

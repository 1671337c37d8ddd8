import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solera_app.plots.raster import colour_range, fill, magnify


def test_only_cells_among_scored_ones_are_filled_with_their_nearest() -> None:
    values = np.full((5, 5), np.nan)
    scored = np.zeros((5, 5), dtype=bool)
    for at, value in (((0, 0), 1.0), ((0, 2), 2.0), ((2, 0), 3.0), ((2, 2), 4.0)):
        values[at], scored[at] = value, True
    filled, guessed = fill(values, scored)
    assert guessed.sum() == 5
    assert not guessed[3:].any()
    assert np.isnan(filled[3:]).all()
    assert filled[1, 2] in (2.0, 4.0)
    assert (filled[scored] == values[scored]).all()


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.02, 0.6))
def test_the_nearest_is_the_nearest(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    scored = rng.random((7, 9)) < share
    values = np.where(scored, np.arange(63.0).reshape(7, 9), np.nan)
    filled, guessed = fill(values, scored)
    places = np.argwhere(scored)
    for row, column in np.argwhere(guessed):
        distances = ((places - (row, column)) ** 2).sum(axis=1)
        source = np.argwhere(values == filled[row, column])[0]
        assert ((source - (row, column)) ** 2).sum() == distances.min()


def test_row_by_row_leaves_the_rest_blank() -> None:
    values = np.arange(16.0).reshape(4, 4)
    scored = np.zeros((4, 4), dtype=bool)
    scored[0], scored[1, :2] = True, True
    filled, guessed = fill(values, scored)
    assert guessed.tolist()[1] == [False, False, True, True]
    assert guessed.sum() == 2
    assert np.isnan(filled[2:]).all()


def test_a_scored_cell_that_is_not_finite_stays_so() -> None:
    values = np.array([[1.0, np.nan], [2.0, 3.0]])
    filled, guessed = fill(values, np.ones((2, 2), dtype=bool))
    assert np.isnan(filled[0, 1])
    assert not guessed.any()


def test_flat_cells_are_exact_and_end_between_the_lines() -> None:
    values = np.array([[0.0, 1.0, 2.0]])
    shown = magnify(values, 4, smooth=False)
    assert shown.shape == (4, 8)
    assert shown[0].tolist() == [0, 0, 1, 1, 1, 1, 2, 2]


def test_smooth_is_bilinear_and_keeps_a_plane() -> None:
    rows, cols = np.mgrid[0:4, 0:5]
    shown = magnify(2.0 * cols - 3.0 * rows, 6, smooth=True)
    at_rows, at_cols = (np.arange(18) + 0.5) / 6, (np.arange(24) + 0.5) / 6
    assert shown == pytest.approx(2.0 * at_cols[None] - 3.0 * at_rows[:, None], abs=1e-5)


def test_holes_stay_holes_and_do_not_bleed() -> None:
    values = np.ones((5, 5))
    values[2, 2] = np.nan
    shown = magnify(values, 4, smooth=True)
    assert np.isnan(shown).sum() == 16
    assert shown[np.isfinite(shown)] == pytest.approx(1.0)


def test_the_far_tail_is_cut_and_said() -> None:
    values = np.linspace(1, 2, 400)
    assert colour_range(values) == (1.0, 2.0, False)
    values[-3:] = 500.0
    low, high, cut = colour_range(values)
    assert (low, cut) == (1.0, True)
    assert high < 2.1


def test_empty_and_constant_grids_have_a_range() -> None:
    assert colour_range(np.full((3, 3), np.nan)) == (0.0, 1.0, False)
    low, high, _ = colour_range(np.full((3, 3), 4.0))
    assert low < 4.0 < high

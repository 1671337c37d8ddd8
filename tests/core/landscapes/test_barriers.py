"""Four barriers against the golden, and their rules."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from solera.errors import InputError
from solera.landscapes.barriers import barriers

FOLDER = Path(__file__).parent / "golden"
GOLDEN = json.loads((FOLDER / "interp1d_mlp.json").read_text())
CURVES = np.load(FOLDER / "interp1d_mlp.npz")


@pytest.mark.parametrize("curve", ["loss", "error"])
def test_golden(curve):
    want, found = GOLDEN[f"barrier_{curve}"], barriers(CURVES["t"], CURVES[curve])
    tolerance = GOLDEN["tolerance"]["float64"]
    assert found["chord"].height == pytest.approx(want["entezari_max_minus_chord"], abs=tolerance)
    assert found["chord"].at == pytest.approx(want["argmax_t"])
    assert found["instability"].height == pytest.approx(want["frankle_max_minus_mean_ends"], abs=tolerance)
    assert found["worst_end"].height == pytest.approx(want["max_minus_max_ends"], abs=tolerance)
    assert found["mode_connectivity"].height == pytest.approx(want["yang_mc_signed"], abs=tolerance)
    assert found["mode_connectivity"].at == pytest.approx(want["yang_t"])


def test_order_does_not_matter_and_points_beyond_the_ends_do_not_count():
    t, loss = CURVES["t"], CURVES["loss"]
    shuffled = np.random.default_rng(0).permutation(len(t))
    wide = barriers(np.append(t[shuffled], [-0.2, 1.2]), np.append(loss[shuffled], [99.0, 99.0]))
    assert wide == barriers(t, loss)


def test_a_dip_has_no_chord_barrier_and_a_positive_mode_connectivity():
    found = barriers([0.0, 0.5, 1.0], [1.0, 0.2, 2.0])
    assert found["chord"].height == 0.0
    assert found["worst_end"].height == 0.0
    assert found["mode_connectivity"].height == pytest.approx(1.3)


def test_nan_between_the_ends_is_no_number_and_infinity_an_infinite_barrier():
    assert math.isnan(barriers([0, 0.5, 1], [1, math.nan, 1])["chord"].height)
    assert barriers([0, 0.5, 1], [1, math.inf, 1])["chord"].height == math.inf
    for curve in ([math.inf, 0.5, 1], [1, 0.5, math.inf]):  # how far above such an end a curve rises nobody can say
        assert all(math.isnan(found.height) for found in barriers([0, 0.5, 1], curve).values())


def test_both_ends_are_needed():
    with pytest.raises(InputError, match="both ends"):
        barriers([0.0, 0.5], [1.0, 1.0])

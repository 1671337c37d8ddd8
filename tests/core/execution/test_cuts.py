"""How tensors are cut."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solera.execution.cuts import coarsest, pieces, slice_of

SHAPES = st.lists(st.integers(0, 7), max_size=4).map(tuple)


@given(SHAPES, st.sampled_from(["element", "block", "tensor"]), st.integers(1, 50))
def test_pieces_cover_a_tensor_once_and_in_order(shape, cut, size):
    numel = math.prod(shape)
    found = list(pieces(shape, cut, size))
    assert [start for start, _, _ in found] == [0, *(stop for _, stop, _ in found[:-1])][: len(found)]
    assert sum(stop - start for start, stop, _ in found) == numel
    for start, stop, piece in found:
        assert stop - start <= max(size, slice_of(shape, cut))
        if cut == "element":
            assert piece is None
        else:
            assert piece is not None
            assert math.prod(piece) == stop - start
            assert piece[1:] == shape[1:]
            assert cut == "block" or piece == shape


@given(SHAPES, st.sampled_from(["element", "block", "tensor"]), st.integers(1, 9))
def test_runs_are_made_of_the_same_pieces(shape, cut, size):
    runs = [piece for start, stop, _ in pieces(shape, cut, 3 * size) for piece in pieces(shape, cut, size, start, stop)]
    assert [run[:2] for run in runs][-1:] == [piece[:2] for piece in pieces(shape, cut, size)][-1:] or not runs
    assert sum(stop - start for start, stop, _ in runs) == math.prod(shape)


@pytest.mark.parametrize(
    ("shape", "together"), [((), 1), ((7,), 7), ((3, 5), 5), ((3, 5, 2), 10), ((0, 4), 4), ((4, 0), 1)]
)
def test_a_slice_along_the_first_axis_stays_together(shape, together):
    assert slice_of(shape, "block") == together


def test_the_coarsest_cut_suits_all():
    assert coarsest([]) == "element"
    assert coarsest(["element", "block"]) == "block"
    assert coarsest(["tensor", "block"]) == "tensor"

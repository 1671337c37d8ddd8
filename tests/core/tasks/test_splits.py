import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from solera.seeds import Seed
from solera.tasks.scores import SPLITS
from solera.tasks.splits import split_rows


@given(count=st.integers(0, 300), seed=st.integers(0, 2**32))
def test_the_parts_are_all_samples_once(count, seed):
    parts = [split_rows(count, split, Seed(seed)) for split in SPLITS]
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    for part, share in zip(parts, (0.6, 0.15, 0.25), strict=True):
        assert part.tolist() == sorted(part.tolist())
        assert abs(len(part) - share * count) <= 1


def test_which_samples_never_changes():
    rows = split_rows(20, "selection", Seed(0).child("classification", "splits"))
    assert rows.tolist() == [11, 13, 15]
    assert split_rows(20, "selection", Seed(1)).tolist() != rows.tolist()

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import InputError
from solera.tasks.subset import stratified


@settings(max_examples=60)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=80), st.integers(1, 90), st.integers(0, 3))
def test_every_stratum_gets_its_share(labels, limit, seed):
    strata = np.array(labels, dtype=np.int64)
    rows = stratified(strata, limit, seed)
    assert rows.size == min(limit, strata.size)
    assert (np.diff(rows) > 0).all()
    for stratum in np.unique(strata):
        share = (strata == stratum).sum() * min(1.0, limit / strata.size)
        assert abs((strata[rows] == stratum).sum() - share) < 1


def test_it_is_fixed_by_the_seed():
    strata = np.arange(100) % 7
    assert (stratified(strata, 20, 0) == stratified(strata, 20, 0)).all()
    assert (stratified(strata, 20, 0) != stratified(strata, 20, 1)).any()


def test_all_without_a_limit():
    assert (stratified(np.zeros(5, dtype=np.int64), None, 0) == np.arange(5)).all()


def test_none_is_refused():
    with pytest.raises(InputError):
        stratified(np.zeros(5, dtype=np.int64), 0, 0)

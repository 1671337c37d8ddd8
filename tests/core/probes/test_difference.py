"""Two checkpoints tensor by tensor, against NumPy in one go."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.errors import MismatchError, NumericError
from solera.probes.difference import EDGES, difference
from solera.tensors.reductions import BLOCK


def checkpoint(name: str, **tensors: Any) -> Any:
    return MemoryCheckpoint.from_state_dict({key: torch.as_tensor(value) for key, value in tensors.items()}, name=name)


values = st.floats(-4, 4, width=32).map(lambda x: 0.0 if abs(x) < 1e-6 else x)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=2, max_side=9), elements=values), st.data())
def test_it_is_what_numpy_says(left: Any, data: Any) -> None:
    right = data.draw(hnp.arrays(np.float32, left.shape, elements=values))
    found = difference(checkpoint("a", w=left), checkpoint("b", w=right), QuietContext())
    (row,) = found.tensors
    a, b = left.astype(np.float64).ravel(), right.astype(np.float64).ravel()
    assert row.norm_a == pytest.approx(np.linalg.norm(a), rel=1e-12, abs=1e-12)
    assert row.distance == pytest.approx(np.linalg.norm(b - a), rel=1e-12, abs=1e-12)
    assert row.largest == np.abs(b - a).max()
    assert row.equal == (a == b).sum()
    assert row.signs == pytest.approx((np.sign(a) == np.sign(b)).mean())
    if np.linalg.norm(a) and np.linalg.norm(b):
        assert row.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-12)
    else:
        assert math.isnan(row.cosine)
    apart = np.abs(b - a)
    assert sum(found.histogram) == (apart > 0).sum()
    assert found.histogram == tuple(np.histogram(np.clip(apart[apart > 0], EDGES[0], EDGES[-1]), EDGES)[0])


def test_pieces_add_up_and_all_tensors_together() -> None:
    torch.manual_seed(0)
    long = torch.randn(9 * BLOCK + 17)
    other = long + 0.01 * torch.randn_like(long)
    found = difference(
        checkpoint("a", w=long, x=torch.ones(3)), checkpoint("b", w=other, x=torch.ones(3)), QuietContext()
    )
    w, x = found.tensors
    assert w.distance == pytest.approx(float((other.double() - long.double()).norm()), rel=1e-12)
    assert (x.distance, x.equal, x.signs, x.cosine) == (0, 3, 1, 1)
    assert found.total.numel == w.numel + 3
    assert found.total.distance == w.distance
    assert found.total.norm_a == pytest.approx(math.hypot(w.norm_a, x.norm_a))
    assert found.total.relative == found.total.distance / found.total.norm_a


def test_what_is_not_in_both_is_named() -> None:
    a = checkpoint("a", w=torch.ones(2), only=torch.ones(1), s=torch.ones(2, 2), n=torch.ones(1, dtype=torch.int64))
    b = checkpoint("b", w=torch.ones(2), other=torch.ones(1), s=torch.ones(3), n=torch.ones(1, dtype=torch.int64))
    found = difference(a, b, QuietContext())
    assert (found.only_a, found.only_b, found.unlike, found.skipped) == (("only",), ("other",), ("s",), ("n",))
    assert [row.name for row in found.tensors] == ["w"]
    plain = found.to_plain()
    assert plain["tensors"][0]["shape"] == [2]
    assert len(plain["histogram"]) == len(plain["edges"]) - 1
    with pytest.raises(MismatchError, match="share no floating tensor"):
        difference(checkpoint("a", w=torch.ones(2)), checkpoint("b", v=torch.ones(2)), QuietContext())


def test_a_weight_that_is_no_number_is_named() -> None:
    bad = torch.tensor([1.0, math.nan])
    with pytest.raises(NumericError, match="w"):
        difference(checkpoint("a", w=torch.ones(2)), checkpoint("b", w=bad), QuietContext())

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import InputError, NumericError
from solera.tensors.selection import StreamingSelect, kth_largest, select_kth, top_k_mask

# Few different values, so that ties are common.
floats = st.one_of(st.sampled_from([0.0, 0.5, 1.0, 1e-40, 3e38]), st.floats(0, width=32, allow_infinity=True))
lists = st.lists(floats, min_size=1, max_size=60)


def mask_twin(values, k):
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))[: max(k, 0)]
    return [i in order for i in range(len(values))]


@given(lists, st.data())
@settings(max_examples=150, deadline=None)
def test_kth_and_mask_against_a_sort(values, data):
    k = data.draw(st.integers(1, len(values)))
    x = torch.tensor(values, dtype=torch.float32)
    assert kth_largest(x, k) == sorted(x.tolist(), reverse=True)[k - 1]
    assert top_k_mask(x, k).tolist() == mask_twin(x.tolist(), k)


@given(st.lists(st.lists(floats, max_size=20), min_size=1, max_size=6), st.data())
@settings(max_examples=100, deadline=None)
def test_streams(pieces, data):
    together = sorted((v for piece in pieces for v in piece), reverse=True)
    k = data.draw(st.integers(0, len(together)))
    found = select_kth([torch.tensor(piece, dtype=torch.float32) for piece in pieces], k)
    if k == 0:
        assert found.threshold == float("inf")
        return
    threshold = torch.tensor(together[k - 1], dtype=torch.float32).item()
    rounded = torch.tensor(together, dtype=torch.float32)
    assert found.threshold == threshold
    assert found.above == int((rounded > threshold).sum()) < k
    assert found.ties == int((rounded == threshold).sum()) >= k - found.above


@pytest.mark.parametrize("share", [0.001, 0.2, 0.5, 0.97])
@pytest.mark.parametrize("place", ["spread", "misleading", "all alike"])
def test_a_guess_changes_only_the_number_of_passes(share, place):
    x = torch.randn(900_000, generator=torch.Generator().manual_seed(5)).to(torch.bfloat16).float()
    x[:300_000] *= 100
    runs = [x[start : start + 500] for start in range(0, 890_000, 10_000)]
    sample = {"spread": runs, "misleading": [x[:100_000]], "all alike": [torch.ones(1000)]}[place]
    k = int(share * x.numel())
    plain, guided = select_kth([x], k), StreamingSelect(k)
    guided.guess(sample, share)
    passes = 0
    while guided.needs_pass:
        for piece in x.split(100_000):
            guided.add(piece)
        guided.end_pass()
        passes += 1
    assert (guided.threshold, guided.above, guided.ties) == (plain.threshold, plain.above, plain.ties)
    assert passes <= (1 if place == "spread" else 3)


def test_long_inputs_and_smaller_types():
    x = torch.randn(600_001, generator=torch.Generator().manual_seed(3)).abs()
    half = x.to(torch.bfloat16)
    for values in (x, half):
        expected = values.float().sort(descending=True).values
        for k in (1, 1000, 300_000, 600_001):
            assert kth_largest(values, k) == expected[k - 1].item()
            mask = top_k_mask(values, k)
            assert int(mask.sum()) == k
            assert values[mask].min() >= (values[~mask].max() if k < len(x) else 0)
    # Of equal ones the first: the chosen among the threshold's ties are a prefix of them.
    threshold = kth_largest(half, 300_000)
    chosen = top_k_mask(half, 300_000)[half == threshold].tolist()
    assert chosen == sorted(chosen, reverse=True)
    assert not all(chosen)


def test_edges():
    x = torch.tensor([[1.0, 2], [2, 2]])
    assert top_k_mask(x, 2).tolist() == [[False, True], [True, False]]
    assert top_k_mask(x, 0).sum() == 0
    assert top_k_mask(x, 9).all()
    assert top_k_mask(torch.zeros(0), 1).shape == (0,)
    assert kth_largest(torch.tensor([-3.0, 1, -2]), 2) == -2
    assert kth_largest(torch.tensor([1.0, 2, 3], dtype=torch.float64), 1) == 3
    for k in (0, 4):
        with pytest.raises(InputError):
            kth_largest(torch.ones(3), k)
    with pytest.raises(InputError):
        select_kth([torch.ones(3)], 4)
    with pytest.raises(InputError):
        StreamingSelect(-1)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_nan_is_refused(k):
    with pytest.raises(NumericError):
        kth_largest(torch.tensor([1.0, float("nan"), float("inf")]), k)
    tiny_nan = torch.tensor([0x7F800001], dtype=torch.int32).view(torch.float32)
    with pytest.raises(NumericError):
        kth_largest(torch.cat([tiny_nan, torch.ones(2)]), 1)


@pytest.mark.parametrize("guided", [False, True])
def test_the_places_of_equal_numbers_are_known_from_the_pass_that_finds_them(guided: bool) -> None:
    x = torch.randint(0, 40, (300_000,), generator=torch.Generator().manual_seed(3)).float()
    pieces = x.split(70_001)
    select = StreamingSelect(100_000)
    if guided:
        select.guess([x[:5000], x[150_000:155_000]], 1 / 3)
    while select.needs_pass:
        for piece in pieces:
            select.add(piece)
        select.end_pass()
    ties = torch.nonzero(x == select.threshold)[:, 0]
    assert select.ties == len(ties)
    assert [select.tie_at(i + 1) for i in (0, 7, len(ties) - 1)] == [int(ties[i]) for i in (0, 7, -1)]
    assert select.tie_at(len(ties) + 1) is None


def test_places_are_not_kept_of_more_numbers_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solera.tensors.selection._KEPT", 1000)
    x = torch.arange(5000.0) % 2 + 1
    select = select_kth([x], 100)
    assert (select.threshold, select.ties, select.tie_at(1)) == (2.0, 2500, None)

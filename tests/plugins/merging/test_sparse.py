"""Methods that thin task vectors out, against slow twins and their own statistics."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import InputError
from solera.extend.registry import Registry
from solera.methods.spec import Piece
from solera.tensors.hashing import uniform

METHODS = Registry.discover().methods
breadcrumbs, dare, della = (METHODS[name].function for name in ("breadcrumbs", "dare", "della"))
NUMBERS = st.integers(-8, 8).map(lambda i: i / 16)


def defaults(name, count, **given_):
    values = {spec.name: spec.default for spec in METHODS[name].params} | given_
    lists = {spec.name for spec in METHODS[name].params if spec.param.per_model}
    return {
        key: value if key not in lists or isinstance(value, tuple) else (value,) * count
        for key, value in values.items()
    }


def slow_breadcrumbs(row, density, gamma):
    keep, top = int(len(row) * density), int(len(row) * gamma)
    top = min(top, len(row) - keep)
    order = sorted(range(len(row)), key=lambda i: (-abs(row[i]), i))
    return [x if i in set(order[top : top + keep]) else 0.0 for i, x in enumerate(row)]


@given(
    st.lists(NUMBERS, min_size=1, max_size=16), st.sampled_from([0.0, 0.2, 0.5, 1.0]), st.sampled_from([0, 0.1, 0.4])
)
@settings(max_examples=80, deadline=None)
def test_breadcrumbs(row, density, gamma):
    given_ = defaults("breadcrumbs", 1, density=density, gamma=gamma, scale=1.0)
    got = breadcrumbs([torch.tensor(row)], **given_)
    assert got.tolist() == slow_breadcrumbs(row, density, gamma)
    rows = breadcrumbs([torch.tensor([row, row])], **given_ | {"scope": "row"})
    assert rows[0].tolist() == rows[1].tolist() == got.tolist()


def test_breadcrumbs_order_of_keeping_and_removing():
    given_ = defaults("breadcrumbs", 1, density=0.5, gamma=0.25, scale=1.0)
    row = [torch.tensor([8.0, 7, 6, 5, 4, 3, 2, 1])]
    assert breadcrumbs(row, **given_).tolist() == [0, 0, 6, 5, 4, 3, 0, 0]
    assert breadcrumbs(row, **given_ | {"order": "keep_first"}).tolist() == [0, 0, 6, 5, 0, 0, 0, 0]


@pytest.mark.parametrize("rescale", ["inverse", "none", "l1"])
def test_dare_drops_by_the_published_numbers(rescale):
    delta = torch.randn(300, 7)
    given_ = defaults("dare", 2, density=(0.25, 0.5), rescale=rescale, seed=3, weight=(1.0, 2.0))
    got = dare([delta, -delta], **given_, piece=Piece("layer.weight"))
    want = torch.zeros_like(delta)
    for i, (d, p, w) in enumerate([(delta, 0.25, 1.0), (-delta, 0.5, 2.0)]):
        kept = d * (uniform(3, "layer.weight", i, 0, 2100).view(300, 7) < p)
        factor = {"inverse": 1 / p, "none": 1.0, "l1": float(d.abs().sum() / kept.abs().sum())}[rescale]
        want += w * kept * factor
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)


def test_dare_keeps_its_share_and_is_unbiased():
    ones = torch.ones(400_000)
    got = dare([ones], **defaults("dare", 1, density=0.3))
    assert float((got > 0).float().mean()) == pytest.approx(0.3, abs=0.003)
    assert float(got.mean()) == pytest.approx(1.0, abs=0.01)
    assert got.unique().tolist() == pytest.approx([0.0, 1 / 0.3])


def test_masks_differ_by_seed_name_and_model():
    ones = torch.ones(1000)
    one = defaults("dare", 1, density=0.5)
    made = [
        dare([ones], **one, piece=Piece("a")), dare([ones], **one, piece=Piece("b")),
        dare([ones], **one | {"seed": 1}, piece=Piece("a")),
        dare([ones * 0, ones], **defaults("dare", 2, density=0.5), piece=Piece("a")),
    ]  # fmt: skip
    assert all(not torch.equal(made[i], made[j]) for i in range(4) for j in range(i))
    assert torch.equal(made[0], dare([ones], **one, piece=Piece("a")))


def test_density_zero_and_one():
    delta = torch.randn(5, 3)
    for name, function in (("dare", dare), ("della", della)):
        nothing = function(
            [delta], **defaults(name, 1, density=0.0, window=0.0) if name == "della" else defaults(name, 1, density=0.0)
        )
        assert nothing.abs().sum() == 0
        whole = function([delta], **defaults(name, 1, density=1.0, scale=1.0))
        torch.testing.assert_close(whole, delta)


def slow_chances(row, density, window):
    order = sorted(range(len(row)), key=lambda i: (abs(row[i]), i))
    if len(row) == 1:
        return [density]
    return [density - window / 2 + window * order.index(i) / (len(row) - 1) for i in range(len(row))]


@given(st.lists(NUMBERS, min_size=1, max_size=9), st.sampled_from([0.3, 0.5, 0.7]), st.sampled_from([0.0, 0.2, 0.5]))
@settings(max_examples=50, deadline=None)
def test_della_divides_by_each_ones_own_chance(row, density, window):
    delta = torch.tensor(row)
    given_ = defaults("della", 1, density=density, window=window, scale=1.0, combine_by="sum")
    got = della([delta], [torch.ones_like(delta, dtype=torch.bool)], **given_)
    want = [x / p for x, p in zip(row, slow_chances(row, density, window), strict=True)]
    torch.testing.assert_close(got, torch.tensor(want))


def test_della_refuses_impossible_chances():
    with pytest.raises(InputError, match="smaller window"):
        della([torch.ones(3)], **defaults("della", 1, density=0.9, window=0.4))


@pytest.mark.parametrize("name", ["breadcrumbs", "dare", "della"])
@pytest.mark.parametrize("combine_by", ["sum", "mean", "ties", "ties_sum"])
def test_nothing_breaks_where_there_is_nothing(name, combine_by):
    function, given_ = METHODS[name].function, defaults(name, 2, combine_by=combine_by)
    for delta in (torch.zeros(3, 4), torch.zeros(0, 3), torch.ones(1), torch.tensor(2.0)):
        assert function([delta, -delta], **given_).shape == delta.shape
        assert function([delta, -delta], **given_).isfinite().all()


@pytest.mark.parametrize("name", ["breadcrumbs", "dare", "della"])
def test_combinations_are_what_the_names_say(name):
    deltas = [torch.tensor([1.0, -2.0, 3.0]), torch.tensor([2.0, 3.0, -1.0])]
    extra = {"window": 0.0} if name == "della" else {"gamma": 0.0} if name == "breadcrumbs" else {}
    want = {"sum": [3, 1, 2], "mean": [1.5, 0.5, 1], "ties": [1.5, 3, 3], "ties_sum": [3, 3, 3]}
    for how, numbers in want.items():
        given_ = defaults(name, 2, density=1.0, scale=1.0, combine_by=how, **extra)
        assert METHODS[name].function(deltas, **given_).tolist() == numbers


def slow_energy_trim(row, share):
    """The largest entries, one after the other, until their squares reach the share."""
    total, reached, kept = sum(x * x for x in row), 0.0, set()
    for i in sorted(range(len(row)), key=lambda i: (-abs(row[i]), i)):
        if share <= 0 or reached >= share * total:
            break
        reached += row[i] ** 2
        kept.add(i)
    return [x if i in kept else 0.0 for i, x in enumerate(row)]


@given(
    row=st.lists(st.integers(-8, 8).map(lambda i: i / 8), min_size=1, max_size=14),
    share=st.sampled_from([0.0, 0.2, 0.5, 0.75, 0.9]), size=st.integers(1, 5),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_ties_by_a_share_of_the_norm(run, row, share, size):
    want, vector = torch.tensor(slow_energy_trim(row, share)), torch.tensor(row)
    given_ = {"density": share, "share": "energy", "elect": "none", "merge": "sum"}
    torch.testing.assert_close(run("ties")([vector], **given_), want)
    cut = len(row) // 2
    made = run("ties").over([{"a": vector[:cut], "b": vector[cut:]}], size=size, scope="model", **given_)
    torch.testing.assert_close(torch.cat([made["a"], made["b"]]), want)

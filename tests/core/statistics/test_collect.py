"""A collection that is stopped goes on, to the same bytes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from solera.context import QuietContext
from solera.errors import Cancelled
from solera.models.network import Network
from solera.statistics import collect as module
from solera.statistics.collect import collect, collector_of
from solera.tasks.examples import Examples


class Impatient(QuietContext):
    def __init__(self, patience: int) -> None:
        super().__init__()
        self.patience = patience

    def progress(self, done, total, unit="", text=""):
        self.patience -= 1

    def check(self):
        if self.patience <= 0:
            raise Cancelled("enough")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network(nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)))


@pytest.fixture
def examples():
    torch.manual_seed(1)
    return Examples(torch.randn(23, 4), torch.randint(0, 3, (23,)), 5)


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("fisher", {"gradients": "vmap", "labels": "sampled"}),
        ("fisher", {"gradients": "loop"}),
        ("gram", {}),
        ("moments", {}),
        ("batchnorm", {"batch": 5}),
    ],
)
def test_stopped_and_gone_on_with_gives_the_same_bytes(network, examples, kind, params, tmp_path):
    partial = tmp_path / "x.partial"
    whole = collect(network, examples, collector_of(kind, examples, params), QuietContext())
    with pytest.raises(Cancelled):
        collect(network, examples, collector_of(kind, examples, params), Impatient(2), partial)
    assert partial.is_file()
    seen = []
    rest = QuietContext()
    rest.progress = lambda done, total, unit="", text="": seen.append(done)  # type: ignore[method-assign]
    again = collect(network, examples, collector_of(kind, examples, params), rest, partial)
    assert seen[0] > 10  # it did not begin anew
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_it_is_kept_now_and_then(network, examples, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEEP_SECONDS", -1.0)
    partial = tmp_path / "x.partial"
    collect(network, examples, collector_of("gram", examples, {}), QuietContext(), partial)
    assert partial.is_file()  # as a kill would leave it


def test_a_damaged_file_is_begun_anew(network, examples, tmp_path):
    partial = tmp_path / "x.partial"
    partial.write_bytes(b"not a file of ours")
    found = collect(network, examples, collector_of("gram", examples, {}), QuietContext(), partial)
    assert set(found) == {"0.weight", "2.weight"}

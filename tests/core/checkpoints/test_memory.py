from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import InputError


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight


def test_a_module_is_a_checkpoint():
    module = Tied()
    checkpoint = MemoryCheckpoint.from_module(module, "live", {"architecture": "tied"})
    state = module.state_dict()
    assert list(checkpoint) == list(state)
    assert (checkpoint.name, checkpoint.path, checkpoint.config) == ("live", None, {"architecture": "tied"})
    assert checkpoint.ties == {"head.weight": "embed.weight"}
    assert checkpoint.numel == 15 + 4 * 3 + 1
    for name, tensor in state.items():
        assert torch.equal(checkpoint[name].read(), tensor)
        assert checkpoint[name].read().data_ptr() != tensor.data_ptr()
    assert checkpoint["norm.running_mean"].kind == "statistic"
    assert checkpoint["norm.num_batches_tracked"].kind == "counter"
    checkpoint.verify()
    assert checkpoint.extra_files() == ()


def test_it_shows_what_the_tensors_hold_now():
    weight = torch.zeros(4)
    checkpoint = MemoryCheckpoint.from_state_dict({"w": weight}, "state")
    weight += 2
    assert checkpoint["w"].read().tolist() == [2, 2, 2, 2]
    assert checkpoint.identity() != MemoryCheckpoint.from_state_dict({"w": weight}, "state").identity()


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(12.0).reshape(3, 4).t(), torch.ones(2, 3, dtype=torch.bfloat16)[:, 1:], torch.tensor(3),
        torch.zeros(0, 2), torch.tensor([True, False]), torch.tensor([1 + 2j]).conj(), torch.ones(1, 3).expand(4, 3),
        nn.Parameter(torch.ones(2)), torch.ones(3).to(torch.float8_e4m3fn),
    ],
)  # fmt: skip
def test_any_dense_tensor(tensor):
    ref = MemoryCheckpoint.from_state_dict({"w": tensor})["w"]
    got = ref.read()
    assert got.dtype == tensor.dtype
    assert got.tolist() == tensor.tolist()
    if tensor.numel() > 2:
        assert ref.read(1, 3).tolist() == tensor.detach().reshape(-1)[1:3].tolist()


def test_other_things_are_refused():
    state: dict[str, Any] = {"epoch": 3}
    with pytest.raises(InputError, match="'epoch'"):
        MemoryCheckpoint.from_state_dict(state)
    with pytest.raises(InputError, match="'s'"):
        MemoryCheckpoint.from_state_dict({"s": torch.eye(2).to_sparse()})

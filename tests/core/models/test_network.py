"""Networks over a flat vector."""

from typing import Any

import pytest
import torch
from torch import nn

from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import MismatchError
from solera.models.fresh import fresh
from solera.models.network import Network, flat_of


def conv_net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))


def test_the_network_computes_what_the_module_does_and_moves_with_the_vector():
    module, twin = conv_net(), conv_net().eval()
    twin(torch.randn(2, 1, 8, 8))
    network = Network(module)
    x = torch.randn(7, 1, 8, 8)
    assert torch.equal(network(x), twin(x))
    network.flat.mul_(0.5)
    for parameter in [*twin.parameters(), *(b for b in twin.buffers() if b.is_floating_point())]:
        parameter.data.mul_(0.5)
    assert torch.equal(network(x), twin(x))
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_loading_takes_floats_in_any_dtype_and_counters():
    source: Any = conv_net()
    source[1].num_batches_tracked.fill_(41)
    state = {name: t.bfloat16() if t.is_floating_point() else t for name, t in source.state_dict().items()}
    network: Any = Network(conv_net())
    network.flat.fill_(torch.nan)
    network.load(MemoryCheckpoint.from_state_dict(state))
    want = torch.cat([t.float().flatten() for t in (*source.bfloat16().parameters(), source[1].running_mean,
                                                   source[1].running_var)])  # fmt: skip
    assert torch.equal(network.flat, want)
    assert network.module[1].num_batches_tracked == 41


def test_old_checkpoints_may_lack_the_batch_counter():
    state = {name: t for name, t in conv_net().state_dict().items() if not name.endswith("tracked")}
    Network(conv_net()).load(MemoryCheckpoint.from_state_dict(state))


def test_every_misfit_is_named():
    state = conv_net().state_dict()
    del state["0.bias"]
    state["4.weight"] = torch.zeros(5, 144)
    state["extra"] = torch.zeros(1)
    with pytest.raises(MismatchError) as caught:
        Network(conv_net()).load(MemoryCheckpoint.from_state_dict(state, "odd"))
    assert "'odd' does not fit the network Sequential: 1 missing (0.bias); 1 unexpected (extra); " in str(caught.value)
    assert "4.weight is [5, 144], the network wants [3, 144]" in str(caught.value)
    assert caught.value.fields["missing"] == ["0.bias"]


def test_a_prefix_that_parts_all_names_is_named_with_its_remedy():
    state = {f"module.{name}": tensor for name, tensor in conv_net().state_dict().items()}
    with pytest.raises(MismatchError, match=r"Its names begin with 'module\.': declare that with strip: \"module\.\""):
        Network(conv_net()).load(MemoryCheckpoint.from_state_dict(state))
    state["elsewhere"] = torch.zeros(1)
    with pytest.raises(MismatchError, match="Choose the architecture or factory"):
        Network(conv_net()).load(MemoryCheckpoint.from_state_dict(state))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("inv_freq", torch.ones(2), persistent=False)


@pytest.mark.parametrize("names", [("embed.weight",), ("head.weight",), ("embed.weight", "head.weight")])
def test_tied_weights_load_under_any_of_their_names(names):
    weight = torch.randn(5, 3)
    network: Any = Network(Tied())
    network.load(MemoryCheckpoint.from_state_dict({name: weight.clone() for name in names}))
    assert torch.equal(network.flat, weight.flatten())
    assert network.module.head.weight is network.module.embed.weight


def test_ties_that_the_file_breaks_are_refused_and_unsaved_buffers_ignored():
    state = {"embed.weight": torch.zeros(5, 3), "head.weight": torch.ones(5, 3), "inv_freq": torch.zeros(2)}
    with pytest.raises(MismatchError, match=r"1 tied in the network but different in the file \(head.weight\)"):
        Network(Tied()).load(MemoryCheckpoint.from_state_dict(state))
    state["head.weight"] = state["embed.weight"].clone()
    network: Any = Network(Tied())
    network.load(MemoryCheckpoint.from_state_dict(state))
    assert torch.equal(network.module.inv_freq, torch.ones(2))


def test_flat_of_reads_a_module_in_the_order_of_a_layout():
    network = Network(conv_net())
    assert torch.equal(flat_of(conv_net(), network.layout), network.flat)


class Random(nn.Module):
    left_over = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.embed, self.attention = nn.LSTM(3, 4), nn.Embedding(9, 4), nn.TransformerEncoderLayer(8, 2)
        self.truncated = nn.Parameter(torch.full((9, 4), self.left_over))  # memory is never quite empty
        nn.init.trunc_normal_(self.truncated)
        self.register_buffer("features", torch.randn(3, 4))
        self.register_buffer("like", torch.rand_like(torch.ones(3)))
        self.register_buffer("filled", torch.empty(3).normal_())


def test_making_a_module_leaves_global_randomness_alone_and_its_own_draws_repeat(monkeypatch):
    before = torch.get_rng_state()
    first = fresh(Random)
    monkeypatch.setattr(Random, "left_over", 7.0)
    second = fresh(Random)
    assert torch.equal(before, torch.get_rng_state())
    for name, buffer in first.named_buffers():
        assert torch.equal(buffer, second.get_buffer(name))
        assert buffer.std() > 0

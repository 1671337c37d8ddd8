"""Attention: heads move as blocks, and what is within them as far as nothing outside tells it apart."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solera.alignment.permutations import drawn, permuted
from solera.alignment.symmetry import Axis, Symmetry
from solera.alignment.tracing import trace_symmetry
from solera.alignment.verifying import require_preserved
from solera.alignment.weights import match_weights
from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.errors import InputError
from solera.seeds import Seed


class Vision(nn.Module):
    """Patches, a class token, learnt positions, torch's own encoder."""

    def __init__(self, first=True):
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.token, self.places = nn.Parameter(torch.zeros(1, 1, 16)), nn.Parameter(torch.zeros(1, 20, 16))
        layer = nn.TransformerEncoderLayer(16, 4, 24, batch_first=True, norm_first=first, activation="gelu")
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(16), enable_nested_tensor=False)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.places[:, :17]
        return self.head(self.encoder(x)[:, 0])


class Block(nn.Module):
    """An attention called by hand, a gain on what it gives, a mean over the tokens."""

    def __init__(self, weights=False):
        super().__init__()
        self.embed, self.norm, self.weights = nn.Embedding(11, 12), nn.RMSNorm(12), weights
        self.attend = nn.MultiheadAttention(12, 3, bias=False, batch_first=True)
        self.gain, self.up, self.down = nn.Parameter(torch.ones(12)), nn.Linear(12, 20), nn.Linear(20, 12)
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        x = self.embed(x)
        y = self.norm(x)
        y, w = self.attend(y, y, y, average_attn_weights=not self.weights)
        x = x + self.gain * y
        x = self.head((x + self.down(F.gelu(self.up(x)))).mean(1))
        return x + (w[:, 0].mean((1, 2))[:, None] if self.weights else 0)


class Translator(nn.Module):
    """A decoder that attends to an encoder's units, and an attention with keys of another width."""

    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(11, 8), nn.Embedding(11, 12)
        self.encode = nn.TransformerEncoderLayer(8, 2, 10, batch_first=True)
        self.look = nn.MultiheadAttention(12, 3, kdim=8, vdim=8, batch_first=True)
        self.decode = nn.TransformerDecoderLayer(12, 3, 14, batch_first=True)
        self.head = nn.Linear(12, 11)

    def forward(self, x):
        memory, y = self.encode(self.source(x)), self.target(x)
        y = y + self.look(y, memory, memory, need_weights=False)[0]
        return self.head(self.decode(y, y * 1.5))


def network(make):
    torch.manual_seed(0)
    module = make().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    batch = torch.randn(3, 3, 16, 16) if isinstance(module, Vision) else torch.randint(11, (3, 7))
    return module, batch


LAYER = ("linear1", "self_attn.heads", "self_attn.keys")
VISION = {"patch", *(f"encoder.layers.{i}.{leaf}" for i in (0, 1) for leaf in LAYER)}
CASES = {
    "normalised before": (Vision, VISION),
    "normalised after": (lambda: Vision(False), VISION),
    "by hand": (Block, {"embed", "attend.heads", "attend.keys", "up"}),
    "translator": (
        Translator,
        {"source", "target", "look.heads", "look.keys", "decode.multihead_attn.heads", "decode.multihead_attn.keys"}
        | {f"{side}.{leaf}" for side in ("encode", "decode") for leaf in LAYER},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_free_changes_nothing_and_a_planted_permutation_is_undone(name):
    make, wanted = CASES[name]
    module, batch = network(make)
    symmetry = trace_symmetry(module, batch)
    assert set(symmetry.groups) == wanted
    assert require_preserved(module, symmetry, batch, Seed(1), name) < 1e-12
    state, places = module.state_dict(), drawn(symmetry, Seed(2))
    moved = {k: permuted(t, symmetry.axes.get(k, (None,) * t.ndim), symmetry, places) for k, t in state.items()}
    ours, theirs = (MemoryCheckpoint.from_state_dict(each) for each in (state, moved))
    found = match_weights(symmetry, ours, theirs, QuietContext(), seed=Seed(0))
    for group in symmetry.groups:
        assert (places[group][found.permutations[group]] == range(len(places[group]))).all(), group


def test_queries_keys_and_values_lie_one_after_another():
    symmetry = trace_symmetry(*network(Block))
    keys, values = Axis("attend.keys"), Axis("attend.heads")
    assert symmetry.axes["attend.in_proj_weight"] == ((keys, keys, values), Axis("embed"))
    assert Symmetry.from_plain(symmetry.to_plain()) == symmetry
    held = symmetry.without(["attend.keys"])
    assert set(held.groups) == {"embed", "up"}  # values cannot move without their queries


def test_heads_that_are_told_apart_elsewhere_stay():
    module, batch = network(lambda: Block(weights=True))
    symmetry = trace_symmetry(module, batch)
    assert set(symmetry.groups) == {"embed", "up"}
    require_preserved(module, symmetry, batch, Seed(1), "apart")


def test_a_group_that_follows_none_is_refused():
    with pytest.raises(InputError, match="no group of 2 cells"):
        Symmetry.from_plain({"groups": {"a": [4, 2, "b"], "b": [6, 3]}, "axes": {}})

"""Methods that look at blocks: half-reset, AMA's shares, shared layers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from solera.execution.cuts import PIECE
from solera.methods.spec import Piece
from solera_plugins.merging.half_reset import category, choose
from solera_plugins.merging.shared_layers import Shared, shared_layers

LLAMA = [f"self_attn.{letter}_proj.weight" for letter in "qkvo"]
LLAMA += [f"mlp.{name}_proj.weight" for name in ("gate", "up", "down")]
LLAMA += ["input_layernorm.weight", "post_attention_layernorm.weight"]
ENDS = ["model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"]


def names(blocks):
    return [f"model.layers.{i}.{name}" for i in range(blocks) for name in LLAMA] + ENDS


@given(blocks=st.integers(1, 9), seed=st.integers(0, 2**40))
@settings(max_examples=30, deadline=None)
def test_half_of_every_category_is_put_back(blocks, seed):
    chosen = choose(names(blocks), seed)
    feed = []
    for i in range(blocks):
        mine = [name for name in chosen if name.startswith(f"model.layers.{i}.")]
        kinds = [category(name.removeprefix(f"model.layers.{i}.") + ".weight") for name in mine]
        assert kinds.count("attention") == 2
        assert kinds.count("norm") == 1
        feed.append(kinds.count("feed-forward"))
    assert sorted(feed) == [1] * (blocks // 2) + [2] * (blocks - blocks // 2)
    assert not any(name.startswith(("model.embed", "model.norm", "lm_head")) for name in chosen)


def test_another_seed_puts_another_half_back_and_in_time_all():
    seen = set().union(*(choose(names(2), seed) for seed in range(12)))
    assert seen == {name.rpartition(".")[0] for name in names(2) if name not in ENDS}
    assert choose(names(3), 1) != choose(names(3), 2)
    assert choose(reversed(names(3)), 1) == choose(names(3), 1)


def test_matrices_are_put_back_whole_with_their_biases(run):
    delta = {name: torch.randn(4, 4) for name in names(4)}
    delta |= {name.replace("weight", "bias"): torch.randn(4) for name in names(4)}
    made = run("half_reset").over([delta])
    for name, tensor in made.items():
        whole = torch.equal(tensor, delta[name])
        assert whole or not tensor.any()
        assert whole == torch.equal(made[name.replace("weight", "bias")], delta[name.replace("weight", "bias")])
    kept = run("half_reset").over([delta], norms=False)
    assert all(torch.equal(kept[name], delta[name]) for name in delta if "norm" in name)


LOGITS = st.floats(-6, 6)


@given(logits=st.tuples(LOGITS, LOGITS, LOGITS), ratio=st.floats(0.0, 1.0), epsilon=st.floats(0.0, 1.0))
@settings(max_examples=40, deadline=None)
def test_shares_have_the_mean_that_is_asked_for(run, logits, ratio, epsilon):
    delta = {f"layers.{i}.w": torch.ones(2, 2) for i in range(6)} | {"head": torch.ones(2, 2)}
    given_ = dict(zip(("low", "middle", "high"), logits, strict=True))
    made = run("ama").over([delta], ratio=ratio, epsilon=epsilon, **given_)
    raw = [1 / (1 + math.exp(-logit)) + epsilon for logit in logits]
    for i in range(6):
        want = 1 - ratio * raw[i // 2] / sum(raw) * 3
        assert float(made[f"layers.{i}.w"][0, 0]) == pytest.approx(want, abs=1e-6)
    mean = sum(float(made[f"layers.{i}.w"][0, 0]) for i in range(6)) / 6
    assert mean == pytest.approx(1 - ratio, abs=1e-6)
    assert float(made["head"][0, 0]) == pytest.approx(1 - ratio, abs=1e-6)


def test_what_is_no_matrix_may_be_the_bases(run):
    delta = {"embed.weight": torch.ones(2, 2), "layers.0.norm.weight": torch.ones(2), "layers.0.w": torch.ones(2, 2)}
    made = run("ama").over([delta], others="base")
    assert {name: bool(each.any()) for name, each in made.items()} == {
        "embed.weight": False, "layers.0.norm.weight": False, "layers.0.w": True,
    }  # fmt: skip


@pytest.mark.parametrize("size", [5, 1000])
@pytest.mark.parametrize("group", [0, 1, 2, 3])
def test_layers_of_a_group_get_their_mean(run, group, size):
    model = {f"h.{i}.{leaf}": torch.randn(3, 4) for i in range(5) for leaf in ("mlp.up", "attn.q")} | {
        "mlp.x": torch.ones(2)
    }
    made = run("shared_layers").over([model], size=size, group=group)
    for name, tensor in made.items():
        if "mlp.up" not in name:
            assert torch.equal(tensor, model[name])
            continue
        i = int(name.split(".")[1])
        mine = [j for j in range(5) if not group or j // group == i // group]
        want = torch.stack([model[f"h.{j}.mlp.up"].double() for j in mine]).mean(0)
        torch.testing.assert_close(tensor.double(), want, rtol=1e-6, atol=1e-6)


def test_a_group_may_take_its_first_block_and_each_matrix_keep_a_change_of_low_rank(run):
    model = {f"h.{i}.mlp.up": torch.randn(6, 5) for i in range(4)}
    first = run("shared_layers").over([model], group=2, take="first")
    assert torch.equal(first["h.1.mlp.up"], model["h.0.mlp.up"])
    assert torch.equal(first["h.3.mlp.up"], model["h.2.mlp.up"])
    errors = []
    for rank in range(1, 6):
        made = run("shared_layers").over([model], group=4, rank=rank)
        errors.append(sum(float((made[name] - model[name]).square().sum()) for name in model))
        change = made["h.1.mlp.up"].double() - torch.stack([each.double() for each in model.values()]).mean(0)
        assert int((torch.linalg.svdvals(change) > 1e-5).sum()) == min(rank, 5)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-9


@pytest.mark.parametrize("take", ["mean", "first"])
def test_long_tensors_are_shared_whole(whole, take):
    model = {f"h.{i}.mlp.up": torch.randn(2 * PIECE + 3) for i in range(2)}
    made = whole("shared_layers", [model], {"take": take})
    first, second = model.values()
    for tensor in made.values():
        torch.testing.assert_close(tensor, first if take == "first" else (first + second) / 2, rtol=1e-6, atol=1e-6)


def test_what_is_shared_goes_to_the_device_of_the_tensor():
    """Several devices compute, but the first pass ran on one of them."""
    state = Shared({("h.*.mlp.up", 0): torch.ones(6)})
    tensor = torch.empty(2, 3, device="meta")
    made = shared_layers.function([tensor], names="mlp.*", group=0, rank=0, state=state, piece=Piece("h.0.mlp.up"))
    assert (made.device, made.shape) == (tensor.device, tensor.shape)


GOLDENS = Path(__file__).parents[2] / "golden" / "data" / "methods" / "ama"


@pytest.mark.parametrize(
    ("case", "params"),
    [
        ("split_1#3", {"rule": "given", "ratio": 0.5, "low": 0.4, "middle": 0.3, "high": 0.2, "first": 1, "second": 3}),
        ("split_2", {"rule": "given", "ratio": 0.7, "low": 0.9, "middle": 0.1, "high": 0.1, "first": 2, "second": 2}),
        ("adaptive_eps0.2", {"ratio": 0.2, "first": 1, "second": 3, "others": "base"}),
    ],
)
def test_fixtures_of_the_authors_code(run, case, params):
    tensors = load_file(GOLDENS / f"{case}.safetensors")

    def group(prefix):
        return {name.partition("/")[2]: each for name, each in tensors.items() if name.startswith(prefix)}

    before, after, want = (group(prefix) for prefix in ("in.m0", "in.m1", "out.merged"))
    if "in.raw_alpha" in tensors:
        params = params | dict(zip(("low", "middle", "high"), tensors["in.raw_alpha"].tolist(), strict=True))
    made = run("ama").over([{name: after[name] - before[name] for name in before}], **params)
    for name, tensor in want.items():
        torch.testing.assert_close(before[name] + made[name], tensor, rtol=1e-5, atol=1e-6)

"""Checkpoints whose layers are chosen layers of others."""

from __future__ import annotations

import pytest
import torch

from solera.checkpoints.layers import after_layers, layer_lists
from solera.checkpoints.memory import MemoryCheckpoint
from solera.checkpoints.stacked import Chosen, stack
from solera.errors import MismatchError


def network(mark, layers=4, width=3, config=None, prefix="model.layers.", **more):
    state = {"model.embed_tokens.weight": torch.full((5, width), float(mark))}
    for i in range(layers):
        state[f"{prefix}{i}.mlp.weight"] = torch.full((width, 2), mark + i / 10)
        state[f"{prefix}{i}.mlp.experts.0.w"] = torch.full((2,), mark + i / 10)
    state |= {
        "model.norm.weight": torch.full((width,), float(mark)),
        "lm_head.weight": torch.full((5, width), mark + 0.9),
    }
    given = {"num_hidden_layers": layers, "layer_types": [f"{mark}.{i}" for i in range(layers)]} | (config or {})
    return MemoryCheckpoint.from_state_dict(state | more, f"m{mark}", given)


def value(checkpoint, name):
    return round(float(checkpoint[name].read().reshape(-1)[0]), 3)


def test_layers_are_numbered_anew_and_ends_come_from_the_outer_parts():
    a, b = network(1), network(2)
    made = stack("deep", [Chosen(a, (0, 3)), Chosen(b, (1, 4)), Chosen(a, (2, 3))])
    assert [value(made, f"model.layers.{i}.mlp.weight") for i in range(7)] == [1, 1.1, 1.2, 2.1, 2.2, 2.3, 1.2]
    assert value(made, "model.embed_tokens.weight") == 1
    assert value(made, "lm_head.weight") == 1.9
    made = stack("deep", [Chosen(a, (0, 1)), Chosen(b, (1, 2))])
    assert (value(made, "model.norm.weight"), value(made, "lm_head.weight")) == (2, 2.9)
    assert next(iter(made)) == "model.embed_tokens.weight"
    assert [*made][-2:] == ["model.norm.weight", "lm_head.weight"]


def test_the_config_counts_and_lists_the_chosen_layers():
    made = stack("deep", [Chosen(network(1), (0, 2)), Chosen(network(2, 6), (3, 6))])
    assert made.config["num_hidden_layers"] == 5
    assert made.config["layer_types"] == ["1.0", "1.1", "2.3", "2.4", "2.5"]
    inner = {"num_hidden_layers": None, "text_config": {"num_hidden_layers": 4, "x": 1}}
    made = stack("deep", [Chosen(network(1, config=inner), (0, 3))])
    assert made.config["text_config"] == {"num_hidden_layers": 3, "x": 1}


def test_a_layer_taken_twice_is_not_tied():
    a = network(1, 2)
    shared = MemoryCheckpoint.from_state_dict({name: ref.read() for name, ref in a.items()})
    tied = {name: shared[name].read() for name in shared}
    tied["lm_head.weight"] = tied["model.embed_tokens.weight"]
    made = stack("twice", [Chosen(MemoryCheckpoint.from_state_dict(tied), (0, 2))] * 2)
    assert made.ties == {"lm_head.weight": "model.embed_tokens.weight"}


def test_parts_by_name_go_before_the_others():
    text, vision = network(1), network(2)
    towers = {f"vision.blocks.{i}.w": torch.full((1,), 7.0 + i) for i in range(2)}
    a, b = (MemoryCheckpoint.from_state_dict({n: r.read() for n, r in m.items()} | towers) for m in (text, vision))
    made = stack("both", [Chosen(b, None, "vision.*"), Chosen(a)])
    assert set(made) == set(a)
    assert made["vision.blocks.0.w"].source is b["vision.blocks.0.w"].source
    assert made["model.norm.weight"].source is a["model.norm.weight"].source
    deep = stack("deep", [Chosen(a, (0, 2)), Chosen(b, (0, 1))])
    assert [name for name in deep if name.startswith("vision")] == ["vision.blocks.0.w", "vision.blocks.1.w"]
    blind = stack("one", [Chosen(a, (1, 2))], "vision.blocks.")
    assert {name for name in blind if "blocks" in name} == {"vision.blocks.0.w"}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (lambda: [Chosen(network(1), (2, 5))], "it has 4, 0 to 3"),
        (lambda: [Chosen(network(1), (0, 2)), Chosen(network(2, width=6), (0, 2))], r"'mlp.weight' is \[3, 2\] in m1"),
        (lambda: [Chosen(MemoryCheckpoint.from_state_dict({"w": torch.ones(1)}, "flat"), (0, 1))], "flat has no lay"),
    ],
)  # fmt: skip
def test_layers_that_are_not_there_or_do_not_fit(parts, said):
    with pytest.raises(MismatchError, match=said):
        stack("deep", parts())


def test_lists_of_layers():
    names = ["e.layers.0.w", "e.layers.1.x.3.w", "d.block.0.w", "d.block.1.w", "cls.0.w", "cls.2.w", "h.norm", "embed"]
    assert [each.prefix for each in layer_lists(names)] == ["d.block.", "e.layers."]
    names = [f"m.layers.{i}.w" for i in range(3)] + ["m.embed.w", "m.norm.w", "head.w"]
    (each,) = layer_lists(names)
    assert (each.prefix, each.numbers) == ("m.layers.", (0, 1, 2))
    assert each.split("m.layers.2.w") == (2, ".w")
    assert each.split("m.layers.7.w") is None
    assert after_layers(names) == ["m.norm.w", "head.w"]
    assert layer_lists(["a", "b"]) == ()


def towers(mark, config):
    names = [f"{tower}.block.{i}.w" for tower in ("encoder", "decoder") for i in range(3)]
    names += [f"visual.blocks.{i}.w" for i in range(2)]
    return MemoryCheckpoint.from_state_dict({name: torch.full((2,), mark) for name in names}, "towers", config)


def test_each_tower_has_its_own_number():
    config = {"num_layers": 3, "num_decoder_layers": 3, "vision_config": {"depth": 2, "num_layers": 3}}
    a, b = towers(1.0, config), towers(2.0, config)
    deep = stack("deep", [Chosen(a, (0, 3)), Chosen(b, (0, 2))], "encoder.block.")
    assert deep.config == {**config, "num_layers": 5}
    low = stack("low", [Chosen(b, (0, 2))], "decoder.block.")
    assert low.config == {**config, "num_decoder_layers": 2}
    blind = stack("blind", [Chosen(b, (1, 2))], "visual.blocks.")
    assert blind.config == {**config, "vision_config": {"depth": 1, "num_layers": 3}}
    both = stack("both", [Chosen(low, None, "decoder.*"), Chosen(blind, None, "visual.*"), Chosen(deep)])
    wanted = {"num_layers": 5, "num_decoder_layers": 2, "vision_config": {"depth": 1, "num_layers": 3}}
    assert both.config == wanted

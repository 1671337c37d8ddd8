"""Families of shares, ratios by blocks and genomes: what a point is, against sums written out."""

import numpy as np
import pytest
import torch

from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import InputError
from solera.execution.memory import materialise
from solera.extend.registry import Registry
from solera.families.blocks import blocks
from solera.families.genomes import genome
from solera.families.graph import Source
from solera.families.shares import shares
from solera.recipes.nodes import CheckpointNode, Recipe
from solera.testing.tiny_llama import tiny_llama_shapes

SHAPES = tiny_llama_shapes(4, 12)


def states(*names):
    found = {}
    for seed, name in enumerate(names):
        generator = torch.Generator().manual_seed(seed)
        tensors = {key: torch.randn(shape, generator=generator) for key, shape in SHAPES.items()}
        found[name] = MemoryCheckpoint.from_state_dict(tensors, name)
    return found


@pytest.fixture(scope="module")
def methods():
    return Registry.discover().methods


def recipes(known):
    return [Recipe((CheckpointNode(name, f"memory:{name}"),), name, name=name) for name in known]


def made(family, coords, known, methods):
    return materialise(family.recipe_at(coords), known, methods)


@pytest.mark.parametrize(("by", "count"), [("model", 3), ("layer", 12), ("tensor", 3 * len(SHAPES))])
def test_shares_are_normalised_for_each_group(by, count, methods):
    known = states("a", "b", "c")
    family = shares(recipes(known), Source(known, methods), by=by)
    assert len(family.coords) == count
    coords = np.random.default_rng(0).uniform(0.1, 1, count)
    found = made(family, coords, known, methods)
    table = coords.reshape(3, -1)
    table = table / table.sum(axis=0)
    groups = {"model": lambda i, name: 0, "tensor": lambda i, name: i, "layer": lambda i, name: layer(name)}
    for i, name in enumerate(SHAPES):
        wanted = sum(table[m, groups[by](i, name)] * known[key][name].read().double() for m, key in enumerate("abc"))
        torch.testing.assert_close(found[name].double(), wanted, rtol=1e-5, atol=1e-6)
    alone = made(family, family.labels["b"], known, methods)
    assert all(torch.equal(alone[name], known["b"][name].read()) for name in SHAPES)


def layer(name):
    if "layers." in name:
        return int(name.split(".")[2])
    return 0 if "embed" in name else 3


def test_a_ratio_multiplies_the_first_model_in_its_block(methods):
    known = states("before", "after")
    family = blocks(recipes(known), Source(known, methods), count=3)
    found = made(family, (0.9, 0.5, 0.2), known, methods)
    ratios = {0: 0.9, 1: 0.5, 2: 0.2, 3: 0.2}
    for name in SHAPES:
        ratio = ratios[layer(name)]
        wanted = ratio * known["before"][name].read() + (1 - ratio) * known["after"][name].read()
        torch.testing.assert_close(found[name], wanted, rtol=1e-5, atol=1e-5)
    for label in ("before", "after"):
        alone = made(family, family.labels[label], known, methods)
        torch.testing.assert_close(alone["lm_head.weight"], known[label]["lm_head.weight"].read(), rtol=0, atol=1e-6)


def test_a_genome_has_a_weight_for_each_model_and_group(methods):
    known = states("base", "x", "y")
    family = genome(recipes(known), Source(known, methods), method="task_arithmetic", granularity=2)
    assert [coord.name for coord in family.coords] == ["weight_x_0", "weight_y_0", "weight_x_1", "weight_y_1"]
    found = made(family, (0.1, 0.2, 0.3, 0.4), known, methods)
    for name in SHAPES:
        base, x, y = (known[key][name].read() for key in ("base", "x", "y"))
        a, b = ((0.1, 0.2), (0.3, 0.4))[layer(name) // 2]
        torch.testing.assert_close(found[name], base + a * (x - base) + b * (y - base), rtol=1e-4, atol=1e-5)
    thinned = genome(recipes(known), Source(known, methods), granularity=0)
    assert [coord.name for coord in thinned.coords] == ["weight_x_0", "density_x_0", "weight_y_0", "density_y_0"]


def test_one_model_the_same_model_twice_and_models_without_layers_are_refused(methods):
    known = states("a", "b")
    one, two = recipes(known)
    source = Source(known, methods)
    for make in (shares, blocks, genome):
        with pytest.raises(InputError, match=r"two models or more|a base and two"):
            make([one], source)
        with pytest.raises(InputError, match="one and the same model"):
            make([one, one], source)
    with pytest.raises(InputError, match="a base and two models or more; got 2"):
        genome([one, two], source)
    flat = {name: MemoryCheckpoint.from_state_dict({"weight": torch.ones(2)}, name) for name in "ab"}
    with pytest.raises(InputError, match="no numbered layers"):
        blocks(recipes(flat), Source(flat, methods))
    with pytest.raises(InputError, match="4 layers cannot be cut into 9 blocks"):
        blocks([one, two], source, count=9)

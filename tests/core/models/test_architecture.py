"""From config to network."""

import pytest
import torch
from torch import nn

from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import InputError, MismatchError, PluginError
from solera.models.architecture import build_module, build_network


class Line:
    name, title = "line", "A line"

    def matches(self, config):
        return config.get("architecture") == "line"

    def build(self, config):
        return nn.Linear(config["width"], 1)


class Broken(dict):
    def __getitem__(self, key):
        if key == "broken":
            raise PluginError("The architecture 'broken' cannot be loaded.")
        return super().__getitem__(key)


def checkpoint(config, width=3):
    return MemoryCheckpoint.from_state_dict({"weight": torch.ones(1, width), "bias": torch.ones(1)}, "ck", config)


def test_the_config_says_which_architecture_and_a_broken_plugin_hides_no_other():
    network = build_network(checkpoint({"architecture": "line", "width": 3}), Broken(broken=None, line=Line()))
    assert network.flat.tolist() == [1, 1, 1, 1]
    assert not network.training


@pytest.mark.parametrize("factory", ["torch.nn:Identity", lambda: nn.Identity()])
def test_a_factory_needs_no_config(factory):
    assert isinstance(build_module({}, {}, factory), nn.Identity)


def test_a_factory_may_have_arguments_with_it():
    module = build_module({}, {}, "torch.nn:Linear(in_features=3, out_features=2, bias=False)")
    assert isinstance(module, nn.Linear)
    assert {name: tuple(each.shape) for name, each in module.named_parameters()} == {"weight": (2, 3)}


def test_a_factory_that_wants_the_config_gets_it():
    network = build_network(checkpoint({"width": 3}), {}, lambda config: nn.Linear(config["width"], 1))
    assert network.layout.numel == 4


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        ("nothing", "written 'package.module:function'"),
        ("no.such.module:make", "cannot be imported: No module named 'no'"),
        ("torch.nn:Nothing", "'torch.nn' has no function 'Nothing'"),
        ("builtins:dict", "gave a dict, not a torch.nn.Module"),
        ("torch.nn:Linear(3, 2)", "are plain values by name"),
        ("torch.nn:Linear(in_features=make())", "are plain values by name"),
        ("torch.nn:Linear(in_features=3", "are plain values by name"),
    ],
)
def test_a_wrong_factory_is_a_sentence(factory, sentence):
    with pytest.raises(InputError, match=sentence):
        build_module({}, {}, factory)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({}, "it has no config.json that names an architecture. Known architectures: line"),
        ({"architecture": "curve"}, "its config.json names 'curve', which nothing installed builds"),
        ({"architectures": ["A", "B"]}, "names 'A, B'"),
    ],
)
def test_an_unknown_config_says_what_is_known_and_what_to_do(config, sentence):
    with pytest.raises(MismatchError, match=sentence):
        build_module(config, {"line": Line()}, name="ck")


def test_weights_of_another_width_do_not_fit():
    with pytest.raises(MismatchError, match="weight is \\[1, 4\\], the network wants \\[1, 3\\]"):
        build_network(checkpoint({"architecture": "line", "width": 3}, width=4), {"line": Line()})

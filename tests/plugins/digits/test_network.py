import pytest
import torch

from solera.api import MismatchError
from solera_plugins.digits.network import architecture


def test_it_is_built_from_its_config():
    config = {"architecture": "digits-cnn", "width": 8, "classes": 3}
    assert architecture.matches(config)
    network = architecture.build(config)
    assert network(torch.rand(5, 1, 8, 8)).shape == (5, 3)
    assert network.get_parameter("conv2.weight").shape[0] == 8


def test_other_configs_are_left_to_others():
    assert not architecture.matches({"architectures": ["LlamaForCausalLM"]})
    assert not architecture.matches({})


@pytest.mark.parametrize("config", [{"width": 7}, {"width": "48"}, {"classes": 0}, {"width": 0}])
def test_impossible_sizes_are_refused(config):
    with pytest.raises(MismatchError, match="multiple of 8"):
        architecture.build({"architecture": "digits-cnn", **config})


def test_a_sample_scores_the_same_in_any_order():
    network = architecture.build({"architecture": "digits-cnn", "width": 8}).eval()
    x = torch.rand(16, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(network(x).flip(0), network(x.flip(0)))

"""One network over several devices; the CPU stands in for each of them, so all but copies between them runs."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from solera.errors import MismatchError
from solera.models import spread
from solera.models.network import Network
from solera.models.spread import SpreadNetwork, moved, share_out, together

transformers = pytest.importorskip("transformers")


def llama(tied=True):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            vocab_size=20, hidden_size=16, intermediate_size=16, num_hidden_layers=5, num_attention_heads=2,
            num_key_value_heads=1, max_position_embeddings=32, initializer_range=0.4, use_cache=False,
            tie_word_embeddings=tied,
        )  # fmt: skip
        return transformers.LlamaForCausalLM._from_config(config, attn_implementation="eager").eval()


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.integers(0, 200), st.integers(1, 6))
def test_layers_are_shared_out_in_runs_and_every_device_gets_one(sizes, rest, count):
    if len(sizes) < count:
        return
    found = share_out(sizes, rest, count)
    assert found == sorted(found)
    assert set(found) == set(range(count))
    loads = [sum(size for size, at in zip(sizes, found, strict=True) if at == device) for device in range(count)]
    loads[0] += rest
    # No load is above an equal share by more than what cannot be divided: a layer, or what the first holds anyway.
    assert max(loads) <= max(sum(loads) / count + max(sizes), rest + max(sizes), 2 * max(sizes))


@pytest.mark.parametrize("tied", [True, False])
def test_it_computes_what_the_network_computes_with_the_weights_last_written(tied):
    one, several = Network(llama(tied)), SpreadNetwork(llama(tied), ["cpu", "cpu", "cpu"])
    inputs = torch.arange(14).reshape(2, 7)
    with torch.inference_mode():
        torch.testing.assert_close(several(inputs).logits, one(inputs).logits, rtol=0, atol=0)
        for network in (one, several):
            network.layout.view(network.flat, "model.layers.4.mlp.up_proj.weight").mul_(1.5)
            network.flat[:100] += 0.25
        torch.testing.assert_close(several(inputs).logits, one(inputs).logits, rtol=0, atol=0)
    assert several.layout == one.layout
    weight = several.module.get_parameter("model.layers.4.mlp.up_proj.weight")
    assert weight.untyped_storage().data_ptr() != several.flat.untyped_storage().data_ptr()


def test_what_a_module_is_given_is_moved_to_where_its_weights_are(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(spread, "moved", lambda value, device: asked.append(device) or value)
    network = SpreadNetwork(llama(), ["cpu:0", "cpu:1"])
    layers = [network.places[f"model.layers.{i}"] for i in range(5)]
    assert layers == sorted(layers)
    assert set(layers) == {"cpu:0", "cpu:1"}
    assert network.device == "cpu:0"
    with torch.inference_mode():
        network(torch.arange(6)[None])
    second = [i for i, device in enumerate(asked) if device == "cpu:1"]
    assert len(second) == 2 * layers.count("cpu:1")  # arguments by place and by name
    assert "cpu:0" not in asked[second[0] : second[-1]]
    assert asked[second[-1] + 1] == "cpu:0"  # the hidden states come back for the last norm and the head


def test_everything_in_a_value_is_moved():
    value = ({"a": [torch.zeros(1), 3]}, "b", (torch.ones(2),))
    found = moved(value, "meta")
    assert found[0]["a"][0].device.type == found[2][0].device.type == "meta"
    assert (found[0]["a"][1], found[1]) == (3, "b")


def test_what_cannot_be_shared_out_is_a_sentence():
    with pytest.raises(MismatchError, match="no row of 2 layers or more that 2 devices could share"):
        SpreadNetwork(nn.Linear(2, 2), ["cpu", "cpu"])
    layer = nn.Linear(2, 2)
    with pytest.raises(MismatchError, match="shared by layers on cpu:0 and cpu:1"):
        SpreadNetwork(nn.Sequential(nn.Linear(2, 2), layer, nn.ReLU(), nn.ModuleList([layer])), ["cpu:0", "cpu:1"])


def test_devices_are_named_with_a_plus():
    assert together("cuda:0+cuda:1") == ("cuda:0", "cuda:1")
    assert together("cuda:0") == ("cuda:0",)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_layers_lie_on_the_devices_and_the_logits_agree():
    count = torch.cuda.device_count()
    names = ["cuda:0", "cuda:1"] if count > 1 else ["cuda:0", "cpu"]
    one, several = Network(llama()), SpreadNetwork(llama(), names)
    inputs = torch.arange(14).reshape(2, 7)
    with torch.inference_mode():
        want, found = one(inputs).logits, several(inputs.to(names[0])).logits
    assert {str(each.device) for each in several.module.parameters()} == set(names)
    torch.testing.assert_close(found.cpu(), want, rtol=1e-4, atol=1e-4)

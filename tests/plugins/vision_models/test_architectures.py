"""Configs of timm and torchvision: modules of the same names, and the libraries themselves where they are installed."""

import sys
import types
from typing import Any

import pytest
import torch
from torch import nn

import solera
from solera.api import MismatchError
from solera_plugins.vision_models.architectures import TIMM, TORCHVISION

TIMM_CONFIG = {
    "architecture": "tiny_net", "num_classes": 3, "global_pool": "avg", "pretrained_cfg": {"input_size": [3, 8, 8]},
    "model_args": {"width": 4},
}  # fmt: skip
VISION_CONFIG = {"library": "torchvision", "architecture": "tiny_net", "num_classes": 3, "model_args": {"width": 4}}


def tiny(num_classes=1000, width=8):
    return nn.Sequential(nn.Flatten(), nn.Linear(12, width), nn.Linear(width, num_classes))


@pytest.fixture
def fakes(monkeypatch):
    """Modules that make models as the libraries do, and what they were asked."""
    asked = []

    def create_model(name, pretrained=False, **options):
        asked.append((name, pretrained, options))
        if name != "tiny_net":
            raise RuntimeError(f"Unknown model ({name})")
        return tiny(**options)

    def get_model(name, weights="DEFAULT", **options):
        asked.append((name, weights, options))
        if name != "tiny_net":
            raise ValueError(f"Unknown model {name}")
        return tiny(**options)

    timm, torchvision, models = (types.ModuleType(name) for name in ("timm", "torchvision", "torchvision.models"))
    timm.create_model = create_model  # type: ignore[attr-defined]
    models.get_model = get_model  # type: ignore[attr-defined]
    for module in (timm, torchvision, models):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return asked


def test_whose_config_it_is():
    assert TIMM.matches(TIMM_CONFIG)
    assert TIMM.matches({"architecture": "resnet18", "library_name": "timm"})
    assert TORCHVISION.matches(VISION_CONFIG)
    others: list[dict[str, Any]] = [{}, {"architecture": "digits-cnn"}, {"pretrained_cfg": {}}, {"library": "timm"}]
    for other in others:
        assert not TIMM.matches(other)
        assert not TORCHVISION.matches(other)
    assert not TIMM.matches(VISION_CONFIG)
    assert not TORCHVISION.matches(TIMM_CONFIG)


def test_models_are_made_without_weights_from_what_the_config_says(fakes):
    assert TIMM.build(TIMM_CONFIG)[2].weight.shape == (3, 4)  # type: ignore[index]
    assert TORCHVISION.build(VISION_CONFIG)[2].weight.shape == (3, 4)  # type: ignore[index]
    assert fakes == [
        ("tiny_net", False, {"num_classes": 3, "width": 4}),
        ("tiny_net", None, {"num_classes": 3, "width": 4}),
    ]


@pytest.mark.parametrize("config", [TIMM_CONFIG, VISION_CONFIG], ids=["timm", "torchvision"])
def test_a_checkpoint_with_such_a_config_is_scored(fakes, config):
    made = tiny(3, 4)
    x = torch.randn(40, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    task = solera.task(lambda network, some: network(some)[:, 0], "first", samples={"report": x})
    (score,) = solera.open(made.state_dict(), config=config).evaluate(task)
    assert score.value == pytest.approx(float(made(x)[:, 0].detach().mean()), rel=1e-5)


@pytest.mark.parametrize(("item", "config"), [(TIMM, TIMM_CONFIG), (TORCHVISION, VISION_CONFIG)])
def test_what_cannot_be_made_is_a_sentence(fakes, item, config):
    with pytest.raises(MismatchError, match=r"does not make the model 'huge_net' .* Unknown model"):
        item.build({**config, "architecture": "huge_net"})
    with pytest.raises(MismatchError, match="unexpected keyword argument 'depth'"):
        item.build({**config, "model_args": {"depth": 3}})
    with pytest.raises(MismatchError, match="are a mapping"):
        item.build({**config, "model_args": [1]})


@pytest.mark.parametrize(("item", "config"), [(TIMM, TIMM_CONFIG), (TORCHVISION, VISION_CONFIG)])
def test_a_library_that_is_not_there_is_named_with_its_command(monkeypatch, item, config):
    for name in ("timm", "torchvision", "torchvision.models"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MismatchError, match=f"needs {item.name}, which .*; run: pip install {item.name}"):
        item.build(config)


def test_a_real_timm_model_is_the_one_its_config_names():
    timm = pytest.importorskip("timm", exc_type=ImportError)
    made = TIMM.build({"architecture": "resnet10t", "num_classes": 3, "library_name": "timm"})
    want = timm.create_model("resnet10t", num_classes=3)
    assert {n: p.shape for n, p in made.named_parameters()} == {n: p.shape for n, p in want.named_parameters()}


def test_a_real_torchvision_model_is_the_one_its_config_names():
    models = pytest.importorskip("torchvision.models", exc_type=ImportError)
    made = TORCHVISION.build({"library": "torchvision", "architecture": "squeezenet1_1", "num_classes": 3})
    want = models.squeezenet1_1(num_classes=3)
    assert {n: p.shape for n, p in made.named_parameters()} == {n: p.shape for n, p in want.named_parameters()}

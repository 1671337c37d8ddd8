"""Ways to evaluate points: they agree, keep their bytes, and say why they are not to be had."""

import shutil
import types

import pytest
import torch
from torch import nn

from solera.context import QuietContext
from solera.errors import InputError, NumericError
from solera.landscapes import calibration
from solera.landscapes.calibration import calibrate
from solera.landscapes.ways import Way, make_engine
from solera.models.lean import LeanModule
from solera.models.network import Network
from solera.tasks.examples import Examples


class Normed(nn.Module):
    """BatchNorm behind a convolution, behind a linear layer, and where it cannot be folded."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.deep = nn.Conv2d(6, 6, 3, groups=3)
        self.twice, self.line = nn.BatchNorm2d(6, affine=False), nn.Linear(6, 5)
        self.last, self.head = nn.BatchNorm1d(5), nn.Linear(5, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        deep = self.deep(x)
        x = self.twice(deep) + deep  # read twice: stays as it is
        return self.head(torch.relu(self.last(self.line(x.mean((2, 3))))))


@pytest.fixture
def normed():
    torch.manual_seed(0)
    network = Network(Normed())
    with torch.no_grad():
        network.flat.copy_(torch.rand(network.flat.shape) + 0.1)
    return network


@pytest.fixture
def pictures():
    return Examples(torch.rand(21, 1, 8, 8, generator=torch.Generator().manual_seed(1)), torch.zeros(21).long(), 5)


def logits(engine, examples):
    engine.refresh({})
    forward, chunk = engine.forward(examples, "task")
    count = len(examples.inputs)
    with torch.inference_mode():
        return torch.cat([forward(slice(k, min(k + chunk, count))) for k in range(0, count, chunk)])


def test_folding_follows_the_weights_and_leaves_what_it_cannot_fold(normed, pictures):
    folded = make_engine(Way("folded", 4), normed)
    assert LeanModule(normed.module).pairs == 2
    for shift in (0.0, 0.3):
        with torch.no_grad():
            normed.flat.add_(shift)
        torch.testing.assert_close(logits(folded, pictures), normed(pictures.inputs), rtol=2e-5, atol=1e-6)
    assert torch.equal(logits(folded, pictures), logits(folded, pictures))


def test_a_network_with_nothing_to_fold_says_so():
    with pytest.raises(InputError, match="Nothing can be folded: the network has no BatchNorm, no ReLU and no first"):
        make_engine(Way("folded"), Network(nn.Linear(3, 2)))


def test_a_network_that_cannot_be_traced_says_so():
    class Branching(nn.Linear):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(InputError, match="Nothing can be folded: the network's graph cannot be traced"):
        make_engine(Way("folded"), Network(nn.Sequential(Branching(3, 3))))


def test_no_compiler_is_a_sentence(normed, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(InputError, match=r"no C\+\+ compiler \(g\+\+ or clang\+\+\) is on PATH"):
        make_engine(Way("compiled"), normed)


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_network_follows_the_weights_in_ragged_chunks(normed, pictures):
    compiled = make_engine(Way("compiled", 8), normed)
    for shift in (0.0, 0.3):
        with torch.no_grad():
            normed.flat.add_(shift)
        torch.testing.assert_close(logits(compiled, pictures), normed(pictures.inputs), rtol=2e-5, atol=1e-6)


def test_a_landscape_in_another_way_agrees_and_repeats_its_bytes(build, context):
    landscape = build("ABC")
    plain = landscape.evaluate((0.3, 0.4), context)
    landscape.use(Way("plain", 37))
    again = landscape.evaluate((0.3, 0.4), context)
    assert again[0].value == pytest.approx(plain[0].value, rel=2e-5)
    landscape.use(Way("plain", 37))
    assert landscape.evaluate((0.3, 0.4), context)[0].value == again[0].value


def test_little_work_is_not_worth_a_calibration(build, context):
    landscape = build("ABC")
    found = calibrate(landscape, 100, context)
    assert found.way == Way()
    assert len(found.said) == 1


def test_much_work_is(build, context, monkeypatch):
    monkeypatch.setattr(calibration, "WORTH", 0.0)
    monkeypatch.setattr(calibration, "SHARE", 1e9)
    landscape = build("ABC")
    found = calibrate(landscape, 100, QuietContext(threads=1))
    assert landscape.way == found.way
    assert any("by 64" in said for said in found.said)
    assert any(said.startswith("folded") for said in found.said)
    assert Way.from_plain(found.way.to_plain()) == found.way


def test_a_way_that_gives_other_scores_is_left_out(build, context, monkeypatch):
    monkeypatch.setattr(calibration, "WORTH", 0.0)
    monkeypatch.setattr(calibration, "SHARE", 1e9)
    monkeypatch.setattr(calibration, "GAIN", 1e9)
    monkeypatch.setattr(calibration, "AGREES", -1.0)
    found = calibrate(build("ABC"), 100, context)
    assert found.way == Way()
    assert any("it differs by" in said for said in found.said)


def test_an_unknown_way_is_a_sentence():
    with pytest.raises(InputError, match="one of plain, folded, compiled, not 'magic'"):
        Way.from_plain({"path": "magic"})


@pytest.mark.gpu
def test_the_same_ways_on_a_gpu(pictures):
    torch.manual_seed(0)
    network = Network(Normed(), "cuda")
    examples = Examples(pictures.inputs.cuda(), pictures.targets.cuda(), pictures.chunk)
    for path in ("plain", "folded", "compiled"):
        found = logits(make_engine(Way(path, 8), network), examples)
        torch.testing.assert_close(found, network(examples.inputs), rtol=1e-3, atol=1e-4)


class Nowhere:
    """A landscape without a score in its middle, or with a network for each point."""

    def __init__(self, one_network: bool) -> None:
        self.one_network, self.way = one_network, Way("folded")
        self.family = types.SimpleNamespace(coords=())

    def space(self):
        return types.SimpleNamespace(nearest=tuple)

    def use(self, way, *, again=False):
        self.way = way

    def score_anew(self, coords, context):
        raise NumericError("The point has no layers.")


@pytest.mark.parametrize("one_network", [True, False])
def test_where_nothing_can_be_tried_points_are_evaluated_plainly(one_network):
    landscape = Nowhere(one_network)
    found = calibrate(landscape, 1000, QuietContext())  # type: ignore[arg-type]
    assert (found.way.path, landscape.way.path) == ("plain", "plain")
    assert found.said == (("The point has no layers.",) if one_network else ())

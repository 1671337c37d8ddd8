"""Ways to evaluate points: they agree, keep their bytes, and say why they are not to be had."""

import copy
import dataclasses
import shutil
import subprocess
import sys
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from solera.context import QuietContext
from solera.errors import InputError, NumericError, SoleraError, TaskError
from solera.extend.registry import Registry
from solera.landscapes import calibration, ways
from solera.landscapes.calibration import calibrate
from solera.landscapes.explore import explore
from solera.landscapes.landscape import Landscape, Measure
from solera.landscapes.products import seconds_of_products
from solera.landscapes.ways import Way, make_engine
from solera.models.lean import LeanModule
from solera.models.network import Network
from solera.seeds import Seed
from solera.tasks.classification import ClassificationTask
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
    with pytest.raises(InputError, match="one of plain, folded, compiled, vmap, not 'magic'"):
        Way.from_plain({"path": "magic"})


@pytest.mark.gpu
def test_the_same_ways_on_a_gpu(pictures):
    torch.manual_seed(0)
    network = Network(Normed(), "cuda")
    examples = Examples(pictures.inputs.cuda(), pictures.targets.cuda(), pictures.chunk)
    for path in ("plain", "folded", "compiled", "vmap"):
        found = logits(make_engine(Way(path, 8), network), examples)
        torch.testing.assert_close(found, network(examples.inputs), rtol=1e-3, atol=1e-4)


class Nowhere:
    """A landscape without a score in its middle, or with a network for each point."""

    def __init__(self, one_network: bool, error: SoleraError) -> None:
        self.one_network, self.way, self.error = one_network, Way("folded"), error
        self.family = types.SimpleNamespace(coords=())

    def space(self):
        return types.SimpleNamespace(nearest=tuple)

    def use(self, way, *, again=False):
        self.way = way

    def score_anew(self, coords, context):
        raise self.error


@pytest.mark.parametrize("error", [NumericError("The point has no layers."), TaskError("The point has no layers.")])
@pytest.mark.parametrize("one_network", [True, False])
def test_where_nothing_can_be_tried_points_are_evaluated_plainly(one_network, error):
    landscape = Nowhere(one_network, error)
    found = calibrate(landscape, 1000, QuietContext())  # type: ignore[arg-type]
    assert (found.way.path, landscape.way.path) == ("plain", "plain")
    assert found.said == (("The point has no layers.",) if one_network else ())


def test_points_that_share_a_call_agree_and_keep_their_bytes_in_any_company(build, context):
    plain, shared = build("ABC", tasks=2), build("ABC", tasks=2)
    shared.use(Way("vmap", 100, 1, 4))
    places = [(0.3, 0.4), (0.1, 0.9), (0.7, 0.2), (-0.1, 0.5)]
    alone = [shared.score_anew(at, context) for at in places]
    shared.ahead(places[::-1], context)
    for at, one in zip(places, alone, strict=True):
        found, want = shared.evaluate(at, context), plain.evaluate(at, context)
        for score, other, same in zip(found, want, one, strict=True):
            assert score.value == pytest.approx(other.value, rel=2e-5)
            np.testing.assert_array_equal(score.samples, same.samples)


def test_a_shared_call_agrees_with_float64(build, context, trained, arrays):
    landscape = build("ABC")
    landscape.use(Way("vmap", 0, 1, 3))
    places = [(0.3, 0.4), (0.1, 0.9), (0.7, 0.2)]
    network, x = copy.deepcopy(landscape.network), torch.as_tensor(arrays["x"]).double()
    for at, scores in zip(places, landscape.score_together(places, context), strict=True):
        landscape.score_anew(at, context)  # writes the point into the network
        state = {name: view.double() for name, view in landscape.network.layout.views(landscape.network.flat)}
        logits = functional_call(network.module.double(), state, (x,))
        want = F.cross_entropy(logits, torch.as_tensor(arrays["y"]).long())
        assert scores[0].value == pytest.approx(float(want), rel=2e-5)


def test_a_run_whose_points_share_calls_is_the_same_over_lanes_and_after_a_stop(build):
    way, told = Way("vmap", 0, 1, 4), []
    for lanes in (1, 3):
        over = [build("ABC") for _ in range(lanes)]
        for each in over:
            each.use(way)
        context = QuietContext()
        grid = Registry.discover().explorers["grid"](points=5)
        told.append(explore(over, grid, run="r", seed=Seed(0), context=context).history)
    np.testing.assert_array_equal(told[0].values, told[1].values)
    again = build("ABC")
    again.use(way)
    known = dataclasses.replace(told[0].until(7), paired=None)
    rest = explore(again, grid, run="r", seed=Seed(0), context=QuietContext(), history=known)
    np.testing.assert_array_equal(rest.history.values, told[0].values)


def test_a_task_that_scores_one_network_cannot_share_a_call(build, context):
    landscape = build("ABC")
    landscape.use(Way("vmap", 0, 1, 4))
    landscape._scorers_of_logits = [None]
    with pytest.raises(InputError, match="'as-is' scores one network, so points cannot share a call"):
        landscape.score_together([(0.1, 0.1)], context)
    landscape.use(Way())
    with pytest.raises(InputError, match="do not share a call in the way 'plain'"):
        landscape.score_together([(0.1, 0.1)], context)


def test_a_way_by_shared_calls_is_kept_as_it_is():
    way = Way("vmap", 64, 2, 8)
    assert Way.from_plain(way.to_plain()) == way
    assert Way.from_plain({"path": "plain", "points": 8}).points == 1


def test_calibration_takes_shared_calls_where_they_win(build, monkeypatch):
    monkeypatch.setattr(calibration, "WORTH", 0.0)
    monkeypatch.setattr(calibration, "SHARE", 1e9)
    clock = iter(range(1, 10**9))

    def slow_alone(self, way):
        self._landscape.use(way)
        scores = self._landscape.score_together([self._coords] * 4, self._context)[-1] if way.points > 1 else None
        return scores or self._landscape.score_anew(self._coords, self._context), float(next(clock) * (way.points < 2))

    monkeypatch.setattr(calibration._Trial, "_timed", slow_alone)
    assert (
        calibrate(build("ABC"), 10, QuietContext(threads=1)).way.points == 1
    )  # seconds of arithmetic: sharing saves none
    monkeypatch.setattr(calibration, "BRIEF", 1e9)
    assert calibrate(build("ABC"), 10, QuietContext(threads=1)).way == Way("vmap", 256, 1, 4)


def test_a_compiler_is_not_tried_where_products_are_all_there_is(build, monkeypatch):
    def a_second_each(self, way):
        return self._landscape.score_anew(self._coords, self._context), 1.0

    monkeypatch.setattr(ways, "_COMPILED", set())
    monkeypatch.setattr(calibration, "seconds_of_products", lambda call, clock: 1e9)
    monkeypatch.setattr(calibration._Trial, "_timed", a_second_each)
    found = calibrate(build("ABC"), 60, QuietContext(threads=1))
    assert found.way.path != "compiled"
    assert any(said.startswith("not compiled: of ") for said in found.said)


def test_products_take_as_long_as_there_are_of_them():
    clock = iter(float(k) for k in range(100))
    side = 256  # half of what speed is measured on: an eighth of the work
    one = torch.rand(side, side)
    assert seconds_of_products(lambda: torch.mm(one, one), lambda: next(clock)) == pytest.approx(1 / 8)


COUNTING = """
import sys
import torch
from solera.landscapes.products import _Products
net = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.Flatten(), torch.nn.Linear(108, 4))
with torch.inference_mode(), _Products() as counted:
    net(torch.rand(5, 1, 8, 8))
assert "torch._dynamo" not in sys.modules
from torch.utils.flop_counter import FlopCounterMode
with torch.inference_mode(), FlopCounterMode(display=False) as whole:
    net(torch.rand(5, 1, 8, 8))
assert counted.flops == whole.get_total_flops() > 0
"""


def test_products_are_counted_as_torch_does_without_its_compiler():
    subprocess.run([sys.executable, "-c", COUNTING], check=True, timeout=120)


def test_tasks_on_parts_of_one_array_have_answers_of_their_own(build, arrays, context):
    line, x, y = build("AB"), torch.from_numpy(arrays["x"]), arrays["y"]
    few = ClassificationTask("few", lambda split: (x[:100], y[:100]))
    tasks = (few, ClassificationTask("all", lambda split: (x, y)))
    measures = [Measure(task, "selection", task.prepare("selection", device="cpu")) for task in tasks]
    both = Landscape(line.family, line.network, line._materialiser, measures)
    plain = both.score_anew((0.3,), context)
    both.use(Way("folded"))
    for found, wanted in zip(both.score_anew((0.3,), context), plain, strict=True):
        assert found.value == pytest.approx(wanted.value, rel=1e-5)

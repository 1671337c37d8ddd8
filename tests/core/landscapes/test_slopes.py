"""Gradients through a family, against plain autograd in float64."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from solera.context import QuietContext
from solera.errors import InputError
from solera.execution.memory import Materialiser
from solera.families.coords import Coord
from solera.families.derivative import Derivative, Parts
from solera.families.family import Family
from solera.families.frames import plane
from solera.landscapes.explore import explore
from solera.landscapes.explorer import History, Slope
from solera.landscapes.landscape import Landscape
from solera.landscapes.slopes import batch
from solera.models.network import Network
from solera.params import PerModel, Rules, Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.seeds import Seed
from solera.tasks.classification import ClassificationTask
from solera.tasks.scores import difference
from solera_plugins.explorers.learned import LearnedSoup
from solera_plugins.merging.linear import linear

from .conftest import MLP, model

METHODS = {"linear": linear}
NAMES = [name for name, _ in MLP().named_parameters()]


def soup(by_tensor=False, kind="shares"):
    """Averages of A, B and C: a share for each, or one for each and tensor."""
    nodes = tuple(CheckpointNode(name, f"memory:{name}") for name in "ABC")
    if by_tensor:
        names = [f"{m}_{i}" for m in "abc" for i in range(len(NAMES))]
        weights: list[Rules | Var] = [
            Rules(tuple((tensor, Var(f"{m}_{i}", 0, 1)) for i, tensor in enumerate(NAMES)), 1.0) for m in "abc"
        ]
    else:
        names = ["a", "b", "c"]
        weights = [Var(name, 0, 1) for name in names]
    method = MethodNode("soup", "linear", ("A", "B", "C"), "", {"weight": PerModel(tuple(weights))})
    return Family(Recipe((*nodes, method), "soup"), tuple(Coord(name, 0, 1) for name in names), kind)


@pytest.fixture
def ready(trained, arrays):
    def make(family, tasks=1, split="selection", network=None):
        x, y = arrays["x"], arrays["y"]
        half = slice(0, 300) if split == "selection" else slice(300, 500)
        network = network or Network(MLP())
        flips = [lambda part: (x[half], y[half]), lambda part: (x[half][:, ::-1].copy(), y[half])]
        ready = [
            ClassificationTask(name, flip) for name, flip in zip(("as-is", "reversed"), flips[:tasks], strict=False)
        ]
        measures = [(task, split, task.prepare(split, device="cpu")) for task in ready]
        derivative = Derivative(family, Parts(trained, METHODS, network.layout))
        return Landscape(
            family, network, Materialiser(family.recipe, trained, METHODS, network.layout), measures, derivative
        )

    return make


def twin(coords, weights_at, rows, arrays, scale, flipped=False):
    """The gradient by autograd in float64 alone."""
    c = torch.tensor(coords, dtype=torch.float64, requires_grad=True)
    s = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
    x = torch.as_tensor(arrays["x"][rows], dtype=torch.float64)
    x = x.flip(1) if flipped else x
    logits = functional_call(MLP().double(), weights_at(c), (x,))
    loss = F.cross_entropy(logits * s, torch.as_tensor(arrays["y"][rows]).long())
    loss.backward()
    return np.append(c.grad.numpy(), s.grad.item())


@pytest.mark.parametrize("by_tensor", [False, True])
def test_the_gradient_of_an_average_is_that_of_autograd(by_tensor, ready, trained, arrays):
    family = soup(by_tensor)
    landscape = ready(family)
    space = landscape.space()
    assert space.no_slopes == ""
    coords = np.random.default_rng(1).uniform(0.1, 1, len(family.coords))
    slope = Slope(samples=64, draw=3, scale=1.3)
    found = landscape.slope(tuple(coords), slope, space, Seed(5), QuietContext())

    def weights_at(c):
        shares = c.view(3, -1)
        shares = shares / shares.sum(dim=0)
        return {
            name: sum(shares[m, i if by_tensor else 0] * trained["ABC"[m]][name].read().double() for m in range(3))
            for i, name in enumerate(NAMES)
        }

    rows = batch(300, slope, Seed(5).child("slope", "as-is"))
    assert len(rows) == 64
    np.testing.assert_allclose(found, twin(coords, weights_at, rows, arrays, 1.3), rtol=2e-4, atol=2e-6)
    assert abs(found[:-1] @ coords) < 1e-5  # a common factor changes nothing


def test_the_gradient_of_a_plane_is_that_of_autograd(ready, trained, arrays):
    family = plane(model("A"), model("B"), model("C"), trained)
    landscape = ready(family, tasks=2)
    space = landscape.space()
    coords = (0.3, 0.4)
    found = landscape.slope(coords, Slope(), space, Seed(0), QuietContext())
    k = family.labels["C"][0]

    def weights_at(c):
        a, b, last = ({name: trained[m][name].read().double() for name in NAMES} for m in "ABC")
        return {n: a[n] + c[0] * (b[n] - a[n]) + c[1] * ((last[n] - a[n]) - k * (b[n] - a[n])) for n in NAMES}

    whole = np.arange(300)
    both = [twin(coords, weights_at, whole, arrays, 1.0, flipped) for flipped in (False, True)]
    np.testing.assert_allclose(found, np.mean(both, axis=0), rtol=2e-4, atol=2e-6)
    alone = landscape.slope(coords, Slope(objectives=(1,)), space, Seed(0), QuietContext())
    np.testing.assert_allclose(alone, both[1], rtol=2e-4, atol=2e-6)


def test_batches_are_an_epoch_cut_up():
    slope = Slope(samples=40)
    parts = [batch(100, dataclasses.replace(slope, draw=draw), Seed(1)) for draw in range(6)]
    assert [len(part) for part in parts] == [40, 40, 20, 40, 40, 20]
    assert sorted(np.concatenate(parts[:3])) == list(range(100)) == sorted(np.concatenate(parts[3:]))
    assert not np.array_equal(parts[0], parts[3])
    assert len(batch(100, Slope(samples=0, draw=7), Seed(1))) == 100


def test_a_product_of_variables_has_no_derivative_here(trained):
    nodes = tuple(CheckpointNode(name, f"memory:{name}") for name in "AB")
    weights = PerModel((Var("a", 0, 1), Var("b", 0, 1)))
    one = MethodNode("one", "linear", ("A", "B"), "", {"weight": weights})
    two = MethodNode("two", "linear", ("one", "B"), "", {"weight": PerModel((Var("a", 0, 1), Var("b", 0, 1)))})
    family = Family(Recipe((*nodes, one, two), "two"), (Coord("a", 0, 1), Coord("b", 0, 1)))
    with pytest.raises(InputError, match="neither"):
        Derivative(family, Parts(trained, METHODS, Network(MLP()).layout))


def learned(ready, context, history=None, by_tensor=False, **params):
    landscape = ready(soup(by_tensor))
    report = ready(soup(by_tensor), split="report", network=landscape.network)
    return landscape, explore(
        landscape, LearnedSoup(**params), run="r", history=history, seed=Seed(3), context=context, report=report
    )


@pytest.mark.parametrize("by_tensor", [False, True])
def test_a_learned_soup_beats_the_even_one_by_more_than_noise(by_tensor, ready):
    context = QuietContext()
    landscape, found = learned(ready, context, by_tensor=by_tensor, steps=25, rate=0.3)
    first, last = (landscape.evaluate(found.history.coords[row], context) for row in (0, -1))
    gap = difference(last[0], first[0])
    assert gap.value < -4 * gap.stderr
    assert found.history.coords[0].tolist() == [1.0] * len(found.history.coords[0])
    assert found.history.coords.max() == 1.0
    assert found.history.coords.min() > 0.0


def test_a_learned_soup_is_adam_on_softmax_logits(ready, trained, arrays):
    """The explorer in float64 against torch.optim.Adam on the same gradients."""
    context = QuietContext()
    _, found = learned(ready, context, steps=6, rate=0.2, samples=32)
    r = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    s = torch.ones((), dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([r, s], lr=0.2)
    for step in range(6):
        shares = torch.softmax(r, 0)
        mine = found.history.coords[step] / found.history.coords[step].sum()
        np.testing.assert_allclose(mine, shares.detach().numpy(), atol=2e-4)
        weights = {n: sum(shares[m] * trained["ABC"[m]][n].read().double() for m in range(3)) for n in NAMES}
        rows = batch(300, Slope(samples=32, draw=step), Seed(3).child("slope", "as-is"))
        x = torch.as_tensor(arrays["x"][rows], dtype=torch.float64)
        loss = F.cross_entropy(
            functional_call(MLP().double(), weights, (x,)) * s, torch.as_tensor(arrays["y"][rows]).long()
        )
        adam.zero_grad()
        loss.backward()
        adam.step()


def test_a_task_without_examples_or_a_family_without_shares_is_refused(ready):
    landscape = ready(soup())
    space = landscape.space()
    assert LearnedSoup(steps=4).plan(space).slopes
    with pytest.raises(InputError, match="hands out no examples"):
        LearnedSoup().plan(dataclasses.replace(space, no_slopes="the task 'x' hands out no examples, only scores"))
    with pytest.raises(InputError, match=r"shares: \[A, B, C\]"):
        LearnedSoup().plan(dataclasses.replace(space, kind="plane"))


def test_an_aggregate_only_task_has_no_slopes_and_no_paired_errors(ready):
    landscape = ready(soup())

    class Aggregate:
        """A task that says one number."""

        def __init__(self, evaluator):
            self.columns, self.count = evaluator.columns, evaluator.count
            self._evaluator = evaluator

        def __call__(self, network, context):
            return tuple(dataclasses.replace(s, samples=None) for s in self._evaluator(network, context))

    measure = landscape.measures[0]
    bare = dataclasses.replace(measure, evaluator=Aggregate(measure.evaluator))
    bare.task.yields = "aggregate"
    blunt = Landscape(landscape.family, landscape.network, landscape._materialiser, [bare], landscape._derivative)
    space = blunt.space()
    assert not space.paired
    assert "hands out no examples, only scores" in space.no_slopes
    with pytest.raises(InputError, match="No gradient can be had here"):
        blunt.slope((1.0, 1.0, 1.0), Slope(), space, Seed(0), QuietContext())


def test_a_resumed_learned_soup_goes_on_bit_for_bit_even_without_its_last_gradient(ready):
    whole_context = QuietContext()
    _, whole = learned(ready, whole_context, steps=5, samples=32)
    assert whole.history.slopes is not None
    for cut, kept in ((3, 3), (3, 2), (4, 4)):
        slopes = whole.history.slopes[:cut].copy()
        slopes[kept:] = np.nan
        half = History(whole.history.coords[:cut], whole.history.values[:cut], slopes=slopes)
        _, again = learned(ready, QuietContext(), history=half, steps=5, samples=32)
        np.testing.assert_array_equal(again.history.coords, whole.history.coords)
        np.testing.assert_array_equal(again.history.values, whole.history.values)
        np.testing.assert_array_equal(again.history.slopes, whole.history.slopes)
        assert again.chosen == whole.chosen

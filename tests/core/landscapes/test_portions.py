"""Scores on part of the samples: kept, shared, and taken over from where they were made."""

import dataclasses

import numpy as np
import pytest
import torch

from solera.context import QuietContext
from solera.events import PointScored
from solera.landscapes.explore import explore
from solera.landscapes.explorer import Ask, Extent
from solera.landscapes.landscape import Landscape
from solera.landscapes.portions import Portions
from solera.seeds import Seed
from solera.tasks.callables import CallableTask


class Rungs:
    """Six points on few samples, three of them again on all."""

    name = "rungs"

    def plan(self, space):
        return Extent(9, rounds=(6, 3), partial=True)

    def ask(self, space, history, n, seed):
        if not len(history):
            return [Ask((0.1 * i,), samples=50) for i in range(n)]
        return [Ask(tuple(map(float, history.coords[row]))) for row in range(n)]


@pytest.fixture
def counted(build):
    """Landscapes of a line on a real task and one that gives a single number, and how often that one was asked."""
    asked = []

    def one_number(network, x):
        asked.append(1)
        return torch.nn.functional.softplus(network(x)).mean()

    def make(lanes: int) -> list[Landscape]:
        found = []
        for _ in range(lanes):
            landscape = build()
            inputs = landscape.measures[0].evaluator.examples().inputs
            task = CallableTask("number", one_number, {"selection": inputs}, metric="penalty", yields="aggregate")
            measures = [*landscape.measures, (task, "selection", task.prepare("selection", device="cpu"))]
            found.append(Landscape(landscape.family, landscape.network, landscape._materialiser, measures))
        return found

    return make, asked


def points(context):
    kept = [event for event in context.events if isinstance(event, PointScored)]
    return [dataclasses.replace(event, time=0.0, seconds=0.0, samples=None) for event in kept]


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_task_of_one_number_is_scored_once_a_point_over_any_lanes(counted, lanes):
    make, asked = counted
    context, alone = QuietContext(), QuietContext()
    explore(make(1), Rungs(), run="r", seed=Seed(0), context=alone)
    asked.clear()
    result = explore(make(lanes), Rungs(), run="r", seed=Seed(0), context=context)
    assert len(asked) == 6  # the second rung scores three points again, on more samples of the other task alone
    assert result.history.counts is not None
    assert result.history.counts[:, 2].tolist() == [512] * 9
    assert result.history.counts[:, 0].tolist() == [50] * 6 + [512] * 3
    assert str(points(context)) == str(points(alone))


def test_scores_of_one_number_are_taken_over(counted):
    make, asked = counted
    (first,), (second,) = make(1), make(1)
    scores = first.evaluate((0.3,), QuietContext(), 50)
    asked.clear()
    second.portions.remember((0.3,), scores)
    again = second.evaluate((0.3,), QuietContext())
    assert not asked
    assert again[2].value == scores[2].value
    assert [score.count for score in again] == [512] * 3


def test_what_is_not_known_of_a_task_is_not_taken_over(counted):
    make, _ = counted
    (landscape,) = make(1)
    scores = landscape.evaluate((0.3,), QuietContext(), 50)
    portions = Portions([measure.evaluator for measure in landscape.measures])
    portions.remember((0.3,), [score.samples for score in scores])  # the number itself is lost
    assert portions.knows((0.3,))
    assert not portions.complete((0.3,), 50)
    few = dataclasses.replace(scores[2], count=7)
    portions.remember((0.3,), [*scores[:2], few])
    assert not portions.complete((0.3,), 50)
    portions.remember((0.3,), scores)
    assert portions.complete((0.3,), 50)
    assert portions.known((0.3,), 50)[2] is scores[2]


def test_an_evaluator_that_can_be_divided_but_gives_no_samples_is_scored_whole(build):
    landscape = build()
    evaluator = landscape.measures[0].evaluator

    class Blunt:
        columns, count, groups = evaluator.columns, evaluator.count, None

        def part(self, rows):
            return self

        def __call__(self, network, context):
            return tuple(dataclasses.replace(score, samples=None) for score in evaluator(network, context))

    portions = Portions([Blunt()])
    for n in (10, 400):
        scores = portions.score((0.5,), n, landscape.network, QuietContext())
        assert [score.count for score in scores] == [512, 512]
    assert portions.complete((0.5,), 512)


def test_a_task_scored_whole_may_come_as_samples(build):
    landscape = build()
    inner = landscape.measures[0].evaluator

    class Whole:
        columns, count = inner.columns, inner.count

        def __call__(self, network, context):
            return inner(network, context)

    scores = inner(landscape.network, QuietContext())
    portions = Portions([Whole()])
    portions.remember((0.5,), [score.samples for score in scores])
    assert [score.value for score in portions.known((0.5,), 5)] == [score.value for score in scores]
    np.testing.assert_array_equal(portions.known((0.5,), 5)[0].samples, scores[0].samples)

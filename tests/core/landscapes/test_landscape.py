"""Landscapes over real networks."""

import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call

from solera.context import QuietContext
from solera.errors import Cancelled, InputError, NumericError, TaskError
from solera.events import Logged, PointScored
from solera.landscapes.barriers import barriers
from solera.landscapes.explore import explore
from solera.landscapes.landscape import Landscape
from solera.seeds import Seed
from solera_plugins.explorers.grid import Grid

from .conftest import FOLDER, MLP

GOLDEN = json.loads((FOLDER / "interp1d_mlp.json").read_text())


def test_the_interpolated_curve_and_its_barriers_are_the_golden_ones(build, arrays, context):
    landscape = build()
    rows = [landscape.evaluate((t,), context) for t in arrays["t"]]
    loss, accuracy = np.array([[score.value for score in row] for row in rows]).T
    assert loss == pytest.approx(arrays["loss"], rel=GOLDEN["tolerance"]["float32"])
    assert 1 - accuracy == pytest.approx(arrays["error"], abs=1e-12)
    found = barriers(arrays["t"], loss)
    assert found["chord"].height == pytest.approx(GOLDEN["barrier_loss"]["entezari_max_minus_chord"], rel=2e-5)


def test_a_point_of_a_plane_scores_as_a_float64_twin_says(build, trained, arrays, context):
    landscape = build("ABC", tasks=2)
    geometry = landscape.family.geometry
    for weights in ((1, 0, 0), (0, 0, 1), (0.2, 0.5, 0.3), (1.3, 0.2, -0.5)):
        state = {
            name: sum(w * trained[model][name].read().double() for w, model in zip(weights, "ABC", strict=True))
            for name in trained["A"]
        }
        scores = landscape.evaluate(geometry.from_barycentric(weights), context)
        for turn, score in ((1, scores[0]), (-1, scores[2])):
            x = torch.from_numpy(arrays["x"][:, ::turn].copy()).double()
            want = F.cross_entropy(functional_call(MLP().double(), state, x), torch.from_numpy(arrays["y"]))
            assert score.value == pytest.approx(float(want), rel=2e-5)


def test_a_score_does_not_depend_on_what_was_scored_before(build, context):
    one, other = build("ABC"), build("ABC")
    places = [(0.3, 0.4), (-0.2, 1.2), (1.0, 0.0), (0.3, 0.4)]
    for place in reversed(places):
        other.evaluate(place, context)
    for place in places:
        one.network.flat.fill_(99.0)
        assert [s.value for s in one.evaluate(place, context)] == [s.value for s in other.evaluate(place, context)]


def test_landscapes_may_share_a_network(build, context):
    first = build()
    report = build(split="report", shared=first.network)
    alone = build(split="report").evaluate((0.4,), context)
    first.evaluate((0.9,), context)
    assert report.evaluate((0.4,), context)[0].value == alone[0].value
    assert report.columns[0].count == 200


def test_scores_are_remembered_by_exact_coordinates(build, context, monkeypatch):
    landscape = build()
    first = landscape.evaluate((0.5,), context)
    assert landscape.evaluate([0.5], context) is first
    assert landscape.evaluate((math.nextafter(0.5, 1),), context) is not first
    monkeypatch.setattr("solera.landscapes.landscape.MEMO_BYTES", 3 * 512 * 4)
    landscape.evaluate((0.6,), context)
    assert landscape.evaluate((0.5,), context) is not first


def test_weights_that_cannot_be_stored_have_no_score_and_a_warning(build, context, monkeypatch):
    landscape = build()

    def overflow(numbers, out):
        raise NumericError("The tensor 'l0.weight' overflows float16.")

    monkeypatch.setattr(landscape._materialiser, "at", overflow)
    scores = landscape.evaluate((0.5,), context)
    assert all(math.isnan(score.value) and score.count == 0 for score in scores)
    assert [e.text for e in context.events if isinstance(e, Logged)] == [
        "No scores at t = 0.5: The tensor 'l0.weight' overflows float16."
    ]


def test_it_stops_when_told(build):
    class Stopping(QuietContext):
        def check(self) -> None:
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        build().evaluate((0.5,), Stopping())


def test_objectives_are_columns_by_name(build):
    landscape = build(tasks=2)
    assert landscape.space().objectives == (0, 2)
    assert landscape.space(["reversed", "as-is.accuracy"]).objectives == (2, 1)
    for wrong in (["speed"], ["as-is", "as-is.cross_entropy"]):
        with pytest.raises(InputError, match=r"each once \(as-is\.cross_entropy, as-is\.accuracy"):
            landscape.space(wrong)


def test_tasks_must_differ(build):
    landscape = build()
    for measures in ([], [*landscape.measures, *landscape.measures]):
        with pytest.raises(InputError, match="tasks that differ"):
            Landscape(landscape.family, landscape.network, landscape._materialiser, measures)


def test_it_says_what_its_scores_depend_on(build):
    assert build().describe() == [
        {"task": "as-is", "version": 1, "split": "selection", "samples": 512, "of": 512,
         "metrics": ["cross_entropy", "accuracy"]}
    ]  # fmt: skip


def test_scores_without_a_trace_do_not_answer_where_traces_are_wanted(build, context):
    landscape = build()
    bare = landscape.evaluate((0.5,), context)
    landscape.traced = True
    wanted = landscape.evaluate((0.5,), context)
    assert bare[0].trace is None
    assert wanted[0].trace is not None
    assert landscape.evaluate((0.5,), context) is wanted  # remembered in place of the other
    recalled = build()
    recalled.portions.remember((0.5,), [score.samples for score in bare])
    recalled.traced = True
    np.testing.assert_array_equal(recalled.evaluate((0.5,), context)[0].trace, wanted[0].trace)


def test_a_part_of_the_samples_is_scored_whatever_is_remembered_of_all(build, context):
    landscape, fresh = build(), build()
    landscape.evaluate((0.5,), context)
    found, want = landscape.evaluate((0.5,), context, 100), fresh.evaluate((0.5,), context, 100)
    assert [score.count for score in found] == [100, 100]
    assert [score.value for score in found] == [score.value for score in want]


def test_a_point_that_a_task_cannot_score_has_no_score_and_a_warning(build, context, monkeypatch):
    landscape, whole = build(tasks=2), build(tasks=2)
    cannot_score(landscape, monkeypatch, 0.5)
    scores = landscape.evaluate((0.5,), context)
    assert all(math.isnan(score.value) and score.count == 0 for score in scores)
    assert str(landscape.failure) == "The task fails."
    assert [e.text for e in context.events if isinstance(e, Logged)] == ["No scores at t = 0.5: The task fails."]
    found, wanted = landscape.evaluate((0.6,), context), whole.evaluate((0.6,), context)
    assert [score.value for score in found] == [score.value for score in wanted]
    assert landscape.failure is None


def cannot_score(landscape, monkeypatch, *places):
    """Let the last task of a landscape over a line fail at some places."""
    evaluator, at = landscape.measures[-1].evaluator, landscape._materialiser.at
    here: list[float] = []
    score = type(evaluator).__call__

    def noted(numbers, out):
        here[:] = [numbers["t"]]
        at(numbers, out)

    def scored(self, network, context):
        if self is evaluator and here[0] in places:
            raise TaskError("The task fails.")
        return score(self, network, context)

    monkeypatch.setattr(landscape._materialiser, "at", noted)
    monkeypatch.setattr(type(evaluator), "__call__", scored)


def test_an_exploration_goes_on_after_a_point_that_a_task_cannot_score(build, context, monkeypatch):
    landscape = build()
    cannot_score(landscape, monkeypatch, 0.0)
    found = explore(landscape, Grid(points=5), run="r", seed=Seed(0), context=context)
    assert np.isnan(found.history.values).all(axis=1).tolist() == [t == 0.0 for t in found.history.coords[:, 0]]
    assert len(found.history) == 5


def test_a_task_that_can_score_no_model_ends_it_at_the_third(build, context, monkeypatch):
    landscape = build()
    cannot_score(landscape, monkeypatch, *np.linspace(0, 1, 5).tolist())
    with pytest.raises(TaskError, match="The task fails"):
        explore(landscape, Grid(points=5), run="r", seed=Seed(0), context=context)
    assert len([event for event in context.events if isinstance(event, PointScored)]) == 3

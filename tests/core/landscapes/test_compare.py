"""Comparisons on a landscape one can solve by hand: weights are two numbers, samples are points on a line."""

import math

import pytest
import torch
from torch import nn

from solera.context import QuietContext
from solera.errors import InputError, NumericError
from solera.events import Logged, PointScored
from solera.landscapes.compare import Entry, compare, comparison_coords, comparison_points
from solera.landscapes.compare_table import markdown, plain, summary
from solera.models.network import Network
from solera.params import Var
from solera.recipes.nodes import CheckpointNode, Recipe, SumNode, Term
from solera.tasks.classification import ClassificationTask
from solera.tasks.regression import RegressionTask


class Line(nn.Module):
    """Logits (0, x·a + b)."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))

    def forward(self, x):
        value = x * self.weight[0] + self.weight[1]
        return torch.stack([torch.zeros_like(value), value], dim=1)


X = torch.linspace(-1, 1, 200)


def task(name, threshold):
    return ClassificationTask(name, lambda split: (X, (X > threshold).long()), units="points")


TASKS = [task("low", -0.4), task("high", 0.4)]
POINTS = {"low": (10.0, 4.0), "high": (10.0, -4.0), "base": (1.0, 3.0)}


def single(name):
    return Recipe((CheckpointNode(name, f"{name}"),), name, name=name)


def blend():
    nodes = (
        CheckpointNode("low", "low"),
        CheckpointNode("high", "high"),
        SumNode("out", (Term("low", Var("t", 0, 1, 0.0)), Term("high", 1.0))),
    )
    return Recipe(nodes, "out", name="blend")


class Writer:
    """The recipes above, by hand."""

    def __init__(self, recipe):
        self.recipe = recipe

    def at(self, numbers, out):
        if self.recipe.output in POINTS:
            out.copy_(torch.tensor(POINTS[self.recipe.output]))
        else:
            t = numbers["t"]
            out.copy_(torch.tensor([10.0, 4.0 * t - 4.0 * (1 - t)]))


ENTRIES = [
    Entry("base", single("base"), single=True),
    Entry("low", single("low"), single=True),
    Entry("high", single("high"), single=True),
    Entry("blend", blend(), tune={"t": (0.0, 0.25, 0.5, 1.0)}),
]


def run(entries=ENTRIES, **options):
    context = QuietContext()
    network = Network(Line())
    options.setdefault("measure", "accuracy")
    return compare(entries, TASKS, network, Writer, context, run="r", **options), context


def test_rows_are_scored_on_the_report_split_and_tuned_on_the_other():
    table, context = run()
    by_name = {row.name: row for row in table.rows}
    assert list(by_name) == ["base", "low", "high", "blend"]
    assert by_name["low"].scores[1].value == 1.0  # accuracy on its own task
    assert by_name["blend"].numbers["t"] in (0.0, 0.25, 0.5, 1.0)
    assert by_name["blend"].tried == 4
    assert {column.split for column in table.columns} == {"report"}
    searched = [e for e in context.events if isinstance(e, PointScored) and e.phase == "search"]
    assert [e.coords for e in searched] == [(3.0, 0.0), (3.0, 0.25), (3.0, 0.5), (3.0, 1.0)]
    best = max(searched, key=lambda e: e.values[1] + e.values[3])
    assert by_name["blend"].numbers == {"t": best.coords[1]}


def test_points_are_emitted_without_gaps():
    _, context = run()
    points = [e for e in context.events if isinstance(e, PointScored)]
    assert [e.index for e in points] == list(range(comparison_points(ENTRIES)))
    assert comparison_coords(ENTRIES) == ("row", "t")
    reports = [e for e in points if e.phase == "report"]
    assert [e.label for e in reports] == ["base", "low", "high", "blend"]
    assert math.isnan(reports[0].coords[1])


def test_the_gain_is_paired_against_the_best_single():
    table, _ = run()
    assert table.best_single in {"low", "high"}
    by_name = {row.name: row for row in table.rows}
    best, other = by_name[table.best_single], by_name["blend"]
    assert best.gain is None
    per_sample = [
        sum(row.scores[i].samples.astype(float) for i in (1, 3)) / 2 for row in (other, best)
    ]  # the same points under both tasks
    gap = per_sample[0] - per_sample[1]
    assert other.gain.value == pytest.approx(gap.mean())
    assert other.gain.stderr == pytest.approx(gap.std(ddof=1) / math.sqrt(gap.size), rel=1e-5)


def test_lower_is_better_for_losses():
    table, _ = run(measure="cross_entropy")
    by_name = {row.name: row for row in table.rows}
    best = by_name[table.best_single].mean.value
    assert best == min(row.mean.value for row in table.rows if row.single)
    assert by_name["blend"].gain.value == pytest.approx(best - by_name["blend"].mean.value)


def test_a_preview_scores_fewer_samples():
    table, _ = run(limit=20)
    assert {score.count for row in table.rows for score in row.scores} == {20}
    assert "samples: low 20 of 200, high 20 of 200" in markdown(table)


def test_the_table_says_what_it_is():
    table, _ = run()
    text = markdown(table)
    assert text.splitlines()[0] == "| model | low | high | mean | gain | chosen |"
    assert "best single" in text
    assert "report split (samples: low 200, high 200); variables were chosen on the selection split." in text
    assert "chosen on" not in markdown(run(ENTRIES[:2])[0])
    assert "100.0 ± 0.0" in text
    lines = plain(table).splitlines()
    assert lines[0].split() == ["model", "low", "high", "mean", "gain", "chosen"]
    assert summary(table).startswith("best blend: ")
    assert table.to_plain()["rows"][3]["numbers"] == dict(table.rows[3].numbers)


def test_nan_weights_lose_and_are_said():
    class Broken(Writer):
        def at(self, numbers, out):
            super().at(numbers, out)
            if numbers.get("t") == 0.0:
                out[0] = torch.nan

    table = compare(ENTRIES, TASKS, Network(Line()), Broken, QuietContext(), measure="accuracy")
    assert table.rows[3].numbers["t"] != 0.0


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([], "at least one model"),
        ([ENTRIES[0], ENTRIES[0]], "there twice"),
        ([Entry("x", single("low"), tune={"s": (1.0,)})], "no variable s"),
        ([Entry("x", blend(), tune={"t": ()})], "no values"),
    ],
)
def test_bad_comparisons_are_refused(entries, match):
    with pytest.raises(InputError, match=match):
        run(entries)


def test_a_metric_that_a_task_lacks_is_refused():
    with pytest.raises(InputError, match="do not measure loss"):
        run(measure="loss")


def test_one_model_is_scored_on_tasks_that_measure_different_things():
    regression = RegressionTask("values", lambda split: (X, torch.stack([X * 0, X], dim=1)), metrics=["mae"])
    network, context = Network(Line()), QuietContext()
    found = compare([ENTRIES[0]], [TASKS[0], regression], network, Writer, context, measure="accuracy")
    assert [score.column.name for score in found.rows[0].scores] == ["low.cross_entropy", "low.accuracy", "values.mae"]
    assert found.rows[0].mean.value == found.rows[0].scores[1].value
    with pytest.raises(InputError, match="values do not measure accuracy"):
        compare(ENTRIES[:2], [TASKS[0], regression], network, Writer, context, measure="accuracy")


def test_a_model_that_cannot_be_scored_has_no_scores_and_the_others_have():
    class Overflowing(Writer):
        def at(self, numbers, out):
            if self.recipe.output == "low":
                raise NumericError("The tensor 'weight' overflows float16.")
            super().at(numbers, out)

    context = QuietContext()
    table = compare(ENTRIES[:3], TASKS, Network(Line()), Overflowing, context, measure="accuracy")
    assert [math.isnan(row.mean.value) for row in table.rows] == [False, True, False]
    assert table.best_single == "high"
    assert [event.text for event in context.events if isinstance(event, Logged)] == [
        "No scores of 'low': The tensor 'weight' overflows float16."
    ]
    with pytest.raises(NumericError, match="overflows"):
        compare(ENTRIES[1:2], TASKS, Network(Line()), Overflowing, context, measure="accuracy")

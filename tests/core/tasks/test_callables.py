import math
import threading

import numpy as np
import pytest
import torch
from torch import nn

from solera.context import QuietContext
from solera.errors import Cancelled, InputError, TaskError
from solera.events import Logged
from solera.tasks.callables import CallableTask
from solera.tasks.scores import standard_error
from solera.tasks.task import Divisible, Evaluator, Task

X = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(40) % 2


class Scale(nn.Module):
    def __init__(self, factor=2.0):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x):
        return x * self.factor


def right(network, samples):
    x, y = samples
    return (network(x).argmax(1).clamp(max=1) == y).float()


def score(task, split="report", network=None, **options):
    return task.prepare(split, device="cpu", **options)(network or Scale(), QuietContext())


def test_a_function_of_a_network_and_samples_is_a_task():
    task = CallableTask("mine", right, {"report": (X, Y), "selection": (X[:10], Y[:10])}, metric="accuracy")
    assert isinstance(task, Task)
    evaluator = task.prepare("report", device="cpu")
    assert isinstance(evaluator, Evaluator)
    assert isinstance(evaluator, Divisible)
    (found,) = score(task)
    want = right(Scale(), (X, Y)).numpy()
    np.testing.assert_array_equal(found.samples, want)
    assert (found.value, found.count) == (pytest.approx(want.mean()), 40)
    assert found.stderr == pytest.approx(standard_error(want))
    assert task.columns("selection")[0].count == 10
    with pytest.raises(TaskError, match="samples for report, selection, not for train"):
        task.columns("train")


@pytest.mark.parametrize(
    "samples",
    [X, X.numpy(), list(X), {"x": X, "y": Y.numpy()}, (X, list(range(40)))],
    ids=["tensor", "array", "list", "mapping", "tuple"],
)
def test_a_collection_is_shared_out_and_taken_in_parts(samples):
    def first(network, some):
        part = some["x"] if isinstance(some, dict) else some[0] if isinstance(some, tuple) else some
        return [float(row[0]) for row in part]

    task = CallableTask("mine", first, samples)
    found = [score(task, split)[0].samples for split in ("train", "selection", "report")]
    assert [len(part) for part in found] == [24, 6, 10]
    assert sorted(np.concatenate(found)) == pytest.approx(sorted(X[:, 0].tolist()))
    rows = np.array([3, 1])
    whole = task.prepare("report", device="cpu")
    assert isinstance(whole, Divisible)
    part = whole.part(rows)(Scale(), QuietContext())[0]
    np.testing.assert_array_equal(part.samples, found[2][rows])
    chunked = CallableTask("mine", first, samples, chunk=3)
    np.testing.assert_array_equal(score(chunked)[0].samples, found[2])


def test_a_preview_takes_its_share_of_every_group_and_errors_are_by_group():
    task = CallableTask(
        "mine",
        lambda network, x: network(x)[:, 0],
        lambda split: X,
        groups=lambda x: [f"d{i // 10}" for i in range(40)],
    )
    (found,) = score(task)
    assert found.groups.tolist() == [i // 10 for i in range(40)]
    assert found.stderr == pytest.approx(standard_error(found.samples, found.groups))
    few = score(task, limit=8)[0]
    assert np.bincount(few.groups).tolist() == [2, 2, 2, 2]


def test_one_number_for_all_samples_is_enough():
    task = CallableTask(
        "mine", lambda network, x: network(x).mean(), {"report": X}, yields="aggregate", metric="penalty"
    )
    evaluator = task.prepare("report", device="cpu")
    assert not isinstance(evaluator, Divisible)
    (found,) = evaluator(Scale(), QuietContext())
    assert found.value == pytest.approx(float(2 * X.mean()), rel=1e-5)
    assert math.isnan(found.stderr)
    assert (found.samples, found.count, task.direction) == (None, 40, "lower")
    opaque = CallableTask("mine", lambda network, thing: (thing.real, 0.25), 3.5, yields="aggregate")
    (found,) = score(opaque)
    assert (found.value, found.stderr, found.count) == (3.5, 0.25, 1)


def test_several_metrics_come_by_name():
    def both(network, x):
        error = network(x)[:, 0]
        return {"mae": error.abs(), "mse": error**2, "more": 0}

    task = CallableTask("mine", both, {"report": X}, metric=("mse", "mae"))
    squared, absolute = score(task)
    assert squared.value == pytest.approx(float((2 * X[:, 0]).square().mean()), rel=1e-5)
    assert absolute.value == pytest.approx(float((2 * X[:, 0]).abs().mean()), rel=1e-5)
    lacking = CallableTask("mine", lambda network, x: {"mse": x[:, 0]}, {"report": X}, metric=("mse", "mae"))
    with pytest.raises(TaskError, match="gave no mae"):
        score(lacking)
    with pytest.raises(TaskError, match="gives a mapping of mse, mae"):
        score(CallableTask("mine", lambda network, x: x[:, 0], {"report": X}, metric=("mse", "mae")))


def test_what_a_function_cannot_do_is_a_sentence():
    def broken(network, x):
        return network.head(x)

    with pytest.raises(TaskError, match=r"Task 'mine': broken failed on this network: AttributeError"):
        score(CallableTask("mine", broken, {"report": X}))
    with pytest.raises(TaskError, match=r"given 40 samples .* single number; say yields='aggregate'"):
        score(CallableTask("mine", lambda network, x: x.sum(), {"report": X}))
    with pytest.raises(TaskError, match=r"it gave shape \(40, 3\)"):
        score(CallableTask("mine", lambda network, x: x, {"report": X}))
    with pytest.raises(TaskError, match="gave a str, not numbers"):
        score(CallableTask("mine", lambda network, x: "good", {"report": X}))
    with pytest.raises(TaskError, match="must give one number"):
        score(CallableTask("mine", lambda network, x: x[:, 0], {"report": X}, yields="aggregate"))
    with pytest.raises(TaskError, match="differ in length"):
        score(CallableTask("mine", right, {"report": (X, Y[:3])}))
    with pytest.raises(TaskError, match="no data on the report"):
        score(CallableTask("mine", right, {"report": []}))
    for wrong in ({"metric": "speed"}, {"yields": "logits"}, {"chunk": -1}):
        with pytest.raises(InputError):
            CallableTask("mine", right, X, **wrong)


def test_a_stop_passes_through_the_function():
    def stopping(network, x):
        raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        score(CallableTask("mine", stopping, {"report": X}))


def test_no_number_is_said_once():
    context = QuietContext()
    task = CallableTask("mine", lambda network, x: torch.where(x[:, 0] > 0, x[:, 0], torch.nan), {"report": X})
    evaluator = task.prepare("report", device="cpu")
    first, _ = evaluator(Scale(), context), evaluator(Scale(), context)
    assert math.isnan(first[0].value)
    (said,) = [event for event in context.events if isinstance(event, Logged)]
    assert f"for {int((X[:, 0] <= 0).sum())} of 40 samples" in said.text


def test_no_gradients_are_kept():
    seen = []

    def noting(network, x):
        seen.append((torch.is_inference_mode_enabled(), threading.current_thread().name))
        return network(x)[:, 0]

    score(CallableTask("mine", noting, {"report": X}))
    assert seen == [(True, threading.current_thread().name)]

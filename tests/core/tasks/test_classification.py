import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solera.context import QuietContext
from solera.errors import Cancelled, InputError, TaskError
from solera.events import Logged
from solera.tasks.classification import ClassificationTask
from solera.tasks.forward import FEW_CLASSES, cross_entropies
from solera.tasks.task import Evaluator, Task

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(50, 6, generator=GENERATOR)
Y = torch.arange(50) % 4


def data(split):
    if split == "train":
        raise TaskError("The data of the train split are missing.")
    return X, Y


def samples(score):
    assert score.samples is not None
    return score.samples


def linear(classes=4):
    network = nn.Linear(6, classes)
    with torch.no_grad():
        for number, parameter in enumerate(network.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)))
    return network.eval()


def test_scores_are_those_of_torch_over_the_whole_split():
    task = ClassificationTask("toy", data, chunk=7)
    evaluator = task.prepare("selection", device="cpu")
    network = linear()
    loss, accuracy = evaluator(network, QuietContext())
    with torch.no_grad():
        logits = network(X)
    assert loss.value == pytest.approx(float(F.cross_entropy(logits, Y)), rel=1e-6)
    assert accuracy.value == pytest.approx(float((logits.argmax(1) == Y).float().mean()))
    assert accuracy.stderr == pytest.approx(np.std(samples(accuracy), ddof=1) / math.sqrt(50), rel=1e-6)
    assert loss.count == evaluator.count == 50
    assert [column.name for column in task.columns("report")] == ["toy.cross_entropy", "toy.accuracy"]
    assert task.direction == "lower"


def test_the_protocols_are_met():
    task = ClassificationTask("toy", data)
    assert isinstance(task, Task)
    assert isinstance(task.prepare("report", device="cpu"), Evaluator)


def test_the_same_bytes_every_time():
    evaluator = ClassificationTask("toy", data, chunk=8).prepare("report", device="cpu")
    network = linear()
    first, again = (evaluator(network, QuietContext()) for _ in range(2))
    assert samples(first[0]).tobytes() == samples(again[0]).tobytes()


def test_the_network_is_left_alone():
    network = linear()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    ClassificationTask("toy", data).prepare("report", device="cpu")(network, QuietContext())
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_a_preview_is_a_fixed_stratified_part():
    task = ClassificationTask("toy", data)
    preview = task.prepare("report", device="cpu", limit=20)
    assert preview.count == 20
    score = preview(linear(), QuietContext())[0]
    assert score.count == 20
    assert score.column.count == 50
    whole = task.prepare("report", device="cpu")(linear(), QuietContext())[0]
    assert np.isin(np.round(samples(score), 4), np.round(samples(whole), 4)).all()


def test_hugging_face_outputs_are_unwrapped():
    class Output:
        def __init__(self, logits):
            self.logits = logits

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = linear()

        def forward(self, x):
            return Output(self.inner(x))

    evaluator = ClassificationTask("toy", data).prepare("report", device="cpu")
    assert evaluator(Wrapped(), QuietContext())[0].value == evaluator(linear(), QuietContext())[0].value


def test_nan_logits_give_nan_scores_and_one_warning():
    network = linear()
    with torch.no_grad():
        network.bias[0] = torch.nan
    evaluator = ClassificationTask("toy", data).prepare("report", device="cpu")
    context = QuietContext()
    for _ in range(3):
        loss, accuracy = evaluator(network, context)
        assert math.isnan(loss.value)
        assert math.isnan(accuracy.value)
    warnings = [event for event in context.events if isinstance(event, Logged)]
    assert len(warnings) == 1
    assert "50 of 50" in warnings[0].text


def test_too_few_outputs_is_a_sentence():
    with pytest.raises(TaskError, match="labels up to 3; the network gives only 3"):
        ClassificationTask("toy", data).prepare("report", device="cpu")(linear(3), QuietContext())


def test_wrong_inputs_is_a_sentence():
    with pytest.raises(TaskError, match="cannot take the inputs of task 'toy'"):
        ClassificationTask("toy", data).prepare("report", device="cpu")(nn.Linear(5, 4), QuietContext())


def test_missing_data_is_a_task_error():
    with pytest.raises(TaskError, match="missing"):
        ClassificationTask("toy", data).columns("train")


@pytest.mark.parametrize(
    ("x", "y", "match"),
    [
        (torch.zeros(3, 2), torch.zeros(4, dtype=torch.int64), "do not fit"),
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), "no data"),
        (torch.zeros(3, 2), torch.zeros(3), "integers"),
        (torch.zeros(3, 2), torch.tensor([0, -1, 1]), "from 0"),
    ],
)
def test_bad_data_is_refused(x, y, match):
    with pytest.raises(TaskError, match=match):
        ClassificationTask("toy", lambda split: (x, y)).columns("report")


def test_unknown_metrics_are_refused():
    with pytest.raises(InputError, match="f1"):
        ClassificationTask("toy", data, metrics=["f1"])


def test_a_cancel_takes_effect_between_chunks():
    class Stopping(QuietContext):
        calls = 0

        def check(self):
            self.calls += 1
            if self.calls > 2:
                raise Cancelled("stop")

    evaluator = ClassificationTask("toy", data, chunk=10).prepare("report", device="cpu")
    with pytest.raises(Cancelled):
        evaluator(linear(), Stopping())


@pytest.mark.parametrize("classes", [1, 2, 10, FEW_CLASSES, FEW_CLASSES + 1])
def test_cross_entropies_are_those_of_float64(classes):
    generator = torch.Generator().manual_seed(0)
    logits = 20 * torch.randn(57, classes, generator=generator)
    labels = torch.randint(0, classes, (57,), generator=generator)
    before = logits.clone()
    want = torch.nn.functional.cross_entropy(logits.double(), labels, reduction="none")
    found = cross_entropies(logits, labels)
    torch.testing.assert_close(found.double(), want, rtol=2e-6, atol=2e-6)
    assert torch.equal(logits, before)
    logits[3, 0] = torch.nan
    assert cross_entropies(logits, labels).isnan().nonzero().flatten().tolist() == [3]

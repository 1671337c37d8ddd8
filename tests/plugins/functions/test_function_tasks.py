import sys

import pytest
from torch import nn

from solera.api import InputError, QuietContext, TaskError
from solera_plugins.functions.tasks import function

MODULE = """
import torch

def samples(split):
    first = {"train": 0, "selection": 10, "report": 20}[split]
    return torch.arange(first, first + 10.0)

def double(network, x):
    return 2 * network(x)

def mean(network, x):
    return network(x).mean()
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "my_scores.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("my_scores", None)


def test_a_project_names_its_functions_as_text():
    task = function("mine", function="my_scores:double", samples="my_scores:samples", metric="mae", version=3)
    (score,) = task.prepare("selection", device="cpu")(nn.Identity(), QuietContext())
    assert score.samples.tolist() == [2.0 * x for x in range(10, 20)]
    assert (task.version, task.metrics, score.column.title) == (3, ("mae",), "mine, mean absolute error, selection")
    whole = function("mine", function="my_scores:mean", samples="my_scores:samples", yields="aggregate")
    assert whole.prepare("report", device="cpu")(nn.Identity(), QuietContext())[0].value == 24.5


def test_what_cannot_be_found_is_a_sentence():
    for text, said in (("nowhere:f", "cannot be imported"), ("my_scores:f", "no function 'f'"), ("f", "is written")):
        with pytest.raises(TaskError, match=rf"Task 'mine': .*{said}"):
            function("mine", function="my_scores:double", samples=text).columns("report")
        with pytest.raises(TaskError, match=rf"Task 'mine': .*{said}"):
            function("mine", function=text, samples="my_scores:samples").columns("report")
    with pytest.raises(InputError, match="not speed"):
        function("mine", function="my_scores:double", samples="my_scores:samples", metric="mse, speed")
    broken = function("mine", function="my_scores:double", samples="my_scores:samples")
    with pytest.raises(TaskError, match=r"my_scores:double failed on this network"):
        broken.prepare("report", device="cpu")(nn.Linear(3, 2), QuietContext())

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solera.context import QuietContext
from solera.errors import InputError, TaskError
from solera.events import Logged
from solera.tasks.language import LanguageTask

RNG = np.random.default_rng(0)
DOCUMENTS = [RNG.integers(0, 11, length).tolist() for length in (9, 30, 4, 17)]


class Bigram(nn.Module):
    """Logits of the next token depend on the present one alone."""

    def __init__(self, vocabulary=11):
        super().__init__()
        table = torch.randn(vocabulary, vocabulary, generator=torch.Generator().manual_seed(1))
        self.table = nn.Embedding.from_pretrained(table, freeze=True)

    def get_input_embeddings(self):
        return self.table

    def forward(self, ids):
        return self.table(ids)


def task(**options):
    return LanguageTask("toy", lambda split: DOCUMENTS, window=8, chunk=3, **options)


def test_each_token_of_full_windows_is_predicted_once():
    evaluator = task().prepare("report", device="cpu")
    # 9 tokens: one window of 8 predictions; 30: three (24 of 29); 4: none; 17: two.
    assert evaluator.count == 6
    network = Bigram()
    loss, perplexity = evaluator(network, QuietContext())
    losses = []
    for document, windows in zip(DOCUMENTS, (1, 3, 0, 2), strict=True):
        ids = torch.tensor(document[: windows * 8 + 1])
        if windows:
            losses.append(F.cross_entropy(network(ids[:-1]), ids[1:], reduction="none"))
    expected = float(torch.cat(losses).mean())
    assert loss.value == pytest.approx(expected, rel=1e-6)
    assert perplexity.value == pytest.approx(math.exp(expected), rel=1e-6)
    assert loss.groups.tolist() == [0, 1, 1, 1, 3, 3]


def test_errors_are_clustered_by_document():
    from solera.tasks.scores import standard_error

    loss = task().prepare("report", device="cpu")(Bigram(), QuietContext())[0]
    assert loss.stderr == pytest.approx(standard_error(loss.samples, loss.groups), rel=1e-5)


def test_a_preview_takes_windows_of_every_document():
    evaluator = task().prepare("report", device="cpu", limit=3)
    assert evaluator.count == 3
    score = evaluator(Bigram(), QuietContext())[0]
    assert score.column.count == 6


def test_a_task_may_be_limited_for_good():
    assert task(windows=4).columns("report")[0].count == 4


def test_a_small_vocabulary_is_a_sentence():
    with pytest.raises(TaskError, match="knows only 7"):
        task().prepare("report", device="cpu")(Bigram(7), QuietContext())


def test_a_network_that_gives_one_row_per_sequence_is_refused():
    class Classifier(Bigram):
        def forward(self, ids):
            return self.table(ids)[:, -1]

    with pytest.raises(TaskError, match="causal language model"):
        task().prepare("report", device="cpu")(Classifier(), QuietContext())


def test_nan_stays_nan_and_is_said():
    network = Bigram()
    network.table.weight[3] = torch.nan
    context = QuietContext()
    loss, perplexity = task().prepare("report", device="cpu")(network, context)
    assert math.isnan(loss.value)
    assert math.isnan(perplexity.value)
    (warning,) = context.events
    assert isinstance(warning, Logged)
    assert warning.level == "warning"


def test_documents_shorter_than_a_window_are_not_enough():
    with pytest.raises(TaskError, match="no document longer"):
        LanguageTask("toy", lambda split: [[1, 2, 3]], window=8).columns("report")


def test_unknown_metrics_are_refused():
    with pytest.raises(InputError, match="bleu"):
        task(metrics=["bleu"])

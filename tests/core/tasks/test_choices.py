import functools
import math

import numpy as np
import pytest
import torch
from torch import nn

from solera.context import QuietContext
from solera.errors import Cancelled, InputError, TaskError
from solera.tasks.choices import MultipleChoiceTask, Question
from solera.tasks.likelihood import Continuations, log_likelihoods
from solera.tasks.scores import standard_error
from solera.tasks.task import Divisible

RNG = np.random.default_rng(0)


def ids(length):
    return tuple(RNG.integers(1, 31, length).tolist())


QUESTIONS = [
    Question(ids(int(RNG.integers(1, 9))), tuple(ids(int(RNG.integers(1, 6))) for _ in range(int(RNG.integers(2, 5)))),
             int(RNG.integers(0, 2)), document=f"d{i // 3}")
    for i in range(14)
]  # fmt: skip
SIZED = [Question(q.context, q.choices, q.answer, tuple(3 * len(c) + 1 for c in q.choices)) for q in QUESTIONS]


@functools.cache
@torch.no_grad()
def slow(network, context, choice):
    """The log-likelihood of one choice, token by token, in double precision."""
    total = 0.0
    for i, token in enumerate(choice):
        logits = network(torch.tensor([[*context, *choice[:i]]])).logits[0, -1].double()
        total += float(logits.log_softmax(0)[token])
    return total


def samples(score):
    assert score.samples is not None
    return score.samples


def lengths(question, normalise):
    if normalise == "bytes":
        return question.sizes
    return [1 if normalise == "sum" else len(choice) for choice in question.choices]


@pytest.mark.parametrize("normalise", ["sum", "tokens", "bytes"])
@pytest.mark.parametrize("chunk", [1, 5, 64])
def test_answers_are_those_of_one_choice_at_a_time(gpt2, normalise, chunk):
    task = MultipleChoiceTask("quiz", lambda split: SIZED, normalise=normalise, chunk=chunk)
    right, loss = task.prepare("report", device="cpu")(gpt2, QuietContext())
    for i, question in enumerate(SIZED):
        scores = np.array([slow(gpt2, question.context, choice) for choice in question.choices])
        scores /= np.array(lengths(question, normalise))
        assert samples(right)[i] == float(scores.argmax() == question.answer)
        want = math.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[question.answer]
        assert samples(loss)[i] == pytest.approx(want, rel=1e-4, abs=1e-5)
    assert right.value == pytest.approx(right.samples.mean())


def test_the_normalisations_differ(gpt2):
    found = [
        MultipleChoiceTask("quiz", lambda split: SIZED, normalise=each)
        .prepare("report", device="cpu")(gpt2, QuietContext())[1]
        .value
        for each in ("sum", "tokens", "bytes")
    ]
    assert len({round(value, 6) for value in found}) == 3


def test_errors_are_clustered_by_document_and_parts_are_the_whole(gpt2):
    task = MultipleChoiceTask("quiz", lambda split: QUESTIONS)
    evaluator = task.prepare("report", device="cpu")
    assert isinstance(evaluator, Divisible)
    right, loss = evaluator(gpt2, QuietContext())
    assert loss.groups.tolist() == [i // 3 for i in range(14)]
    assert loss.stderr == pytest.approx(standard_error(samples(loss), loss.groups), rel=1e-5)
    rows = np.array([9, 0, 5])
    part = evaluator.part(rows)(gpt2, QuietContext())
    np.testing.assert_allclose(samples(part[1]), samples(loss)[rows], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(samples(part[0]), samples(right)[rows])
    assert task.prepare("report", device="cpu", limit=5).count == 5


def test_greedy_continuations_are_told_apart(gpt2):
    context = ids(5)
    own: list[int] = []
    for _ in range(3):
        own.append(int(gpt2(torch.tensor([[*context, *own]])).logits[0, -1].argmax()))
    other = [*own[:2], (own[2] + 1) % 31]
    sums, greedy = log_likelihoods(gpt2, Continuations.of([(context, own), (context, other)]), 2, "quiz")
    assert greedy.tolist() == [True, False]
    assert sums.tolist() == pytest.approx([slow(gpt2, context, tuple(choice)) for choice in (own, other)], rel=1e-4)


def test_a_question_without_a_number_is_lost_and_the_others_are_not(gpt2):
    class Lost(nn.Module):
        def forward(self, inputs):
            logits = gpt2(inputs).logits.clone()
            logits[inputs[:, 0] == QUESTIONS[4].context[0]] = torch.nan
            return logits

    context = QuietContext()
    right, _ = MultipleChoiceTask("quiz", lambda split: QUESTIONS).prepare("report", device="cpu")(Lost(), context)
    lost = [question.context[0] == QUESTIONS[4].context[0] for question in QUESTIONS]
    assert np.isnan(samples(right)).tolist() == lost
    assert math.isnan(right.value)
    assert "is not a number" in str(context.events)


def test_what_does_not_fit_is_a_sentence(gpt2):
    class Classifier(nn.Module):
        def forward(self, inputs):
            return torch.zeros(len(inputs), 31)

    def prepared(questions, **options):
        return MultipleChoiceTask("quiz", lambda split: questions, **options).prepare("report", device="cpu")

    with pytest.raises(TaskError, match="Choose a causal language model"):
        prepared(QUESTIONS)(Classifier(), QuietContext())
    with pytest.raises(TaskError, match="token ids up to 40; the network knows only 31"):
        prepared([Question((40,), ((1,), (2,)), 0)])(gpt2, QuietContext())
    with pytest.raises(TaskError, match="cannot take the inputs"):
        prepared([Question(ids(60), ((1,), (2,)), 0)])(gpt2, QuietContext())
    with pytest.raises(TaskError, match="no data"):
        prepared([])
    for wrong in (
        Question((1,), ((2,),), 0),
        Question((1,), ((2,), (3,)), 2),
        Question((), ((2,), (3,)), 0),
        Question((1,), ((2,), ()), 0),
    ):
        with pytest.raises(InputError, match="Question 0"):
            prepared([wrong])
    with pytest.raises(InputError, match="how many bytes"):
        prepared(QUESTIONS, normalise="bytes")
    with pytest.raises(InputError, match="not 'letters'"):
        MultipleChoiceTask("quiz", lambda split: [], normalise="letters")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="can measure accuracy, cross_entropy"):
        MultipleChoiceTask("quiz", lambda split: [], metrics=["f1"])


def test_it_stops_when_told(gpt2):
    class Stopping(QuietContext):
        def check(self) -> None:
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        MultipleChoiceTask("quiz", lambda split: QUESTIONS).prepare("report", device="cpu")(gpt2, Stopping())

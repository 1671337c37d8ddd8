import re
import string

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from solera.context import QuietContext
from solera.errors import Cancelled, InputError, TaskError
from solera.tasks.generation import Comparison, GenerationTask, Prompt
from solera.tasks.greedy import Stopping, greedy_texts
from solera.tasks.task import Divisible

RNG = np.random.default_rng(1)
PROMPTS = [tuple(RNG.integers(1, 31, n).tolist()) for n in (3, 8, 1, 5, 5, 2)]
LETTERS = string.ascii_letters[:30] + "\n"


def decode(tokens):
    return "".join(LETTERS[token] for token in tokens)


def theirs(gpt2, prompt, most):
    """What transformers itself writes after one prompt."""
    out = gpt2.generate(
        torch.tensor([prompt]), do_sample=False, max_new_tokens=most, attention_mask=torch.ones(1, len(prompt))
    )
    return decode(out[0, len(prompt) :].tolist())


def texts(gpt2, **options):
    return greedy_texts(gpt2, PROMPTS, decode, Stopping(**options), "quiz", QuietContext())


def test_texts_are_those_that_transformers_generates(gpt2):
    with torch.inference_mode():
        assert texts(gpt2, most=12) == [theirs(gpt2, prompt, 12) for prompt in PROMPTS]
        assert len(set(texts(gpt2, most=12))) > 2


def test_texts_end_before_stop_strings_and_tokens(gpt2):
    whole = texts(gpt2, most=12)
    stop = whole[0][2:4]
    assert texts(gpt2, most=12, strings=(stop,)) == [text.split(stop)[0] for text in whole]
    both = texts(gpt2, most=12, strings=(stop, whole[1][1]))
    assert both == [re.split(f"{re.escape(stop)}|{re.escape(whole[1][1])}", text)[0] for text in whole]
    last = LETTERS.index(whole[3][1])
    assert texts(gpt2, most=12, tokens={last}) == [text.split(LETTERS[last])[0] for text in whole]


def test_the_share_that_is_right_word_for_word(gpt2):
    whole = texts(gpt2, most=4)
    answers = [(whole[0],), ("no", whole[1]), ("no",), (whole[3].upper(),), (f" {whole[4]} ",), (whole[5][:-1],)]
    prompts = [Prompt(tokens, answer, i // 2) for i, (tokens, answer) in enumerate(zip(PROMPTS, answers, strict=True))]

    def matched(chunk=16, **options):
        task = GenerationTask(
            "quiz", lambda split: prompts, decode, stopping=Stopping(4), comparison=Comparison(**options), chunk=chunk
        )
        return task.prepare("report", device="cpu")

    (score,) = matched()(gpt2, QuietContext())
    upper = float(whole[3].strip() == whole[3].upper().strip())
    assert score.samples.tolist() == [1, 1, 0, upper, 1, 0]
    assert matched(chunk=1)(gpt2, QuietContext())[0].samples.tolist() == score.samples.tolist()
    assert score.groups.tolist() == [0, 0, 1, 1, 2, 2]
    assert matched(case=True)(gpt2, QuietContext())[0].samples.tolist()[3] == 1
    assert matched(strip=False)(gpt2, QuietContext())[0].samples.tolist()[4] == 0
    evaluator = matched()
    assert isinstance(evaluator, Divisible)
    rows = np.array([4, 2])
    assert evaluator.part(rows)(gpt2, QuietContext())[0].samples.tolist() == [1, 0]


def squad(text):
    """The comparison of SQuAD as its paper's words have it, one step after the other."""
    text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    words = re.sub(r"\b(a|an|the)\b", " ", text).split()
    return " ".join(words)


@given(st.text(alphabet=" aAnTthHeE.,'-xX\n", max_size=30))
def test_with_everything_left_out_texts_are_compared_as_for_squad(text):
    assert Comparison(case=True, punctuation=True, articles=True).reduced(text) == squad(text)


def test_what_is_left_out_of_account():
    assert Comparison().reduced("  The End. ") == "The End."
    assert Comparison(strip=False).reduced(" The End.") == " The End."
    assert Comparison(case=True).reduced("The End.") == "the end."
    assert Comparison(punctuation=True).reduced("The  End.") == "The End"
    assert Comparison(articles=True).reduced("The End of an era") == "End of era"
    assert Comparison().same("b", ["a", " b"])
    assert not Comparison().same("B", ["a", "b"])


def test_what_does_not_fit_is_a_sentence(gpt2):
    class Classifier(nn.Module):
        def forward(self, inputs):
            return torch.zeros(len(inputs), 31)

    def task(prompts=None, stopping=None):
        given = prompts if prompts is not None else [Prompt((1, 2), ("x",))]
        return GenerationTask("quiz", lambda split: given, decode, stopping=stopping or Stopping(3))

    with pytest.raises(TaskError, match="needs logits of every token"):
        task().prepare("report", device="cpu")(Classifier(), QuietContext())
    with pytest.raises(TaskError, match="knows only 31"):
        task([Prompt((31,), ("x",))]).prepare("report", device="cpu")(gpt2, QuietContext())
    with pytest.raises(TaskError, match="cannot take the inputs"):
        task(stopping=Stopping(60)).prepare("report", device="cpu")(gpt2, QuietContext())
    with pytest.raises(TaskError, match="no data"):
        task([]).columns("report")
    with pytest.raises(InputError, match="prompt 0 has no token"):
        task([Prompt((), ("x",))]).columns("report")
    for wrong in (Stopping(0), Stopping(3, ("",))):
        with pytest.raises(InputError, match="one token or more"):
            task(stopping=wrong).columns("report")


def test_a_text_that_cannot_be_had_is_not_wrong_but_unknown(gpt2):
    class Lost(nn.Module):
        def forward(self, inputs):
            return torch.full((*inputs.shape, 31), torch.nan)

    context = QuietContext()
    task = GenerationTask("quiz", lambda split: [Prompt((1, 2), ("x",))], decode, stopping=Stopping(3))
    (score,) = task.prepare("report", device="cpu")(Lost(), context)
    assert np.isnan(np.asarray(score.samples)).all()
    assert "for 1 of 1 samples" in str(context.events)


def test_it_stops_when_told(gpt2):
    class Stopped(QuietContext):
        asked = 0

        def check(self) -> None:
            self.asked += 1
            if self.asked > 3:
                raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        greedy_texts(gpt2, PROMPTS, decode, Stopping(12), "quiz", Stopped())

import math

import numpy as np
import pytest
import torch
from torch import nn

from solera.context import QuietContext
from solera.errors import InputError, TaskError
from solera.tasks.masked import MaskedLanguageTask, MaskedText
from solera.tasks.task import Divisible

CLS, SEP, MASK, SIZE = 1, 2, 3, 30
RNG = np.random.default_rng(2)
TEXTS = [
    MaskedText((CLS, *RNG.integers(4, SIZE, n).tolist(), SEP), tuple(range(1, n + 1)), document)
    for n, document in ((3, "a"), (9, "a"), (1, "b"), (6, None), (6, 7))
]


@pytest.fixture(scope="module")
def bert():
    transformers = pytest.importorskip("transformers")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=SIZE, hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=32, initializer_range=0.5,
        )  # fmt: skip
        return transformers.BertForMaskedLM(config).eval()


def likelihoods(bert, text):
    """Of each asked token its log-probability with that token alone hidden, the text alone in the batch, in float64."""
    found = []
    for place in text.asked:
        hidden = list(text.tokens)
        hidden[place] = MASK
        with torch.no_grad():
            row = bert(torch.tensor([hidden])).logits[0, place].double()
        found.append((float(row.log_softmax(0)[text.tokens[place]]), float(int(row.argmax()) == text.tokens[place])))
    return found


def task(texts=TEXTS, **options):
    return MaskedLanguageTask("hidden", lambda split: texts, mask=MASK, **options)


@pytest.mark.parametrize("chunk", [1, 4, 32])
def test_every_token_is_predicted_from_all_others(bert, chunk):
    evaluator = task(metrics=("loss", "perplexity", "accuracy"), chunk=chunk).prepare("report", device="cpu")
    loss, perplexity, accuracy = evaluator(bert, QuietContext())
    want = [pair for text in TEXTS for pair in likelihoods(bert, text)]
    assert loss.count == 25
    np.testing.assert_allclose(np.asarray(loss.samples), [-value for value, _ in want], rtol=2e-5)
    assert accuracy.samples.tolist() == [right for _, right in want]
    # Salazar et al. 2020, section 2: PPPL = exp(-sum of the texts' PLL / all tokens), not a mean over texts.
    plls = [sum(value for value, _ in likelihoods(bert, text)) for text in TEXTS]
    assert perplexity.value == pytest.approx(math.exp(-sum(plls) / 25), rel=1e-5)
    assert loss.groups.tolist() == [0] * 12 + [1] * 1 + [2] * 6 + [3] * 6


def test_what_is_not_asked_is_seen_but_not_scored(bert):
    (text,) = [MaskedText(TEXTS[3].tokens, (2,))]
    (loss, _) = task([text]).prepare("report", device="cpu")(bert, QuietContext())
    assert loss.samples.tolist() == pytest.approx([-likelihoods(bert, text)[0][0]], rel=1e-5)


def test_a_part_and_a_preview_are_tokens_of_every_document(bert):
    evaluator = task().prepare("report", device="cpu")
    whole, rows = evaluator(bert, QuietContext())[0], np.array([20, 3, 12])
    assert isinstance(evaluator, Divisible)
    part = evaluator.part(rows)(bert, QuietContext())[0]
    np.testing.assert_allclose(np.asarray(part.samples), np.asarray(whole.samples)[rows], rtol=1e-5)
    assert part.groups.tolist() == [3, 0, 1]
    few = task(tokens=9)
    assert few.columns("report")[0].count == 9
    assert set(few.prepare("report", device="cpu").groups.tolist()) >= {0, 2, 3}
    assert few.prepare("report", device="cpu", limit=4).count == 4


def test_what_does_not_fit_is_a_sentence(bert):
    class Classifier(nn.Module):
        def forward(self, inputs, attention_mask):
            return torch.zeros(len(inputs), SIZE)

    class Blind(nn.Module):
        def forward(self, inputs):
            return torch.zeros(*inputs.shape, SIZE)

    def run(texts=TEXTS, network=bert, mask=MASK):
        made = MaskedLanguageTask("hidden", lambda split: texts, mask=mask)
        return made.prepare("report", device="cpu")(network, QuietContext())

    with pytest.raises(TaskError, match="Choose a masked language model"):
        run(network=Classifier())
    with pytest.raises(TaskError, match="attention_mask"):
        run(network=Blind())
    with pytest.raises(TaskError, match="knows only 30"):
        run(mask=SIZE)
    with pytest.raises(TaskError, match="no data"):
        run([])
    for wrong in (MaskedText((CLS, SEP), ()), MaskedText((CLS, 9, SEP), (3,))):
        with pytest.raises(InputError, match="text 1 has"):
            run([TEXTS[0], wrong])


def test_a_token_without_a_number_is_not_wrong_but_unknown(bert):
    class Lost(nn.Module):
        def forward(self, inputs, attention_mask):
            return torch.full((*inputs.shape, SIZE), torch.nan)

    context = QuietContext()
    made = task(metrics=("accuracy", "loss")).prepare("report", device="cpu")
    assert all(np.isnan(np.asarray(score.samples)).all() for score in made(Lost(), context))
    assert "for 25 of 25 samples" in str(context.events)

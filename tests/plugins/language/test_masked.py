import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import solera
from solera.api import QuietContext, TaskError
from solera_plugins.language.masked import masked_language

transformers = pytest.importorskip("transformers")

WORDS = ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "blue", "a", "rose", "is", "sky", "the"]
LINES = [
    {"text": text, "document": document, "split": "report"}
    for text, document in (("a rose is red", 0), ("the sky is blue", 1), ("the rose is a red rose", 0))
]


def tokenizer(tmp_path, around=True, mask="[MASK]"):
    words = [mask if word == "[MASK]" else word for word in WORDS]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if around:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    return path


def written(tmp_path, lines=LINES):
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path / "texts.jsonl"


@pytest.fixture(scope="module")
def bert():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=len(WORDS), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=16, initializer_range=0.5,
        )  # fmt: skip
        return transformers.BertForMaskedLM(config).eval()


def slow(bert, path, texts, around=True):
    """Of every word its log-probability with that word alone hidden."""
    found = []
    for text in texts:
        own = [WORDS.index(word) for word in text.split()]
        for place in range(len(own)):
            hidden = [3 if i == place else token for i, token in enumerate(own)]
            ids = [1, *hidden, 2] if around else hidden
            with torch.no_grad():
                row = bert(torch.tensor([ids])).logits[0, place + around].double()
            found.append(-float(row.log_softmax(0)[own[place]]))
    return found


@pytest.mark.parametrize("around", [True, False])
def test_the_words_of_a_file_are_hidden_one_by_one(tmp_path, bert, around):
    path = tokenizer(tmp_path, around)
    task = masked_language("hidden", data=written(tmp_path), tokenizer=path, chunk=5)
    loss, perplexity = task.prepare("report", device="cpu")(bert, QuietContext())
    want = slow(bert, path, [line["text"] for line in LINES], around)
    np.testing.assert_allclose(np.asarray(loss.samples), want, rtol=2e-5)
    assert perplexity.value == pytest.approx(np.exp(np.mean(want)), rel=1e-5)
    assert loss.groups.tolist() == [0] * 4 + [1] * 4 + [0] * 6


def test_long_texts_are_cut_and_lose_no_token(tmp_path, bert):
    path = tokenizer(tmp_path)
    task = masked_language("hidden", data=written(tmp_path, LINES[2:]), tokenizer=path, longest=6)
    loss, _ = task.prepare("report", device="cpu")(bert, QuietContext())
    np.testing.assert_allclose(np.asarray(loss.samples), slow(bert, path, ["the rose is a", "red rose"]), rtol=2e-5)


def test_a_model_in_memory_is_scored_on_it(tmp_path, bert):
    options = {"data": str(written(tmp_path)), "tokenizer": str(tokenizer(tmp_path, mask="<mask>")), "tokens": 7}
    task = solera.task("masked_language", "hidden", **options)
    (loss, _) = solera.open(bert).evaluate(task)
    assert loss.count == 7
    assert loss.value == pytest.approx(task.prepare("report", device="cpu")(bert, QuietContext())[0].value, rel=1e-5)


def test_what_does_not_fit_is_a_sentence(tmp_path, bert):
    def columns(path, **options):
        return masked_language("hidden", data=written(tmp_path), tokenizer=path, **options).columns("report")

    with pytest.raises(TaskError, match=r"neither \[MASK\] nor <mask>.*choose the task 'language'"):
        columns(tokenizer(tmp_path, mask="[HIDE]"))
    with pytest.raises(TaskError, match="no token '<none>'"):
        columns(tokenizer(tmp_path), mask="<none>")
    columns(tokenizer(tmp_path, mask="[HIDE]"), mask="[HIDE]")
    made = Tokenizer.from_file(str(tokenizer(tmp_path)))
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] [CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    made.save(str(tmp_path / "wide.json"))
    with pytest.raises(TaskError, match="cuts texts to 3 tokens, and the tokenizer puts 3 around"):
        columns(tmp_path / "wide.json", longest=3)

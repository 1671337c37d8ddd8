import json
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch import nn

import solera
from solera.api import QuietContext, TaskError
from solera_plugins.language.texts import text_classification

transformers = pytest.importorskip("transformers")

LINES: list[dict[str, Any]] = [
    {"text": "red " * (1 + i % 5) + f"number {i}", "label": i % 3, "document": i // 2} for i in range(40)
]


@pytest.fixture(scope="module")
def bert():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=300, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
            num_labels=3, max_position_embeddings=64, initializer_range=0.5,
        )  # fmt: skip
        return transformers.BertForSequenceClassification(config).eval()


def written(tmp_path, lines):
    (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return tmp_path / "texts.jsonl"


@pytest.mark.parametrize("chunk", [1, 7, 32])
def test_texts_are_scored_as_if_each_were_alone(tmp_path, letters, bert, chunk):
    task = text_classification("mood", data=written(tmp_path, LINES), tokenizer=letters, chunk=chunk)
    tokenizer = Tokenizer.from_file(str(letters))
    want = {}
    for i, line in enumerate(LINES):
        with torch.no_grad():
            logits = bert(torch.tensor([tokenizer.encode(line["text"]).ids])).logits[0].double()
        want[i] = (-float(logits.log_softmax(0)[line["label"]]), float(int(logits.argmax()) == line["label"]))
    losses, right, count = [], [], 0
    for split in ("train", "selection", "report"):
        loss, accuracy = task.prepare(split, device="cpu")(bert, QuietContext())
        losses += loss.samples.tolist()
        right += accuracy.samples.tolist()
        count += len(set(loss.groups.tolist()))
    assert sorted(losses) == pytest.approx(sorted(value for value, _ in want.values()), rel=1e-4)
    assert sum(right) == sum(value for _, value in want.values())
    assert count == 20  # documents are not torn apart


def test_a_part_is_the_whole_and_a_preview_has_every_label(tmp_path, letters, bert):
    task = text_classification("mood", data=written(tmp_path, LINES), tokenizer=letters)
    evaluator = task.prepare("train", device="cpu")
    whole, rows = evaluator(bert, QuietContext())[0], np.array([7, 2])
    part = evaluator.part(rows)(bert, QuietContext())[0]
    np.testing.assert_allclose(np.asarray(part.samples), np.asarray(whole.samples)[rows], rtol=1e-4)
    assert task.prepare("train", device="cpu", limit=3).count == 3


def test_a_model_in_memory_is_scored_on_it(tmp_path, letters, bert):
    options = {"data": str(written(tmp_path, LINES)), "tokenizer": str(letters)}
    task = solera.task("text_classification", "mood", **options)
    (loss, _) = solera.open(bert).evaluate(task)
    assert loss.value == pytest.approx(task.prepare("report", device="cpu")(bert, QuietContext())[0].value, rel=1e-5)


def test_what_does_not_fit_is_a_sentence(tmp_path, letters, bert):
    def read(lines, network=None):
        task = text_classification("mood", data=written(tmp_path, lines), tokenizer=letters)
        return task.prepare("report", device="cpu")(network or bert, QuietContext())

    for wrong, said in (
        ({"text": "a"}, "has the label None"),
        ({"text": "a", "label": -1}, "has the label -1"),
        ({"text": "a", "label": True}, "has the label True"),
        ({"label": 1}, "has no 'text'"),
        ({"text": "", "label": 1}, "without a token"),
    ):
        with pytest.raises(TaskError, match=f"line 1 of .*{said}"):
            read([{**wrong, "split": "report"}])
    with pytest.raises(TaskError, match=r"labels up to 3 and needs a row of more logits per text; .* \(1, 3\)"):
        read([{"text": "a", "label": 3, "split": "report"}])
    with pytest.raises(TaskError, match="cannot take the inputs"):
        read([{"text": "a", "label": 0, "split": "report"}], nn.Linear(2, 2))

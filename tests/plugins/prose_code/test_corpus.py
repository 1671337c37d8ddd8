import sys

import pytest

from solera.api import TaskError
from solera.tasks.scores import SPLITS
from solera_plugins.prose_code import corpus
from solera_plugins.prose_code.corpus import documents

KINDS = ("prose", "code")


@pytest.mark.parametrize("kind", KINDS)
def test_splits_share_no_document_and_have_their_sizes(kind):
    texts = {split: documents(kind, split) for split in SPLITS}
    everything = [text for split in SPLITS for text in texts[split]]
    assert len(set(everything)) == len(everything)
    characters = {split: sum(map(len, texts[split])) for split in SPLITS}
    total = sum(characters.values())
    assert 0.55 < characters["train"] / total < 0.75
    assert characters["selection"] / total > 0.07
    assert characters["report"] / total > 0.15
    assert min(len(texts[split]) for split in SPLITS) >= 5


def test_no_paragraph_of_prose_is_in_two_documents():
    paragraphs = [
        " ".join(part.split())
        for split in SPLITS
        for text in documents("prose", split)
        for part in text.split("\n\n")
        if part.split()
    ]
    assert len(set(paragraphs)) == len(paragraphs)


def test_it_is_the_same_every_time():
    first = documents("code", "report")
    corpus._splits.cache_clear()
    assert documents("code", "report") == first


def test_without_the_texts_a_sentence(monkeypatch):
    corpus._splits.cache_clear()
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(TaskError, match="pydoc_data"):
        documents("prose", "train")
    corpus._splits.cache_clear()


def test_a_python_without_sources_is_a_sentence(monkeypatch):
    corpus._splits.cache_clear()
    monkeypatch.setattr(corpus, "_code", list)
    with pytest.raises(TaskError, match="only 0 documents of code"):
        documents("code", "train")
    corpus._splits.cache_clear()

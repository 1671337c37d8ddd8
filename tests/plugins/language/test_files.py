import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from solera.api import TaskError
from solera_plugins.language.files import language


@pytest.fixture
def tokenizer(tmp_path):
    words = Tokenizer(models.WordLevel({str(i): i for i in range(20)}, unk_token="0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    path = tmp_path / "tokenizer.json"
    words.save(str(path))
    return path


def windows(task, split):
    return task.prepare(split, device="cpu")._inputs.tolist()


def text(number):
    return " ".join([str(number)] * 5)


def test_a_folder_of_texts(tmp_path, tokenizer):
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number:02}.txt").write_text(text(number))
    task = language("mine", data=folder, tokenizer=tokenizer, window=4)
    found = [[row[0] for row in windows(task, split)] for split in ("train", "selection", "report")]
    assert [len(part) for part in found] == [12, 3, 5]
    assert sorted(first for part in found for first in part) == list(range(20))


def test_subfolders_are_splits(tmp_path, tokenizer):
    for split, number in (("train", 1), ("selection", 2), ("report", 3)):
        (tmp_path / "texts" / split).mkdir(parents=True)
        (tmp_path / "texts" / split / "a.txt").write_text(text(number))
    task = language("mine", data=tmp_path / "texts", tokenizer=tokenizer, window=4)
    assert windows(task, "report") == [[3, 3, 3, 3]]


def test_json_lines_with_and_without_splits(tmp_path, tokenizer):
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(json.dumps({"text": text(n), "split": s}) for n, s in ((4, "report"), (5, "train"))))
    assert windows(language("a", data=path, tokenizer=tokenizer, window=4), "report") == [[4, 4, 4, 4]]
    path.write_text("\n".join(json.dumps({"text": text(n)}) for n in range(20)))
    assert len(windows(language("b", data=path, tokenizer=tokenizer, window=4), "report")) == 5


def test_bad_inputs_are_sentences(tmp_path, tokenizer):
    with pytest.raises(TaskError, match="no file or folder"):
        language("mine", data=tmp_path / "texts", tokenizer=tokenizer).columns("report")
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "1"}\nnonsense')
    with pytest.raises(TaskError, match="line 2"):
        language("mine", data=path, tokenizer=tokenizer).columns("report")
    path.write_text('{"words": 1}')
    with pytest.raises(TaskError, match="no 'text'"):
        language("mine", data=path, tokenizer=tokenizer).columns("report")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TaskError, match="UTF-8"):
        language("mine", data=path, tokenizer=tokenizer).columns("report")
    path.write_text(json.dumps({"text": text(1)}))
    with pytest.raises(TaskError, match="no tokenizer at"):
        language("mine", data=path, tokenizer=tmp_path / "none.json").columns("report")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(TaskError, match="is no tokenizer"):
        language("mine", data=path, tokenizer=tmp_path / "bad.json").columns("report")

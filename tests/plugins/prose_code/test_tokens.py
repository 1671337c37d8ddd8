import pytest

from solera.api import TaskError
from solera_plugins.prose_code.tokens import encode, learn, load

TEXT = "def naïve(x):\n\treturn '→ 日本' * x\n"


@pytest.fixture(scope="module")
def tokenizer():
    return learn(300)


def test_every_text_survives(tokenizer):
    (ids,) = encode(tokenizer, [TEXT])
    assert tokenizer.decode(ids.tolist()) == TEXT
    assert ids.max() < 300


def test_learning_is_reproducible(tokenizer):
    assert learn(300).to_str() == tokenizer.to_str()


def test_it_survives_the_file(tokenizer, tmp_path):
    file = tmp_path / "tokenizer.json"
    file.write_text(tokenizer.to_str(pretty=True))
    assert (encode(load(file), [TEXT])[0] == encode(tokenizer, [TEXT])[0]).all()


def test_a_missing_or_broken_file_is_a_sentence(tmp_path):
    with pytest.raises(TaskError, match="no tokenizer at"):
        load(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(TaskError, match="is no tokenizer"):
        load(tmp_path / "tokenizer.json")

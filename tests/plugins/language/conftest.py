import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers


@pytest.fixture
def letters(tmp_path):
    """A byte-level tokenizer in which words of their own begin with a space, and some letters grow together."""
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokens = [*sorted(alphabet), "Ġr", "ed", "Ġred", "<s>", "</s>"]
    merges = [("Ġ", "r"), ("e", "d"), ("Ġr", "ed")]
    made = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<s>", "</s>"])
    path = tmp_path / "letters.json"
    made.save(str(path))
    return path

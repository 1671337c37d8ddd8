"""The example's tokenizer: byte-level BPE, learned from its own training texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from solera.api import TaskError
from solera_plugins.prose_code.corpus import documents

#: Characters of each kind the merges are learned from.
_LEARN_FROM = 300_000


def learn(vocabulary: int) -> Tokenizer:
    """A tokenizer learned from the training split of both kinds; the same texts give the same tokenizer.

    Raises:
        TaskError: The texts are missing.
    """
    tokenizer: Tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = ["".join(documents(kind, "train"))[:_LEARN_FROM] for kind in ("prose", "code")]
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def load(path: Path) -> Tokenizer:
    """The tokenizer in a ``tokenizer.json``.

    Raises:
        TaskError: There is none, or it cannot be read.
    """
    if not path.is_file():
        raise TaskError(
            f"There is no tokenizer at {path}. It lies beside the checkpoints of the prose and code example; "
            "make them first, or name another tokenizer.json.",
            path=str(path),
        )
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception for a malformed file
        raise TaskError(f"{path} is no tokenizer: {error}.", path=str(path)) from error
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[NDArray[np.int64]]:
    """Token ids of each text, int64 of shape (tokens,)."""
    return [np.asarray(item.ids, dtype=np.int64) for item in tokenizer.encode_batch(list(texts))]

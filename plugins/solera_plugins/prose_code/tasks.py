"""The task kind ``prose_code``: predict one kind of text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from solera.api import LanguageTask, Param, Split, TaskError
from solera_plugins.prose_code.corpus import Kind, documents


def prose_code(
    name: str,
    *,
    text: Annotated[Kind, Param(help="Which kind of text: the language reference, or the standard library.")],
    tokenizer: Annotated[Path, Param(help="The tokenizer.json of the checkpoints.")],
    window: Annotated[int, Param(1, 4096, unit="tokens", help="Tokens predicted per window.")] = 128,
    windows: Annotated[int, Param(1, help="At most this many windows per split.")] = 160,
) -> LanguageTask:
    """Predict CPython's own texts; errors are clustered by document."""

    def data(split: Split) -> Sequence[Sequence[int]]:
        try:
            from solera_plugins.prose_code.tokens import encode, load
        except ImportError as error:
            raise TaskError(
                f"Task '{name}' needs the package tokenizers. Install the demo: pip install 'solera[demo]'.", task=name
            ) from error
        return [ids.tolist() for ids in encode(load(Path(tokenizer)), documents(text, split))]

    return LanguageTask(name, data, window=window, windows=windows)

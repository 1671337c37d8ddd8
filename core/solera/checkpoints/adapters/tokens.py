"""Trained tokens: some rows of an embedding are replaced, the others stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from solera.checkpoints.adapters.change import Change, Formula, Rows, Site, float_bytes, read_float
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import MismatchError

if TYPE_CHECKING:
    from torch import Tensor

#: The parameter that holds the new rows.
PART = "trainable_tokens_delta"


@dataclass(frozen=True)
class TokenRows:
    """``W'[token] = row`` for some tokens.

    Attributes:
        values: The new rows, in the order of ``tokens``.
        tokens: Which rows they replace.
    """

    values: TensorRef
    tokens: tuple[int, ...]
    additive: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of the new rows."""
        return float_bytes(self.values)

    def load(self, rows: Rows) -> Formula:
        """Read the new rows."""
        import torch

        values, tokens = read_float(self.values), torch.tensor(self.tokens)

        def replaced(first: int, last: int, rows: Rows) -> Tensor:
            made = rows(first, last).clone()
            here = (tokens >= first) & (tokens < last)
            made[tokens[here] - first] = values[here]
            return made

        return replaced


def tokens(site: Site) -> dict[str, Change]:
    """Trained tokens: the rows of some tokens of an embedding, replaced.

    Raises:
        MismatchError: Its rows do not fit the embedding, or the config's tokens.
    """
    others = [name for name in site.parts if name != PART]
    if others:
        raise MismatchError(
            f"The adapter {site.adapter.name} has trained tokens and {others[0]} in '{site.module}'; only one "
            "of them is read.",
            module=site.module,
        )
    values, said = site.part(PART), _said(site)
    if not isinstance(said, list) or any(type(token) is not int or not 0 <= token < site.weight[0] for token in said):
        raise MismatchError(
            f"The config of the adapter {site.adapter.name} should list tokens from 0 to {site.weight[0] - 1} for "
            f"'{site.module}'; it has {said!r:.80}.",
            module=site.module,
        )
    if values.shape != (len(said), *site.weight[1:]):
        raise site.misfit(PART, [len(said), *site.weight[1:]])
    return {"weight": TokenRows(values, tuple(said))}


def _said(site: Site) -> Any:
    """Which tokens the config names for a module; a mapping is read by the ends of names."""
    plain = site.adapter.config.plain
    said = plain.get("token_indices", plain.get("trainable_token_indices"))
    if isinstance(said, Mapping):
        return next((item for name, item in said.items() if f".{site.module}".endswith(f".{name}")), None)
    return said

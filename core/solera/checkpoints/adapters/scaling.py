"""IA3: every output, or every input of a feed-forward layer, is multiplied by a number.

Liu et al. 2022 (https://arxiv.org/abs/2205.05638).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from solera.checkpoints.adapters.change import Change, Formula, Rows, Site, float_bytes, read_float
from solera.checkpoints.adapters.config import MAX_PATTERN
from solera.checkpoints.tensor_ref import TensorRef


@dataclass(frozen=True)
class Scaled:
    """``W' = diag(l) W`` or ``W' = W diag(l)``.

    Attributes:
        factors: ``l``.
        side: What it multiplies.
        repeat: Columns for each number: a convolution's kernel.
    """

    factors: TensorRef
    side: Literal["rows", "columns"]
    repeat: int = 1
    additive: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of the numbers."""
        return float_bytes(self.factors) * self.repeat

    def load(self, rows: Rows) -> Formula:
        """Read the numbers."""
        factors = read_float(self.factors).reshape(-1)
        if self.side == "rows":
            return lambda first, last, rows: rows(first, last) * factors[first:last].unsqueeze(1)
        across = factors.repeat_interleave(self.repeat).unsqueeze(0)
        return lambda first, last, rows: rows(first, last) * across


def ia3(site: Site) -> dict[str, Change]:
    """IA3: ``diag(l) W``, of a feed-forward layer ``W diag(l)``; scaled outputs scale the bias; linear, convolution.

    Raises:
        MismatchError: Its tensor does not fit the base's.
    """
    factors = site.part("ia3_l")
    rows, columns = site.matrix
    if len(site.weight) == 2:
        of_inputs = factors.shape[:1] == (1,) and (factors.shape != (1, 1) or _is_feedforward(site))
        transposed = site.adapter.config.flag("fan_in_fan_out")
    else:
        of_inputs, transposed = _is_feedforward(site), False
    channels = site.weight[1] if len(site.weight) > 1 else 1
    along_columns = of_inputs != transposed
    if factors.numel != (channels if along_columns else rows):
        raise site.misfit("ia3_l", f"{channels if along_columns else rows} numbers")
    repeat = columns // max(channels, 1)
    changes: dict[str, Change] = {
        "weight": Scaled(factors, "columns", repeat) if along_columns else Scaled(factors, "rows")
    }
    if not of_inputs and site.bias is not None:
        changes["bias"] = Scaled(factors, "rows")
    return changes


def _is_feedforward(site: Site) -> bool:
    """Whether the config counts a module among the feed-forward ones: a list of endings, or one regular expression."""
    said = site.adapter.config.plain.get("feedforward_modules") or []
    if isinstance(said, str):
        return len(said) <= MAX_PATTERN and re.fullmatch(said, site.module) is not None
    return any(site.module.endswith(str(ending)) for ending in said)

"""TIES: trim small changes, elect a sign, merge the changes that agree with it."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import Param, Passes, Piece, method
from solera_plugins.merging.sums import weighted_sum
from solera_plugins.merging.trimming import Compat, Cut, find_cuts, squared_norms, trim

Elect = Literal["mass", "count", "normfrac", "normmass", "none"]


class Survey:
    """What the whole scope (a tensor, or the model) tells about each part of it.

    Attributes:
        cuts: Where each model is trimmed.
        norms: Squared norm of each trimmed task vector; 1 where the election needs none.
        majority: The sign most coordinates elect: 1, -1, or 0 for none.
    """

    def __init__(self, passes: Passes, density: tuple[float, ...], compat: Compat) -> None:
        self._passes = passes
        self.cuts: list[Cut] = find_cuts(passes, density, compat)
        self.norms: list[float] = [1.0] * len(density)
        self.majority = 0

    def weigh(self) -> None:
        """Find the norms."""
        self.norms = squared_norms(self._passes, self.cuts)

    def vote(self, weight: tuple[float, ...], elect: Elect) -> None:
        """Find the majority."""
        balance = 0
        for cut in self.cuts:
            cut.restart()
        for name, deltas in self._passes:
            kept = [trim(delta, cut, name) * w for delta, cut, w in zip(deltas, self.cuts, weight, strict=True)]
            signs = elected(kept, elect, self.norms)
            balance += int((signs > 0).sum()) - int((signs < 0).sum())
        self.majority = (balance > 0) - (balance < 0)


def survey(
    passes: Passes, *, density: tuple[float, ...], weight: tuple[float, ...], elect: Elect, zero_sign: str,
    compat: Compat, **_: object,
) -> Survey:  # fmt: skip
    """Go over the scope as often as the parameters ask for."""
    found = Survey(passes, density, compat)
    if elect in {"normfrac", "normmass"}:
        found.weigh()
    if elect != "none" and zero_sign == "majority":
        found.vote(weight, elect)
    return found


@method(
    "ties",
    title="TIES",
    takes="delta",
    base="required",
    granularity="tensor",
    prepare=survey,
    prepare_when=lambda params: params["scope"] == "model",
    paper="Yadav et al. 2023, TIES-Merging: resolving interference when merging models",
    url="https://arxiv.org/abs/2306.01708",
)
def ties(
    deltas: list[Tensor],
    *,
    density: Annotated[
        tuple[float, ...],
        Param(0.0, 1.0, per_model=True, step=0.05, search=(0.05, 1.0), help="Share of each task vector that is kept."),
    ] = (0.2,),
    scale: Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the merged vector.")] = 1.0,
    weight: Annotated[
        tuple[float, ...], Param(per_model=True, step=0.05, search=(0.0, 1.0), help="Say of each model.")
    ] = (1.0,),
    scope: Annotated[
        Literal["tensor", "model"], Param(help="Trim each tensor on its own, or the model as one vector.")
    ] = "tensor",
    elect: Annotated[
        Elect,
        Param(help="Sign of the sum (mass), of most models (count), of the largest share of norm, or no election."),
    ] = "mass",
    zero_sign: Annotated[
        Literal["majority", "plus", "drop"],
        Param(help="Where the vote is even: the sign most coordinates of the scope have, plus, or leave the base."),
    ] = "majority",
    merge: Annotated[
        Literal["mean", "sum", "max"], Param(help="How the changes that agree are put together.")
    ] = "mean",
    compat: Annotated[
        Compat,
        Param(help="Whose counting: ours is exact; 'authors' keep one more and all ties, and read no sign as minus."),
    ] = "none",
    state: Survey | None = None,
    piece: Piece | None = None,
) -> Tensor:
    """Trim each task vector, elect a sign per coordinate, merge what agrees with it.

    1. Trim: ``d'_i`` keeps the ``floor(density * n)`` largest ``|d_i|`` (at least one; ties: lowest index first).
    2. Elect: ``s = sign(sum_i w_i d'_i)``.
    3. Merge: ``m = sum_{i: sign d'_i = s} w_i d'_i / sum_{i: sign d'_i = s} w_i``.

    ``W = W0 + scale * m``. With one density, ``scope=model`` and ``compat=authors`` it is the released code; with
    ``zero_sign=plus`` it is mergekit's formula.

    Args:
        deltas: One task vector per model, one whole tensor, any one shape.
        density: Share kept, per model.
        scale: Common factor.
        weight: Multiplies each task vector before the election.
        scope: What ``density`` and the majority are counted over.
        elect: How the sign is chosen.
        zero_sign: The sign where the vote is even.
        merge: How agreeing changes are put together.
        compat: Whose counting to follow.
        state: What :func:`survey` found over the model.
        piece: Which tensor this is.
    """
    name = piece.name if piece else ""
    if state is None:
        alone = [(name, deltas)]
        state = survey(alone, density=density, weight=weight, elect=elect, zero_sign=zero_sign, compat=compat)
    kept = [trim(delta, cut.fresh(), name) * w for delta, cut, w in zip(deltas, state.cuts, weight, strict=True)]
    if elect == "none":
        return together(kept, [entry != 0 for entry in kept], weight, merge) * scale
    signs = elected(kept, elect, state.norms)
    if zero_sign != "drop":
        signs = torch.where(signs == 0, 1.0 if zero_sign == "plus" else float(state.majority), signs)
    agree = [torch.where(signs > 0, entry > 0, entry < 0) for entry in kept]
    if compat != "authors" or zero_sign == "drop":
        agree = [mask & (signs != 0) for mask in agree]
    return together(kept, agree, weight, merge) * scale


def elected(kept: list[Tensor], elect: Elect, norms: list[float]) -> Tensor:
    """The sign of each coordinate: -1, 0 or 1."""
    if elect == "mass":
        return weighted_sum(kept, [1.0] * len(kept)).sign()
    if elect == "count":
        return weighted_sum([entry.sign() for entry in kept], [1.0] * len(kept)).sign()
    shares = [entry * entry / (norm or 1.0) for entry, norm in zip(kept, norms, strict=True)]
    if elect == "normmass":
        return weighted_sum([s * entry.sign() for s, entry in zip(shares, kept, strict=True)], [1.0] * len(kept)).sign()
    best, signs = shares[0], kept[0].sign()
    for share, entry in zip(shares[1:], kept[1:], strict=True):
        signs = torch.where(share > best, entry.sign(), signs)
        best = torch.maximum(best, share)
    return signs


def together(kept: list[Tensor], agree: list[Tensor], weight: tuple[float, ...], merge: str) -> Tensor:
    """Mean, sum or largest of the entries that agree; 0 where none does."""
    chosen = [torch.where(mask, entry, 0.0) for mask, entry in zip(agree, kept, strict=True)]
    if merge == "max":
        largest = chosen[0]
        for entry in chosen[1:]:
            largest = torch.where(entry.abs() > largest.abs(), entry, largest)
        return largest
    total = weighted_sum(chosen, [1.0] * len(chosen))
    if merge == "sum":
        return total
    shares = weighted_sum([mask.to(total.dtype) for mask in agree], weight)
    return total / torch.where(shares == 0, 1.0, shares)

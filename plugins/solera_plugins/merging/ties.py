"""TIES: trim small changes, elect a sign, merge the changes that agree with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import HeldPasses, InputError, Param, Passes, Piece, Tape, TapeValue, bricks, method, reductions
from solera_plugins.merging.combining import (
    Majority,
    ZeroSign,
    agreeing,
    decided,
    tape_agreeing,
    tape_decided,
    tape_elected,
    tape_weighted,
    weighted,
)
from solera_plugins.merging.sums import weighted_sum
from solera_plugins.merging.trimming import (
    WHOLE,
    Compat,
    Cut,
    Elect,
    Norm,
    Share,
    are_new,
    deviation_cuts,
    find_cuts,
    norm_factors,
    placed,
    rescaled,
    scaled,
    trimmed,
)


@dataclass(frozen=True, slots=True)
class Survey:
    """What a whole tensor, or model, tells about each of its parts.

    Attributes:
        cuts: Where each model is trimmed.
        factors: What brings each trimmed vector to its former norm.
        norms: Squared norm of each trimmed task vector; 1 where the election needs none.
        majority: The sign most coordinates elect.
    """

    cuts: list[Cut]
    factors: list[float]
    norms: list[float]
    majority: Majority

    def trimmed(self, deltas: Sequence[Tensor], piece: Piece) -> list[Tensor]:
        """A piece of every task vector, trimmed and rescaled."""
        return rescaled(trimmed(deltas, self.cuts, piece), self.factors, deltas)


def survey(
    passes: Passes, *, density: tuple[float, ...], weight: tuple[float, ...], elect: Elect, compat: Compat,
    share: Share = "count", deviations: float = 1.0, rescale: Norm = "none", scope: str = "model", **_: object,
) -> Survey:  # fmt: skip
    """Go over the tensor or model as often as the parameters ask for.

    Raises:
        InputError: Tensors are to be rescaled although the model is trimmed as one vector.
    """
    if rescale != "none" and scope == "model":
        raise InputError("TIES rescales tensors trimmed on their own: set scope to 'tensor', or rescale to 'none'.")
    if share == "deviation":
        cuts = deviation_cuts(passes, deviations) or [WHOLE] * len(density)  # nothing was streamed
    else:
        cuts = find_cuts(passes, density, compat, share)
    factors = [1.0] * len(cuts)
    if rescale != "none" and passes.numel:
        factors = norm_factors(passes, lambda deltas, piece: trimmed(deltas, cuts, piece), rescale)
    norms = [1.0] * len(cuts)
    if elect in {"normfrac", "normmass"}:
        norms = [0.0] * len(cuts)
        for piece, deltas in placed(passes):
            for i, kept in enumerate(rescaled(trimmed(deltas, cuts, piece), factors, deltas)):
                norms[i] += reductions.dot(kept, kept)

    def vote(deltas: Sequence[Tensor], piece: Piece) -> Tensor:
        return elected(weighted(rescaled(trimmed(deltas, cuts, piece), factors, deltas), weight), elect, norms)

    return Survey(cuts, factors, norms, Majority(passes, vote))


def taped(
    tape: Tape, values: Sequence[TapeValue], *, scale: float, weight: tuple[float, ...], elect: Elect,
    zero_sign: ZeroSign, merge: str, compat: Compat, state: Survey, name: str, **_: object,
) -> TapeValue | None:  # fmt: skip
    """The merged task vector, element by element; not for shares of norm, nor without an election."""
    kept = [cut.tape(tape, value, name) for cut, value in zip(state.cuts, values, strict=True)]
    known = [value for value in kept if value is not None]
    if elect not in {"mass", "count"} or len(known) < len(kept):
        return None
    votes = tape_weighted(tape, tape_weighted(tape, known, state.factors), weight)
    signs = tape_elected(tape, votes if elect == "mass" else [tape.sign(vote) for vote in votes])
    majority = None if state.majority.known is None else undecided(compat, state.majority)
    made = tape_agreeing(tape, votes, tape_decided(tape, signs, votes, zero_sign, majority), weight, merge)
    return None if made is None else tape.scale(made, scale)


@method(
    "ties",
    title="TIES",
    takes="delta",
    base="required",
    granularity="element",
    tape=taped,
    prepare=survey,
    prepare_over=lambda params: params["scope"],
    version=3,
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
    rescale: Annotated[
        Norm,
        Param(help="Bring each trimmed tensor to its former 1-norm, 2-norm or largest magnitude."),
    ] = "none",
    share: Annotated[
        Share,
        Param(
            help="The density is a share of the entries, or of the squared norm that the largest make up; or what lies "
            "far from the mean is kept, whatever the density."
        ),
    ] = "count",
    deviations: Annotated[
        float, Param(0.0, step=0.5, search=(0.0, 4.0), help="With share deviation: more than so many stay.")
    ] = 1.0,
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
        rescale: Which norm trimming shall leave as it was.
        share: What the density is a share of; or trim by standard deviations instead.
        deviations: How many standard deviations from its mean an entry must lie to stay.
        compat: Whose counting to follow.
        state: What :func:`survey` found over the model.
        piece: Which tensor this is.

    Raises:
        InputError: Tensors are to be rescaled although the model is trimmed as one vector.

    Paper:
        density 0.2 with the model as one vector; scale 1, or tuned from 0.8 to 2.5 on held-out data.

    Pitfalls:
        - Changes of bfloat16 checkpoints have few distinct sizes, so many lie exactly on the threshold: which of them
        stay is a rule of each tool, and ours is the lowest index.
        - Under the mean, an entry that one model alone keeps counts in full, whatever the model's weight.
        - Negative weights turn the vote around, and what a mean is divided by may come near 0.
    """
    piece = piece or Piece("")
    if state is None:
        state = survey(
            HeldPasses(deltas, piece.name), density=density, weight=weight, elect=elect, compat=compat, share=share,
            deviations=deviations, rescale=rescale, scope=scope,
        )  # fmt: skip
    trimmed_ = state.trimmed(deltas, piece)
    kept = weighted(trimmed_, weight, own=are_new(trimmed_, deltas))
    if elect == "none":
        return scaled(unelected(kept, weight, merge), scale)
    signs = decided(elected(kept, elect, state.norms), kept, zero_sign, partial(undecided, compat, state.majority))
    return scaled(agreeing(kept, signs, weight, merge), scale)


def elected(kept: Sequence[Tensor], elect: Elect, norms: Sequence[float]) -> Tensor:
    """The sign of each coordinate: -1, 0 or 1."""
    if elect == "mass":
        return bricks.elect_sign(kept)
    if elect == "count":
        return bricks.elect_sign([entry.sign() for entry in kept])
    shares = [entry * entry / (norm or 1.0) for entry, norm in zip(kept, norms, strict=True)]
    if elect == "normmass":
        return bricks.elect_sign([share * entry.sign() for share, entry in zip(shares, kept, strict=True)])
    best, signs = shares[0], kept[0].sign()
    for share, entry in zip(shares[1:], kept[1:], strict=True):
        signs = torch.where(share > best, entry.sign(), signs)
        best = torch.maximum(best, share)
    return signs


def undecided(compat: Compat, majority: Majority) -> int:
    """The majority's sign; where there is none, 0 leaves the base."""
    return -1 if majority.sign == 0 and compat == "authors" else majority.sign


def unelected(kept: list[Tensor], weight: tuple[float, ...], merge: str) -> Tensor:
    """Mean, sum or largest of all entries that were kept."""
    if merge == "max":
        largest = kept[0]
        for entry in kept[1:]:
            largest = torch.where(entry.abs() > largest.abs(), entry, largest)
        return largest
    total = weighted_sum(kept, [1.0] * len(kept))
    return total if merge == "sum" else divided(total, [entry.abs() for entry in kept], weight)


def divided(total: Tensor, sizes: list[Tensor], weight: tuple[float, ...]) -> Tensor:
    """The total over the weights of those that have a size; as it is where none has."""
    shares = weighted_sum([size.sign() for size in sizes], weight)
    return total / (shares + bricks.equal(shares, 0.0))

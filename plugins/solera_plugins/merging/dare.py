"""DARE: drop changes at random, scale up what remains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from torch import Tensor

from solera.api import HeldPasses, Param, Passes, Piece, Tape, TapeValue, bricks, method, selection
from solera_plugins.merging.combining import COMBINE_HELP, ZERO_SIGN_HELP, Combine, ZeroSign
from solera_plugins.merging.masks import Masks, remembered
from solera_plugins.merging.thinning import NORMS, Thinned
from solera_plugins.merging.trimming import WHOLE, Cut, cuts_at, trimmed

Rescale = Literal["inverse", "l1", "l2", "linf", "none"]


def survey(
    passes: Passes, masks: Sequence[Tensor] | None = None, *, density: tuple[float, ...], weight: tuple[float, ...],
    rescale: Rescale, q: tuple[float, ...], strategy: str, seed: int, **_: object,
) -> Thinned:  # fmt: skip
    """Decide what is dropped of a tensor; goes over it only for thresholds and norms."""
    cuts = smaller(passes, density) if strategy == "magnitude" and masks is None else []
    drawn = Masks(
        lambda i, delta, piece: bricks.random_mask(delta.shape, density[i], seed, piece, i, delta.device),
        len(density), passes.numel if rescale in NORMS else 0,
    )  # fmt: skip

    def thin(deltas: Sequence[Tensor], piece: Piece) -> list[Tensor]:
        if masks is not None:
            kept = [bricks.masked(delta, mask) for delta, mask in zip(deltas, masks, strict=True)]
        elif cuts:
            kept = trimmed(deltas, cuts, piece)
        else:
            kept = [drawn.keep(i, delta, piece) for i, delta in enumerate(deltas)]
        if rescale != "inverse":
            return kept
        divisors = [divisor or share for divisor, share in zip(q, density, strict=True)]
        return [entry / by if by > 0 else entry for entry, by in zip(kept, divisors, strict=True)]

    def build(tape: Tape, values: Sequence[TapeValue], name: str) -> Sequence[TapeValue] | None:
        if masks is not None or passes.numel >= 1 << 32:
            return None
        if cuts:
            kept = [cut.tape(tape, value, name) for cut, value in zip(cuts, values, strict=True)]
        else:
            kept = [bricks.random_thin(tape, v, density[i], seed, name, i) for i, v in enumerate(values)]
        known = [value for value in kept if value is not None]
        if rescale == "inverse":
            divisors = [divisor or share for divisor, share in zip(q, density, strict=True)]
            known = [tape.divide_by(v, by) if by > 0 else v for v, by in zip(known, divisors, strict=True)]
        return known

    return Thinned(passes, thin, weight, rescale, build)


def taped(
    tape: Tape, values: Sequence[TapeValue], *, combine_by: Combine, zero_sign: ZeroSign, scale: float, state: Thinned,
    name: str, **_: object,
) -> TapeValue | None:  # fmt: skip
    """The merged task vector, element by element."""
    return state.taped(tape, values, name, combine_by, zero_sign, scale)


def gathered(params: Mapping[str, Any], sizes: Mapping[str, int], models: int) -> int:
    """Bytes of the masks, or of the selections."""
    if params["strategy"] == "magnitude":
        return models * selection.HELD
    return remembered(sizes, models) if params["rescale"] in NORMS else 0


def smaller(passes: Passes, density: Sequence[float]) -> list[Cut]:
    """Cuts above the ``floor(n (1 - density))``-th smallest magnitude; all that equal it are dropped."""
    dropped = [int(passes.numel * (1 - share)) for share in density]
    cuts = cuts_at(passes, [(i, passes.numel - count + 1) for i, count in enumerate(dropped)], all_ties=True)
    return [replace(cut, until=("", 0)) if count else WHOLE for cut, count in zip(cuts, dropped, strict=True)]


@method(
    "dare",
    title="DARE",
    takes="delta",
    base="required",
    granularity="element",
    tape=taped,
    prepare=survey,
    prepare_over="tensor",
    gathers=gathered,
    version=3,
    paper="Yu et al. 2024, Language models are super Mario: absorbing abilities from homologous models as a free lunch",
    url="https://arxiv.org/abs/2311.03099",
    also={
        "DARE TIES": "combine by ties_sum (or ties)",
        "DARE linear": "combine by sum",
        "DAREx-q": "q: what to divide by, tuned on held-out data; the method darex_q finds it from unlabelled data",
        "Magnitude pruning": "strategy magnitude, rescale none",
    },
)
def dare(
    deltas: list[Tensor],
    masks: Sequence[Tensor] | None = None,
    *,
    density: Annotated[
        tuple[float, ...],
        Param(0.0, 1.0, per_model=True, step=0.05, search=(0.05, 1.0), help="Share kept, 1 - the drop rate p."),
    ] = (0.8,),
    scale: Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the merged vector.")] = 1.0,
    weight: Annotated[
        tuple[float, ...], Param(per_model=True, step=0.05, search=(0.0, 1.0), help="Weight of each task vector.")
    ] = (1.0,),
    combine_by: Annotated[Combine, Param(title="Combine by", help=COMBINE_HELP)] = "sum",
    zero_sign: Annotated[ZeroSign, Param(help=ZERO_SIGN_HELP)] = "majority",
    rescale: Annotated[
        Rescale,
        Param(help="Divide what is kept by the density; or bring each tensor to its former norm; or neither."),
    ] = "inverse",
    q: Annotated[
        tuple[float, ...],
        Param(
            0.0,
            1.0,
            per_model=True,
            step=0.01,
            search=(0.05, 1.0),
            help="What to divide by (DAREx-q); 0: the density.",
        ),
    ] = (0.0,),
    strategy: Annotated[
        Literal["random", "magnitude"], Param(help="Drop at random, or the smallest (the paper's baseline).")
    ] = "random",
    seed: Annotated[int, Param(help="Of the random masks; a mask is a function of seed, tensor name and model.")] = 0,
    state: Thinned | None = None,
    piece: Piece | None = None,
) -> Tensor:
    """Drop each change with probability p, divide the others by 1 - p, merge.

    ``d'_i = d_i m_i / (1 - p)`` with ``m_i ~ Bernoulli(1 - p)`` for each element; ``W = W0 + scale * sum_i w_i d'_i``.
    At density 0 nothing is kept and nothing divided. DAREx-q (Deng et al. 2025) divides by a ``q`` of at least ``1 -
    p`` instead, tuned on held-out data. Made for small changes (a range of about 0.005): where they are large, dropping
    most of them breaks the model.

    Args:
        deltas: One task vector per model, one whole tensor, any one shape.
        masks: True where kept, one per model; drawn if None.
        density: Probability of being kept, per model.
        scale: Common factor.
        weight: One number per model.
        combine_by: How the sparse vectors are put together.
        zero_sign: What an even vote takes.
        rescale: How the loss is made up for.
        q: What to divide by, per model; 0 for the density.
        strategy: Which are dropped.
        seed: Of the masks.
        state: What :func:`survey` found.
        piece: Which tensor this is.

    Paper:
        drop rates of 0.9 and more for supervised fine-tuning, without loss while changes are small.

    Pitfalls:
        - Where changes are large (a range beyond about 0.005), dropping most of them breaks the model.
        - Masks are a function of seed, tensor name and model: renaming tensors or reordering models draws others.
        - Scaling to the former 1-norm, as mergekit does, differs from dividing by the density where few entries
        survive.
    """
    piece = piece or Piece("")
    if state is None:
        state = survey(
            HeldPasses(deltas, piece.name), masks, density=density, weight=weight, rescale=rescale, q=q,
            strategy=strategy, seed=seed,
        )  # fmt: skip
    return state.merged(deltas, piece, combine_by, zero_sign, scale)

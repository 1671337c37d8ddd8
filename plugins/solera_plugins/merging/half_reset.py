"""Half-reset: half of a fine-tuned model's matrices are put back to the base, category by category in every block."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from torch import Tensor

from solera.api import Param, Passes, Piece, hashing, method

_BLOCK = re.compile(r"^(.*?\.\d+)\.(.+)$")
_ATTENTION = re.compile(r"attn|attention|(^|[._])[qkvo]_(proj|lin)")
_NORM = re.compile(r"norm|(^|[._])ln_?\d*\.|layernorm", re.IGNORECASE)

Category = Literal["attention", "feed-forward", "norm"]


def category(name: str) -> Category:
    """What a module in a block is told to be by its name."""
    if _NORM.search(name):
        return "norm"
    return "attention" if _ATTENTION.search(name) else "feed-forward"


def choose(names: Iterable[str], seed: int) -> frozenset[str]:
    """The modules that are put back: of every block and category half, drawn at random.

    Where a category has an odd number of modules (three feed-forward matrices), half of the blocks put back one more
    than half and the rest one less, so that over all blocks it is half.

    Args:
        names: Of tensors; a weight and its bias are one module.
        seed: Of the draw.
    """
    blocks: dict[tuple[str, Category], dict[str, float]] = {}
    for name in names:
        module = name.rpartition(".")[0]
        if (found := _BLOCK.match(name)) is not None:
            at = (found[1], category(found[2]))
            blocks.setdefault(at, {})[module] = _draw(seed, module)
    chosen: set[str] = set()
    for kind in ("attention", "feed-forward", "norm"):
        sets = {block: modules for (block, what), modules in blocks.items() if what == kind}
        odd = {_draw(seed, f"{block}:{kind}"): block for block in sets if len(sets[block]) % 2}
        more = {odd[draw] for draw in sorted(odd)[: (len(odd) + 1) // 2]}
        for block, modules in sets.items():
            order = sorted(modules, key=modules.__getitem__)
            chosen.update(order[: len(order) // 2 + (block in more)])
    return frozenset(chosen)


def _draw(seed: int, name: str) -> float:
    return float(hashing.uniform(seed, name, 0, 0, 1)[0])


def prepare(passes: Passes, *, seed: int, **_: object) -> frozenset[str]:
    """Learn the names of the whole model, and choose."""
    return choose(dict.fromkeys(name for name, _ in passes), seed)


@method(
    "half_reset",
    title="Half-reset (HFT)",
    takes="delta",
    base="required",
    granularity="element",
    inputs=(1, 1),
    prepare=prepare,
    gathers=0,
    paper="Hui et al. 2025, HFT: half fine-tuning for large language models",
    url="https://arxiv.org/abs/2404.18466",
)
def half_reset(
    deltas: list[Tensor],
    *,
    seed: Annotated[int, Param(help="Of the draw; another seed puts another half back.")] = 0,
    norms: Annotated[bool, Param(help="Whether half of the normalisations are put back too.")] = True,
    state: frozenset[str] | None = None,
    piece: Piece | None = None,
) -> Tensor:
    """Put half of the fine-tuned matrices back to the base, whole matrices, drawn at random in each block.

    ``W = W0`` for the chosen half, ``W = W1`` for the rest. In every block two of the four projections of attention are
    put back; of three feed-forward matrices two in a random half of the blocks and one in the others; of two, one.
    Embeddings, head and what lies in no block stay fine-tuned.

    Args:
        deltas: The task vector, any shape.
        seed: Of the draw.
        norms: Treat normalisations as a category of their own; else they stay fine-tuned.
        state: What :func:`choose` chose.
        piece: Which tensor this is.

    Paper:
        half of the matrices of each category and block.

    Pitfalls:
        - What the paper does with normalisations could not be read; that one of two is put back is our rule.
        - Categories are told by names (attn, attention, norm, ln); what is neither counts as feed-forward.
        - Half of the matrices is not half of the parameters.
    """
    name = piece.name if piece is not None else ""
    module = name.rpartition(".")[0]
    found = _BLOCK.match(name)
    still = found is not None and category(found[2]) == "norm" and not norms
    back = module in (state or frozenset()) and not still
    return deltas[0] * (0.0 if back else 1.0)

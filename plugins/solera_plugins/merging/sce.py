"""SCE: select where models differ most, calculate weights, erase minorities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from torch import Tensor

from solera.api import (
    HeldPasses,
    LoopPasses,
    Param,
    Passes,
    Piece,
    Tape,
    TapeValue,
    bricks,
    method,
    reductions,
    selection,
)
from solera_plugins.merging.combining import tape_agreeing, tape_elected, tape_weighted, weighted
from solera_plugins.merging.sums import weighted_sum
from solera_plugins.merging.trimming import NOTHING, WHOLE, Cut, Places, are_new, placed, scaled, ties_until


@dataclass(frozen=True, slots=True)
class Survey:
    """What the whole tensor tells.

    Attributes:
        numel: How many elements it has.
        cut: Which variances stay.
        energy: Sum of squares of what stays of each task vector.
    """

    numel: int
    cut: Cut
    energy: list[float]

    def chosen(self, deltas: Sequence[Tensor], piece: Piece) -> list[Tensor]:
        """A piece of every task vector, 0 where the variance is small."""
        if self.cut == WHOLE:
            return list(deltas)
        mask = self.cut.mask(variance(deltas), piece)
        return [delta * mask for delta in deltas]

    def on_tape(self, tape: Tape, values: Sequence[TapeValue], name: str) -> Sequence[TapeValue] | None:
        """:meth:`chosen`, element by element."""
        if self.cut == WHOLE:
            return values
        stays = self.cut.tape(tape, tape_variance(tape, values), name)
        if stays is None:
            return None
        mask = tape.sign(stays)  # variances that stay are positive
        return [tape.multiply(value, mask) for value in values]

    def weights(self, compat: str, count: int) -> list[float]:
        """Each vector's share of the energy, of so many vectors; of a tensor without elements there is none."""
        least = 1e-6 * self.numel if compat == "mergekit" else 0.0
        total = sum(self.energy)
        return [e / total for e in self.energy] if total > least else [1.0 / count] * count


class Variances:
    """The variance at each entry as a stream, from that of the task vectors."""

    def __init__(self, passes: Passes) -> None:
        self._passes = passes
        self.numel = passes.numel

    def __iter__(self) -> Iterator[tuple[str, Sequence[Tensor]]]:
        return ((name, [variance(deltas)]) for name, deltas in self._passes)

    def sample(self) -> Sequence[Sequence[Tensor]]:
        """As of the task vectors."""
        return [[variance(run)] for run in self._passes.sample()]

    def differing(self) -> int:
        """How many are not 0."""
        found = self._passes.sizes(_differs) if isinstance(self._passes, LoopPasses) else None
        if found is not None:
            return int(sum(found))
        return sum(int(size.count_nonzero()) for _, (size,) in self)


def _variances(tape: Tape, values: Sequence[TapeValue], name: str) -> Sequence[TapeValue]:
    return [tape_variance(tape, values)]


def _differs(tape: Tape, values: Sequence[TapeValue], name: str) -> Sequence[TapeValue]:
    return [tape.sign(tape_variance(tape, values))]


def survey(passes: Passes, *, density: float, **_: object) -> Survey:
    """Find which variances stay, and the energies of what stays: three passes, or one at density 1."""
    cut = largest_variances(passes, density) if density < 1 else WHOLE
    found = Survey(passes.numel, cut, [])
    gram = passes.products(found.on_tape) if isinstance(passes, LoopPasses) else None
    if gram is not None:
        return replace(found, energy=[gram[i][i] for i in range(len(gram))])
    products: reductions.Gram | None = None
    for piece, deltas in placed(passes):
        count = len(deltas)
        products = products or reductions.Gram(count, [(i, i) for i in range(count)])
        products.add(found.chosen(deltas, piece))
    return replace(found, energy=[products.total(i, i) for i in range(count)] if products else [])


def largest_variances(passes: Passes, density: float) -> Cut:
    """The cut that keeps a share of the entries at which the models differ."""
    variances, places = Variances(passes), Places(passes)
    differ = variances.differing()
    select = selection.StreamingSelect(int(differ * density))
    if select.k == 0:
        return NOTHING
    select.guess([run for (run,) in variances.sample()], select.k / passes.numel)
    while select.needs_pass:
        places.show([select], lambda deltas: [variance(deltas)], _variances)
    wanted = select.k - select.above
    if wanted >= select.ties:
        return Cut(select.threshold)
    last = select.tie_at(wanted)
    untold = {0: (0, select.threshold, wanted)} if last is None else {}
    return Cut(select.threshold, places.after(last) if last is not None else ties_until(variances, untold).get(0))


def variance(deltas: Sequence[Tensor]) -> Tensor:
    """The variance over the models at each entry."""
    share = 1.0 / len(deltas)
    mean = weighted_sum(deltas, [share] * len(deltas))
    total = (deltas[0] - mean).square_().mul_(share)
    for delta in deltas[1:]:
        total += (delta - mean).square_().mul_(share)
    return total


def tape_variance(tape: Tape, values: Sequence[TapeValue]) -> TapeValue:
    """:func:`variance`, element by element."""
    share = 1.0 / len(values)
    mean = tape.weighted_sum(values, [share] * len(values))
    parts = []
    for value in values:
        apart = tape.subtract(value, mean)
        parts.append(tape.scale(tape.multiply(apart, apart), share))
    return tape.weighted_sum(parts, [1.0] * len(parts))


def taped(
    tape: Tape, values: Sequence[TapeValue], *, scale: float, compat: str, state: Survey, name: str, **_: object
) -> TapeValue | None:  # fmt: skip
    """The merged task vector, element by element."""
    chosen = state.on_tape(tape, values, name)
    if chosen is None:
        return None
    weights = state.weights(compat, len(values))
    signs = tape_elected(tape, chosen)
    if compat == "mergekit":
        signs = tape.add(signs, tape.equals(signs, 0.0))
    made = tape_agreeing(tape, tape_weighted(tape, chosen, weights), signs, weights, "mean")
    return None if made is None else tape.scale(made, scale)


@method(
    "sce",
    title="SCE",
    takes="delta",
    base="required",
    granularity="element",
    tape=taped,
    prepare=survey,
    prepare_over="tensor",
    gathers=lambda params, sizes, models: selection.HELD if params["density"] < 1 else 0,
    version=3,
    paper="Wan et al. 2024, FuseChat: knowledge fusion of chat models",
    url="https://arxiv.org/abs/2408.07990",
)
def sce(
    deltas: list[Tensor],
    *,
    density: Annotated[
        float, Param(0.0, 1.0, step=0.05, search=(0.05, 1.0), help="Share of the entries kept: where models vary most.")
    ] = 1.0,
    scale: Annotated[float, Param(step=0.05, search=(0.0, 2.0), help="How far to go along the merged vector.")] = 1.0,
    compat: Annotated[
        Literal["none", "mergekit"],
        Param(help="mergekit: equal shares where the energies total less than 1e-6, as after most light fine-tuning."),
    ] = "none",
    state: Survey | None = None,
    piece: Piece | None = None,
) -> Tensor:
    """Keep where the task vectors vary most, weigh each by its energy in the tensor, drop signs of the minority.

    1. Select: of the entries at which the models differ, the ``floor(density * n)`` of largest variance. At density 1
       all entries stay, those where the models agree too.
    2. Calculate: ``w_i = |d_i|^2 / sum_j |d_j|^2``; equal shares where all vanish.
    3. Erase: at each entry, those whose sign is not that of ``sum_i d_i``. ``W = W0 + scale * sum w_i d_i / sum w_i``
       over the rest.

    Args:
        deltas: One task vector per model, one whole tensor, any one shape.
        density: Share kept.
        scale: Common factor.
        compat: Whose guards.
        state: What :func:`survey` found.
        piece: Which tensor this is.

    Pitfalls:
        - mergekit takes equal shares where the mean squares total less than 1e-6, which most light fine-tuning does.
        - The variance decides per element across models: with two models it is the distance between them.
    """
    piece = piece or Piece("")
    state = state or survey(HeldPasses(deltas, piece.name), density=density)
    chosen = state.chosen(deltas, piece)
    weights = state.weights(compat, len(deltas))
    signs = bricks.elect_sign(chosen)
    if compat == "mergekit":  # an even vote is read as plus
        signs.add_(bricks.equal(signs, 0.0))
    own = are_new(chosen, deltas)
    return scaled(bricks.disjoint_mean(weighted(chosen, weights, own=own), signs, weights), scale)

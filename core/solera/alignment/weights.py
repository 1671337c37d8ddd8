"""Weight matching: the places at which a model's weights have the greatest inner product with a reference's.

Ainsworth, Hayase and Srinivasa 2023, "Git Re-Basin: Merging Models modulo Permutation Symmetries"
(https://arxiv.org/abs/2209.04836), section 3.2: coordinate ascent over the groups, a linear assignment each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from solera.alignment.assignment import Gain, assign
from solera.alignment.permutations import Permutations, identity, part_of, permuted
from solera.alignment.symmetry import Group, Part, Symmetry, parts
from solera.checkpoints.tensor_ref import TensorRef
from solera.context import Context
from solera.seeds import Seed
from solera.tensors.specs import kind_of

#: Most visits to every group; the authors' limit.
SWEEPS = 100

#: A gain smaller than this (relative to what is there) is none; the authors' 1e-12.
EPSILON = 1e-12

#: Elements that are turned to float64 at a time.
_ELEMENTS = 1 << 22

#: Operations between two questions whether to stop: well under a second on one core.
_OPERATIONS = 5e9

_Tensors = Mapping[str, TensorRef]


@dataclass(frozen=True, slots=True)
class Matching:
    """What matching found.

    Attributes:
        permutations: By group.
        before: Inner product of reference and model, as the model was.
        after: The same after the permutations.
        sweeps: Visits to every group.
    """

    permutations: Permutations
    before: float
    after: float
    sweeps: int


def match_weights(
    symmetry: Symmetry, reference: _Tensors, model: _Tensors, context: Context, *, seed: Seed, tries: int = 1,
    orders: Iterable[Sequence[str]] | None = None,
) -> Matching:  # fmt: skip
    """Permute a model's units so that its weights are as near to a reference's as coordinate ascent finds.

    Running statistics and integer tensors follow the permutations but do not count. Tensors are read one pair at a
    time, again at every visit; Gram matrices are float64.

    Args:
        symmetry: Of both.
        reference: Tensors by name.
        model: Tensors of the same names and shapes.
        context: Asked whether to stop; told the progress.
        seed: Of the order in which groups are visited; the result may depend on it.
        tries: How many orders are tried; the best result is kept, the first of equals.
        orders: The order of each sweep, instead of drawn ones.
    """
    names = [name for name in symmetry.axes if kind_of(name, model[name].dtype) == "weight"]
    start = identity(symmetry)
    before = inner_product(symmetry, reference, model, start, names)
    best: Matching | None = None
    for number in range(1 if orders is not None else tries):
        plan = iter(orders) if orders is not None else _drawn_orders(symmetry, seed.child(f"try {number}"))
        found, sweeps = _ascend(symmetry, reference, model, names, plan, context)
        after = inner_product(symmetry, reference, model, found, names)
        if best is None or after > best.after:
            best = Matching(found, before, after, sweeps)
    assert best is not None
    return best


def inner_product(
    symmetry: Symmetry, reference: _Tensors, model: _Tensors, permutations: Permutations, names: Iterable[str]
) -> float:
    """``sum over tensors <reference, permuted model>`` in float64."""
    total = 0.0
    for name in names:
        theirs = permuted(model[name].read(), symmetry.axes[name], symmetry, permutations).reshape(-1)
        ours = reference[name].read().reshape(-1)
        for start in range(0, ours.numel(), _ELEMENTS):
            part = slice(start, start + _ELEMENTS)
            total += float(torch.dot(ours[part].double(), theirs[part].double()))
    return total


def _drawn_orders(symmetry: Symmetry, seed: Seed) -> Iterator[list[str]]:
    draws, names = seed.numpy(), sorted(symmetry.families())
    while True:
        yield [names[i] for i in draws.permutation(len(names))]


def _ascend(
    symmetry: Symmetry, reference: _Tensors, model: _Tensors, names: Sequence[str], orders: Iterator[Sequence[str]],
    context: Context,
) -> tuple[dict[str, NDArray[np.int64]], int]:  # fmt: skip
    """Visit the groups in turn until none gains; the permutations and the sweeps it took.

    A group beside which nothing has moved since it was visited would gain nothing, and is passed by.
    """
    found, counted = identity(symmetry), set(names)
    families, beside = symmetry.families(), _beside(symmetry, counted)
    open_ = set(families)
    sweep = 0
    for sweep, order in zip(range(1, SWEEPS + 1), orders, strict=False):
        moved = False
        for i, name in enumerate(order):
            context.progress(i, len(order), "groups", f"matching, sweep {sweep}")
            if name not in open_:
                continue
            open_.discard(name)
            family = families[name]
            groups = [symmetry.groups[each] for each in family]
            gains = [_gain(symmetry, reference, model, each, found, counted, context) for each in family]
            better = assign(groups, gains, context.check)
            had = sum(gain.of(group, found[each]) for each, group, gain in zip(family, groups, gains, strict=True))
            has = sum(gain.of(group, each) for group, gain, each in zip(groups, gains, better, strict=True))
            if has > had + EPSILON * max(1.0, abs(had)):
                found.update(zip(family, better, strict=True))
                open_ |= beside[name]
                moved = True
        if not moved:
            break
    return found, sweep


def _beside(symmetry: Symmetry, counted: set[str]) -> dict[str, set[str]]:
    """For each group that leads, those that lie along another axis of a tensor it lies along; perhaps itself."""
    found: dict[str, set[str]] = {name: set() for name in symmetry.families()}
    for name in counted:
        axes = [
            {symmetry.groups[axis.group].along or axis.group for axis in parts(each)} for each in symmetry.axes[name]
        ]
        for i, here in enumerate(axes):
            others = set().union(*axes[:i], *axes[i + 1 :])
            for leader in here:
                found[leader] |= others
    return found


def _gain(
    symmetry: Symmetry, reference: _Tensors, model: _Tensors, group: str, found: Permutations, counted: set[str],
    context: Context,
) -> Gain:  # fmt: skip
    """What each unit of a group gains at each place while the others stay where they are."""
    shape = symmetry.groups[group]
    gain = Gain.none(shape)
    for part in symmetry.where(group):
        if part.tensor in counted:
            context.check()
            axes = symmetry.axes[part.tensor]
            theirs = permuted(model[part.tensor].read(), axes, symmetry, found, leave=part.number)
            _add(gain, shape, part, reference[part.tensor].read(), theirs, context)
    return gain


def _add(gain: Gain, group: Group, part: Part, reference: Tensor, model: Tensor, context: Context) -> None:
    ours, theirs = (part_of(tensor, part, group) for tensor in (reference, model))
    target = torch.from_numpy(gain.cells if part.axis.by_cell else gain.units)
    width = max(_ELEMENTS // ours.shape[0], 1)
    height = max(int(_OPERATIONS / (2 * ours.shape[0] * width)), 64)
    for start in range(0, ours.shape[1], width):
        columns = slice(start, start + width)
        left, right = ours[:, columns].double(), theirs[:, columns].double().T
        for top in range(0, len(left), height):
            context.check()
            target[top : top + height].addmm_(left[top : top + height], right)

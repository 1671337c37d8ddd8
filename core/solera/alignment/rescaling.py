"""A canonical scale for units whose non-linearity lets their size flow on to the next layer.

With ReLU a hidden unit's incoming weights and bias may be multiplied by any s > 0 and its outgoing ones divided by it;
the network computes the same. Fixing s makes weights of equal networks equal (up to permutation).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from solera.alignment.permutations import rows_of
from solera.alignment.symmetry import Axis, Symmetry, listed
from solera.alignment.verifying import TOLERANCE, output_of
from solera.errors import InputError, MismatchError
from solera.seeds import Seed

#: ``"unit"``: the norm of what comes in, bias included, is 1; ``"balanced"``: it equals that of what goes out.
Form = Literal["unit", "balanced"]

#: The balanced form is reached when no unit changes by more than this factor (less 1).
_CONVERGED = 1e-12

_ROUNDS = 10_000


@dataclass(frozen=True, slots=True)
class Rescaled:
    """A network in canonical scale.

    Attributes:
        tensors: By name, in their own dtypes.
        groups: Whose units were scaled, in order.
        still: Units by group that were left, for nothing comes in or (balanced) nothing goes out.
    """

    tensors: Mapping[str, Tensor]
    groups: tuple[str, ...]
    still: Mapping[str, tuple[int, ...]]


def rescaled(module: nn.Module, symmetry: Symmetry, batch: Tensor, form: Form = "unit") -> Rescaled:
    """Bring the units of a network to a canonical scale, layer by layer, in float64.

    Units after which a gain of a normalisation stands are scaled by gain and offset; the weights before it stay. Groups
    whose scale is not free (another non-linearity than ReLU and its like, a normalisation after it) are left out,
    which is seen on the batch.

    Args:
        module: With weights, in evaluation mode; not changed.
        symmetry: Which units belong together.
        batch: Inputs it takes.
        form: Which scale.

    Raises:
        InputError: There is no such form.
        MismatchError: The scale of no group is free.
    """
    if form not in ("unit", "balanced"):
        raise InputError(f"A canonical scale is unit or balanced, not {form!r}.", form=form)
    exact = copy.deepcopy(module).double()
    inputs = batch.double() if batch.is_floating_point() else batch
    state = {name: each.detach().clone() for name, each in (*exact.named_parameters(), *exact.named_buffers())}
    free = tuple(group for group in symmetry.groups if _is_free(exact, symmetry, group, state, inputs))
    if not free:
        raise MismatchError(
            f"The scale of no units of {type(module).__name__} is free: {listed(symmetry.groups)} were tried. Only "
            "units followed by ReLU, leaky ReLU or nothing can be scaled."
        )
    still: dict[str, tuple[int, ...]] = {}
    for _ in range(1 if form == "unit" else _ROUNDS):
        farthest = 0.0
        for group in free:
            scale, left = _wanted(symmetry, group, state, form)
            still[group] = left
            _apply(symmetry, group, state, scale)
            farthest = max(farthest, float((scale - 1).abs().max()))
        if farthest <= _CONVERGED:
            break
    own = dict([*module.named_parameters(), *module.named_buffers()])
    return Rescaled({name: each.to(own[name].dtype) for name, each in state.items()}, free, still)


def _is_free(module: nn.Module, symmetry: Symmetry, group: str, state: Mapping[str, Tensor], batch: Tensor) -> bool:
    """Whether scales drawn at random leave the outputs what they were."""
    incoming, outgoing = _sides(symmetry, group, state)
    if not incoming or not outgoing or any(axis.by_cell for _, _, axis in (*incoming, *outgoing)):
        return False
    if not all(part.whole for part in symmetry.where(group)):
        return False
    generator = torch.Generator().manual_seed(Seed(0).child("scale", group).integer())
    scale = torch.rand(symmetry.groups[group].size, generator=generator, dtype=torch.float64) + 0.5
    moved = dict(state)
    _apply(symmetry, group, moved, scale)
    with torch.no_grad():
        before = output_of(module(batch))
        after = output_of(torch.func.functional_call(module, moved, (batch,)))
    size = before.square().mean().sqrt().clamp_min(torch.finfo(torch.float32).tiny)
    return bool((after - before).abs().max() / size <= TOLERANCE)


_Side = list[tuple[str, int, Axis]]


def _sides(symmetry: Symmetry, group: str, state: Mapping[str, Tensor]) -> tuple[_Side, _Side]:
    """What comes into the units of a group and what goes out of them: ``(tensor, axis number, axis)``."""
    incoming: _Side = []
    outgoing: _Side = []
    for part in symmetry.where(group):
        if part.tensor in state and not part.tensor.endswith(("running_mean", "running_var")):
            (outgoing if part.number == 1 else incoming).append((part.tensor, part.number, part.axis))
    gains = {
        name.removesuffix(".weight") for name, _, _ in incoming if state[name].ndim == 1 and name.endswith(".weight")
    }
    if gains:
        incoming = [each for each in incoming if each[0].rpartition(".")[0] in gains]
    return incoming, outgoing


def _wanted(symmetry: Symmetry, group: str, state: Mapping[str, Tensor], form: Form) -> tuple[Tensor, tuple[int, ...]]:
    """The factor of each unit, and the units that have none."""
    norms = []
    for side in _sides(symmetry, group, state):
        squares = [rows_of(state[name], i, axis, symmetry.groups[group]).square().sum(1) for name, i, axis in side]
        norms.append(torch.stack(squares).sum(0).sqrt())
    into, out = norms
    wanted = 1 / into if form == "unit" else (out / into).sqrt()
    good = (into > 0) & (out > 0) if form == "balanced" else into > 0
    good &= wanted.isfinite()
    left = tuple(int(i) for i in (~good).nonzero().reshape(-1))
    return torch.where(good, wanted, torch.ones_like(wanted)), left


def _apply(symmetry: Symmetry, group: str, state: dict[str, Tensor], scale: Tensor) -> None:
    incoming, outgoing = _sides(symmetry, group, state)
    for side, factor in ((incoming, scale), (outgoing, 1 / scale)):
        for name, i, axis in side:
            sizes = axis.sizes(symmetry.groups[group])
            named = {"cell": symmetry.groups[group].cells, "unit": symmetry.groups[group].inner}
            shape = [named[each] if isinstance(each, str) else 1 for each in axis.factors]
            along = factor.reshape(shape).expand(sizes).reshape(-1)
            wide = along.reshape([-1 if j == i else 1 for j in range(state[name].ndim)])
            state[name] = state[name] * wide

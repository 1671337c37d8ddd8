"""Activation matching: the places at which a model's units fire as a reference's do, over the same data.

Li, Yosinski, Clune, Lipson and Hopcroft 2016, "Convergent Learning" (https://arxiv.org/abs/1511.07543); Jordan,
Sedghi, Saukh, Entezari and Neyshabur 2023, "REPAIR" (https://arxiv.org/abs/2211.08403), appendix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from solera.alignment.assignment import Gain, assign
from solera.alignment.permutations import identity, part_of
from solera.alignment.symmetry import Group, Part, Symmetry, listed
from solera.alignment.weights import Matching
from solera.errors import MismatchError

#: What is added to the product of two standard deviations: units that never fire correlate with none.
EPSILON = 1e-4

#: Runs a module over the data.
Run = Callable[[nn.Module], object]

Kind = Literal["correlation", "inner"]


@dataclass(frozen=True, slots=True)
class Site:
    """A layer at which the units of a group are seen.

    Attributes:
        module: Its name.
        part: How they lie in its weight.
        dim: Along which dimension of what it takes, or makes.
        made: Whether they are seen in what it makes, not in what it takes.
    """

    module: str
    part: Part
    dim: int
    made: bool = False


class _Pair(nn.Module):
    """Two networks on the same inputs; gives what the first gives."""

    def __init__(self, first: nn.Module, second: nn.Module, after: Callable[[], None]) -> None:
        super().__init__()
        self.first, self.second = first, second
        self._after = after

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        result = self.first(*args, **kwargs)
        self.second(*args, **kwargs)
        self._after()
        return result


class _Moments:
    """Sums over samples of two sets of units, float64."""

    def __init__(self, count: int) -> None:
        self.samples = 0
        self.sums = torch.zeros(2, count, dtype=torch.float64)
        self.squares = torch.zeros(2, count, dtype=torch.float64)
        self.products = torch.zeros(count, count, dtype=torch.float64)

    def add(self, a: Tensor, b: Tensor) -> None:
        """Take samples, both (units, samples)."""
        a, b = a.double().cpu(), b.double().cpu()
        self.samples += a.shape[1]
        self.sums += torch.stack([a.sum(1), b.sum(1)])
        self.squares += torch.stack([a.square().sum(1), b.square().sum(1)])
        self.products += a @ b.T

    def gain(self, kind: Kind) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Correlation of every unit of the first with every one of the second, or the mean of their product."""
        n = max(self.samples, 1)
        if kind == "inner":
            return (self.products / n).numpy()
        means = self.sums / n
        deviations = (self.squares / n - means.square()).clamp_min(0).sqrt()
        covariance = self.products / n - torch.outer(means[0], means[1])
        return (covariance / (torch.outer(deviations[0], deviations[1]) + EPSILON)).numpy()


def match_activations(
    symmetry: Symmetry, reference: nn.Module, model: nn.Module, run: Run, *, kind: Kind = "correlation"
) -> Matching:
    """Permute a model's units so that they correlate best with a reference's.

    A group's units are seen where a layer takes them: after normalisation, non-linearity and pooling; those that no
    layer takes (queries and keys) where one makes them. Positions count as samples. Every group is matched alone, so
    there is no order to choose.

    Args:
        symmetry: Of both.
        reference: In evaluation mode, on the data's device.
        model: Likewise.
        run: Runs a module over the data.
        kind: ``"correlation"`` (Pearson, population) or ``"inner"``, the mean of products as in Git Re-Basin.

    Raises:
        MismatchError: The units of a group are seen at no layer that is known, or the data are empty.
    """
    wanted = sites(model, symmetry)
    moments: dict[tuple[str, bool], _Moments] = {}
    seen: dict[tuple[int, str, bool], Tensor] = {}
    handles = []

    def after() -> None:
        for group, each in wanted.items():
            for site in each:
                pair = [seen.get((side, site.module, site.made)) for side in (0, 1)]
                if pair[0] is not None and pair[1] is not None:
                    _add(moments, group, symmetry.groups[group], site, pair[0], pair[1])
        seen.clear()

    for side, module in enumerate((reference, model)):
        for name, made in {(site.module, site.made) for each in wanted.values() for site in each}:

            def keep(_: nn.Module, *values: Any, key: tuple[int, str, bool] = (side, name, made)) -> None:
                seen[key] = values[-1] if key[2] else values[0][0]

            layer = module.get_submodule(name)
            handles.append(layer.register_forward_hook(keep) if made else layer.register_forward_pre_hook(keep))
    try:
        run(_Pair(reference, model, after).eval())
    finally:
        for handle in handles:
            handle.remove()
    return _matched(symmetry, moments, kind)


def sites(module: nn.Module, symmetry: Symmetry) -> dict[str, list[Site]]:
    """The layers at which the units of each group are seen.

    Raises:
        MismatchError: A group has none that is known.
    """
    taken: dict[str, list[Site]] = {name: [] for name in symmetry.groups}
    made: dict[str, list[Site]] = {name: [] for name in symmetry.groups}
    layers = dict(module.named_modules())
    for group in symmetry.groups:
        for part in symmetry.where(group):
            name, _, leaf = part.tensor.rpartition(".")
            layer = layers.get(name)
            transposed = type(layer).__name__ == "Conv1D"  # the linear layer of GPT-2, whose weight is (in, out)
            if leaf != "weight" or not (transposed or isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d))):
                continue
            dim = 1 if isinstance(layer, (nn.Conv1d, nn.Conv2d)) else -1
            found = taken if part.number == (0 if transposed else 1) else made
            if part.number < 2:
                found[group].append(Site(name, part, dim, found is made))
    none = [name for name in symmetry.groups if not taken[name] and not made[name]]
    if none:
        raise MismatchError(
            f"The units of {listed(none)} are taken by no layer whose inputs are known. Match by weights, or hold "
            "these groups fast.",
            groups=none,
        )
    return {name: taken[name] or made[name] for name in symmetry.groups}


def _add(moments: dict[tuple[str, bool], _Moments], name: str, group: Group, site: Site, a: Tensor, b: Tensor) -> None:
    part = replace(site.part, number=site.dim % a.ndim)
    rows = [part_of(side, part, group) for side in (a, b)]
    key = (name, part.axis.by_cell)
    if key not in moments:
        moments[key] = _Moments(rows[0].shape[0])
    moments[key].add(*rows)


def _matched(symmetry: Symmetry, moments: dict[tuple[str, bool], _Moments], kind: Kind) -> Matching:
    permutations = identity(symmetry)
    before = after = 0.0
    for family in symmetry.families().values():
        groups = [symmetry.groups[name] for name in family]
        gains = [_gain(symmetry, moments, kind, name) for name in family]
        for name, group, gain, better in zip(family, groups, gains, assign(groups, gains), strict=True):
            before += gain.of(group, permutations[name])
            permutations[name] = better
            after += gain.of(group, better)
    return Matching(permutations, before, after, 1)


def _gain(symmetry: Symmetry, moments: dict[tuple[str, bool], _Moments], kind: Kind, name: str) -> Gain:
    gain = Gain.none(symmetry.groups[name])
    for by_cell, target in ((False, gain.units), (True, gain.cells)):
        if (name, by_cell) in moments:
            target += moments[name, by_cell].gain(kind)
    if not np.isfinite(gain.units).all() or not np.isfinite(gain.cells).all():
        raise MismatchError(f"The activations of the units of {name} are not all numbers.", group=name)
    return gain

"""Activation matching: the places at which a model's units fire as a reference's do, over the same data.

Li, Yosinski, Clune, Lipson and Hopcroft 2016, "Convergent Learning" (https://arxiv.org/abs/1511.07543); Jordan,
Sedghi, Saukh, Entezari and Neyshabur 2023, "REPAIR" (https://arxiv.org/abs/2211.08403), appendix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from solera.alignment.assignment import Gain, assign
from solera.alignment.permutations import identity, rows_of
from solera.alignment.symmetry import Axis, Group, Symmetry, listed
from solera.alignment.weights import Matching
from solera.errors import MismatchError

#: What is added to the product of two standard deviations: units that never fire correlate with none.
EPSILON = 1e-4

#: Runs a module over the data.
Run = Callable[[nn.Module], object]

Kind = Literal["correlation", "inner"]


@dataclass(frozen=True, slots=True)
class Consumer:
    """A layer that takes the units of a group.

    Attributes:
        module: Its name.
        axis: How they lie in what it takes.
        dim: Along which dimension.
    """

    module: str
    axis: Axis
    dim: int


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

    A group's units are seen where a layer takes them: after normalisation, non-linearity and pooling; positions count
    as samples. Every group is matched alone, so there is no order to choose.

    Args:
        symmetry: Of both.
        reference: In evaluation mode, on the data's device.
        model: Likewise.
        run: Runs a module over the data.
        kind: ``"correlation"`` (Pearson, population) or ``"inner"``, the mean of products as in Git Re-Basin.

    Raises:
        MismatchError: The units of a group are taken by no layer that is known, or the data are empty.
    """
    wanted = consumers(model, symmetry)
    moments: dict[tuple[str, bool], _Moments] = {}
    seen: dict[tuple[int, str], Tensor] = {}
    handles = []

    def after() -> None:
        for group, each in wanted.items():
            for consumer in each:
                pair = [seen.pop((side, consumer.module), None) for side in (0, 1)]
                if pair[0] is not None and pair[1] is not None:
                    _add(moments, group, symmetry.groups[group], consumer, pair[0], pair[1])

    for side, module in enumerate((reference, model)):
        for name in {consumer.module for each in wanted.values() for consumer in each}:

            def keep(_: nn.Module, args: tuple[Any, ...], side: int = side, name: str = name) -> None:
                seen[side, name] = args[0]

            handles.append(module.get_submodule(name).register_forward_pre_hook(keep))
    try:
        run(_Pair(reference, model, after).eval())
    finally:
        for handle in handles:
            handle.remove()
    return _matched(symmetry, moments, kind)


def consumers(module: nn.Module, symmetry: Symmetry) -> dict[str, list[Consumer]]:
    """The layers that take the units of each group.

    Raises:
        MismatchError: A group has none that is known.
    """
    found: dict[str, list[Consumer]] = {name: [] for name in symmetry.groups}
    for name, layer in module.named_modules():
        axes = symmetry.axes.get(f"{name}.weight")
        if axes is None or len(axes) < 2:
            continue
        transposed = type(layer).__name__ == "Conv1D"  # the linear layer of GPT-2, whose weight is (in, out)
        axis = axes[0] if transposed else axes[1]
        if axis is not None and (transposed or isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d))):
            dim = 1 if isinstance(layer, (nn.Conv1d, nn.Conv2d)) else -1
            found[axis.group].append(Consumer(name, axis, dim))
    none = [name for name, each in found.items() if not each]
    if none:
        raise MismatchError(
            f"The units of {listed(none)} are taken by no layer whose inputs are known. Match by weights, or hold "
            "these groups fast.",
            groups=none,
        )
    return found


def _add(
    moments: dict[tuple[str, bool], _Moments], name: str, group: Group, consumer: Consumer, a: Tensor, b: Tensor
) -> None:
    dim = consumer.dim % a.ndim
    rows = [rows_of(side, dim, consumer.axis, group) for side in (a, b)]
    key = (name, consumer.axis.by_cell)
    if key not in moments:
        moments[key] = _Moments(rows[0].shape[0])
    moments[key].add(*rows)


def _matched(symmetry: Symmetry, moments: dict[tuple[str, bool], _Moments], kind: Kind) -> Matching:
    permutations = identity(symmetry)
    before = after = 0.0
    for name, group in symmetry.groups.items():
        gain = Gain.none(group)
        for by_cell, target in ((False, gain.units), (True, gain.cells)):
            if (name, by_cell) in moments:
                target += moments[name, by_cell].gain(kind)
        if not np.isfinite(gain.units).all() or not np.isfinite(gain.cells).all():
            raise MismatchError(f"The activations of the units of {name} are not all numbers.", group=name)
        before += gain.of(group, permutations[name])
        permutations[name] = assign(group, gain)
        after += gain.of(group, permutations[name])
    return Matching(permutations, before, after, 1)

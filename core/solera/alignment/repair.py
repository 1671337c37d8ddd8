"""Restoring the statistics of activations after networks were averaged.

Jordan, Sedghi, Saukh, Entezari and Neyshabur 2023, "REPAIR: REnormalizing Permuted Activations for Interpolation
Repair" (https://arxiv.org/abs/2211.08403).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from solera.alignment.activations import Run
from solera.errors import MismatchError

#: Added to a variance before its root is taken, as batch normalisation does.
EPSILON = 1e-5

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)


def repair(network: nn.Module, ends: Sequence[nn.Module], shares: Sequence[float], run: Run) -> list[str]:
    """Give the units of an averaged network the mean and deviation that those of its ends have, in place.

    Networks with batch normalisation get its running statistics anew. Of others, every layer with a bias but the last
    is rescaled and shifted, in the order in which they run, each measured after those before it: the goal is the mean
    of the ends' means and of their standard deviations (not variances), before the non-linearity. The data are run
    through once for the ends and once for each layer.

    Args:
        network: With averaged weights, in evaluation mode.
        ends: What it is an average of, aligned.
        shares: Of each; they total 1.
        run: Runs a module over the data.

    Returns:
        The modules that were changed.

    Raises:
        MismatchError: The network has neither batch normalisation nor layers with a bias before its last.
    """
    norms = recalibrated(network, run)
    if norms:
        return norms
    order = [name for name in _order(ends[0], run)[:-1] if network.get_submodule(name).bias is not None]
    if not order:
        raise MismatchError(
            f"{type(network).__name__} has neither batch normalisation nor layers with a bias before its last, so "
            "there is nothing to restore statistics with."
        )
    goals = [measure(end, order, run) for end in ends]
    for name in order:
        mean = sum((share * goal[name].mean for share, goal in zip(shares, goals, strict=True)), torch.tensor(0.0))
        std = sum((share * goal[name].std for share, goal in zip(shares, goals, strict=True)), torch.tensor(0.0))
        now = measure(network, [name], run)[name]
        scale = std / (now.variance + EPSILON).sqrt()
        layer: Any = network.get_submodule(name)
        with torch.no_grad():
            where = layer.weight.device
            wide = scale.to(where).reshape(-1, *[1] * (layer.weight.ndim - 1))
            layer.weight.copy_(layer.weight.double() * wide)
            layer.bias.copy_((layer.bias.double().cpu() - now.mean) * scale + mean)
    return order


def recalibrated(network: nn.Module, run: Run) -> list[str]:
    """:func:`recalibrate` a network that has batch normalisation; the names of those layers, none if it has none."""
    norms = [name for name, each in network.named_modules() if _tracks(each)]
    if norms:
        recalibrate(network, run)
    return norms


def recalibrate(network: nn.Module, run: Run) -> None:
    """Compute the running statistics of batch normalisation anew, in place: the mean over batches.

    Args:
        network: In evaluation mode; its other layers stay in it.
        run: Runs a module over the data.
    """
    norms = [each for each in network.modules() if isinstance(each, _BatchNorm) and each.running_mean is not None]
    momenta = [each.momentum for each in norms]
    try:
        for each in norms:
            each.reset_running_stats()
            each.momentum = None
            each.train()
        run(network)
    finally:
        for each, momentum in zip(norms, momenta, strict=True):
            each.momentum = momentum
            each.eval()


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a layer's units before the non-linearity; float64 of shape (units,).

    Attributes:
        mean: Over samples and positions.
        variance: Unbiased.
    """

    mean: Tensor
    variance: Tensor

    @property
    def std(self) -> Tensor:
        """Standard deviation."""
        return self.variance.sqrt()


def measure(network: nn.Module, names: Sequence[str], run: Run) -> dict[str, Statistics]:
    """Statistics of what layers give, over the data.

    Args:
        network: In evaluation mode.
        names: Linear and convolutional layers.
        run: Runs a module over the data.
    """
    sums: dict[str, list[Any]] = {}
    handles = []
    for name in names:

        def add(layer: nn.Module, _: Any, output: Tensor, name: str = name) -> None:
            rows = output.movedim(-1 if isinstance(layer, nn.Linear) else 1, 0)
            rows = rows.reshape(rows.shape[0], -1).double().cpu()
            # Around the first batch's mean, so that the sum of squares keeps its digits.
            known = sums.setdefault(name, [rows.mean(1), 0, 0.0, 0.0])
            apart = rows - known[0][:, None]
            known[1] += rows.shape[1]
            known[2] = known[2] + apart.sum(1)
            known[3] = known[3] + apart.square().sum(1)

        handles.append(network.get_submodule(name).register_forward_hook(add))
    try:
        run(network)
    finally:
        for handle in handles:
            handle.remove()
    found = {}
    for name, (around, count, total, squares) in sums.items():
        variance = (squares - total.square() / count) / max(count - 1, 1)
        found[name] = Statistics(around + total / count, variance.clamp_min(0))
    return found


def _tracks(module: nn.Module) -> bool:
    return isinstance(module, _BatchNorm) and module.running_mean is not None


def _order(network: nn.Module, run: Run) -> list[str]:
    """Linear and convolutional layers, in the order in which they first run."""
    found: dict[str, None] = {}
    handles = []
    for name, module in network.named_modules():
        if isinstance(module, _LAYERS):

            def note(*_: Any, name: str = name) -> None:
                found.setdefault(name)

            handles.append(module.register_forward_hook(note))
    try:
        run(network)
    finally:
        for handle in handles:
            handle.remove()
    return list(found)

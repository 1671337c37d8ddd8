"""Training the bends of a curve between two models, after Garipov et al. 2018 (arXiv 1802.10026).

The ends stay fixed. For every batch a point t of the curve is drawn evenly from [0, 1] and the network's loss there is
made smaller: the gradient of a bend is that of the point times the bend's share in it. Weight decay is that of the
point, not of the bends. As published: stochastic gradient descent with momentum 0.9, a rate that stays for half of the
epochs, falls in a straight line to a hundredth until nine tenths, and stays; bends begin on the segment.

Stated differences: the network is in evaluation mode except for BatchNorm, which normalises by the batch (so dropout
is off); a bend's running statistics are those of the segment and must be measured anew where the curve is scored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from solera.context import Context
from solera.errors import InputError, NumericError, TaskError
from solera.families.curves import shares
from solera.models.network import Network
from solera.seeds import Seed
from solera.tasks.examples import Examples

CurveKind = Literal["bezier", "polyline"]


@dataclass(frozen=True, slots=True)
class Training:
    """How bends are trained.

    Attributes:
        kind: Of curve.
        bends: How many, the ends not counted.
        epochs: Passes over the examples.
        rate: Learning rate to begin with.
        momentum: Of the gradient descent.
        decay: Weight decay of the curve's point.
        batch: Examples at a time; the last, smaller batch of an epoch is left out if there are others.
        seed: Of the order of examples and of the points drawn.

    Raises:
        InputError: A number is out of range.
    """

    kind: CurveKind = "bezier"
    bends: int = 1
    epochs: int = 30
    rate: float = 0.01
    momentum: float = 0.9
    decay: float = 1e-4
    batch: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        fit = self.bends >= 1 and self.epochs >= 1 and self.batch >= 1 and self.rate > 0
        if not fit or not 0 <= self.momentum < 1 or self.decay < 0 or self.kind not in ("bezier", "polyline"):
            raise InputError(
                "A curve is bezier or polyline, with 1 bend or more, 1 epoch or more, batches of 1 or more, a rate "
                f"above 0, a momentum from 0 to below 1 and a decay of 0 or more; got {self.to_plain()}."
            )

    def rate_at(self, epoch: int) -> float:
        """The learning rate of an epoch, from 0."""
        share = epoch / self.epochs
        factor = 1.0 if share <= 0.5 else 0.01 if share > 0.9 else 1.0 - (share - 0.5) / 0.4 * 0.99
        return self.rate * factor

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {name: getattr(self, name) for name in self.__slots__}

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Training:
        """The inverse of :meth:`to_plain`; what is absent stands at its default."""
        return Training(**{key: plain[key] for key in Training.__slots__ if key in plain})


@dataclass(slots=True)
class Progress:
    """How far a training is: everything that going on with it needs.

    Attributes:
        epoch: Epochs done.
        bends: Flat weights, shape (bends, layout.numel).
        speed: Momentum, of the same shape.
        losses: The mean training loss of each epoch done.
    """

    epoch: int
    bends: Tensor
    speed: Tensor
    losses: list[float] = field(default_factory=list)

    @staticmethod
    def start(first: Tensor, last: Tensor, count: int) -> Progress:
        """Bends spread evenly on the segment between two flat vectors."""
        steps = [(i + 1) / (count + 1) for i in range(count)]
        bends = torch.stack([(1 - step) * first + step * last for step in steps])
        return Progress(0, bends, torch.zeros_like(bends))


def train_bends(
    network: Network, first: Tensor, last: Tensor, examples: Examples, training: Training, context: Context,
    progress: Progress, keep: Callable[[Progress], None] = lambda _: None,
) -> Progress:  # fmt: skip
    """Train bends to the last epoch.

    Equal seeds give equal bends, and a training that was stopped after an epoch and gone on with gives the same as one
    that was not.

    Args:
        network: What computes; its weights are overwritten.
        first: The flat weights of one end.
        last: Those of the other.
        examples: What it is trained on, on the network's device.
        training: How.
        context: Asked before every batch whether to stop.
        progress: Where to begin; it is changed.
        keep: Called after every epoch.

    Returns:
        The progress given.

    Raises:
        TaskError: The network does not fit the examples.
        NumericError: The loss is NaN or infinite.
        Cancelled: The context says stop.
    """
    seed = Seed(training.seed).child("bends")
    total, batch = len(examples.targets), min(training.batch, len(examples.targets))
    norms = [layer for layer in network.module.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    kept = [layer.momentum for layer in norms]
    weights = {name for name, _ in network.module.named_parameters()}
    moving = torch.zeros_like(first)
    for name, view in network.layout.views(moving):
        view.fill_(float(name in weights))
    try:
        for layer in norms:
            layer.momentum = 0.0
            layer.train()
        for epoch in range(progress.epoch, training.epochs):
            rng = seed.child(str(epoch)).numpy()
            order, rate, losses = rng.permutation(total), training.rate_at(epoch), []
            for start in range(0, total - batch + 1, batch):
                context.check()
                where = torch.from_numpy(order[start : start + batch]).to(first.device)
                t = float(rng.uniform())
                losses.append(_step(network, first, last, examples, where, t, rate, training, progress, moving))
            progress.epoch = epoch + 1
            progress.losses.append(sum(losses) / len(losses))
            context.progress(progress.epoch, training.epochs, "epochs", f"loss {progress.losses[-1]:.4g}")
            keep(progress)
    finally:
        for layer, momentum in zip(norms, kept, strict=True):
            layer.momentum = momentum
            layer.eval()
    return progress


def _step(
    network: Network, first: Tensor, last: Tensor, examples: Examples, where: Tensor, t: float, rate: float,
    training: Training, progress: Progress, moving: Tensor,
) -> float:  # fmt: skip
    parts = shares(training.kind, t, training.bends + 2)
    models: Sequence[Tensor] = [first, *progress.bends, last]
    point = torch.stack([share * model for share, model in zip(parts, models, strict=True)]).sum(0)
    loss, gradient = _gradient(network, point, examples.inputs[where], examples.targets[where])
    gradient = (gradient + training.decay * point) * moving
    for i, share in enumerate(parts[1:-1]):
        progress.speed[i].mul_(training.momentum).add_(gradient, alpha=share)
        progress.bends[i].sub_(progress.speed[i], alpha=rate)
    return loss


def _gradient(network: Network, point: Tensor, inputs: Tensor, targets: Tensor) -> tuple[float, Tensor]:
    """The mean cross-entropy at a point and its gradient, a flat vector."""
    leaf = point.detach().clone().requires_grad_()
    views = dict(network.layout.views(leaf))
    with torch.no_grad():
        buffers = {name: views[name].detach().clone() for name, _ in network.module.named_buffers() if name in views}
    try:
        output = functional_call(network.module, {**views, **buffers}, (inputs,))
        logits = getattr(output, "logits", output)
        loss = F.cross_entropy(logits.flatten(0, -2).float(), targets.flatten())
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        raise TaskError(
            f"The network cannot be trained on these examples: {str(error).partition(chr(10))[0]}"
        ) from error
    if not bool(torch.isfinite(loss)):
        raise NumericError("The loss on the curve is not finite; try a smaller rate.")
    (gradient,) = torch.autograd.grad(loss, leaf)
    return float(loss.detach()), gradient

"""Gradients of a landscape's loss with respect to its coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.func import functional_call

from solera.context import Context
from solera.errors import TaskError
from solera.landscapes.explorer import Slope
from solera.seeds import Seed
from solera.tasks.examples import Examples, GivesExamples

if TYPE_CHECKING:
    from solera.families.derivative import Derivative
    from solera.models.network import Network
    from solera.tasks.task import Evaluator


def obstacle(evaluators: Mapping[str, Evaluator]) -> str:
    """Why no gradient can be taken through these tasks; empty if it can."""
    for name, evaluator in evaluators.items():
        if not isinstance(evaluator, GivesExamples):
            return f"the task '{name}' hands out no examples, only scores"
        if evaluator.examples().targets.dtype != torch.int64:
            return f"the targets of the task '{name}' are no classes"
    return ""


def slope_at(
    coords: Sequence[float],
    slope: Slope,
    evaluators: Mapping[str, Evaluator],
    network: Network,
    derivative: Derivative,
    seed: Seed,
    context: Context,
) -> NDArray[np.float64]:
    """The gradient of the mean cross-entropy over some tasks at the weights that are in a network.

    Args:
        coords: Which point those weights are.
        slope: On which batch, with which factor on the logits.
        evaluators: The tasks' own, each with examples; every task counts the same.
        network: With the weights of the point; they are not changed.
        derivative: Of the family.
        seed: What draws batches.
        context: Asked between chunks whether to stop.

    Returns:
        float64 of shape (number of coordinates + 1,): with respect to each coordinate, then to the factor.

    Raises:
        TaskError: The network's logits do not fit the targets.
        Cancelled: The context says stop.
    """
    flat = network.flat.detach().clone().requires_grad_()
    scale = torch.tensor(float(slope.scale), device=flat.device, requires_grad=True)
    for name, evaluator in evaluators.items():
        assert isinstance(evaluator, GivesExamples)
        examples = evaluator.examples()
        rows = batch(examples.inputs.shape[0], slope, seed.child("slope", name))
        for start in range(0, len(rows), examples.chunk):
            context.check()
            part = torch.from_numpy(rows[start : start + examples.chunk]).to(flat.device)
            share = len(part) / len(rows) / len(evaluators)
            (_loss(network, flat, scale, examples, part, name) * share).backward()  # type: ignore[no-untyped-call]
    assert flat.grad is not None
    assert scale.grad is not None
    return np.append(derivative.pull(coords, flat.grad, context), float(scale.grad))


def batch(count: int, slope: Slope, seed: Seed) -> NDArray[np.int64]:
    """Which of ``count`` examples a slope is taken on: batches cut one after another from epochs drawn anew.

    Returns:
        Ascending indices, int64; all of them where ``slope.samples`` is 0 or at least ``count``.
    """
    if not 0 < slope.samples < count:
        return np.arange(count, dtype=np.int64)
    epoch, place = divmod(slope.draw, math.ceil(count / slope.samples))
    order = seed.child(str(epoch)).numpy().permutation(count)
    return np.sort(order[place * slope.samples : (place + 1) * slope.samples]).astype(np.int64)


def _loss(network: Network, flat: Tensor, scale: Tensor, examples: Examples, rows: Tensor, task: str) -> Tensor:
    """Mean cross-entropy of some examples under the weights in ``flat``."""
    tensors = dict(network.layout.views(flat))
    output = functional_call(network.module, tensors, (examples.inputs[rows],))
    logits = getattr(output, "logits", output)
    targets = examples.targets[rows]
    if logits.shape[:-1] != targets.shape:
        raise TaskError(
            f"Task '{task}' has targets of shape {tuple(targets.shape)}; the network gave logits of shape "
            f"{tuple(logits.shape)}.",
            task=task,
        )
    return F.cross_entropy((logits.float() * scale).flatten(0, -2), targets.flatten())

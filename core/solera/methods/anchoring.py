"""What holds training near where it began, so that its result can be merged: ZSCL's losses, AdamR's decay.

Formulas on tensors; a training loop is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from solera.errors import InputError


def distillation(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """How far the student's answers are from the teacher's: ``-T^2 mean sum softmax(t/T) log softmax(s/T)``.

    Zheng et al. 2023, Preventing zero-shot transfer degradation in continual learning of vision-language models (ZSCL):
    the teacher is the model before fine-tuning, the logits are similarities of images and texts, and the loss is taken
    over their rows and over the rows of their transposes. A cross-entropy, no divergence: it does not vanish when both
    agree.

    Args:
        student: Logits, (samples, classes); gradients flow to it.
        teacher: Logits of the same shape.
        temperature: T; the square keeps the size of gradients.

    Returns:
        A scalar, the mean over samples.

    Raises:
        InputError: The shapes differ or are no matrices, or the temperature is not above 0.
    """
    if student.shape != teacher.shape or student.dim() != 2 or temperature <= 0:
        raise InputError(
            f"Distillation wants two matrices of logits of one shape and a temperature above 0; got "
            f"{tuple(student.shape)}, {tuple(teacher.shape)} and {temperature}."
        )
    wanted = (teacher / temperature).softmax(dim=1)
    return -(wanted * (student / temperature).log_softmax(dim=1)).sum(dim=1).mean() * temperature**2


def consolidation(weights: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> Tensor:
    """The squared distance from the weights a task began with: ``sum (W - W_start)^2`` over all tensors (ZSCL).

    Args:
        weights: By name; gradients flow to them.
        start: By name, the same names and shapes at least.

    Returns:
        A scalar.

    Raises:
        InputError: A name is missing in the start.
    """
    missing = [name for name in weights if name not in start]
    if missing or not weights:
        raise InputError(f"The start lacks {', '.join(missing) or 'everything: there are no weights'}.")
    return torch.stack([(tensor - start[name]).square().sum() for name, tensor in weights.items()]).sum()


@dataclass(slots=True)
class AdamR:
    """Adam with a decay towards the weights training began with, in units of the gradients' own size.

    Deng et al. 2025, DARE the extreme (DAREx-L2): small changes survive random dropping, so training keeps them small.
    One step, over all tensors together, with ``v`` the bias-corrected second moment::

        W <- W - rate * decay / sqrt(mean v) * (W - W_start)      (sign(W - W_start) with norm 1)
        W <- W - rate * m / (sqrt(v) + epsilon)

    Where all gradients have been 0 the root counts as 1.

    Attributes:
        start: The weights training began with, in the order of the weights.
        rate: Step size. decay: Strength. betas: Of the two moments. epsilon: Added to the root.
        norm: 2 pulls in proportion to the distance, 1 by a fixed step.
        largest: Use the largest second moment so far (AMSGrad).
    """

    start: Sequence[Tensor]
    rate: float = 1e-3
    decay: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    norm: Literal[1, 2] = 2
    largest: bool = False
    _steps: int = field(default=0, init=False)
    _first: list[Tensor] = field(default_factory=list, init=False)
    _second: list[Tensor] = field(default_factory=list, init=False)
    _most: list[Tensor] = field(default_factory=list, init=False)

    def step(self, weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[Tensor]:
        """The weights after one step; those given are not changed.

        Raises:
            InputError: There are not as many weights and gradients as there were at the start.
        """
        if not len(weights) == len(gradients) == len(self.start):
            raise InputError(
                f"Wanted {len(self.start)} weights and gradients, got {len(weights)} and {len(gradients)}."
            )
        self._steps += 1
        first, second = self.betas
        self._first = self._first or [torch.zeros_like(g) for g in gradients]
        self._second = self._second or [torch.zeros_like(g) for g in gradients]
        self._first = [m * first + g * (1 - first) for m, g in zip(self._first, gradients, strict=True)]
        self._second = [v * second + g * g * (1 - second) for v, g in zip(self._second, gradients, strict=True)]
        moments = self._second
        if self.largest:
            self._most = [torch.maximum(a, b) for a, b in zip(self._most or moments, moments, strict=True)]
            moments = self._most
        corrected = [v / (1 - second**self._steps) for v in moments]
        size = math.sqrt(sum(float(v.sum()) for v in corrected) / sum(v.numel() for v in corrected)) or 1.0
        pull, step = self.rate * self.decay / size, self.rate / (1 - first**self._steps)
        made = []
        for w, w0, m, v in zip(weights, self.start, self._first, corrected, strict=True):
            away = w - w0
            made.append(w - pull * (away.sign() if self.norm == 1 else away) - step * m / (v.sqrt() + self.epsilon))
        return made

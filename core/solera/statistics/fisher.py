"""The diagonal of the Fisher information: exact, sampled or empirical.

Matena and Raffel 2022, Merging models with Fisher-weighted averaging, arXiv 2111.09832.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from solera.context import Context
from solera.errors import InputError, MismatchError, TaskError
from solera.models.network import Network
from solera.statistics.gradients import GRADIENT_BYTES, Labels, Squares, calibrate, make_squares
from solera.tasks.examples import Examples
from solera.tensors.hashing import uniform

#: Examples on which the ways to take gradients are timed, if the memory meant for gradients holds so many.
_TRIED = 8


class FisherCollector:
    """``F = (1/N) sum_n sum_c p(c|x_n) (d log p(c|x_n) / d w)^2`` for every weight; see :mod:`.gradients`.

    Gradients are taken for one example at a time: squaring that of a batch would give cross terms. Drawn classes are a
    function of the seed and the example's number.

    Args:
        examples: What it will be fed.
        labels: ``"auto"`` is exact where there is one row of logits per example, else sampled.
        draws: Classes drawn for each example, when sampled.
        gradients: How gradients are taken; ``"auto"`` tries both on the first few examples.
        seed: Of the drawn classes.

    Raises:
        InputError: Exact Fisher information of a model that predicts many tokens.
    """

    def __init__(
        self, examples: Examples, *, labels: str = "auto", draws: int = 1, gradients: str = "auto", seed: int = 0
    ) -> None:
        several = examples.targets.ndim > 1
        if labels == "exact" and several:
            raise InputError(
                f"Exact Fisher information takes one gradient for each class of each of {examples.targets.shape[1]} "
                "tokens; choose labels: sampled, which has the same expectation."
            )
        self._labels: Labels = ("sampled" if several else "exact") if labels == "auto" else labels  # type: ignore[assignment]
        self._draws = draws if self._labels == "sampled" else 1
        self._seed = seed
        self._how: Literal["auto", "vmap", "loop"] = gradients  # type: ignore[assignment]
        self._squares: Squares | None = None
        self._sums: dict[str, Tensor] = {}
        self._count = 0
        self.chunk = min(examples.chunk, 64)
        self.facts: dict[str, str | int | float] = {"labels": self._labels, "draws": self._draws}

    def add(self, network: Network, examples: Examples, where: slice, context: Context) -> None:
        """See :class:`.collector.Collector`."""
        weights = trainable(network)
        inputs, targets = examples.inputs[where], examples.targets[where]
        draws = self._uniform(targets, where)
        if self._squares is None:
            self._prepare(network, weights, inputs, targets, draws)
        assert self._squares is not None
        step = self._at_once(weights, inputs, network)
        for start in range(0, len(inputs), step):
            context.check()
            part = slice(start, start + step)
            try:
                found = self._squares(weights, inputs[part], targets[part], draws[part])
            except (RuntimeError, ValueError, TypeError) as error:
                raise TaskError(
                    f"The network's gradients on these examples cannot be taken: {str(error).partition(chr(10))[0]}"
                ) from error
            for name, square in found.items():
                self._sums[name] = self._sums[name] + square if name in self._sums else square
        self._count += len(inputs)

    def _prepare(self, network: Network, weights: dict[str, Tensor], x: Tensor, y: Tensor, u: Tensor) -> None:
        if not weights:
            raise MismatchError("The network has no weights to take gradients of.")
        if self._how == "auto":
            few = slice(0, min(_TRIED, self._fitting(weights, x, network)))
            self._how, seconds = calibrate(network.module, self._labels, weights, x[few], y[few], u[few])
            self.facts |= {f"seconds_{way}": round(spent, 6) for way, spent in seconds.items()}
        self.facts["gradients"] = self._how
        self._squares = make_squares(network.module, self._labels, self._how)

    def _at_once(self, weights: Mapping[str, Tensor], inputs: Tensor, network: Network) -> int:
        """How many examples are handed over at a time."""
        return 1 if self._how == "loop" else self._fitting(weights, inputs, network)

    def _fitting(self, weights: Mapping[str, Tensor], inputs: Tensor, network: Network) -> int:
        """How many examples' gradients fit the memory that is meant for them."""
        if self._labels == "exact" and "classes" not in self.facts:
            output = network(inputs[:1])
            self.facts["classes"] = int(getattr(output, "logits", output).shape[-1])
        each = int(self.facts.get("classes", 1)) if self._labels == "exact" else self._draws
        numel = sum(weight.numel() for weight in weights.values())
        return max(1, min(self.chunk, GRADIENT_BYTES // max(4 * each * numel, 1)))

    def _uniform(self, targets: Tensor, where: slice) -> Tensor:
        """Uniform numbers for the drawn classes, (n, draws) or (n, draws, t)."""
        tail = (self._draws, *targets.shape[1:])
        if self._labels != "sampled":
            return torch.zeros(len(targets), *tail, device=targets.device)
        each = torch.Size(tail).numel()
        found = uniform(self._seed, "fisher", 0, where.start * each, len(targets) * each, targets.device)
        return found.view(len(targets), *tail)

    def state(self) -> dict[str, Tensor]:
        """See :class:`.collector.Collector`."""
        return {**self._sums, "": torch.tensor([self._count])}

    def restore(self, state: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """See :class:`.collector.Collector`."""
        self._sums = {name: tensor for name, tensor in state.items() if name}
        self._count = int(state[""])
        self.facts = dict(facts)
        self._how = self.facts.get("gradients", self._how)  # type: ignore[assignment]

    def result(self) -> dict[str, Tensor]:
        """See :class:`.collector.Collector`."""
        return {name: (total / self._count).float().cpu() for name, total in self._sums.items()}


def trainable(network: Network) -> dict[str, Tensor]:
    """The network's parameters by name, tied ones once; buffers are none."""
    named = {name for name, _ in network.module.named_parameters(remove_duplicate=False)}
    return {name: view for name, view in network.layout.views(network.flat) if name in named}

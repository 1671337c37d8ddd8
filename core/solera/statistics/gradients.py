"""Squares of per-example gradients: of many examples at once by vmap, or of one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap
from torch.overrides import TorchFunctionMode

from solera.errors import MismatchError

Labels = Literal["exact", "sampled", "empirical"]
Weights = dict[str, Tensor]

#: ``squares(weights, inputs, targets, draws)``: sums over the examples, float64, by name of the weight.
Squares = Callable[[Weights, Tensor, Tensor, Tensor], Weights]

#: Bytes that gradients of examples taken at once may hold.
GRADIENT_BYTES = 256 << 20


def make_squares(module: nn.Module, labels: Labels, how: Literal["vmap", "loop"]) -> Squares:
    """The squares of gradients of a network's log-probabilities, summed over examples.

    For an example with probabilities p over classes: ``exact`` is ``sum_c p_c (d log p_c / d w)^2``; ``sampled`` the
    mean over drawn classes of ``(d log p_c / d w)^2``; ``empirical`` that of the given class. Where the network gives
    several rows of logits (a language model), an example is the whole row of tokens: log-probabilities of the drawn or
    given tokens are added before the gradient is taken.

    Args:
        module: In evaluation mode; takes a batch.
        labels: Which classes.
        how: ``"vmap"``: all examples handed over at once; ``"loop"``: one by one, in less memory.

    Returns:
        A function of weights by name, inputs (n, ...), targets (n,) or (n, t), and uniform numbers (n, draws) or
        (n, draws, t), which only ``sampled`` looks at.
    """

    def log_probabilities(weights: Weights, x: Tensor) -> Tensor:
        output = functional_call(module, weights, (x.unsqueeze(0),))
        logits = getattr(output, "logits", output)
        return torch.log_softmax(logits[0].float(), dim=-1)

    def one(weights: Weights, x: Tensor, y: Tensor, draws: Tensor) -> Weights:
        told, pull = vjp(lambda given: log_probabilities(given, x), weights)[:2]
        (gradients,) = vmap(pull)(_directions(told, y, draws, labels))
        return {name: gradient.square().sum(0) for name, gradient in gradients.items()}

    def at_once(weights: Weights, inputs: Tensor, targets: Tensor, draws: Tensor) -> Weights:
        with _OneLayout():
            found = vmap(one, in_dims=(None, 0, 0, 0))(weights, inputs, targets, draws)
        return {name: square.sum(0, dtype=torch.float64) for name, square in found.items()}

    def one_by_one(weights: Weights, inputs: Tensor, targets: Tensor, draws: Tensor) -> Weights:
        leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
        total = {name: torch.zeros_like(weight, dtype=torch.float64) for name, weight in weights.items()}
        for x, y, u in zip(inputs, targets, draws, strict=True):
            for name, gradient in _pulled(log_probabilities(leaves, x), leaves, y, u, labels):
                total[name] += gradient.square()
        return total

    return at_once if how == "vmap" else one_by_one


class _OneLayout(TorchFunctionMode):
    """Leaves out that a tensor be laid out channels last, which vmap does not know; numbers do not hang on it."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call a function of torch."""
        plain = {torch.channels_last: torch.contiguous_format, torch.channels_last_3d: torch.contiguous_format}
        given = [plain.get(arg, arg) if isinstance(arg, torch.memory_format) else arg for arg in args]
        named = dict(kwargs or {})
        if "memory_format" in named:
            named["memory_format"] = plain.get(named["memory_format"], named["memory_format"])
        return func(*given, **named)


def _pulled(told: Tensor, leaves: Weights, y: Tensor, draws: Tensor, labels: Labels) -> Iterator[tuple[str, Tensor]]:
    """The gradients of one example, one class after the other."""
    directions = _directions(told.detach(), y, draws, labels)
    for i, direction in enumerate(directions):
        found = torch.autograd.grad(
            told, list(leaves.values()), direction, retain_graph=i < len(directions) - 1, allow_unused=True
        )
        for name, gradient in zip(leaves, found, strict=True):
            if gradient is not None:
                yield name, gradient


def _directions(told: Tensor, y: Tensor, draws: Tensor, labels: Labels) -> Tensor:
    """What log-probabilities are multiplied with before gradients are taken, (k, ...) for k gradients.

    A factor of sqrt(p) before the gradient is one of p after squaring.
    """
    if labels == "exact":
        return torch.diag(torch.exp(told / 2))
    classes = torch.arange(told.shape[-1], device=told.device)
    if labels == "empirical":
        return (classes == y.unsqueeze(-1)).to(told.dtype).unsqueeze(0)
    upto = torch.exp(told).cumsum(-1)
    drawn = (upto[..., :-1] <= draws.unsqueeze(-1) * upto[..., -1:]).sum(-1, keepdim=True)
    marked: Tensor = (classes == drawn).to(told.dtype)
    return marked.mul(draws.shape[0] ** -0.5)


def calibrate(
    module: nn.Module, labels: Labels, weights: Weights, inputs: Tensor, targets: Tensor, draws: Tensor
) -> tuple[Literal["vmap", "loop"], dict[str, float]]:
    """Which way is faster on these examples, and the seconds each took for one; vmap only where the network allows it.

    Raises:
        MismatchError: The network cannot be differentiated either way.
    """
    seconds: dict[str, float] = {}
    ways: tuple[Literal["vmap", "loop"], ...] = ("loop", "vmap")
    for how in ways:
        squares = make_squares(module, labels, how)
        try:
            for _ in range(2):  # the first call pays for what is made once
                began = time.perf_counter()
                squares(weights, inputs, targets, draws)
                if inputs.is_cuda:
                    torch.cuda.synchronize(inputs.device)
                seconds[how] = (time.perf_counter() - began) / len(inputs)
        except (RuntimeError, ValueError, TypeError, NotImplementedError, AttributeError) as error:
            seconds.pop(how, None)
            if how == "loop":
                raise MismatchError(
                    f"The gradients of {type(module).__name__} cannot be taken on these examples: "
                    f"{str(error).partition(chr(10))[0]}",
                ) from error
    chosen: Literal["vmap", "loop"] = "vmap" if seconds.get("vmap", float("inf")) < seconds["loop"] else "loop"
    return chosen, seconds

"""Making a module without touching torch's global random state, and without work that loading undoes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

# Functions are told by name: libraries wrap torch's initialisers in their own of the same name, and a mode sees only
# the outermost. All of these take a generator.

#: In-place draws: on a parameter they give zeros, since its values are loaded right after. Not whatever is in memory:
#: initialisers that look at their result and draw again (truncated normals) would draw a different number of times.
_IN_PLACE = frozenset({
    "normal_", "uniform_", "bernoulli_", "exponential_", "random_", "log_normal_", "cauchy_", "geometric_",
    "trunc_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_",
    "sparse_",
})  # fmt: skip
#: Draws that make a tensor.
_MAKING = frozenset({"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "poisson"})
#: The same without a ``generator`` argument.
_LIKE = {"rand_like": torch.rand, "randn_like": torch.randn}


class _PrivateRandomness(TorchFunctionMode):
    """Gives every random draw of this thread a generator of its own, seeded 0."""

    def __init__(self) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(0)

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        target = args[0] if args else kwargs.get("tensor")
        if name in _IN_PLACE and isinstance(target, nn.Parameter):
            with torch.no_grad():
                return target.zero_()
        if name in _LIKE and isinstance(target, torch.Tensor):
            kwargs.setdefault("dtype", target.dtype)
            kwargs.pop("memory_format", None)
            return _LIKE[name](target.shape, generator=self._generator, **kwargs)
        if (name in _IN_PLACE or name in _MAKING) and kwargs.get("generator") is None:
            kwargs["generator"] = self._generator
        return func(*args, **kwargs)


def fresh(build: Callable[[], nn.Module]) -> nn.Module:
    """What ``build`` returns, its parameters zero where they would have been drawn at random."""
    with _PrivateRandomness():
        return build()

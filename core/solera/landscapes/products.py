"""What a network's products alone take: the part of its time that no way of evaluating it can save."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

#: Rows and columns of the matrices that a core's speed is measured on, and how often.
_SIDE, _TIMES = 512, 5


def seconds_of_products(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """Seconds on the CPU for the products of matrices and convolutions of a call, by this machine's speed at products.

    Args:
        call: Made once, to count.
        clock: What tells seconds.
    """
    counted = _Products()
    with counted:
        call()
    one, other = torch.rand(_SIDE, _SIDE), torch.rand(_SIDE, _SIDE)
    best = float("inf")
    for _ in range(_TIMES):
        began = clock()
        torch.mm(one, other)
        best = min(best, clock() - began)
    return counted.flops / (2 * _SIDE**3) * best


class _Products(TorchDispatchMode):
    """Counts floating-point operations as torch's own counter does, whose first use imports all of torch's compiler."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0.0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Not by torch's decorator, which is what imports the compiler: nothing is compiled while this counts."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        count = flop_registry.get(func.overloadpacket)
        if count is None:
            with self:  # what is made of products is counted by these
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        found = func(*args, **kwargs)
        if count is not None:
            self.flops += count(*args, **kwargs, out_val=found)
        return found

"""The graph of a module, by torch.fx, while other threads compute.

While torch.fx traces, it puts its own ``__call__`` and ``__getattr__`` into every module of the process. A module that
another thread calls just then is told to that tracer, which does not know it and fails it; and two tracers at once
leave one of them in place for good. So one traces at a time, and what other threads call is called as ever.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from torch import fx, nn

_one = threading.Lock()


def graph_of(module: nn.Module) -> fx.GraphModule:
    """What a module does, as a graph over its own layers and weights.

    Raises:
        RuntimeError: torch.fx cannot trace it (or any other error its tracer gives).
    """
    tracer = _Tracer()
    with _one:
        graph = tracer.trace(module)
    return fx.GraphModule(tracer.root, graph, type(module).__name__)


class _Tracer(fx.Tracer):
    """Follows what its own thread calls."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    @property
    def _own(self) -> bool:
        return threading.get_ident() == self._thread

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return super().call_module(m, forward, args, kwargs) if self._own else forward(*args, **kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        return super().getattr(attr, attr_val, parameter_proxy_cache) if self._own else attr_val

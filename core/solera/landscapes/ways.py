"""Ways to compute a network's logits: as it is, with frozen normalisation folded away, or compiled."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from solera.errors import InputError
from solera.models.folding import FoldedModule
from solera.tasks.forward import Forward
from solera.tasks.inference import network_forward

if TYPE_CHECKING:
    from solera.models.network import Network
    from solera.tasks.examples import Examples

#: In the order in which calibration tries them.
PATHS = ("plain", "folded", "compiled")

#: What torch's compiler and tracer may raise for a network they cannot take.
_REFUSALS = (RuntimeError, OSError, ImportError, AttributeError, TypeError, ValueError, AssertionError)


@dataclass(frozen=True, slots=True)
class Way:
    """How points are evaluated. One way gives the same bytes every time; two agree to 2e-5 relative.

    Attributes:
        path: ``"plain"`` calls the network as it is; ``"folded"`` with frozen BatchNorm folded into the layer before;
            ``"compiled"`` by torch.compile, folded where it can be.
        chunk: Samples per call; 0 is the task's own.
        threads: CPU threads it was chosen with; 0 if nobody chose.
    """

    path: str = "plain"
    chunk: int = 0
    threads: int = 0

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready, as runs keep it."""
        return asdict(self)

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Way:
        """The inverse of :meth:`to_plain`.

        Raises:
            InputError: There is no such path.
        """
        path = str(plain.get("path", "plain"))
        if path not in PATHS:
            raise InputError(f"Points are evaluated by one of {', '.join(PATHS)}, not '{path}'.", path=path)
        return Way(path, int(plain.get("chunk", 0)), int(plain.get("threads", 0)))


class Engine(Protocol):
    """A way made ready for one network. Used by one thread at a time."""

    def refresh(self) -> None:
        """Take in the weights that were just written into the network."""
        ...

    def forward(self, examples: Examples, task: str) -> tuple[Forward, int]:
        """What gives the logits of an evaluator's inputs, and how many samples at a time."""
        ...


def make_engine(way: Way, network: Network) -> Engine:
    """Make a way ready.

    Raises:
        InputError: It cannot be had for this network or on this machine; the sentence says why.
    """
    if way.path == "plain":
        return _Plain(network, way.chunk)
    folded = _folded(network.module)
    if way.path == "folded":
        if isinstance(folded, str):
            raise InputError(f"No normalisation can be folded: {folded}.")
        return _Folded(folded, way.chunk)
    missing = "" if network.device != "cpu" else _no_compiler()
    if missing:
        raise InputError(f"The network cannot be compiled: {missing}.")
    return _Compiled(network.module if isinstance(folded, str) else folded, way.chunk)


class _Plain:
    def __init__(self, network: nn.Module, chunk: int) -> None:
        self._network, self._chunk = network, chunk

    def refresh(self) -> None:
        """Weights are read where they lie."""

    def forward(self, examples: Examples, task: str) -> tuple[Forward, int]:
        chunk = self._chunk or examples.chunk
        return network_forward(self._network, examples.inputs, chunk, task), chunk


class _Folded(_Plain):
    def __init__(self, folded: FoldedModule, chunk: int) -> None:
        super().__init__(folded, chunk)
        self._folded = folded

    def refresh(self) -> None:
        self._folded.refresh()


class _Compiled:
    """Every call has the same shape, the last chunk being filled up, so that the compiler works once."""

    def __init__(self, module: nn.Module, chunk: int) -> None:
        self._module, self._chunk = module, chunk
        # One compiler process: workers that are kept waiting would hold memory and cores that other jobs count on.
        self._call: Any = torch.compile(module, dynamic=False, options={"compile_threads": 1})
        self._filled: dict[int, tuple[Tensor, int]] = {}

    def refresh(self) -> None:
        if isinstance(self._module, FoldedModule):
            self._module.refresh()

    def forward(self, examples: Examples, task: str) -> tuple[Forward, int]:
        inputs = examples.inputs
        key = inputs.data_ptr()
        if key not in self._filled:
            count = inputs.shape[0]
            calls = -(-count // min(self._chunk or examples.chunk, count))
            chunk = -(-count // calls)
            self._filled[key] = (torch.cat([inputs, inputs[: chunk * calls - count]]), chunk)
        filled, chunk = self._filled[key]
        whole = network_forward(self._call, filled, chunk, task)

        def forward(where: slice) -> Tensor:
            return whole(slice(where.start, where.start + chunk))[: where.stop - where.start]

        return forward, chunk


def _folded(module: nn.Module) -> FoldedModule | str:
    """The module with its normalisation folded away, or why it has none that can be."""
    if not any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules()):
        return "the network has no BatchNorm"
    try:
        folded = FoldedModule(module)
    except _REFUSALS as error:
        return f"its graph cannot be traced ({str(error).partition(chr(10))[0]})"
    return folded if folded.pairs else "no BatchNorm follows a convolution or linear layer alone"


def _no_compiler() -> str:
    """Why there is no compiler; empty if there is one."""
    named = os.environ.get("CXX", "")
    candidates = [named] if named else ["g++", "clang++"]
    if any(shutil.which(name) for name in candidates):
        return ""
    return f"no C++ compiler ({' or '.join(candidates)}) is on PATH"

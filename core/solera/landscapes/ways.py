"""Ways to compute a network's logits: as it is, with all folded away that can be, compiled, or for several points."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from solera.errors import InputError
from solera.landscapes.first_layers import Axes, FirstAnswers
from solera.landscapes.together import Together
from solera.models.lean import LeanModule
from solera.patience import patiently
from solera.tasks.forward import Forward
from solera.tasks.inference import network_forward

if TYPE_CHECKING:
    from solera.models.network import Network
    from solera.tasks.examples import Examples

#: In the order in which calibration tries them.
PATHS = ("plain", "folded", "compiled", "vmap")

#: Networks (as torch writes them) and chunks that this process has compiled: there the compiler has nothing to do.
_COMPILED: set[tuple[str, int]] = set()

#: What torch's compiler and tracer may raise for a network they cannot take.
_REFUSALS = (RuntimeError, OSError, ImportError, AttributeError, TypeError, ValueError, AssertionError)


@dataclass(frozen=True, slots=True)
class Way:
    """How points are evaluated. One way gives the same bytes every time; two agree to 2e-5 relative.

    Attributes:
        path: ``"plain"`` calls the network as it is; ``"folded"`` with frozen BatchNorm folded into the layer before,
            the first layers of an affine family answered from what they answer at its corners, ReLU done in place;
            ``"compiled"`` by torch.compile, BatchNorm folded where it can be; ``"vmap"`` calls it for several points at
            once, their weights stacked.
        chunk: Samples per call at most; 0 is the task's own. Folded and compiled networks get calls of equal size.
        threads: CPU threads it was chosen with; 0 if nobody chose.
        points: How many points share a call; 1 unless the path is ``"vmap"``.
    """

    path: str = "plain"
    chunk: int = 0
    threads: int = 0
    points: int = 1

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
        points = max(1, int(plain.get("points", 1))) if path == "vmap" else 1
        return Way(path, int(plain.get("chunk", 0)), int(plain.get("threads", 0)), points)


class Engine(Protocol):
    """A way made ready for one network. Used by one thread at a time."""

    def refresh(self, numbers: Mapping[str, float]) -> None:
        """Take in the weights that were just written into the network.

        Args:
            numbers: The point they belong to, by the recipe's variables.
        """
        ...

    def forward(self, examples: Examples, task: str) -> tuple[Forward, int]:
        """What gives the logits of an evaluator's inputs, and how many samples at a time."""
        ...


def make_engine(way: Way, network: Network, axes: Axes | None = None) -> Engine:
    """Make a way ready.

    Args:
        way: Which.
        network: Whose weights are going to be written anew for every point.
        axes: Of the family they are points of; None if it is not affine.

    Raises:
        InputError: It cannot be had for this network or on this machine; the sentence says why.
    """
    if way.path == "plain":
        return _Plain(network, way.chunk)
    if way.path == "folded":
        return _Folded(network, way.chunk, axes)
    if way.path == "vmap":
        return Together(network, way.points, way.chunk)
    missing = "" if network.device != "cpu" else _no_compiler()
    if missing:
        raise InputError(f"The network cannot be compiled: {missing}.")
    return _Compiled(_without_norms(network.module), way.chunk)


class _Plain:
    def __init__(self, network: nn.Module, chunk: int) -> None:
        self._network, self._chunk = network, chunk

    def refresh(self, numbers: Mapping[str, float]) -> None:
        """Weights are read where they lie."""

    def forward(self, examples: Examples, task: str) -> tuple[Forward, int]:
        chunk = self._chunk or examples.chunk
        return network_forward(self._network, examples.inputs, chunk, task), chunk


#: What tells inputs apart: two tasks may look at parts of one array.
_Key = tuple[int, tuple[int, ...], tuple[int, ...]]


def _key(inputs: Tensor) -> _Key:
    return inputs.data_ptr(), tuple(inputs.shape), inputs.stride()


class _Folded:
    """Two forms of the network: with its first layers, and without them for data they can be answered on."""

    def __init__(self, network: Network, chunk: int, axes: Axes | None) -> None:
        self._network, self._chunk, self._axes = network, chunk, axes
        try:
            self._whole = LeanModule(network.module)
            self._led = self._whole if axes is None else LeanModule(network.module, lead=True)
        except _REFUSALS as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"Nothing can be folded: the network's graph cannot be traced ({reason}).") from error
        if not (self._whole.pairs or self._whole.in_place or self._led.first):
            raise InputError("Nothing can be folded: the network has no BatchNorm, no ReLU and no first layer for it.")
        self._shares: tuple[float, ...] = ()
        self._answers: dict[_Key, tuple[Tensor, FirstAnswers | None]] = {}  # the inputs too, so that no key comes back

    def refresh(self, numbers: Mapping[str, float]) -> None:
        self._whole.refresh()
        if self._axes is not None:
            self._led.refresh()
            self._shares = self._axes.shares(numbers)

    def forward(self, examples: Examples, task: str) -> tuple[Forward, int]:
        inputs, chunk = examples.inputs, _equal_chunk(len(examples.inputs), self._chunk or examples.chunk)
        answers = self._answered(inputs)
        if answers is None:
            return network_forward(self._whole.call, inputs, chunk, task), chunk
        shares = self._shares
        return network_forward(self._led.call, inputs, chunk, task, more=lambda where: answers.at(shares, where)), chunk

    def _answered(self, inputs: Tensor) -> FirstAnswers | None:
        """What the first layers answer on some inputs; None where they have to be computed."""
        key = _key(inputs)
        if key not in self._answers:
            found = None
            if self._axes is not None and self._led.first:
                with contextlib.suppress(InputError, *_REFUSALS):
                    found = FirstAnswers(self._led.first, self._network, self._axes, inputs)
            self._answers[key] = inputs, found
        return self._answers[key][1]


class _Compiled:
    """Every call has the same shape, the last chunk being filled up, so that the compiler works once."""

    def __init__(self, module: nn.Module, chunk: int) -> None:
        self._module, self._chunk = module, chunk
        # One compiler process: workers that are kept waiting would hold memory and cores that other jobs count on.
        # To import the compiler takes a second, and its work on the first call many.
        self._call: Any = patiently(lambda: torch.compile(module, dynamic=False, options={"compile_threads": 1}))
        self._key = repr(module), chunk
        self._filled: dict[_Key, tuple[Tensor, int]] = {}
        self._called: set[_Key] = set()

    def refresh(self, numbers: Mapping[str, float]) -> None:
        if isinstance(self._module, LeanModule):
            self._module.refresh()

    def forward(self, examples: Examples, task: str) -> tuple[Forward, int]:
        inputs = examples.inputs
        key = _key(inputs)
        if key not in self._filled:
            count = inputs.shape[0]
            chunk = _equal_chunk(count, self._chunk or examples.chunk)
            self._filled[key] = (torch.cat([inputs, inputs[: -count % chunk]]), chunk)
        filled, chunk = self._filled[key]
        whole = network_forward(self._call, filled, chunk, task)

        def forward(where: slice) -> Tensor:
            part = slice(where.start, where.start + chunk)
            logits = whole(part) if key in self._called else patiently(_in_this_mode(lambda: whole(part)))
            self._called.add(key)
            _COMPILED.add(self._key)
            return logits[: where.stop - where.start]

        return forward, chunk


def _in_this_mode(work: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Work that another thread does as this one would: whether gradients are kept is each thread's own."""
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def run() -> Tensor:
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
            return work()

    return run


def is_compiled(way: Way, network: Network) -> bool:
    """Whether this process has compiled such a network in such a way before, so that it need not be done again."""
    return (repr(_without_norms(network.module)), way.chunk) in _COMPILED


def _equal_chunk(count: int, most: int) -> int:
    """Samples per call, for as few calls of nearly equal size as can be; at least 1."""
    return -(-count // -(-count // most)) if count else 1


def _without_norms(module: nn.Module) -> nn.Module:
    """The module with its BatchNorm folded away, where it has some that can be; else the module."""
    if not any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules()):
        return module
    try:
        lean = LeanModule(module)
    except _REFUSALS:
        return module
    return lean if lean.pairs else module


def _no_compiler() -> str:
    """Why there is no compiler; empty if there is one."""
    named = os.environ.get("CXX", "")
    candidates = [named] if named else ["g++", "clang++"]
    if any(shutil.which(name) for name in candidates):
        return ""
    return f"no C++ compiler ({' or '.join(candidates)}) is on PATH"

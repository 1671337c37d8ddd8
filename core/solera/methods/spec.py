"""What a method declares: everything a planner, a canvas, a form and a conformance suite need to know of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torch import Tensor

from solera.errors import InputError
from solera.params import ParamSpec, specs_from_signature

Granularity = Literal["element", "tensor", "model"]
Space = Literal["weights", "delta", "any"]
Promise = Literal["bytes", "tolerance", "none"]


class Passes(Protocol):
    """The inputs of a method as a stream, for ``prepare``: iterate as often as needed, each time from the start.

    Yields ``(name, tensors)`` in a fixed order: one float32 tensor per input model, contiguous, valid until the next
    step, not to be changed. A tensor larger than the budget arrives in several consecutive pieces of the same name
    (flat, in index order).
    """

    def __iter__(self) -> Iterator[tuple[str, Sequence[Tensor]]]: ...


@dataclass(frozen=True, slots=True)
class Piece:
    """Which part of a model a method is looking at.

    Attributes:
        name: The tensor's name.
        start: Flat index of the first element; 0 for a whole tensor.
    """

    name: str
    start: int = 0


#: What a method function is: ``f(tensors, *, parameters) -> tensor``.
MethodFunction = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """A method and what it declares.

    Attributes:
        name: Registered name, a lower-case identifier: ``"task_arithmetic"``.
        title: What a person reads: ``"Task arithmetic"``.
        function: ``function(tensors: list[Tensor], *, <parameters>[, state][, piece]) -> Tensor``: inputs in order,
            float32, contiguous, one shape (flat chunks when granularity is ``"element"``); must not be changed in
            place. ``state`` is what ``prepare`` returned (None without), ``piece`` the :class:`Piece` at hand.
        params: The declared parameters.
        takes: ``"weights"``, ``"delta"``, or ``"any"`` (a formula that is right for both).
        base: ``"required"``: needs a base in the Weights form. ``"optional"``. ``"none"``: takes no base.
        granularity: ``"element"``: may be fed any contiguous chunk; ``"tensor"``: needs whole tensors; ``"model"``:
            needs ``prepare`` over the whole model first.
        min_inputs, max_inputs: How many inputs (the base not counted); ``max_inputs`` None is any number.
        prepare: ``prepare(passes, *, <parameters>) -> state``, handed on to ``function`` as ``state=``; parameters here
            are resolved once, at the model (site ``"*"``). ``prepare_when`` says for which parameters it is needed.
        affine: True if the result is affine in every numeric parameter and in the inputs for fixed others (lets a
            family precompute directions).
        version: Goes up whenever the numbers change; part of a recipe's semantic hash.
        promise: ``"bytes"`` equal bytes whatever the threads and chunks; ``"tolerance"``; ``"none"``.
        paper: Citation, one line. url: Where it can be read. summary: One sentence.
        float64: Whether inputs arrive as float64 instead of float32.
        ordered: Whether the inputs have roles by their place (a trajectory, a vector and what it was made of, the task
            that is wanted), so that it is no way to merge peers.
        also: Other names it is found by, each with the parameters that make it so: ``{"WiSE-FT": "alpha 0.5"}``.
        source: Digest of the code of a plugin outside Solera's own distribution, or of a script's function; empty for
            Solera's own, whose ``version`` tells. Part of a recipe's semantic hash. Set where it is registered.
    """

    name: str
    title: str
    function: MethodFunction
    params: tuple[ParamSpec, ...]
    takes: Space = "weights"
    base: Literal["required", "optional", "none"] = "none"
    granularity: Granularity = "tensor"
    min_inputs: int = 1
    max_inputs: int | None = None
    prepare: Callable[..., Any] | None = None
    prepare_when: Callable[[Mapping[str, Any]], bool] | None = None
    affine: bool = False
    version: int = 1
    promise: Promise = "bytes"
    paper: str = ""
    url: str = ""
    summary: str = ""
    float64: bool = False
    ordered: bool = False
    also: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def param(self, name: str) -> ParamSpec:
        """The declared parameter of this name.

        Raises:
            InputError: There is none.
        """
        for spec in self.params:
            if spec.name == name:
                return spec
        raise InputError(f"The method '{self.name}' has no parameter '{name}'.", method=self.name, param=name)

    @property
    def arguments(self) -> frozenset[str]:
        """Which of :data:`ARGUMENTS` the function asks for."""
        return frozenset(ARGUMENTS) & frozenset(inspect.signature(self.function).parameters)

    def needs_prepare(self, params: Mapping[str, Any]) -> bool:
        """Whether these parameters (plain values by name) need the streaming first pass."""
        if self.prepare is None:
            return False
        return self.prepare_when is None or self.prepare_when(params)


#: Keyword arguments of a method function that are no parameters.
ARGUMENTS = ("state", "piece")


def method(
    name: str,
    *,
    title: str = "",
    takes: Space = "weights",
    base: Literal["required", "optional", "none"] = "none",
    granularity: Granularity = "tensor",
    inputs: tuple[int, int | None] = (1, None),
    prepare: Callable[..., Any] | None = None,
    prepare_when: Callable[[Mapping[str, Any]], bool] | None = None,
    affine: bool = False,
    version: int = 1,
    promise: Promise = "bytes",
    paper: str = "",
    url: str = "",
    float64: bool = False,
    ordered: bool = False,
    also: Mapping[str, str] | None = None,
) -> Callable[[MethodFunction], MethodSpec]:
    """Declare a plain function to be a merging method.

    The parameters are the function's keyword-only arguments (``state`` excepted, which receives what ``prepare``
    returned, and ``piece``, which receives a :class:`Piece`). Works in a script or notebook without a manifest.

    Raises:
        InputError: The signature is not one a method can have.
    """

    def declare(function: MethodFunction) -> MethodSpec:
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        if not summary:
            raise InputError(f"The method '{name}' needs a docstring whose first line says what it does.")
        specs = specs_from_signature(function, skip=ARGUMENTS)
        return MethodSpec(
            name=name, title=title or name.replace("_", " ").capitalize(), function=function, params=specs, takes=takes,
            base=base, granularity=granularity, min_inputs=inputs[0], max_inputs=inputs[1], prepare=prepare,
            prepare_when=prepare_when, affine=affine, version=version, promise=promise, paper=paper, url=url,
            summary=summary, float64=float64, ordered=ordered, also=dict(also or {}),
        )  # fmt: skip

    return declare

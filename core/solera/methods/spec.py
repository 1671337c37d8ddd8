"""What a method declares: everything a planner, a canvas, a form and a conformance suite need to know of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor

from solera.errors import InputError
from solera.kernels.tape import Tape, TapeValue
from solera.methods.statistics import STATISTICS
from solera.params import ParamSpec, specs_from_signature
from solera.tensors.selection import HELD, StreamingSelect

Granularity = Literal["element", "block", "tensor", "model"]
Over = Literal["tensor", "model"]

#: Bytes: for each input, or of the parameters, how many elements each tensor has, and how many inputs there are.
Gathers = int | Callable[[Mapping[str, Any], Mapping[str, int], int], int]
Space = Literal["weights", "delta", "any"]
Gives = Literal["same", "delta"]
Promise = Literal["bytes", "tolerance", "none"]


#: What puts a method's formula on a tape: values in, the value of the result out; None where it cannot.
TapeFunction = Callable[..., TapeValue | None]

#: What is wanted of a tape: handed it, a method's inputs and the tensor's name; None where that cannot be said.
Build = Callable[[Tape, Sequence[TapeValue], str], Sequence[TapeValue] | None]


class Passes(Protocol):
    """The inputs of a method as a stream, for ``prepare``: iterate as often as needed, each time from the start.

    Yields ``(name, tensors)`` in a fixed order: one float32 tensor per input model, contiguous, valid until the next
    step, not to be changed. A long tensor arrives in several consecutive pieces of the same name: flat, in index order,
    or for a method of granularity ``"block"`` as runs of whole slices along the first axis.

    A state may keep the stream and go over it later, from any thread, one at a time.

    Attributes:
        numel: How many elements of each input one pass goes over.
    """

    @property
    def numel(self) -> int:
        """Elements of each input."""
        ...

    def __iter__(self) -> Iterator[tuple[str, Sequence[Tensor]]]: ...

    def sample(self) -> Sequence[Sequence[Tensor]]:
        """Flat runs from places spread evenly over the stream, copied: for each run one tensor per input.

        Nothing, where a pass costs no more than a sample.
        """
        ...


class HeldPasses:
    """One tensor of each model, held in memory, as :class:`Passes`.

    Args:
        tensors: One per input, of one shape.
        name: Of the tensor.
    """

    def __init__(self, tensors: Sequence[Tensor], name: str = "") -> None:
        self._tensors = tensors
        self._name = name

    @property
    def numel(self) -> int:
        """Elements of the tensor."""
        return self._tensors[0].numel()

    def __iter__(self) -> Iterator[tuple[str, Sequence[Tensor]]]:
        yield self._name, self._tensors

    def sample(self) -> Sequence[Sequence[Tensor]]:
        """Nothing."""
        return []


@runtime_checkable
class StatisticPasses(Passes, Protocol):
    """What ``prepare`` of a method that needs statistics is handed: it may iterate over those as well."""

    def statistics(self) -> Iterator[tuple[str, Sequence[Tensor | None]]]:
        """``(name, statistics)`` in order of name: one per input, None where it has none of this name.

        Those with a number for each weight come flat and in pieces as the inputs do; others whole, in their own shape.
        """
        ...


@runtime_checkable
class LoopPasses(Passes, Protocol):
    """A stream over which loops can go instead: what they find is what going over it would give, to the byte.

    Each gives None where no loop can, as for numbers that are stored in an unusual way; then go over the stream.
    ``build`` puts what is looked at on a tape: it is handed the tape, the inputs and the tensor's name, and gives
    values, or None where it cannot.
    """

    def products(self, build: Build | None = None) -> list[list[float]] | None:
        """All inner products of the values, or the inputs, in float64: a symmetric list of lists; empty for none."""
        ...

    def sizes(self, build: Build) -> list[float] | None:
        """The sum of the magnitudes of each value, in float64; empty for no elements."""
        ...

    def sift(self, selects: Sequence[StreamingSelect], build: Build) -> list[tuple[str, int]] | None:
        """Show each of some selections the magnitudes of one value, as a pass that they need.

        Returns:
            The tensors gone over and how many elements they have, in order.
        """
        ...


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


@dataclass(frozen=True)
class MethodSpec:
    """A method and what it declares.

    Attributes:
        name: Registered name, a lower-case identifier: ``"task_arithmetic"``.
        title: What a person reads: ``"Task arithmetic"``.
        function: ``function(tensors: list[Tensor], *, <parameters>[, state][, piece][, statistics]) -> Tensor``: inputs
            in order, float32, contiguous, one shape (flat chunks when granularity is ``"element"``); must not be
            changed in place. ``state`` is what ``prepare`` returned (None without), ``piece`` the :class:`Piece` at
            hand, ``statistics`` one per input: the shape of the inputs if it has a number for each weight, else its
            own; None where a statistic has nothing for this tensor.
        params: The declared parameters.
        takes: ``"weights"``, ``"delta"``, or ``"any"`` (a formula that is right for both).
        gives: ``"same"``: what it takes. ``"delta"``: a difference of weights, though it takes weights: a direction
            from the model it is handed.
        base: ``"required"``: needs a base in the Weights form. ``"optional"``. ``"none"``: takes no base.
        granularity: ``"element"``: may be fed any contiguous chunk; ``"block"``: any run of whole slices along the
            first axis (rows of a matrix; a vector is fed whole); ``"tensor"`` and ``"model"``: needs whole tensors. Or
            a function from the parameters at a tensor to one of these.
        min_inputs, max_inputs: How many inputs (the base not counted); ``max_inputs`` None is any number.
        prepare: ``prepare(passes, *, <parameters>) -> state``, handed on to ``function`` as ``state=``.
            ``prepare_when`` says for which parameters it is needed.
        prepare_over: What a first pass goes over. ``"model"``: once over the whole model, with parameters resolved at
            the site ``"*"``; ``"tensor"``: over each tensor before its pieces are computed, with the parameters there;
            or a function from the parameters to one of these.
        gathers: Most bytes that ``prepare`` gathers and its state keeps, beside the pieces it is shown: a number for
            each input, or ``f(parameters, elements by tensor, inputs)`` over the tensors of one first pass. A plan
            counts with it, and refuses what does not fit; 0 for methods that gather a few numbers. When nothing is
            said, one exact selection for each input.
        affine: True if the result is affine in every numeric parameter and in the inputs for fixed others (lets a
            family precompute directions).
        version: Goes up whenever the numbers change; part of a recipe's semantic hash.
        promise: ``"bytes"`` equal bytes whatever the threads and chunks; ``"tolerance"``; ``"none"``.
        paper: Citation, one line. url: Where it can be read. summary: One sentence.
        float64: Whether inputs arrive as float64 instead of float32.
        ordered: Whether the inputs have roles by their place (a trajectory, a vector and what it was made of, the task
            that is wanted), so that it is no way to merge peers.
        also: Other names it is found by, each with the parameters that make it so: ``{"WiSE-FT": "alpha 0.5"}``.
        needs: The kind of statistic it needs of each input, a name of :data:`solera.methods.statistics.STATISTICS`;
            empty if none.
        tape: ``tape(tape, values, *, <parameters>[, state][, name]) -> value``: the function's formula put on a
            :class:`solera.kernels.tape.Tape`, to be played in one go over all elements of the tensor ``name`` as they
            are stored. Must give the function's bytes; None where it cannot with these parameters.
        source: Digest of the code of a plugin outside Solera's own distribution, or of a script's function; empty for
            Solera's own, whose ``version`` tells. Part of a recipe's semantic hash. Set where it is registered.
    """

    name: str
    title: str
    function: MethodFunction
    params: tuple[ParamSpec, ...]
    takes: Space = "weights"
    gives: Gives = "same"
    base: Literal["required", "optional", "none"] = "none"
    granularity: Granularity | Callable[[Mapping[str, Any]], Granularity] = "tensor"
    min_inputs: int = 1
    max_inputs: int | None = None
    prepare: Callable[..., Any] | None = None
    prepare_when: Callable[[Mapping[str, Any]], bool] | None = None
    prepare_over: Over | Callable[[Mapping[str, Any]], Over] = "model"
    gathers: Gathers = HELD
    affine: bool = False
    version: int = 1
    promise: Promise = "bytes"
    paper: str = ""
    url: str = ""
    summary: str = ""
    float64: bool = False
    ordered: bool = False
    also: Mapping[str, str] = field(default_factory=dict)
    needs: str = ""
    tape: TapeFunction | None = None
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

    @cached_property
    def arguments(self) -> frozenset[str]:
        """Which of :data:`ARGUMENTS` the function asks for."""
        return frozenset(ARGUMENTS) & frozenset(inspect.signature(self.function).parameters)

    @cached_property
    def taken_by_tape(self) -> frozenset[str]:
        """Which of ``state`` and ``name`` the tape function asks for."""
        asked = inspect.signature(self.tape).parameters if self.tape else {}
        return frozenset({"state", "name"}) & frozenset(asked)

    def cut(self, params: Mapping[str, Any]) -> Granularity:
        """How finely its inputs may be cut with these parameters (plain values by name)."""
        return self.granularity(params) if callable(self.granularity) else self.granularity

    def needs_prepare(self, params: Mapping[str, Any], over: Over | None = None) -> bool:
        """Whether these parameters (plain values by name) need a streaming first pass: any, or one over this."""
        if self.prepare is None or not (self.prepare_when is None or self.prepare_when(params)):
            return False
        return over is None or over == (self.prepare_over(params) if callable(self.prepare_over) else self.prepare_over)


#: Keyword arguments of a method function that are no parameters.
ARGUMENTS = ("state", "piece", "statistics")


def method(
    name: str,
    *,
    title: str = "",
    takes: Space = "weights",
    gives: Gives = "same",
    base: Literal["required", "optional", "none"] = "none",
    granularity: Granularity | Callable[[Mapping[str, Any]], Granularity] = "tensor",
    inputs: tuple[int, int | None] = (1, None),
    prepare: Callable[..., Any] | None = None,
    prepare_when: Callable[[Mapping[str, Any]], bool] | None = None,
    prepare_over: Over | Callable[[Mapping[str, Any]], Over] = "model",
    gathers: Gathers = HELD,
    affine: bool = False,
    version: int = 1,
    promise: Promise = "bytes",
    paper: str = "",
    url: str = "",
    float64: bool = False,
    ordered: bool = False,
    also: Mapping[str, str] | None = None,
    needs: str = "",
    tape: TapeFunction | None = None,
) -> Callable[[MethodFunction], MethodSpec]:
    """Declare a plain function to be a merging method.

    The parameters are the function's keyword-only arguments (``state`` excepted, which receives what ``prepare``
    returned, ``piece``, which receives a :class:`Piece`, and ``statistics``). Works in a script or notebook without a
    manifest.

    Raises:
        InputError: The signature is not one a method can have.
    """

    def declare(function: MethodFunction) -> MethodSpec:
        if needs and needs not in STATISTICS:
            known = ", ".join(STATISTICS)
            raise InputError(f"The method '{name}' needs '{needs}', which is no statistic; known: {known}.")
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        if not summary:
            raise InputError(f"The method '{name}' needs a docstring whose first line says what it does.")
        specs = specs_from_signature(function, skip=ARGUMENTS)
        return MethodSpec(
            name=name, title=title or name.replace("_", " ").capitalize(), function=function, params=specs, takes=takes,
            gives=gives, base=base, granularity=granularity, min_inputs=inputs[0], max_inputs=inputs[1],
            prepare=prepare, prepare_when=prepare_when, prepare_over=prepare_over, gathers=gathers,
            affine=affine, version=version, promise=promise,
            paper=paper, url=url, summary=summary, float64=float64, ordered=ordered, also=dict(also or {}),
            needs=needs, tape=tape,
        )  # fmt: skip

    return declare

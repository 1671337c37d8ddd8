"""One node of a recipe, ready to run on tensors of one shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from solera.errors import InputError, PluginError
from solera.execution.cuts import PIECE, Cut
from solera.kernels.tape import Tape, TapeValue
from solera.methods.spec import MethodSpec, Piece
from solera.params import ParamSpec, PerModel, Scalar, Site, Value, by_place, resolve
from solera.recipes.checks import COEFFICIENT
from solera.recipes.nodes import MethodNode, Node, SumNode, ValueType, node_values


@dataclass(frozen=True, slots=True)
class Step:
    """One node, ready to run.

    Attributes:
        node: The recipe's node.
        type: What it gives.
        input_types: What its inputs are, in port order without the base.
        spec: Its method, if it is one.
        varies: Whether it depends on a free variable.
        frees: Ids of values nobody needs after this step.
        sole: Ids of loaded values nobody needs but this step, and it once: they may be overwritten.
    """

    node: Node
    type: ValueType
    input_types: tuple[ValueType, ...] = ()
    spec: MethodSpec | None = None
    varies: bool = False
    frees: tuple[str, ...] = ()
    sole: frozenset[str] = frozenset()
    _alike: dict[str, tuple[object, dict[str, Any]]] = field(default_factory=dict, compare=False, repr=False)
    """The latest parameters that are the same at every tensor, and for what numbers: most are."""

    @property
    def id(self) -> str:
        """The node's id."""
        return self.node.id

    @property
    def by_element(self) -> bool:
        """Whether it may be fed any contiguous chunk of any tensor."""
        return self.spec is None or self.spec.granularity == "element"

    @property
    def placeless(self) -> bool:
        """Whether it does the same at every tensor, so that it may be fed a whole flat model at once."""
        spec = self.spec
        looks = spec is not None and bool(
            "piece" in spec.arguments or spec.needs or (spec.prepare and spec.prepare_over != "model")
        )
        return self.by_element and not looks and not any(by_place(value) for value in node_values(self.node))

    def cut(self, site: Site, numbers: Mapping[str, float]) -> Cut:
        """How finely its inputs may be cut at one tensor."""
        if self.spec is None:
            return "element"
        granularity = self.spec.granularity
        found = granularity(self.params(site, numbers)) if callable(granularity) else granularity
        return "tensor" if found == "model" else found

    def params(self, site: Site, numbers: Mapping[str, float]) -> dict[str, Any]:
        """The parameters of a method node at one tensor, defaults filled in; not to be changed."""
        assert isinstance(self.node, MethodNode)
        assert self.spec is not None
        given = self.node.params
        everywhere = (site.models, *numbers.items())
        known = self._alike.get("params")
        if known is not None and known[0] == everywhere:
            return known[1]
        found = {param.name: _resolved(given.get(param.name), param, site, numbers) for param in self.spec.params}
        if not any(by_place(value) for value in given.values()):
            self._alike["params"] = (everywhere, found)
        return found

    def coefficients(self, site: Site, numbers: Mapping[str, float]) -> list[float]:
        """The coefficients of a sum node at one tensor."""
        assert isinstance(self.node, SumNode)
        return [float(resolve(term.coefficient, COEFFICIENT, site, numbers)) for term in self.node.terms]  # type: ignore[arg-type]

    def needs_prepare(self, numbers: Mapping[str, float]) -> bool:
        """Whether its method must see the whole model first."""
        if self.spec is None or self.spec.prepare is None:
            return False
        return self.spec.needs_prepare(self.params(self.model_site, numbers), "model")

    def needs_look(self, site: Site, numbers: Mapping[str, float]) -> bool:
        """Whether its method must see the whole of this tensor first."""
        if self.spec is None or self.spec.prepare is None or self.needs_prepare(numbers):
            return False
        return self.spec.needs_prepare(self.params(site, numbers), "tensor")

    def gathered(self, site: Site, sizes: Mapping[str, int], numbers: Mapping[str, float]) -> int:
        """Most bytes that its method's first pass over some tensors gathers and keeps.

        Args:
            site: Where its parameters are resolved.
            sizes: Elements of each tensor.
            numbers: Values of the free variables.
        """
        assert self.spec is not None
        models, gathers = len(self.input_types), self.spec.gathers
        if callable(gathers):
            return gathers(self.params(site, numbers), sizes, models)
        return gathers * models * min(sum(sizes.values()), PIECE) // PIECE  # of less than a piece, less

    @property
    def model_site(self) -> Site:
        """The site at which parameters of ``prepare`` over the model are resolved."""
        return Site("*", 0.0, len(self.input_types))

    def site(self, name: str, depth: float) -> Site:
        """The site of one tensor."""
        return Site(name, depth, max(len(self.input_types), 1))

    def resolved(self, site: Site, numbers: Mapping[str, float]) -> Any:
        """What :meth:`run` needs of the recipe at one tensor: a method's parameters, or a sum's coefficients."""
        return self.coefficients(site, numbers) if isinstance(self.node, SumNode) else self.params(site, numbers)

    def run(
        self, values: Mapping[str, Tensor], piece: Piece, resolved: Any, state: Any = None,
        statistics: Sequence[Tensor | None] = (), overwrite: Collection[str] = (),
    ) -> Tensor:  # fmt: skip
        """The node's value from its inputs' values.

        Args:
            values: float32 tensors of one shape by node id; not changed, but for those of ``overwrite``.
            piece: Which part of the model this is.
            resolved: From :meth:`resolved`, at this tensor.
            state: What the method's ``prepare`` returned.
            statistics: Those of the inputs at this piece.
            overwrite: Ids of values whose memory may be used.
        """
        if isinstance(self.node, SumNode):
            return add_up([values[term.node] for term in self.node.terms], resolved)
        assert isinstance(self.node, MethodNode)
        assert self.spec is not None
        inputs = self.method_inputs(values, overwrite)
        shaped = [s.view(inputs[0].shape) if s is not None and self.by_element else s for s in statistics]
        extras = {"state": state, "piece": piece, "statistics": shaped}
        arguments = {key: extras[key] for key in self.spec.arguments}
        shape = inputs[0].shape
        result = self.spec.function(inputs, **resolved, **arguments)
        if not isinstance(result, Tensor) or result.shape != shape:
            got = f"a tensor of shape {tuple(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
            raise PluginError(
                f"The method '{self.spec.name}' must give a tensor of shape {tuple(shape)} for '{piece.name}'; it gave "
                f"{got}.",
                method=self.spec.name, tensor=piece.name,
            )  # fmt: skip
        result = result.float()
        if not self.node.base:
            return result
        base = values[self.node.base]
        return base.add_(result) if self.node.base in overwrite else base + result

    def tape(
        self, tape: Tape, values: Mapping[str, TapeValue], name: str, resolved: Any, state: Any
    ) -> TapeValue | None:
        """Put the node on a tape: :meth:`run`, element by element. None where its method has no such form.

        Args:
            tape: The tape.
            values: Of its inputs.
            name: Of the tensor.
            resolved: From :meth:`resolved`, at this tensor.
            state: What the method's ``prepare`` returned.
        """
        if isinstance(self.node, SumNode):
            return tape.weighted_sum([values[term.node] for term in self.node.terms], resolved)
        assert isinstance(self.node, MethodNode)
        assert self.spec is not None
        if self.spec.tape is None or self.spec.float64 or self.node.statistics:
            return None
        known = {"state": state, "name": name}
        arguments = {key: known[key] for key in self.spec.taken_by_tape}
        made = self.spec.tape(tape, self.tape_inputs(tape, values), **resolved, **arguments)
        return made if made is None or not self.node.base else tape.add(values[self.node.base], made)

    def tape_inputs(self, tape: Tape, values: Mapping[str, TapeValue]) -> list[TapeValue]:
        """What the method is handed: :meth:`method_inputs`, element by element."""
        assert isinstance(self.node, MethodNode)
        base = values[self.node.base] if self.node.base else None
        return [
            tape.subtract(values[name], base) if base is not None and type_ == "weights" else values[name]
            for name, type_ in zip(self.node.inputs, self.input_types, strict=True)
        ]

    def method_inputs(self, values: Mapping[str, Tensor], overwrite: Collection[str] = ()) -> list[Tensor]:
        """What the method function is handed: the inputs, or with a base their differences from it.

        Args:
            values: By node id.
            overwrite: Ids of values whose memory may be used.
        """
        assert isinstance(self.node, MethodNode)
        assert self.spec is not None
        base = values[self.node.base] if self.node.base else None
        inputs = []
        for name, type_ in zip(self.node.inputs, self.input_types, strict=True):
            value = values[name]
            if base is not None and type_ == "weights":
                value = value.sub_(base) if name in overwrite else value - base
            inputs.append(value)
        return [tensor.double() for tensor in inputs] if self.spec.float64 else inputs


def add_up(tensors: Sequence[Tensor], coefficients: Sequence[float], out: Tensor | None = None) -> Tensor:
    """``sum_i coefficients[i] * tensors[i]`` in order, every product and sum rounded to float32 on its own.

    Args:
        tensors: One or more, float32, one shape; not changed.
        coefficients: As many.
        out: Where to put it; must be none of the tensors. New memory if None.
    """
    import torch

    first, factor = tensors[0], coefficients[0]
    total = torch.mul(first, factor, out=out) if out is not None else first * factor
    for tensor, factor in zip(tensors[1:], coefficients[1:], strict=True):
        total.add_(tensor if factor == 1.0 else tensor * factor)
    return total


def _resolved(value: Value | None, spec: ParamSpec, site: Site, numbers: Mapping[str, float]) -> Any:
    if value is None:
        if spec.default is None:
            return None
        default = spec.default
        value = default if not isinstance(default, tuple) else default[0] if len(default) == 1 else PerModel(default)
    found = resolve(value, spec, site, numbers)
    return tuple(_typed(item, spec) for item in found) if isinstance(found, tuple) else _typed(found, spec)


def _typed(value: Scalar, spec: ParamSpec) -> Any:
    """A variable is a float: bring it to the parameter's kind and bounds."""
    if spec.kind == "path":
        from pathlib import Path

        return Path(str(value))
    if spec.kind not in {"float", "int"}:
        return value
    number = float(value)
    low, high = spec.param.low, spec.param.high
    if (low is not None and number < low) or (high is not None and number > high):
        raise InputError(f"'{spec.name}' must lie from {low} to {high}; it stands at {number:g}.", param=spec.name)
    return round(number) if spec.kind == "int" else number

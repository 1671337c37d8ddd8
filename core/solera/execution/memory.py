"""Recipes made in memory: once as a state dict, or again and again as points of a family."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from solera.checkpoints.checkpoint import Checkpoint
from solera.context import Context, QuietContext
from solera.errors import MismatchError
from solera.execution.affinity import affine_in_variables
from solera.execution.cuts import PIECE, coarsest, pieces
from solera.execution.prepare import look, prepare
from solera.execution.program import Program, compile_recipe
from solera.execution.reading import check_result, store
from solera.execution.staged_reader import reader_on
from solera.execution.step import Step, add_up
from solera.execution.targets import Target, find_ref, find_targets
from solera.methods.spec import MethodSpec, Piece
from solera.params import Site
from solera.recipes.nodes import CheckpointNode, Recipe, SumNode, operands
from solera.tensors.dtypes import torch_dtype

if TYPE_CHECKING:
    from solera.models.layout import FlatLayout


def materialise(
    recipe: Recipe,
    checkpoints: Mapping[str, Checkpoint],
    methods: Mapping[str, MethodSpec],
    numbers: Mapping[str, float] | None = None,
    device: str = "cpu",
    context: Context | None = None,
) -> dict[str, Tensor]:
    """Make a recipe's weights in memory.

    Args:
        recipe: A recipe without faults.
        checkpoints: The opened checkpoints by node id.
        methods: The registered methods.
        numbers: Values of free variables; those absent take their ``init``.
        device: Where the tensors shall be.
        context: Asked whether to stop at every tensor.

    Returns:
        Every tensor of the result by name, in the reference's order and the dtype it would be saved in; tied names
        share one tensor.

    Raises:
        FaultsError: The recipe has faults or the checkpoints do not fit each other.
        InputError: A variable has no value.
        NumericError: A weight is NaN or infinite, or a result does not fit its dtype.
    """
    context = context or QuietContext(device)
    program = compile_recipe(recipe, methods, checkpoints, numbers)
    leaves = program.leaves(checkpoints)
    reference = leaves[program.reference]
    targets, ties = find_targets(reference, leaves, recipe.dtype)
    load = reader_on(device, leaves)
    states = prepare(program, targets, load, context)
    made: dict[str, Tensor] = {}
    for target in targets:
        context.check()
        if target.computed:
            here = look(program, target, load, states, context)
            result = program.evaluate(load, Piece(target.name), target.numel, target.shape, target.depth, here)
            load.settle()
            stored = store(result, target.dtype, target.name)
            # A recipe that is one checkpoint gives the reader's own buffer, which is used again.
            made[target.name] = stored.clone() if stored is result else stored
        else:
            made[target.name] = reference[target.name].read().to(device)
    return {name: made[ties.get(name, name)] for name in reference}


@dataclass(frozen=True, slots=True)
class _Span:
    """A tensor's place in the flat vector."""

    target: Target
    start: int
    stop: int

    def of(self, flat: Tensor) -> Tensor:
        return flat[self.start : self.stop].view(self.target.shape)


class Materialiser:
    """Writes points of a recipe with free variables into one flat vector.

    What does not depend on a variable is computed once and kept on the device; the rest is computed anew at every
    point, never accumulated, in the arithmetic of the streaming executor: the same bits as the checkpoint that would be
    saved, brought to its storage dtype and back. A line or plane costs a few passes over the flat vector.

    Thread rule: one thread at a time.

    Args:
        recipe: A recipe without faults; variables may have no value yet.
        checkpoints: The opened checkpoints by node id.
        methods: The registered methods.
        layout: Order of the tensors in the flat vector.
        device: Where it is.
        context: Asked whether to stop while constants are computed.

    Attributes:
        coords: Names of the free variables, in order of first appearance.
        affine: Whether the weights are base + sum of variable * direction (see :mod:`solera.execution.affinity`).
        rounds: Whether weights are rounded to fewer bits than float32 has.

    Raises:
        FaultsError: The recipe has faults or the checkpoints do not fit each other.
        MismatchError: The network has a tensor the checkpoints lack, or of another shape.
        NumericError: A weight is NaN or infinite.
    """

    def __init__(
        self,
        recipe: Recipe,
        checkpoints: Mapping[str, Checkpoint],
        methods: Mapping[str, MethodSpec],
        layout: FlatLayout,
        device: str = "cpu",
        context: Context | None = None,
    ) -> None:
        self._context = context or QuietContext(device)
        self._device = device
        self.layout = layout
        self.coords = tuple(var.name for var in recipe.variables)
        program = compile_recipe(recipe, methods, checkpoints, free=True)
        self.affine = affine_in_variables(program)
        self._program = program
        self._checkpoints = program.leaves(checkpoints)
        self._spans = _spans(layout, self._checkpoints[program.reference], self._checkpoints, recipe.dtype)
        self._numel = max((span.stop for span in self._spans), default=0)
        self._shown = [span for span in self._spans if span.start < layout.numel]
        self._dtypes = {span.target.dtype for span in self._shown}
        self.rounds = bool(self._dtypes - {"float32", "float64"})
        self._measured = reader_on(device, program.statistics)
        self._work: dict[str, Tensor] = {}
        self._kept = self._constants()

    def at(self, numbers: Mapping[str, float], out: Tensor) -> None:
        """Write one point.

        Args:
            numbers: A value for every variable; those absent take their ``init``.
            out: Flat float32 of ``layout.numel`` elements on the device; overwritten.

        Raises:
            InputError: A variable has no value.
            NumericError: A result is infinite or does not fit its dtype; the tensor is named.
        """
        program = replace(self._program, numbers={**self._program.numbers, **numbers})
        values = dict(self._kept)
        for step in program.steps:
            if step.varies:
                direct = step.id == program.recipe.output and self._numel == self.layout.numel
                target = out if direct else self._buffer(step.id)
                self._run(step, values, program, target)
                values[step.id] = target
        made = values[program.recipe.output]
        if made is not out:
            out.copy_(made[: self.layout.numel])
        self._store(out)

    def _constants(self) -> dict[str, Tensor]:
        """The values that do not vary, as far as the varying steps (or the output) need them."""
        program = self._program
        wanted = {name for step in program.steps if step.varies for name in operands(step.node)} | {
            program.recipe.output
        }
        values: dict[str, Tensor] = {}
        for i, step in enumerate(program.steps):
            self._context.check()
            if step.varies:
                continue
            flat = torch.empty(self._numel, dtype=torch.float32, device=self._device)
            self._run(step, values, program, flat)
            values[step.id] = flat
            later = {name for other in program.steps[i + 1 :] for name in operands(other.node)} | wanted
            values = {id_: value for id_, value in values.items() if id_ in later}
        return values

    def _run(self, step: Step, values: Mapping[str, Tensor], program: Program, out: Tensor) -> None:
        """Compute one step over the whole flat vector."""
        whole = Site("*", 0.0, max(len(step.input_types), 1))
        if isinstance(step.node, CheckpointNode):
            self._read(step.id, out)
        elif isinstance(step.node, SumNode) and step.placeless:
            add_up([values[term.node] for term in step.node.terms], step.coefficients(whole, program.numbers), out)
        elif step.placeless and not step.needs_prepare(program.numbers):
            out.copy_(step.run(values, Piece("*"), step.resolved(whole, program.numbers)))
        else:
            self._run_by_tensor(step, values, program, out)

    def _run_by_tensor(self, step: Step, values: Mapping[str, Tensor], program: Program, out: Tensor) -> None:
        assert step.spec is not None or isinstance(step.node, SumNode)
        state = self._prepared(step, values, program)
        for span in self._spans:
            site = step.site(span.target.name, span.target.depth)
            resolved = step.resolved(site, program.numbers)
            here = {name: span.of(values[name]) for name in operands(step.node)}
            if step.needs_look(site, program.numbers):
                assert step.spec is not None
                assert step.spec.prepare is not None
                state = step.spec.prepare(self._passes(step, values, [span], program), **resolved)
            piece = Piece(span.target.name)
            measured = program.measured(step, self._measured, piece, span.target.numel)
            span.of(out).copy_(step.run(here, piece, resolved, state, measured))

    def _passes(
        self, step: Step, values: Mapping[str, Tensor], spans: Sequence[_Span], program: Program
    ) -> _FlatPasses:
        return _FlatPasses(step, values, spans, program, partial(program.measured, step, self._measured))

    def _read(self, id_: str, out: Tensor) -> None:
        load = reader_on(self._device, self._checkpoints)
        for span in self._spans:
            self._context.check()
            span.of(out).view(-1).copy_(load(id_, span.target.name, 0, span.target.numel))
        load.settle()

    def _prepared(self, step: Step, values: Mapping[str, Tensor], program: Program) -> Any:
        if not step.needs_prepare(program.numbers):
            return None
        assert step.spec is not None
        assert step.spec.prepare is not None
        passes = self._passes(step, values, self._spans, program)
        return step.spec.prepare(passes, **step.params(step.model_site, program.numbers))

    def _buffer(self, id_: str) -> Tensor:
        if id_ not in self._work:
            self._work[id_] = torch.empty(self._numel, dtype=torch.float32, device=self._device)
        return self._work[id_]

    def _store(self, out: Tensor) -> None:
        """Round to the storage dtype and back, refusing what does not fit."""
        if self._dtypes == {"bfloat16"}:
            out.copy_(out.to(torch.bfloat16))
        elif self.rounds:
            for span in self._shown:
                span.of(out).copy_(span.of(out).to(torch_dtype(span.target.dtype)))
        low, high = torch.aminmax(out)
        if not math.isfinite(float(high - low)):
            for span in self._shown:
                check_result(span.of(out), span.target.name, span.target.dtype)


class _FlatPasses:
    """The inputs of a method node as ``prepare`` sees them, cut as the streaming executor cuts them."""

    def __init__(
        self, step: Step, values: Mapping[str, Tensor], spans: Sequence[_Span], program: Program,
        measured: Callable[[Piece, int], Sequence[Tensor | None]],
    ) -> None:  # fmt: skip
        self._step = step
        self._values = values
        once = {span.target.name: span for span in spans}
        self._spans = [once[name] for name in sorted(once)]
        self._program = program
        self._measured = measured
        self._ancestors = program.ancestors(step)
        self.numel = sum(span.stop - span.start for span in self._spans)

    def __iter__(self) -> Iterator[tuple[str, Sequence[Tensor]]]:
        for span in self._spans:
            target = span.target
            cut = self._program.cut(target.name, target.depth, self._ancestors)
            blocks = self._step.cut(self._step.site(target.name, target.depth), self._program.numbers) == "block"
            for first, last, shape in pieces(target.shape, coarsest((cut, "block")) if blocks else cut, PIECE):
                start, stop = span.start + first, span.start + last
                here = {name: self._values[name][start:stop] for name in operands(self._step.node)}
                inputs = self._step.method_inputs(here)
                yield target.name, [tensor.view(shape) for tensor in inputs] if blocks and shape else inputs

    def sample(self) -> Sequence[Sequence[Tensor]]:
        """Nothing: the numbers are at hand."""
        return []

    def statistics(self) -> Iterator[tuple[str, Sequence[Tensor | None]]]:
        """See :class:`solera.methods.spec.StatisticPasses`."""
        for span in self._spans:
            numel = span.stop - span.start
            size = PIECE if self._step.by_element else max(numel, 1)
            for start in range(0, max(numel, 1), size):
                stop = min(start + size, numel)
                yield span.target.name, self._measured(Piece(span.target.name, start), stop)


def _spans(layout: FlatLayout, reference: Checkpoint, used: Mapping[str, Checkpoint], dtype: str) -> tuple[_Span, ...]:
    """The layout's tensors as targets; a tied name stands for the tensor it is tied to.

    Tensors of the checkpoints that the network has no place for follow after the layout's end: a method that looks at
    the whole model must see them, as it does when the model is saved.
    """
    targets, ties = find_targets(reference, used, dtype)
    known = {target.name: target for target in targets}
    spans = []
    for name, shape, offset in zip(layout.names, layout.shapes, layout.offsets, strict=True):
        target = known.get(ties.get(name, name))
        if target is None or not target.computed:
            find_ref(reference, name)
            raise MismatchError(
                f"The network's '{name}' is {target.source_dtype if target else 'tied'} in {reference.name}.",
                tensor=name,
            )
        if target.shape != tuple(shape):
            raise MismatchError(
                f"The network's '{name}' has shape {tuple(shape)}; in {reference.name} it has {target.shape}.",
                tensor=name, network=list(shape), checkpoint=list(target.shape),
            )  # fmt: skip
        spans.append(_Span(target, offset, offset + math.prod(shape)))
    shown, end = {span.target.name for span in spans}, layout.numel
    for target in targets:
        if target.computed and target.name not in shown:
            spans.append(_Span(target, end, end + target.numel))
            end += target.numel
    return tuple(spans)

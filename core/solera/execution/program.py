"""A recipe made ready to run: its nodes in order, each a small computation on tensors of one shape.

The same steps run in the streaming executor (on chunks read from disk) and in the memory materialiser (on whole flat
models), so both give the same bits: all arithmetic between nodes is float32, element by element, one rounding a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import Tensor

from solera.checkpoints.checkpoint import Checkpoint
from solera.errors import FaultsError, InputError, suggestion
from solera.execution.cuts import Cut, coarsest
from solera.execution.step import Step
from solera.kernels.tape import FinishedTape, Tape, TapeValue
from solera.methods.spec import MethodSpec, Piece
from solera.params import variables
from solera.recipes.checks import check
from solera.recipes.hashes import semantic_hash
from solera.recipes.join import shared
from solera.recipes.nodes import (
    VIEWS,
    CheckpointNode,
    MethodNode,
    Node,
    Recipe,
    node_values,
    operands,
)
from solera.recipes.order import by_id, ordered, reachable, reference
from solera.recipes.types import infer_types
from solera.recipes.views import has_views, open_views

#: ``load(checkpoint id, tensor name, start, stop)`` -> float32, flat, contiguous; the caller's until the next call.
Load = Callable[[str, str, int, int], Tensor]


@dataclass(frozen=True)
class Program:
    """A recipe ready to run.

    Attributes:
        recipe: Without the nodes its output does not need.
        steps: In running order, the output last. A view (a stack, a layout of tokens) is loaded like a checkpoint; what
            lies below it is not among them.
        reference: Id of the checkpoint or view that lends names, dtypes, integer tensors and config.
        numbers: What the free variables stand at.
        views: The opened views, by node id.
        methods: Every method it uses, those below views too, by name.
        statistics: The opened statistics that methods need, by node id.
    """

    recipe: Recipe
    steps: tuple[Step, ...]
    reference: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    views: Mapping[str, Checkpoint] = field(default_factory=dict)
    methods: Mapping[str, MethodSpec] = field(default_factory=dict)
    statistics: Mapping[str, Checkpoint] = field(default_factory=dict)

    def leaves(self, checkpoints: Mapping[str, Checkpoint]) -> dict[str, Checkpoint]:
        """What the steps load, by node id: checkpoints, views and statistics.

        Args:
            checkpoints: The opened checkpoints by node id.
        """
        ids = [step.id for step in self.steps if isinstance(step.node, CheckpointNode)] + list(self.statistics)
        return {id_: self.views[id_] if id_ in self.views else checkpoints[id_] for id_ in ids}

    @cached_property
    def loads(self) -> tuple[str, ...]:
        """Ids of the checkpoints and views that every piece of the output is computed from."""
        return tuple(step.id for step in self.steps if isinstance(step.node, CheckpointNode))

    @cached_property
    def whole(self) -> bool:
        """Whether some step needs whole tensors."""
        return not all(step.by_element for step in self.steps) or any(view.whole for view in self.views.values())

    def cut(self, name: str, depth: float, steps: Sequence[Step] | None = None) -> Cut:
        """How finely one tensor may be cut for all steps, or some."""
        if any(view.whole for view in self.views.values()):
            return "tensor"
        steps = self.steps if steps is None else steps
        return coarsest(step.cut(step.site(name, depth), self.numbers) for step in steps)

    def looks(self, name: str, depth: float) -> bool:
        """Whether some method must see the whole of this tensor before its pieces."""
        return any(step.needs_look(step.site(name, depth), self.numbers) for step in self.steps)

    @cached_property
    def prepared(self) -> tuple[Step, ...]:
        """The steps whose method must see the whole model first, in running order."""
        return tuple(step for step in self.steps if step.needs_prepare(self.numbers))

    def ancestors(self, step: Step) -> tuple[Step, ...]:
        """The steps another one depends on, in running order."""
        known = {item.id: item for item in self.steps}
        wanted: set[str] = set()
        waiting = list(operands(step.node))
        while waiting:
            id_ = waiting.pop()
            if id_ not in wanted:
                wanted.add(id_)
                waiting.extend(operands(known[id_].node))
        return tuple(item for item in self.steps if item.id in wanted)

    def evaluate(
        self, load: Load, piece: Piece, stop: int, shape: tuple[int, ...] | None, depth: float,
        states: Mapping[str, Any],
    ) -> Tensor:  # fmt: skip
        """The output at one piece of one tensor.

        Args:
            load: Gives the checkpoints' numbers.
            piece: The tensor and the first element.
            stop: After the last element.
            shape: The piece's shape; None keeps it flat.
            depth: Of the tensor.
            states: By node id, what first passes found.
        """
        return Place(self, piece.name, depth, states).evaluate(load, piece.start, stop, shape)

    def measured(self, step: Step, load: Load, piece: Piece, stop: int) -> list[Tensor | None]:
        """The statistics a method node is handed at one piece: those pieces, flat, or the tensors as they are."""
        found: list[Tensor | None] = []
        for id_ in step.node.statistics if isinstance(step.node, MethodNode) else ():
            ref = self.statistics[id_].get(piece.name)
            if ref is None:
                found.append(None)
            elif step.by_element:
                found.append(load(id_, piece.name, piece.start, stop))
            else:
                found.append(load(id_, piece.name, 0, ref.numel).view(ref.shape))
        return found


class Place:
    """A program at one tensor: what the recipe says of it is worked out once for all of its pieces.

    Thread rule: any thread.

    Args:
        program: The program.
        name: The tensor.
        depth: Of the tensor, for curves.
        states: By node id, what first passes found.
    """

    def __init__(self, program: Program, name: str, depth: float, states: Mapping[str, Any]) -> None:
        self._program = program
        self._name = name
        self._depth = depth
        self._states = states
        self._resolved: dict[str, Any] = {}
        self._tape: FinishedTape | None = None
        self._tapeable = True

    @property
    def loads(self) -> tuple[str, ...]:
        """See :attr:`Program.loads`."""
        return self._program.loads

    def evaluate(self, load: Load, start: int, stop: int, shape: tuple[int, ...] | None) -> Tensor:
        """The output at one piece; arguments as :meth:`Program.evaluate`."""
        steps = self._program.steps
        return self._values(steps, load, start, stop, shape, free=True)[self._program.recipe.output]

    def inputs_of(
        self, step: Step, ancestors: Sequence[Step], load: Load, start: int, stop: int, shape: tuple[int, ...] | None
    ) -> list[Tensor]:
        """What a method node is handed at one piece, given the steps it depends on."""
        values = self._values(ancestors, load, start, stop, shape, free=False)
        return step.method_inputs(values, step.sole - {step.node.base} if isinstance(step.node, MethodNode) else ())

    @property
    def tape(self) -> FinishedTape | None:
        """The whole recipe at this tensor as one tape; None where a step cannot be put on it."""
        if self._tape is None and self._tapeable:
            tape = Tape()
            values = self._taped(tape, self._program.steps)
            self._tapeable = values is not None
            self._tape = tape.finish([values[self._program.recipe.output]]) if values else None
        return self._tape

    def forget_tape(self) -> None:
        """Make the tape anew: a method found out something when it computed a piece that was not played."""
        self._tape = None

    def tape_of(self, step: Step, ancestors: Sequence[Step]) -> tuple[Tape, list[TapeValue]] | None:
        """What a method node is handed, on a tape, given the steps it depends on; None where it cannot be."""
        tape = Tape()
        values = self._taped(tape, ancestors)
        return None if values is None else (tape, step.tape_inputs(tape, values))

    def _taped(self, tape: Tape, steps: Sequence[Step]) -> dict[str, TapeValue] | None:
        values: dict[str, TapeValue] = {}
        for step in steps:
            if isinstance(step.node, CheckpointNode):
                values[step.id] = tape.read(step.id)
                continue
            made = step.tape(tape, values, self._name, self._at(step), self._states.get(step.id))
            if made is None:
                return None
            values[step.id] = made
        return values

    def _values(
        self, steps: Sequence[Step], load: Load, start: int, stop: int, shape: tuple[int, ...] | None, *, free: bool
    ) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        piece = Piece(self._name, start)
        for step in steps:
            if isinstance(step.node, CheckpointNode):
                tensor = load(step.id, self._name, start, stop)
                values[step.id] = tensor if shape is None else tensor.view(shape)
            else:
                measured = self._program.measured(step, load, piece, stop)
                state = self._states.get(step.id)
                values[step.id] = step.run(values, piece, self._at(step), state, measured, step.sole)
            for id_ in step.frees if free else ():
                del values[id_]
        return values

    def _at(self, step: Step) -> Any:
        if step.id not in self._resolved:
            self._resolved[step.id] = step.resolved(step.site(self._name, self._depth), self._program.numbers)
        return self._resolved[step.id]


def compile_recipe(
    recipe: Recipe,
    methods: Mapping[str, MethodSpec],
    checkpoints: Mapping[str, Checkpoint],
    numbers: Mapping[str, float] | None = None,
    *,
    free: bool = False,
) -> Program:
    """Make a recipe ready to run.

    Args:
        recipe: Any; nodes that the output does not need are left out before it is checked.
        methods: The registered methods.
        checkpoints: The opened checkpoints by node id.
        numbers: Values of free variables; those absent take their ``init``.
        free: Leave variables without a value free (a family gives them later).

    Raises:
        FaultsError: The recipe has faults, or the checkpoints do not fit each other.
        InputError: A variable is unknown or has no value, or one below a view is left free.
    """
    recipe = reachable(recipe)
    faults = check(recipe, methods, checkpoints)
    if faults:
        raise FaultsError(f"recipe {recipe.name}" if recipe.name else "recipe", faults)
    values = _numbers(recipe, numbers or {}, free=free)
    flat, views = _without_views(recipe, methods, checkpoints, values)
    flat = shared(flat)
    types = infer_types(flat, methods)
    nodes = by_id(flat)
    from_output = Recipe((nodes[flat.output], *flat.nodes), flat.output)
    order = _computed(ordered(from_output), flat.output)
    varying: set[str] = set()
    sole = _sole(order)
    steps: list[Step] = []
    for i, node in enumerate(order):
        if any(True for value in node_values(node) for _ in variables(value)) or varying & set(operands(node)):
            varying.add(node.id)
        later = {name for other in order[i + 1 :] for name in operands(other)}
        frees = tuple(name for name in dict.fromkeys(operands(node)) if name not in later)
        spec = methods[node.method] if isinstance(node, MethodNode) else None
        inputs = node.inputs if isinstance(node, MethodNode) else ()
        in_types = tuple(types[name] for name in inputs)
        steps.append(Step(node, types[node.id], in_types, spec, node.id in varying, frees, sole[node.id]))
    used = {node.method: methods[node.method] for node in recipe.nodes if isinstance(node, MethodNode)}
    names = {name for step in steps if isinstance(step.node, MethodNode) for name in step.node.statistics}
    statistics = {id_: checkpoints[id_] for id_ in checkpoints if id_ in names}
    return Program(recipe, tuple(steps), reference(flat), values, views, used, statistics)


def _sole(order: Sequence[Node]) -> dict[str, frozenset[str]]:
    """By node id, the loaded values that no node needs but this one, and it once."""
    uses = Counter(name for node in order for name in operands(node))
    loaded = {node.id for node in order if isinstance(node, CheckpointNode)}
    return {node.id: frozenset(name for name in operands(node) if name in loaded and uses[name] == 1) for node in order}


def _computed(order: Sequence[Node], output: str) -> list[Node]:
    """The nodes whose values the output is computed from, in the same order; not the base of an adapter alone."""
    wanted = {output}
    for node in reversed(order):
        if node.id in wanted:
            wanted.update(operands(node))
    return [node for node in order if node.id in wanted]


def _without_views(
    recipe: Recipe,
    methods: Mapping[str, MethodSpec],
    checkpoints: Mapping[str, Checkpoint],
    numbers: Mapping[str, float],
) -> tuple[Recipe, dict[str, Checkpoint]]:
    """The recipe with views as checkpoints, and the opened views."""
    if not has_views(recipe):
        return recipe, {}

    def computed(part: Recipe, leaves: Mapping[str, Checkpoint]) -> Checkpoint:
        from solera.execution.computed import ComputedCheckpoint

        known = {var.name: numbers[var.name] for var in part.variables if var.name in numbers}
        if len(known) < len(part.variables):
            free = next(var.name for var in part.variables if var.name not in known)
            raise InputError(f"The variable '{free}' stands below a stack of layers and needs a value.", variable=free)
        program = compile_recipe(part, methods, leaves, known)
        return ComputedCheckpoint(program, leaves, semantic_hash(part, methods, {id_: id_ for id_ in leaves}))

    flat, leaves = open_views(recipe, checkpoints, computed)
    ids = {node.id for node in recipe.nodes if isinstance(node, VIEWS)}
    return flat, {id_: leaf for id_, leaf in leaves.items() if id_ in ids}


def _numbers(recipe: Recipe, given: Mapping[str, float], *, free: bool) -> dict[str, float]:
    known = {var.name: var for var in recipe.variables}
    for name in given:
        if name not in known:
            have = ", ".join(known) or "none"
            raise InputError(
                f"The recipe has no variable '{name}'; it has {have}.{suggestion(name, known)}", variable=name
            )
    values = {name: var.init for name, var in known.items() if var.init is not None} | dict(given)
    missing = [name for name in known if name not in values]
    if missing and not free:
        raise InputError(
            f"The recipe leaves {', '.join(missing)} free; give each a number with --set {missing[0]}=VALUE.",
            variables=missing,
        )
    return values

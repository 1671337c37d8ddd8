"""The streaming first passes of methods that must see a whole model, or a whole tensor, before they work on a part."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from torch import Tensor

from solera.context import Context
from solera.errors import SoleraError
from solera.execution.cuts import PIECE, coarsest, pieces
from solera.execution.program import Place, Program
from solera.execution.reading import Reader
from solera.execution.step import Step
from solera.execution.targets import Target
from solera.kernels.tape import FinishedTape, Rows, Tape, TapeValue, playable
from solera.methods.spec import Build, Piece
from solera.tensors.selection import StreamingSelect

#: What is done with a piece: handed a tape, the inputs' numbers, where it begins and how many elements it has; says
#: whether all is finite.
Use = Callable[[FinishedTape, Rows, int, int], bool]

#: Pieces read in one go where a loop goes over them: as stored, they take less than one that is widened.
_AHEAD = 4

Doubles = np.ndarray[Any, np.dtype[np.float64]]

#: How many runs of how many elements make a sample.
RUNS, RUN = 64, 2048


class InputPasses:
    """The inputs of one method node, piece by piece, in the order of tensor names; every iteration reads anew.

    Args:
        program: The recipe.
        step: The node.
        targets: The tensors to go over.
        load: Gives the checkpoints' numbers; passes read into buffers of their own.
        states: By node id, what first passes over the model found before.
        context: Asked whether to stop at every piece.
        tell: Tell it the progress, too.
    """

    def __init__(
        self, program: Program, step: Step, targets: Sequence[Target], load: Reader, states: Mapping[str, Any],
        context: Context, *, tell: bool = False,
    ) -> None:  # fmt: skip
        self._program = program
        self._step = step
        self._ancestors = program.ancestors(step)
        self._targets = sorted((t for t in targets if t.computed), key=lambda target: target.name)
        self._load = load.apart()
        self._states = states
        self._context = context
        self._tell = tell
        self._passes = 0
        self.numel = sum(target.numel for target in self._targets)

    def __iter__(self) -> Iterator[tuple[str, Sequence[Tensor]]]:
        self._passes += 1
        done = 0
        for target in self._targets:
            cut = self._program.cut(target.name, target.depth, self._ancestors)
            blocks = self._step.cut(self._step.site(target.name, target.depth), self._program.numbers) == "block"
            place = self._place(target)
            for start, stop, shape in pieces(target.shape, coarsest((cut, "block")) if blocks else cut, PIECE):
                self._context.check()
                inputs = place.inputs_of(self._step, self._ancestors, self._load, start, stop, shape)
                yield target.name, inputs if blocks else [tensor.reshape(-1) for tensor in inputs]
                done += stop - start
                if self._tell:
                    self._context.progress(done, self.numel, "elements", f"{self._step.id}: pass {self._passes}")
            for step in self._ancestors:
                self._load.trust(step.id, target.name)

    def products(self, build: Build | None = None) -> list[list[float]] | None:
        """See :class:`solera.methods.spec.LoopPasses`."""
        found = self._add(FinishedTape.products, build or _inputs, lambda count: count * (count + 1) // 2)
        if found is None:
            return None
        count = (math.isqrt(8 * len(found) + 1) - 1) // 2
        return [[found[max(i, j) * (max(i, j) + 1) // 2 + min(i, j)] for j in range(count)] for i in range(count)]

    def sizes(self, build: Build) -> list[float] | None:
        """See :class:`solera.methods.spec.LoopPasses`."""
        return self._add(FinishedTape.sizes, build, lambda count: count)

    def sift(self, selects: Sequence[StreamingSelect], build: Build) -> list[tuple[str, int]] | None:
        """See :class:`solera.methods.spec.LoopPasses`."""
        ranges = [select.range for select in selects]

        def use(tape: FinishedTape, rows: Rows, start: int, count: int) -> bool:
            sifted = tape.sift(rows, start, count, ranges)
            for select, (over, largest, patterns, places) in zip(selects, sifted or (), strict=bool(sifted)):
                select.sifted(count, over, largest, patterns, places)
            return sifted is not None

        return [(target.name, target.numel) for target in self._targets] if self._play(build, use) else None

    def _add(
        self, reduce: Callable[[FinishedTape, Rows, int, int, Doubles], bool], build: Build, sums: Callable[[int], int]
    ) -> list[float] | None:  # fmt: skip
        """Sums over everything, made of the sums of its pieces in order; None where loops cannot."""
        totals = np.zeros(0)

        def use(tape: FinishedTape, rows: Rows, start: int, count: int) -> bool:
            nonlocal totals
            here = np.zeros(sums(len(tape.results)))
            finite = reduce(tape, rows, start, count, here)
            totals = here if not totals.size else totals + here
            return finite

        return [float(total) for total in totals] if self._play(build, use) else None

    def _play(self, build: Build, use: Use) -> bool:
        """Go over everything with a loop; False where one cannot, or what is read is not finite.

        Args:
            build: Gives the values that are wanted: handed a tape, the inputs and the tensor's name.
            use: What is done with a piece.
        """
        if not playable():
            return False
        self._passes += 1
        done = 0
        for target in self._targets:
            taped = self._place(target).tape_of(self._step, self._ancestors)
            values = build(*taped, target.name) if taped else None
            if taped is None or values is None or not self._flat(target):
                return False
            finished = taped[0].finish(values)
            for start in range(0, target.numel, _AHEAD * PIECE):
                self._context.check()
                stop = min(start + _AHEAD * PIECE, target.numel)
                rows = self._load.rows(finished.inputs, target.name, start, stop)
                if rows is None or not _in_pieces(finished, rows, start, stop, use):
                    return False
                done += stop - start
                if self._tell:
                    self._context.progress(done, self.numel, "elements", f"{self._step.id}: pass {self._passes}")
            for step in self._ancestors:
                self._load.trust(step.id, target.name)
        return True

    def _flat(self, target: Target) -> bool:
        """Whether a tensor arrives in flat pieces."""
        steps = (*self._ancestors, self._step)
        return self._program.cut(target.name, target.depth, steps) == "element"

    def through(self, prepare: Callable[..., Any], params: Mapping[str, Any]) -> Any:
        """What a method's ``prepare`` makes of them, once all that was read for it is known to be finite."""
        try:
            found = prepare(self, **params)
        except SoleraError:
            self._load.settle()  # what was read may be what is wrong
            raise
        self._load.settle()
        return found

    def sample(self) -> Sequence[Sequence[Tensor]]:
        """Runs from places spread evenly over the tensors; see :class:`solera.methods.spec.Passes`."""
        ends = list(accumulate(target.numel for target in self._targets))
        by_element = all(self._program.cut(t.name, t.depth, self._ancestors) == "element" for t in self._targets)
        if self.numel < 4 * RUNS * RUN or not by_element:
            return []
        found: list[Sequence[Tensor]] = []
        for i in range(RUNS):
            at = i * (self.numel - 1) // (RUNS - 1)
            which = bisect_right(ends, at)
            target = self._targets[which]
            start = max(min(at - (ends[which] - target.numel), target.numel - RUN), 0)
            stop = min(start + RUN, target.numel)
            inputs = self._place(target).inputs_of(self._step, self._ancestors, self._load, start, stop, None)
            found.append([tensor.clone() for tensor in inputs])
        return found

    def _place(self, target: Target) -> Place:
        states = look(self._program, target, self._load, self._states, self._context, self._ancestors)
        return Place(self._program, target.name, target.depth, states)

    def statistics(self) -> Iterator[tuple[str, Sequence[Tensor | None]]]:
        """See :class:`solera.methods.spec.StatisticPasses`."""
        for target in self._targets:
            self._context.check()
            size = PIECE if self._step.by_element else max(target.numel, 1)
            for start in range(0, max(target.numel, 1), size):
                stop = min(start + size, target.numel)
                yield target.name, self._program.measured(self._step, self._load, Piece(target.name, start), stop)


def _in_pieces(tape: FinishedTape, rows: Rows, start: int, stop: int, use: Use) -> bool:
    """Use numbers that were read, piece by piece; whether all is finite."""
    for first in range(start, stop, PIECE):
        count = min(PIECE, stop - first)
        if not use(tape, rows, first, count):
            return False
        rows.skip(count)
    return True


def _inputs(tape: Tape, values: Sequence[TapeValue], name: str) -> Sequence[TapeValue]:
    """A method's inputs themselves."""
    return values


def prepare(program: Program, targets: Sequence[Target], load: Reader, context: Context) -> dict[str, Any]:
    """Run every first pass over the model that the recipe needs.

    Args:
        program: The recipe.
        targets: The tensors of the result.
        load: Gives the checkpoints' numbers.
        context: Asked whether to stop at every piece.

    Returns:
        What each method's ``prepare`` returned, by node id.
    """
    states: dict[str, Any] = {}
    for step in program.prepared:
        assert step.spec is not None
        assert step.spec.prepare is not None
        passes = InputPasses(program, step, targets, load, dict(states), context, tell=True)
        states[step.id] = passes.through(step.spec.prepare, step.params(step.model_site, program.numbers))
    return states


def look(
    program: Program, target: Target, load: Reader, states: Mapping[str, Any], context: Context,
    steps: Sequence[Step] | None = None,
) -> Mapping[str, Any]:  # fmt: skip
    """Run every first pass over one tensor that the recipe needs.

    Args:
        program: The recipe.
        target: The tensor.
        load: Gives the checkpoints' numbers.
        states: From :func:`prepare`.
        context: Asked whether to stop at every piece.
        steps: Only those of these steps.

    Returns:
        The states, and what each method's ``prepare`` returned for this tensor.
    """
    found = dict(states)
    for step in program.steps if steps is None else steps:
        site = step.site(target.name, target.depth)
        if step.needs_look(site, program.numbers):
            assert step.spec is not None
            assert step.spec.prepare is not None
            passes = InputPasses(program, step, [target], load, dict(found), context)
            found[step.id] = passes.through(step.spec.prepare, step.params(site, program.numbers))
    return found

"""The streaming first pass of methods that must see the whole model before they can work on a part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor

from solera.context import Context
from solera.execution.program import Load, Program, Step
from solera.execution.targets import Target
from solera.methods.spec import Piece

#: Elements of a piece that ``prepare`` sees. One number everywhere, a multiple of the reductions' block: so what is
#: gathered does not depend on budgets.
PIECE = 2**19


class InputPasses:
    """The inputs of one method node, piece by piece, in the order of tensor names; every iteration reads anew."""

    def __init__(
        self, program: Program, step: Step, targets: Sequence[Target], load: Load, states: dict[str, Any],
        context: Context,
    ) -> None:  # fmt: skip
        self._program = program
        self._step = step
        self._targets = sorted((t for t in targets if t.computed), key=lambda target: target.name)
        self._load = load
        self._states = states
        self._context = context
        self._whole = not all(item.by_element for item in program.ancestors(step))
        self._passes = 0

    def __iter__(self) -> Iterator[tuple[str, Sequence[Tensor]]]:
        self._passes += 1
        total, done = sum(target.numel for target in self._targets), 0
        for target in self._targets:
            size = target.numel if self._whole else PIECE
            for start in range(0, target.numel, max(size, 1)):
                self._context.check()
                stop = min(start + size, target.numel)
                shape = target.shape if self._whole else None
                inputs = self._program.inputs_of(
                    self._step, self._load, Piece(target.name, start), stop, shape, target.depth, self._states
                )
                yield target.name, [tensor.reshape(-1) for tensor in inputs]
                done += stop - start
                self._context.progress(done, total, "elements", f"{self._step.id}: pass {self._passes}")


def prepare(program: Program, targets: Sequence[Target], load: Load, context: Context) -> dict[str, Any]:
    """Run every first pass the recipe needs.

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
        passes = InputPasses(program, step, targets, load, states, context)
        states[step.id] = step.spec.prepare(passes, **step.params(step.model_site, program.numbers))
    return states

"""The learned soup: shares of an average found by following the gradient of the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from solera.api import Ask, Extent, History, InputError, Param, Remark, Seed, Slope, Space
from solera_plugins.explorers.adam import moved

Floats = NDArray[np.float64]

#: Kinds of family whose coordinates are shares that a common factor does not change.
_KINDS = ("shares", "subset")


@dataclass(frozen=True, slots=True)
class _State:
    """Adam's after some steps: logits of the shares, the logits' scale last."""

    logits: Floats
    first: Floats
    second: Floats
    steps: int


class LearnedSoup:
    """Learn the shares of an average by Adam on a batch of the search split at each step.

    Wortsman et al. 2022, Model soups: shares are a softmax of logits that begin equal, one per model or, in a family of
    shares by layer or tensor, one row of them for each; the network's logits are multiplied by a scale that is learned
    beside them and left out of the soup. After every step the soup is scored on the whole search split, and at even
    distances along the way on the report split.

    It needs tasks that hand out their examples, which an aggregate-only task does not: there it stops and says so.

    Args:
        steps: How many steps.
        rate: Adam's learning rate.
        samples: Examples of each task in a batch; 0 is all.
        scale: Whether the scale of the logits is learned.
        reported: How many soups on the way are scored again on the report split, the last among them.
    """

    name = "learned_soup"

    def __init__(
        self,
        *,
        steps: Annotated[int, Param(1, 100_000, help="Steps of Adam.")] = 50,
        rate: Annotated[float, Param(1e-6, 10, log=True, help="Adam's learning rate.")] = 0.05,
        samples: Annotated[int, Param(0, help="Examples of each task in a batch; 0 is all.")] = 128,
        scale: Annotated[bool, Param(help="Learn a factor on the network's logits beside the shares.")] = True,
        reported: Annotated[int, Param(1, 1000, help="Soups on the way scored on the report split.")] = 10,
    ) -> None:
        self._steps = steps
        self._rate = rate
        self._samples = samples
        self._scale = scale
        self._reported = reported
        self._states: list[tuple[Floats, _State]] = []

    def plan(self, space: Space) -> Extent:
        """The start and one point for each step.

        Raises:
            InputError: The family has no shares, or no gradient can be had.
        """
        parts = all(coord.low <= 0 and coord.high >= 1 and coord.kind == "real" for coord in space.coords)
        if space.kind not in _KINDS or not parts:
            raise InputError(
                f"'{self.name}' learns the shares of an average: it takes a family {{shares: [A, B, C]}}, by model, "
                f"layer or tensor, not one of the kind '{space.kind or 'unknown'}'."
            )
        if space.no_slopes:
            raise InputError(
                f"'{self.name}' follows a gradient, and here there is none: {space.no_slopes}. Take tasks with "
                "examples, or an explorer that needs scores alone ('evolution', 'greedy_soup')."
            )
        return Extent(self._steps + 1, (), 1, 2, slopes=True)

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The next soup; one at a time, for each depends on the gradient before it."""
        done = len(history)
        if done > self._steps:
            return []
        state = self._state(space, history)
        slope = Slope(self._samples, done, float(state.logits[-1])) if done < self._steps else None
        return [Ask(tuple(map(float, _shares(state.logits[:-1]))), slope=slope)]

    def remark(self, space: Space, history: History) -> Remark:
        """How even the soup is: by how many models of equal share its shares could be replaced."""
        shares = history.coords[-1] / history.coords[-1].sum()
        spread = float(np.exp(-(shares[shares > 0] * np.log(shares[shares > 0])).sum()))
        return Remark({"soup:spread": spread, "soup:scale": float(self._state(space, history, -1).logits[-1])})

    def chosen(self, space: Space, history: History) -> list[tuple[float, ...]]:
        """Soups at even distances along the way, the first and the last among them."""
        if not len(history):
            return []
        rows = np.unique(np.linspace(0, len(history) - 1, self._reported + 1).round().astype(int))
        return [tuple(map(float, history.coords[row])) for row in rows]

    def _state(self, space: Space, history: History, less: int = 0) -> _State:
        """Where Adam is after a history, less some of its points; what was computed before is remembered."""
        count = len(history) + less
        slopes = history.slopes
        assert slopes is not None
        known = 0
        while known < min(count, len(self._states)) and np.array_equal(self._states[known][0], slopes[known]):
            known += 1
        del self._states[known:]
        size = len(space.coords) + 1
        start = _State(np.append(np.zeros(size - 1), 1.0), np.zeros(size), np.zeros(size), 0)
        for row in range(known, count):
            before = self._states[-1][1] if self._states else start
            self._states.append((slopes[row].copy(), self._stepped(before, history.coords[row], slopes[row])))
        return self._states[count - 1][1] if count else start

    def _stepped(self, state: _State, coords: Floats, slope: Floats) -> _State:
        """One step of Adam. A point without weights has no slope, and moves nothing."""
        gradient = np.nan_to_num(np.append(slope[:-1] * coords, slope[-1] if self._scale else 0.0), nan=0.0)
        steps = state.steps + 1
        first, second, step = moved(state.first, state.second, gradient, steps)
        return _State(state.logits - self._rate * step, first, second, steps)


def _shares(logits: Floats) -> Floats:
    """Shares up to a common factor, the largest 1: what a softmax over any group of them divides by falls out."""
    return np.asarray(np.exp(logits - logits.max()), dtype=np.float64)

"""Adaptive averaging by blocks of layers: a front between two models from ratios of a given mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from solera.api import Ask, Extent, History, InputError, Param, Remark, Seed, Slope, Space, block_ratios
from solera_plugins.explorers.adam import moved

Floats = NDArray[np.float64]

#: First standard deviation of the logits where no gradient can be had.
_NUDGE = 0.5


@dataclass(frozen=True, slots=True)
class _Chain:
    """One mean ratio's search.

    Attributes:
        logits: Where it is.
        first, second: Adam's moments; without gradients ``second`` holds the best loss and the step.
        steps: Steps so far.
    """

    logits: Floats
    first: Floats
    second: Floats
    steps: int


class AdaptiveBlocks:
    """Trace the trade-off between two models by adaptive averaging of blocks of layers.

    Lin et al. 2024, Mitigating the alignment tax of RLHF (AMA, later HMA): for each of several mean ratios the ratios
    of the blocks are moved, their mean staying put, to make one objective good, by Adam on the gradient of its loss
    with a penalty on leaving the mean. Both models and the even average at each mean ratio (MA) come first, so the run
    holds the front of plain averaging beside the adaptive one. A ratio is held within its coordinate's range.

    Where no gradient can be had (an aggregate-only task), the logits of the ratios are moved by chance instead, a step
    being kept when the objective gains (an evolution strategy of one parent and one child); the run says so.

    Args:
        means: How many mean ratios, evenly between the models.
        steps: Steps for each.
        follow: Which objective is made good, by its place from 0; the others are measured.
        rate: Adam's learning rate on the logits.
        samples: Examples in a batch; 0 is all.
        floor: Keeps the ratios of blocks apart by at most a factor of (1 + floor) / floor.
        penalty: Weight of the mean distance of the ratios from their mean.
    """

    name = "adaptive_blocks"

    def __init__(
        self,
        *,
        means: Annotated[int, Param(1, 100, help="Mean ratios, evenly between the models.")] = 5,
        steps: Annotated[int, Param(1, 10_000, help="Steps for each mean ratio.")] = 12,
        follow: Annotated[int, Param(0, 10, help="Which objective is made good, by its place from 0.")] = 0,
        rate: Annotated[float, Param(1e-6, 10, log=True, help="Adam's learning rate on the logits.")] = 0.3,
        samples: Annotated[int, Param(0, help="Examples in a batch; 0 is all.")] = 128,
        floor: Annotated[float, Param(0.001, 100, help="Keeps ratios within a factor of (1 + floor) / floor.")] = 0.2,
        penalty: Annotated[float, Param(0, 100, help="Weight of the ratios' distance from their mean.")] = 1e-4,
    ) -> None:
        self._means = means
        self._steps = steps
        self._follow = follow
        self._rate = rate
        self._samples = samples
        self._floor = floor
        self._penalty = penalty

    def plan(self, space: Space) -> Extent:
        """Both models, and for each mean ratio the even average and every step.

        Raises:
            InputError: There are fewer than two objectives or blocks, or the family has no ratios.
        """
        if len(space.objectives) < 2 or self._follow >= len(space.objectives):
            raise InputError(
                f"A trade-off needs two objectives or more, and 'follow' names one of them from 0; there are "
                f"{len(space.objectives)} and it is {self._follow}."
            )
        odd = [coord.name for coord in space.coords if coord.low > 0 or coord.high < 1]
        if len(space.coords) < 2 or odd or space.region is not None:
            tied = " that depend on one another" if space.region is not None else ""
            raise InputError(
                f"'{self.name}' moves the ratios of two blocks or more between 0 and 1, each for itself; the family "
                f"has {len(space.coords)} coordinates{tied}. Take {{blocks: [BEFORE, AFTER]}}."
            )
        total = 2 + self._means * (self._steps + 1)
        first = 2 + self._means
        return Extent(total, (), first, first + 1, (first, self._means), slopes=not space.no_slopes)

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """Both models and the even averages; then one step of every mean ratio in turn."""
        count, done = len(space.coords), len(history)
        total = 2 + self._means * (self._steps + 1)
        asks = []
        for number in range(done, min(done + n, total)):
            if number < 2:
                asks.append(Ask((float(number == 0),) * count))
                continue
            chain, step = (number - 2) % self._means, (number - 2) // self._means
            if step and number - self._means >= done:
                break  # it waits for the step before it
            logits = self._chain(space, history, chain, step, seed).logits
            slope = None
            if not space.no_slopes and step < self._steps:
                slope = Slope(self._samples, step, objectives=(self._follow,))
            asks.append(Ask(self._ratios(space, logits, chain), slope=slope))
        return asks

    def remark(self, space: Space, history: History) -> Remark:
        """Which mean ratio the newest point is of, and how far its blocks are apart."""
        number = len(history) - 1
        if number < 2:
            return Remark()
        ratios, chain = history.coords[-1], (number - 2) % self._means
        text = ""
        if number == 2 and space.no_slopes:
            text = f"No gradient can be had ({space.no_slopes}): ratios are moved by chance, and kept when they gain."
        return Remark({"mean ratio": self._mean(chain), "ratio spread": float(np.ptp(ratios))}, text)

    def chosen(self, space: Space, history: History) -> list[tuple[float, ...]]:
        """For each mean ratio the even average and the best point of the objective that was followed."""
        found = []
        losses = space.minimised(history.values)[:, self._follow] if len(history) else np.empty(0)
        for chain in range(self._means):
            rows = [row for row in range(2 + chain, len(history), self._means) if not np.isnan(losses[row])]
            if rows:
                found += [rows[0], min(rows, key=lambda row: losses[row])]
        return [tuple(map(float, history.coords[row])) for row in dict.fromkeys(found)]

    def _mean(self, chain: int) -> float:
        return (chain + 1) / (self._means + 1)

    def _ratios(self, space: Space, logits: Floats, chain: int) -> tuple[float, ...]:
        wanted = block_ratios(logits.tolist(), self._mean(chain), self._floor)
        return tuple(min(max(x, c.low), c.high) for x, c in zip(wanted, space.coords, strict=True))

    def _chain(self, space: Space, history: History, chain: int, step: int, seed: Seed) -> _Chain:
        """A mean ratio's search after so many steps."""
        count = len(space.coords)
        state = _Chain(np.zeros(count), np.zeros(count), np.zeros(count), 0)
        rows = [2 + chain + self._means * k for k in range(step)]
        if space.no_slopes:
            return self._by_chance(space, history, chain, rows, seed)
        assert history.slopes is not None
        for row in rows:
            state = self._stepped(state, history.slopes[row][:-1], chain)
        return state

    def _stepped(self, state: _Chain, slope: Floats, chain: int) -> _Chain:
        """One step of Adam on the logits."""
        mean, count = self._mean(chain), len(slope)
        open_ = 1.0 / (1.0 + np.exp(-state.logits))
        shares = open_ + self._floor
        ratios = mean * count * shares / shares.sum()
        wanted = np.nan_to_num(slope, nan=0.0) + self._penalty * np.sign(ratios - mean) / count
        wanted = np.where(ratios > 1.0, self._penalty / count, wanted)
        through = wanted - wanted @ shares / shares.sum()
        gradient = mean * count / shares.sum() * through * open_ * (1.0 - open_)
        steps = state.steps + 1
        first, second, step = moved(state.first, state.second, gradient, steps)
        return _Chain(state.logits - self._rate * step, first, second, steps)

    def _by_chance(self, space: Space, history: History, chain: int, rows: list[int], seed: Seed) -> _Chain:
        """Where the next try of a mean ratio lies: the best so far, and a step that grows with success."""
        count = len(space.coords)
        losses = space.minimised(history.values)[:, self._follow]
        best, least, width = np.zeros(count), np.inf, _NUDGE
        tried = np.zeros(count)
        for k, row in enumerate(rows):
            gained = bool(losses[row] < least)
            if gained:
                best, least = tried, float(losses[row])
            width *= 1.5 if gained else 0.9
            rng = seed.child("blocks", str(chain), str(k)).numpy()
            tried = best + width * rng.normal(size=count)
        return _Chain(tried, best, np.array([least, width]), len(rows))

"""What every explorer promises, tried on a bowl whose lowest point is known."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from solera.context import QuietContext
from solera.errors import InputError
from solera.events import Indicator, Logged, PointScored
from solera.landscapes.explore import Exploration, explore
from solera.landscapes.explorer import Ask, Chooses, Explorer, Extent, History, Remarks, Space
from solera.params import ParamSpec, specs_from_signature
from solera.seeds import Seed
from solera.testing.bowls import BowlLandscape, bowl, slopes, spaces

#: Points tried at most in each space, and in those of a special kind.
_POINTS, _FEW = 60, 24
#: Points of a run, answers of each space that are asked for again, and spaces that other choices are tried on.
_RUN, _REMEMBERED, _OTHERS = 14, 4, 1


def explorer_complaints(explorer: Any) -> list[str]:
    """What is wrong with an explorer's class; empty if it keeps its promises.

    It must explore at least one of some small spaces at its defaults: within bounds, ending where its plan says, and
    statelessly. A fresh one shown the same history asks the same, remarks the same and chooses among its points; so
    does one that has explored all the other spaces meanwhile; and with equal seeds a run is the same over one lane and
    over three, and where it was stopped in the middle of a round. Each value that a choice may have keeps the promise
    too. A space it cannot explore it refuses with an :class:`InputError`. Its description says how it does on a task
    that gives only an aggregate.
    """
    specs = specs_from_signature(explorer)
    required = [spec.name for spec in specs if spec.required]
    if required:
        return [f"The parameter '{name}' has no default, so no form can show one." for name in required]
    if not isinstance(explorer(), Explorer):
        return ["It lacks 'name', 'plan' or 'ask'."]
    complaints: list[str] = []
    if "aggregate" not in (inspect.getdoc(explorer) or ""):
        complaints.append("Its description does not say how it does on a task that gives only an aggregate.")
    explored = _explored(explorer, spaces())
    if not explored:
        return [*complaints, "It explores none of the spaces of one or two coordinates and objectives."]
    memory = _Memory(explorer)
    for space in explored:
        where = f"With {len(space.coords)} coordinates and {len(space.objectives)} objectives: "
        found = _try(explorer, space, memory) or _run_complaints(explorer, space)
        complaints += [where + text for text in found]
    complaints += memory.complaints()
    for said, chosen in _choices(explorer, specs):
        for space in _explored(chosen, spaces())[:_OTHERS]:
            complaints += [said + text for text in _run_complaints(chosen, space)]
    return complaints


def _explored(explorer: Callable[[], Explorer], among: list[Space]) -> list[Space]:
    """The spaces that it does not refuse."""
    found = []
    for space in among:
        try:
            explorer().plan(space)
        except InputError:
            continue
        found.append(space)
    return found


def _choices(explorer: Any, specs: tuple[ParamSpec, ...]) -> Iterator[tuple[str, Callable[[], Explorer]]]:
    """The explorer with each other value that one of its parameters may have, and how to say so."""
    for spec in specs:
        values: tuple[Any, ...] = (False, True) if spec.kind == "bool" else spec.choices
        for value in values:
            if value != spec.default:
                yield f"With {spec.name} = {value}: ", partial(explorer, **{spec.name: value})


class _Memory:
    """What an explorer answered, to be asked again of one that has been asked everything else meanwhile."""

    def __init__(self, explorer: Callable[[], Explorer]) -> None:
        self._explorer = explorer
        self._asked: list[tuple[Space, History, int, list[Ask]]] = []

    def keep(self, space: Space, history: History, n: int, asks: list[Ask]) -> None:
        """Remember an answer."""
        self._asked.append((space, history, n, asks))

    def complaints(self) -> list[str]:
        """Ask one object, from the last question to the first, between answers to histories of other scores."""
        worn, seed = self._explorer(), Seed(0)
        for space, history, n, asks in reversed(self._asked):
            other = replace(history, values=history.values[::-1].copy())
            worn.ask(space, other, n, seed)
            worn.ask(space, history, n, Seed(1))
            if any(worn.ask(space, history, n, seed) != asks for _ in range(2)):
                return [f"After {len(history)} points it asks something else once it was shown another history."]
        return []


def _try(explorer: Any, space: Space, memory: _Memory) -> list[str]:
    seed, extent = Seed(0), explorer().plan(space)
    one, complaints = explorer(), list[str]()
    history = History.empty(space)
    if extent.slopes:
        history = replace(history, slopes=np.empty((0, len(space.coords) + 1)))
    most = _FEW if space.kind else _POINTS
    limit, ended = min(most, extent.total or most), False
    for turn in itertools.count():
        if len(history) >= limit or ended:
            break
        n = min(extent.round_at(len(history))[1], limit - len(history))
        asks = one.ask(space, history, n, seed)
        if asks != explorer().ask(space, history, n, seed):
            return [*complaints, f"After {len(history)} points a fresh explorer asks something else; it keeps state."]
        if turn < _REMEMBERED:
            memory.keep(space, history, n, asks)
        complaints += _ask_complaints(asks, n, space, extent)
        if complaints:
            return complaints
        history = _grown(space, history, asks)
        complaints += _word_complaints(one, explorer(), space, history)
        ended = len(asks) < n
    if extent.total is not None and extent.total <= most:
        if len(history) != extent.total and not (ended and len(history) < extent.total):
            complaints.append(f"It planned {extent.total} points and asked for {len(history)}.")
        elif one.ask(space, history, 1, seed):
            complaints.append("It asks for more points than it planned.")
    return complaints


def _run_complaints(explorer: Callable[[], Explorer], space: Space) -> list[str]:
    """What differs between runs of equal seeds: over one lane, over three, and gone on with after a stop."""
    whole, told = _run(explorer, space, 1)
    if _run(explorer, space, 3)[1] != told:
        return ["Over three lanes its run is another than over one."]
    stop = len(whole.history) // 2
    again, _ = _run(explorer, space, 1, replace(whole.history.until(stop), paired=None, reported=()))
    same = np.array_equal(again.history.coords, whole.history.coords)
    if not same or (again.chosen, again.summary) != (whole.chosen, whole.summary):
        return [f"A run that is stopped after {stop} points goes on in another way than one that is not."]
    return []


def _run(
    explorer: Callable[[], Explorer], space: Space, lanes: int, history: History | None = None
) -> tuple[Exploration, list[Any]]:
    """An exploration of a few points, and what it told, times left out."""
    context, made = QuietContext(), explorer()
    budget = max(_RUN, made.plan(space).least)
    over = [BowlLandscape(space) for _ in range(lanes)]
    found = explore(over, made, run="r", history=history, seed=Seed(0), context=context, budget=budget)
    return found, [_timeless(event) for event in context.events]


def _timeless(event: Any) -> Any:
    if isinstance(event, PointScored):
        return event.index, event.phase, event.coords, event.values, event.counts, event.cell
    if isinstance(event, Indicator):
        return event.index, event.name, str(event.value)  # NaN is NaN
    return event.text if isinstance(event, Logged) else type(event)


def _ask_complaints(asks: list[Ask], n: int, space: Space, extent: Extent) -> list[str]:
    if len(asks) > n:
        return [f"Asked for {n} points it gives {len(asks)}."]
    return [complaint for ask in asks for complaint in _place_complaints(ask, space, extent)]


def _place_complaints(ask: Ask, space: Space, extent: Extent) -> list[str]:
    if len(ask.coords) != len(space.coords):
        return [f"A point has {len(ask.coords)} coordinates."]
    named = ask.coords in set(space.labels.values())
    inside = all(c.low - 1e-9 <= x <= c.high + 1e-9 for c, x in zip(space.coords, ask.coords, strict=True))
    if not (inside or named):
        return [f"The point {ask.coords} is out of bounds."]
    if space.region is not None and not space.region.contains(ask.coords):
        return [f"The point {ask.coords} is outside the family's region ({space.region.kind})."]
    if ask.samples and not extent.partial:
        return [f"The point {ask.coords} is to be scored on {ask.samples} samples, which the plan does not say."]
    if bool(ask.cell) != bool(extent.shape) or any(
        not 0 <= i < n for i, n in zip(ask.cell, extent.shape, strict=False)
    ):
        return [f"The cell {ask.cell} is not one of a grid of shape {extent.shape}."]
    return []


def _word_complaints(one: Any, fresh: Any, space: Space, history: History) -> list[str]:
    """What is wrong with what it says of the newest point and what it chooses."""
    if isinstance(one, Remarks) and len(history):
        said, again = one.remark(space, history), fresh.remark(space, history)
        if said.text != again.text or str(said.numbers) != str(again.numbers):
            return [f"After {len(history)} points a fresh explorer remarks something else; it keeps state."]
    if isinstance(one, Chooses):
        known = {tuple(row) for row in history.coords.tolist()}
        if any(tuple(at) not in known for at in one.chosen(space, history)):
            return ["It chooses a point that is not one of the history."]
    return []


def _grown(space: Space, history: History, asks: list[Ask]) -> History:
    if not asks:
        return history
    new = np.array([ask.coords for ask in asks], dtype=np.float64)
    grown = History(np.vstack([history.coords, new]), np.vstack([history.values, bowl(space, new)]))
    if history.slopes is None:
        return grown
    return replace(grown, slopes=np.vstack([history.slopes, slopes(space, asks)]))

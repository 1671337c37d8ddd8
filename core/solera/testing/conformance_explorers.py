"""What every explorer promises, tried on a bowl whose lowest point is known."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solera.errors import InputError
from solera.families.coords import Coord
from solera.families.region import Region
from solera.landscapes.explorer import Ask, Chooses, Explorer, Extent, History, Remarks, Space
from solera.params import specs_from_signature
from solera.seeds import Seed
from solera.tasks.scores import Column

#: Points tried at most in each space, and in those of a special kind.
_POINTS, _FEW = 60, 24


#: Why an aggregate-only task has no gradient.
_NO_EXAMPLES = "the task 'left' hands out no examples, only scores"


def spaces() -> list[Space]:
    """Spaces of one to three coordinates, with one and two objectives; shares, blocks, stacks, subsets, blends.

    Then some of them on a task that gives only an aggregate: no paired errors, no gradients. There too an explorer
    works, or says in a sentence what it lacks.
    """
    coords = (Coord("x", 0.0, 1.0), Coord("y", -1.0, 2.0))
    columns = (Column("left", "loss", "selection", 100), Column("right", "loss", "selection", 100))
    plain = [
        Space(coords[:n], columns[:m], {"origin": (0.0,) * n, "end": (1.0,) * n}, tuple(range(m)))
        for n in (1, 2)
        for m in (1, 2)
    ]
    shares = (Coord("a", 0.0, 1.0), Coord("b", 0.0, 1.0))
    special = [
        Space(shares, columns[:1], {"a": (1.0, 0.0), "b": (0.0, 1.0)}, (0,), kind="shares", no_slopes=""),
        Space(shares, columns, {"before": (1.0, 1.0), "after": (0.0, 0.0)}, (0, 1), kind="blocks", no_slopes=""),
        Space(_SLOTS, columns[:1], {"A": (1.0, 1.0, 0.0, 0.0), "B": (0.0, 0.0, 1.0, 1.0)}, (0,), kind="stack"),
    ]
    parts = _parts(columns)
    blunt = [replace(space, paired=False, no_slopes=_NO_EXAMPLES) for space in (*plain[:2], *special, *parts[:2])]
    return [*plain, *special, *blunt, *parts]


def _parts(columns: tuple[Column, ...]) -> list[Space]:
    """Spaces of which only a part of the box is the family: choices of models, and blends of models."""
    takes = tuple(Coord(f"takes_{name}", 0.0, 1.0, kind="whole") for name in "abc")
    alone: dict[str, tuple[float, ...]] = {"a": (1.0, 0.0, 0.0), "b": (0.0, 1.0, 0.0), "c": (0.0, 0.0, 1.0)}
    shares = tuple(Coord(f"share_{name}", 0.0, 1.0) for name in "bc")
    corners: dict[str, tuple[float, ...]] = {"a": (0.0, 0.0), "b": (1.0, 0.0), "c": (0.0, 1.0)}
    found = []
    for m in (1, 2):
        subset = Space(takes, columns[:m], alone, tuple(range(m)), kind="subset", region=Region("subset"))
        blends = Space(shares, columns[:m], corners, tuple(range(m)), kind="simplex", region=Region("simplex"))
        found += [subset, blends, replace(blends, coords=shares[:1], labels={"a": (0.0,), "b": (1.0,)})]
    few = (Coord("share_b", 0.25, 1.0), shares[1])
    return [*found, replace(found[-2], coords=few)]


#: Two models of two layers in a row.
_SLOTS = tuple(Coord(f"slot_{t}_{t}", 0.0, 1.0, kind="whole") for t in range(4))


def slopes(space: Space, asks: Sequence[Ask]) -> NDArray[np.float64]:
    """The gradients of :func:`bowl` that were asked for; shape (n, coordinates + 1), NaN where none was."""
    found = np.full((len(asks), len(space.coords) + 1), np.nan)
    for row, ask in enumerate(asks):
        if ask.slope is not None:
            places = ask.slope.objectives or range(len(space.objectives))
            lows = [0.2 + 0.6 * space.objectives[i] for i in places]
            found[row] = [*(2 * (x - float(np.mean(lows))) for x in ask.coords), 0.0]
    return found


def bowl(space: Space, coords: NDArray[np.float64]) -> NDArray[np.float64]:
    """Losses of points: each column is lowest in another corner; shape (n, columns)."""
    lows = np.array([[0.2 + 0.6 * i] * coords.shape[1] for i in range(len(space.columns))])
    return np.asarray(((coords[:, None, :] - lows[None]) ** 2).sum(axis=2), dtype=np.float64)


def explorer_complaints(explorer: Any) -> list[str]:
    """What is wrong with an explorer's class; empty if it keeps its promises.

    It must explore at least one of some small spaces at its defaults: within bounds, ending where its plan says, and
    statelessly: a fresh one shown the same history asks the same, remarks the same and chooses among its points. A
    space it cannot explore it refuses with an :class:`InputError`. Its description says how it does on a task that
    gives only an aggregate.
    """
    required = [spec.name for spec in specs_from_signature(explorer) if spec.required]
    if required:
        return [f"The parameter '{name}' has no default, so no form can show one." for name in required]
    if not isinstance(explorer(), Explorer):
        return ["It lacks 'name', 'plan' or 'ask'."]
    complaints: list[str] = []
    if "aggregate" not in (inspect.getdoc(explorer) or ""):
        complaints.append("Its description does not say how it does on a task that gives only an aggregate.")
    explored = 0
    for space in spaces():
        try:
            extent = explorer().plan(space)
        except InputError:
            continue  # a space it says it cannot explore
        explored += 1
        where = f"With {len(space.coords)} coordinates and {len(space.objectives)} objectives: "
        complaints += [where + text for text in _try(explorer, space, extent)]
    return complaints if explored else ["It explores none of the spaces of one or two coordinates and objectives."]


def _try(explorer: Any, space: Space, extent: Extent) -> list[str]:
    seed = Seed(0)
    one, complaints = explorer(), list[str]()
    history = History.empty(space)
    if extent.slopes:
        history = replace(history, slopes=np.empty((0, len(space.coords) + 1)))
    most = _FEW if space.kind else _POINTS
    limit, ended = min(most, extent.total or most), False
    while len(history) < limit:
        n = min(extent.round_at(len(history))[1], limit - len(history))
        asks = one.ask(space, history, n, seed)
        again = explorer().ask(space, history, n, seed)
        if asks != again:
            return [*complaints, f"After {len(history)} points a fresh explorer asks something else; it keeps state."]
        complaints += _ask_complaints(asks, n, space, extent)
        if complaints:
            return complaints
        history = _grown(space, history, asks)
        complaints += _word_complaints(one, explorer(), space, history)
        ended = len(asks) < n
        if ended:
            break
    if extent.total is not None and extent.total <= most:
        if len(history) != extent.total and not (ended and len(history) < extent.total):
            complaints.append(f"It planned {extent.total} points and asked for {len(history)}.")
        elif one.ask(space, history, 1, seed):
            complaints.append("It asks for more points than it planned.")
    return complaints


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

"""What the soup canvas shows: models with their scores, steps of a soup, and which of the pool are looked at. No Qt."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from solera_app.canvases.scores_here import ScoreHere

State = Literal["in", "out", "trying", "left", "waiting"]
Verdict = Literal["taken", "left", "waiting"]

#: State of a model -> the word and the icon that say it.
STATES: dict[State, tuple[str, str, str]] = {
    "in": ("In", "check", "success"),
    "out": ("Out", "", "text-3"),
    "trying": ("Trying", "run", "accent"),
    "left": ("Left out", "close", "text-2"),
    "waiting": ("Waiting", "", "text-3"),
}

_BOUND = re.compile(r"([<>])=?(-?\d+(?:\.\d+)?)%?")


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A model of the pool.

    Attributes:
        id: Its node in the document.
        name: What a person reads.
        number: Its place in the pool, from 0; decides its colour.
        scores: Its own score on each task; empty until it is scored.
        mean: The mean of those; None where there is none.
        state: How it stands to the soup.
    """

    id: str
    name: str
    number: int = 0
    scores: tuple[ScoreHere, ...] = ()
    mean: ScoreHere | None = None
    state: State = "out"

    def score(self, column: str) -> ScoreHere | None:
        """Its score on a task, or its mean for an empty name."""
        if not column:
            return self.mean
        return next((score for score in self.scores if score.title == column), None)


@dataclass(frozen=True, slots=True)
class Step:
    """A soup on the way.

    Attributes:
        number: From 1.
        tried: Id of the model that was added; empty where none was.
        name: What a person reads: the model's name, ``"all 12"`` or ``"step 3"``.
        value: The soup's score, a mean over tasks.
        stderr: Its standard error; of several tasks what it is at most.
        verdict: Whether the soup kept it; ``"waiting"`` until that is told.
    """

    number: int
    tried: str
    name: str
    value: float
    stderr: float = math.nan
    verdict: Verdict = "taken"


def arranged(pool: Sequence[Ingredient], order: str, column: str = "", words: str = "") -> list[Ingredient]:
    """The models of a pool that are looked at, in order.

    Args:
        pool: In the order they were added.
        order: ``"score"`` (best first, those without one last), ``"name"`` or ``"added"``.
        column: The task whose score counts; empty for the mean.
        words: All of which must occur in the name; ``">78"`` and ``"<80"`` bound the score as it is written.
    """
    bounds, rest = [], []
    for word in words.split():
        found = _BOUND.fullmatch(word)
        if found:
            bounds.append((found[1], float(found[2])))
        else:
            rest.append(word.lower())
    kept = [
        one for one in pool
        if all(word in one.name.lower() for word in rest) and _within(one.score(column), bounds)
    ]  # fmt: skip
    if order == "name":
        return sorted(kept, key=lambda one: one.name.lower())
    if order == "score":
        return sorted(kept, key=lambda one: _rank(one.score(column)))
    return kept


def _within(score: ScoreHere | None, bounds: Sequence[tuple[str, float]]) -> bool:
    if not bounds:
        return True
    if score is None or not math.isfinite(score.value):
        return False
    shown = score.value * (100 if score.percent else 1)
    return all(shown >= bound if sign == ">" else shown <= bound for sign, bound in bounds)


def _rank(score: ScoreHere | None) -> float:
    if score is None or not math.isfinite(score.value):
        return math.inf
    return -score.value if score.better == "higher" else score.value

"""What the models of a pool and their soups score: kept as they come, with means, paired gains and what is missing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from solera.errors import InputError
from solera.tasks.means import mean_difference, mean_over_tasks
from solera.tasks.scores import METRICS, Difference, Score
from solera_app.canvases.scores_here import ScoreHere, headline, score_here

#: What a model or a soup is told apart by.
Key = tuple[tuple[str, float], ...]


def key_of(sources: Sequence[str], shares: Sequence[float] = ()) -> Key:
    """The same for every order of the same soup."""
    return tuple(sorted(zip(sources, shares or (1.0,) * len(sources), strict=True)))


@dataclass
class SoupScores:
    """Scores by what they are of.

    Attributes:
        units: Gives the population a task's samples come from (see :class:`solera.tasks.task.Task`).
        tasks: The tasks that count, in order.
    """

    units: Callable[[str], str]
    tasks: tuple[str, ...] = ()
    _known: dict[Key, tuple[Score, ...]] = field(default_factory=dict)
    _refused: dict[Key, str] = field(default_factory=dict)

    def take(self, key: Key, scores: Sequence[Score]) -> None:
        """Scores of a model or a soup, on every task it was scored on."""
        self._known[key] = tuple(headline(scores))

    def refuse(self, key: Key, why: str) -> None:
        """It cannot be scored."""
        self._refused[key] = why

    def why_not(self, key: Key) -> str:
        """Why it cannot be scored; empty if nobody tried or it could."""
        return self._refused.get(key, "")

    def lacking(self, key: Key) -> bool:
        """Whether it is still to be scored on a task that counts."""
        return key not in self._refused and len(self.of(key)) < len(self.tasks)

    def of(self, key: Key) -> list[Score]:
        """Its scores on the tasks that count, of one metric."""
        found = {score.column.task: score for score in self._known.get(key, ())}
        return [found[task] for task in self.tasks if task in found]

    def mean(self, key: Key) -> ScoreHere | None:
        """The mean over the tasks that count, with the error that knows which tasks share samples."""
        scores = self.of(key)
        if not scores or len(scores) < len(self.tasks) or len({score.column.metric for score in scores}) > 1:
            return None
        first = score_here(scores[0])
        if len(scores) == 1:
            return first
        mean = mean_over_tasks(scores, [self.units(score.column.task) for score in scores])
        title = f"Mean {first.metric.lower()}"
        return dataclasses.replace(first, title=title, value=mean.value, stderr=mean.stderr)

    def here(self, key: Key, against: Mapping[str, tuple[float, str]] | None = None) -> tuple[ScoreHere, ...]:
        """Its scores as a canvas shows them; ``against`` marks another's by task."""
        marks = against or {}
        return tuple(score_here(score, expert=marks.get(score.column.task, (None, ""))) for score in self.of(key))

    def best(self, keys: Sequence[Key]) -> Key | None:
        """The one with the best mean; None if none has one, or while some are still to be scored."""
        if any(self.lacking(key) for key in keys):
            return None
        means = [(mean, key) for key in keys if (mean := self.mean(key)) is not None and math.isfinite(mean.value)]
        if not means:
            return None
        sign = 1.0 if means[0][0].better == "higher" else -1.0
        return max(means, key=lambda pair: sign * pair[0].value)[1]

    def gain(self, key: Key, other: Key) -> Difference | None:
        """The paired difference of two means; None where one is missing."""
        a, b = self.of(key), self.of(other)
        if len(a) != len(self.tasks) or len(b) != len(self.tasks) or not a:
            return None
        try:
            return mean_difference(a, b, [self.units(score.column.task) for score in a])
        except InputError:
            return None  # of several metrics: there is no mean

    @property
    def metric(self) -> str:
        """The metric in words, lower case; ``"score"`` before anything is known or where there are several."""
        names = {score.column.metric for key in self._known for score in self.of(key)}
        return METRICS[names.pop()].title.lower() if len(names) == 1 else "score"

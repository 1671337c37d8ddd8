"""Data ablation by averages: models of parts of a corpus stand for models of mixtures of the parts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from solera.api import METRICS, Ask, Extent, History, InputError, Param, Remark, Seed, Space
from solera_plugins.explorers.agreement import Agreement, agreement
from solera_plugins.explorers.pool import Ingredients, Pool

Floats = NDArray[np.float64]

#: Mixtures scored at most, and asked for at once.
_MOST, _ROUND = 20_000, 64


@dataclass(frozen=True, slots=True)
class _Truth:
    """What models that were really trained on mixtures score.

    Attributes:
        mixtures: The parts of each.
        scores: By column, one number for each mixture.
    """

    mixtures: tuple[Ingredients, ...]
    scores: Mapping[str, tuple[float, ...]]


class Mixtures:
    """Score mixtures of a corpus by averages of models trained on its parts, and say how well that tells the truth.

    Na et al. 2024, Scalable data ablation approximations for language models through modular training and merging: from
    one start a model is trained on each part, all alike, and a mixture is scored by the average of its parts' models,
    even or by their tokens. Where the scores of models really trained on mixtures are given, correlations follow
    (Pearson and Spearman, of log perplexities where the metric is one, with intervals over mixtures), beside those of
    the plain mean of the single models' scores.

    It needs no more than an aggregate score.

    Args:
        sizes: How many parts a mixture has, such as "2" or "2-4"; empty is every number.
        tokens: Tokens of each part, such as "1, 2, 2", which the average goes by; empty is even.
        truths: A file of true scores: JSON, ``[{"mixture": ["a", "b"], "scores": {"task.metric": 1.9}}, ...]``. Its
            mixtures are scored whatever ``sizes`` says.
    """

    name = "mixtures"

    def __init__(
        self,
        *,
        sizes: Annotated[str, Param(help="Parts of a mixture, such as 2 or 2-4; empty is every number.")] = "",
        tokens: Annotated[str, Param(help="Tokens of each part, such as 1, 2, 2; empty is even.")] = "",
        truths: Annotated[Path | None, Param(help="A JSON file of what models trained on mixtures score.")] = None,
    ) -> None:
        self._sizes = sizes
        self._tokens = tokens
        self._truths = truths

    def plan(self, space: Space) -> Extent:
        """Every part alone, then every mixture.

        Raises:
            InputError: The coordinates are no shares, a size or a number of tokens cannot be read, the truths do not
                fit, or there are too many mixtures.
        """
        pool = Pool.of(space, self.name)
        low, high = self._range(len(pool))
        count = sum(comb(len(pool), size) for size in range(low, high + 1))
        if count > _MOST:
            raise InputError(f"{len(pool)} parts have {count:,} mixtures; at most {_MOST:,} are scored. Set 'sizes'.")
        self._check_tokens(space, pool)
        total = len(pool) + len(self._mixtures(pool))
        return Extent(total, least=len(pool) + 1, rounds=(len(pool), _ROUND))

    def ask(self, space: Space, history: History, n: int, seed: Seed) -> list[Ask]:
        """The parts in order, then the mixtures: those of the truths first, then by size."""
        pool = Pool.of(space, self.name)
        everything = [*((i,) for i in range(len(pool))), *self._mixtures(pool)]
        return [Ask(self._point(pool, mixture)) for mixture in everything[len(history) : len(history) + n]]

    def remark(self, space: Space, history: History) -> Remark:
        """At the end the best mixtures, and how the averages agree with the truths."""
        pool = Pool.of(space, self.name)
        mixtures = self._mixtures(pool)
        if len(history) < len(pool) + len(mixtures):
            return Remark()
        losses = pool.losses(history)[len(pool) :]
        order = [i for i in np.argsort(losses, kind="stable").tolist() if not np.isnan(losses[i])]
        best = "; ".join(f"{pool.said(mixtures[i])} ({pool.score(losses[i]):.4g})" for i in order[:3])
        numbers, texts = {}, [f"Best of {len(mixtures)} mixtures: {best or 'none has a score'}."]
        for name, (of_averages, of_means) in self.agreements(space, history).items():
            for key, value in of_averages.numbers().items():
                numbers[f"{key}:{name}"] = value
            numbers[f"pearson of means:{name}"] = of_means.pearson.value
            texts.append(f"{name} against the truth: {of_averages}; mean of single models: {of_means}.")
        return Remark(numbers, " ".join(texts))

    def chosen(self, space: Space, history: History) -> list[tuple[float, ...]]:
        """The mixtures, so that what is best of many is not taken for what it is worth."""
        return [tuple(map(float, row)) for row in history.coords[len(Pool.of(space, self.name)) :][:_ROUND]]

    def agreements(self, space: Space, history: History) -> dict[str, tuple[Agreement, Agreement]]:
        """By column with truths: how averages agree with them, and how means of single models' scores do."""
        pool = Pool.of(space, self.name)
        truth = self._truth(pool)
        found = {}
        for column, told in enumerate(space.columns):
            if told.name not in truth.scores:
                continue
            log = METRICS[told.metric].aggregate == "exp-mean"
            values = _logged(history.values[:, column], log)
            averages = values[len(pool) : len(pool) + len(truth.mixtures)]
            means = np.array([values[list(mixture)].mean() for mixture in truth.mixtures])
            true = _logged(np.array(truth.scores[told.name]), log)
            found[told.name] = agreement(averages, true), agreement(means, true)
        return found

    def _mixtures(self, pool: Pool) -> list[Ingredients]:
        """Those of the truths, then every subset of the sizes wanted; each once."""
        low, high = self._range(len(pool))
        subsets = [s for size in range(low, high + 1) for s in combinations(range(len(pool)), size)]
        return list(dict.fromkeys([*self._truth(pool).mixtures, *subsets]))

    def _range(self, count: int) -> tuple[int, int]:
        first, dash, last = self._sizes.partition("-")
        if not self._sizes.strip():
            return (count + 1, count) if self._truths else (2, count)
        try:
            low = int(first)
            high = int(last) if dash else low
        except ValueError:
            low = high = 0
        if not 2 <= low <= high <= count:
            raise InputError(f"Sizes of mixtures of {count} parts are written 2 or 2-{count}; got '{self._sizes}'.")
        return low, high

    def _weights(self, pool: Pool) -> Floats:
        try:
            found = [float(part) for part in self._tokens.split(",")] if self._tokens.strip() else [1.0] * len(pool)
        except ValueError:
            found = []
        if len(found) != len(pool) or min(found) <= 0:
            raise InputError(f"Tokens are one number above 0 for each of {len(pool)} parts; got '{self._tokens}'.")
        return np.array(found)

    def _check_tokens(self, space: Space, pool: Pool) -> None:
        weights = self._weights(pool)
        if np.ptp(weights) and any(coord.kind != "real" for coord in space.coords):
            raise InputError("Averages by tokens need shares that are numbers: make the family {shares: [A, B, C]}.")

    def _point(self, pool: Pool, mixture: Ingredients) -> tuple[float, ...]:
        weights = self._weights(pool)
        most = max(weights[i] for i in mixture)
        return tuple(float(weights[i] / most) if i in mixture else 0.0 for i in range(len(pool)))

    def _truth(self, pool: Pool) -> _Truth:
        """The file's mixtures and scores.

        Raises:
            InputError: It cannot be read, or names parts or columns that are not there.
        """
        if self._truths is None:
            return _Truth((), {})
        try:
            rows: Any = json.loads(Path(self._truths).read_text(encoding="utf-8"))
            mixtures = tuple(tuple(sorted(pool.names.index(part) for part in row["mixture"])) for row in rows)
            columns = list(rows[0]["scores"])
            scores = {column: tuple(float(row["scores"][column]) for row in rows) for column in columns}
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise InputError(
                f"The truths {self._truths} cannot be read ({error}). Wanted is a list of "
                '{"mixture": [names of parts], "scores": {"task.metric": number}}, the same scores in each; the parts '
                f"are {', '.join(pool.names)}."
            ) from error
        if len(set(mixtures)) < len(mixtures) or any(len(set(m)) < len(m) or not m for m in mixtures):
            raise InputError(f"The truths {self._truths} name a mixture twice, or one without parts.")
        return _Truth(mixtures, scores)


def _logged(values: Floats | Sequence[float], log: bool) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    return np.asarray(np.log(array) if log else array)

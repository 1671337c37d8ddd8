"""Greedy soups: which models to average, by trying them in order of their own scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from solera.errors import InputError


@dataclass(frozen=True, slots=True)
class GreedySoup:
    """What was chosen.

    Attributes:
        ingredients: Indices of the models, in the order they were taken.
        score: Of their average; larger is better.
        tried: Every average that was scored: its ingredients, its score, and whether it was accepted.
    """

    ingredients: tuple[int, ...]
    score: float
    tried: tuple[tuple[tuple[int, ...], float, bool], ...]


def greedy_soup(
    scores: Sequence[float],
    evaluate: Callable[[tuple[int, ...]], float],
    *,
    accept: Literal["ge", "gt"] = "ge",
) -> GreedySoup:
    """Begin with the best model; add each next one if the average with it is no worse (or, "gt", better).

    Wortsman et al. 2022, Model soups. The paper accepts equal scores, the released code does not. Of equally good
    models the last is tried first, as there. The held-out data is used once for every model: report on other data.

    Args:
        scores: Of each model alone; larger is better.
        evaluate: Gives the score of the average of these models.
        accept: Whether an equal score is enough.

    Raises:
        InputError: There is no model, or a score is NaN.
    """
    if not scores or any(score != score for score in scores):
        raise InputError(f"A greedy soup needs models with scores; got {list(scores)}.")
    order = sorted(range(len(scores)), key=lambda i: scores[i])[::-1]
    chosen: tuple[int, ...] = (order[0],)
    best, tried = scores[order[0]], []
    for index in order[1:]:
        candidate = (*chosen, index)
        score = evaluate(candidate)
        better = score >= best if accept == "ge" else score > best
        tried.append((candidate, score, better))
        if better:
            chosen, best = candidate, score
    return GreedySoup(chosen, best, tuple(tried))

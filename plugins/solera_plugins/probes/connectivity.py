"""Linear mode connectivity: the loss on the way between two models, as they are and after alignment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from solera.api import Axis, Finding, Measure, NetworkObjective, Param, Probed, Row, Subject, barriers, probe

WAYS = ("direct", "aligned")
Align = Annotated[bool, Param(help="Also after the second model's units were put where the first one's are.")]

_PAPER = "Frankle and others 2020, Linear mode connectivity; Ainsworth and others 2023, Git Re-Basin"
_URL = "https://arxiv.org/abs/1912.05671"
_GOLDEN = (math.sqrt(5) - 1) / 2


@probe(
    "mode_connectivity",
    title="Linear mode connectivity",
    kind="curve",
    axes=(Axis("way", "choice", labels=WAYS), Axis("t", title="from the first to the second")),
    needs="task",
    models=(2, 2),
    measures=(Measure("loss"), Measure("error", "error rate", low=0, high=1)),
    paper=_PAPER,
    url=_URL,
)
def mode_connectivity(
    subject: Subject,
    *,
    points: Annotated[int, Param(3, 1001, help="Places on the way, both ends among them.")] = 11,
    refine: Annotated[int, Param(0, 100, help="Places more around the barrier, by golden section.")] = 7,
    align: Align = True,
) -> Iterator[Row | Finding]:
    """Loss and error on the straight way between two models, with all four numbers that are called a barrier.

    Each place is computed from the ends: ``(1 - t) A + t B``, running statistics of normalisation included. The
    barriers of the loss and of the error are kept as findings, by name: ``chord`` (the largest rise above the line
    between the ends), ``instability`` (the largest value less the mean of the ends), ``worst_end`` (less the worse end)
    and ``mode_connectivity`` (mean of the ends less the value farthest from it, negative for a barrier).

    Args:
        subject: Two networks of one kind on a task's examples.
        points: Evenly spaced places.
        refine: Places more.
        align: Whether the way to the aligned second model is gone as well.

    Pitfalls:
        - Networks with batch normalisation need their statistics recalibrated on the way; here they are averaged.
        - Without alignment a barrier says little of the distance of two models that were trained apart.
    """
    subject.tensors()  # names what differs between networks that are not of one kind
    first, second = subject.models
    subject.steps((points + refine) * (1 + align))
    for w, way in enumerate(WAYS[: 1 + align]):
        line = _line(subject, first, subject.aligned(second, first) if way == "aligned" else second)
        told: dict[float, tuple[float, ...]] = {}

        def at(t: float) -> float:
            told[t] = subject.once(f"{way}/{t!r}", lambda: line(t))
            return told[t][0]

        for t in np.linspace(0, 1, points).tolist():
            at(t)
            yield Row((w, t), {"loss": told[t][0], "error": told[t][1]})
        for t in _closing_in(told, at, refine):
            yield Row((w, t), {"loss": told[t][0], "error": told[t][1]})
        for k, measure in enumerate(("loss", "error")):
            for barrier in barriers(list(told), [each[k] for each in told.values()]).values():
                yield Finding(f"{barrier.name} of the {measure}, {way}", barrier.height)
                yield Finding(f"{barrier.name} of the {measure}, {way}, at", barrier.at)


@probe(
    "barriers",
    title="Barriers between models",
    kind="matrix",
    needs="task",
    models=(2, None),
    measures=(
        Measure("loss", "barrier of the loss"), Measure("error", "barrier of the error", low=0, high=1),
        Measure("aligned_loss", "barrier of the loss, aligned"),
        Measure("aligned_error", "barrier of the error, aligned", low=0, high=1),
    ),
    paper=_PAPER,
    url=_URL,
)  # fmt: skip
def barrier_matrix(
    subject: Subject,
    *,
    points: Annotated[int, Param(3, 1001, help="Places on each way, both ends among them.")] = 11,
    align: Align = False,
) -> Iterator[Row]:
    """The barrier between every two models: the largest rise of loss and error above the line between the ends.

    Args:
        subject: Networks of one kind on a task's examples.
        points: Evenly spaced places.
        align: Whether it is measured after alignment as well.
    """
    subject.tensors()
    count = len(subject.models)
    subject.steps(count * (count - 1) // 2 * points * (1 + align))
    found: dict[tuple[int, int], dict[str, float]] = {}
    for i in range(count):
        for j in range(i + 1, count):
            for way in WAYS[: 1 + align]:
                first, second = subject.models[i], subject.models[j]
                line = _line(subject, first, subject.aligned(second, first) if way == "aligned" else second)
                places = np.linspace(0, 1, points).tolist()
                told = [subject.once(f"{i} {j} {way}/{t!r}", lambda: line(t)) for t in places]
                for k, measure in enumerate(("loss", "error")):
                    height = barriers(places, [each[k] for each in told])["chord"].height
                    found.setdefault((i, j), {})["aligned_" * (way == "aligned") + measure] = height
    for i in range(count):
        for j in range(count):
            same = dict.fromkeys(["loss", "error", *(["aligned_loss", "aligned_error"] if align else [])], 0.0)
            yield Row((i, j), same if i == j else found[min(i, j), max(i, j)])


def _line(subject: Subject, first: Probed, second: Probed) -> Callable[[float], list[float]]:
    """Loss and error of a place on the way; weights are read when the first is asked for."""
    ends: list[Tensor] = []

    def at(t: float) -> list[float]:
        if not ends:
            ends.extend(model.flat("float32").double() for model in (first, second))
        flat = ((1 - t) * ends[0] + t * ends[1]).float()
        objective = NetworkObjective(
            first.network, flat, subject.examples, subject.context, name=f"the point t = {t:g}"
        )
        return _scored(objective, subject.examples.targets)

    return at


def _scored(objective: NetworkObjective, targets: Tensor) -> list[float]:
    """Mean loss and share of wrong predictions; NaN where there is no class to predict."""
    losses, wrong = 0.0, 0.0
    with torch.no_grad():
        for where in objective.chunks():
            outputs, wanted = objective.outputs(objective.theta, where), targets[where]
            losses += float(objective.losses_of(outputs, where).double().sum())
            if wanted.is_floating_point():
                wrong = math.nan
            else:
                missed = (outputs.argmax(-1) != wanted).double()
                wrong += float((missed if missed.ndim == 1 else missed.flatten(1).mean(1)).sum())
    return [losses / objective.count, wrong / objective.count]


def _closing_in(told: dict[float, tuple[float, ...]], at: Callable[[float], float], count: int) -> Iterator[float]:
    """Places around the largest rise above the chord, closing in on it by golden section."""
    ends = told[0.0][0], told[1.0][0]

    def rise(t: float) -> float:
        loss = told[t][0] if t in told else at(t)
        return loss - ((1 - t) * ends[0] + t * ends[1])

    places = sorted(told)
    top = max(range(len(places)), key=lambda k: rise(places[k]))
    low, high = places[max(top - 1, 0)], places[min(top + 1, len(places) - 1)]
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    for _ in range(count):
        if left in told and right in told:  # one of them is an inner place of the next bracket as well
            if rise(left) > rise(right):
                high, right = right, left
                left = high - _GOLDEN * (high - low)
            else:
                low, left = left, right
                right = low + _GOLDEN * (high - low)
        place = left if left not in told else right
        if place in told:
            return
        at(place)
        yield place

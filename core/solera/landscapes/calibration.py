"""Which way of evaluating points is fastest here, found out on a point or two and never for long."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solera.errors import CapacityError, InputError, NumericError, TaskError
from solera.landscapes.ways import Way

if TYPE_CHECKING:
    from solera.context import Context
    from solera.landscapes.landscape import Landscape
    from solera.tasks.scores import Score

#: Below this many seconds of evaluation nothing is tried.
WORTH = 20.0
#: At most this share of the evaluation is spent on trying; a compiler is tried where it can win back its time.
SHARE, COMPILING = 0.05, 60.0
#: A way must be this much faster than the plain one to be taken.
GAIN = 0.97
#: Ways agree to this, relative to the score.
AGREES = 2e-5
#: Chunks that are tried, beside the task's own: what caches of common cores hold.
CHUNKS = (64, 256, 1024)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What came out.

    Attributes:
        way: The fastest way; the landscape uses it now.
        said: What was tried, with seconds per point, and what could not be and why.
    """

    way: Way
    said: tuple[str, ...]


def calibrate(landscape: Landscape, planned: int, context: Context) -> Calibration:
    """Try ways on the middle of the family and take the fastest; where it has no score there, the plain one.

    Args:
        landscape: Made ready; left with the way that was chosen.
        planned: How many points are going to be evaluated.
        context: Asked between tries whether to stop.
    """
    plain = Way(threads=context.threads)
    if not landscape.one_network:
        landscape.use(plain)
        return Calibration(plain, ())
    coords = landscape.space().nearest([coord.at(0.5) for coord in landscape.family.coords])
    began = time.perf_counter()
    try:
        reference, best = _timed(landscape, plain, coords, context)
    except NumericError as error:
        return Calibration(plain, (str(error),))
    said = [f"plain {best:.3g} s"]
    if planned * best < WORTH:
        return Calibration(plain, tuple(said))
    chosen, seconds = plain, best
    most = max(measure.evaluator.count for measure in landscape.measures)
    tries = [Way("plain", chunk, plain.threads) for chunk in CHUNKS if chunk < most]
    tries += [Way("folded", 0, plain.threads)]
    if planned * best * 0.4 > COMPILING:
        tries += [Way("compiled", 512, plain.threads)]
    for way in tries:
        context.check()
        # A compiler's time was weighed above; everything else must stay a small part of what it is to speed up.
        if way.path != "compiled" and time.perf_counter() - began > SHARE * planned * best:
            continue
        try:
            scores, found = _timed(landscape, way, coords, context)
        except (InputError, TaskError, CapacityError) as error:
            said.append(str(error))
            continue
        gap = _gap(scores, reference)
        name = way.path if not way.chunk else f"{way.path} by {way.chunk}"
        said.append(f"{name} {found:.3g} s")
        if gap > AGREES:
            said[-1] += f" (left out: it differs by {gap:.1g})"
        elif found < min(seconds, GAIN * best):
            chosen, seconds = way, found
    landscape.use(chosen)
    return Calibration(chosen, tuple(said))


def _timed(
    landscape: Landscape, way: Way, coords: Sequence[float], context: Context
) -> tuple[tuple[Score, ...], float]:
    """Scores of a point, and the least seconds of two calls after a first."""
    landscape.use(way)
    scores = landscape.score_anew(coords, context)
    best = math.inf
    for _ in range(2):
        began = time.perf_counter()
        landscape.score_anew(coords, context)
        best = min(best, time.perf_counter() - began)
    return scores, best


def _gap(scores: Sequence[Score], reference: Sequence[Score]) -> float:
    """Largest relative difference of the scores; a fraction may differ by one sample."""
    worst = 0.0
    for found, wanted in zip(scores, reference, strict=True):
        apart = abs(found.value - wanted.value)
        if wanted.column.metric == "accuracy" and apart <= 1.5 / max(wanted.count, 1):
            continue
        if not (math.isnan(found.value) and math.isnan(wanted.value)):
            worst = max(worst, apart / max(abs(wanted.value), 1e-30))
    return worst

"""Which way of evaluating points is fastest here, found out on a point or two and never for long."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solera.errors import CapacityError, InputError, NumericError, TaskError
from solera.landscapes.products import seconds_of_products
from solera.landscapes.ways import Way, is_compiled

if TYPE_CHECKING:
    from solera.context import Context
    from solera.landscapes.landscape import Landscape
    from solera.tasks.scores import Score

#: Below this many seconds of evaluation nothing is tried.
WORTH = 5.0
#: At most this share of the evaluation is spent on trying.
SHARE = 0.05
#: Seconds that a compiler takes at first, and the share it may save of what is not products of matrices.
COMPILING, SAVES = 16.0, 0.5
#: Products never count as more of a point's time: convolutions are counted with their padding, and take less.
PRODUCTS = 0.7
#: A way must be this much faster than the plain one to be taken.
GAIN = 0.97
#: Ways agree to this, relative to the score.
AGREES = 2e-5
#: Chunks that are tried beside the task's own, in this order: fewer calls, then what caches of common cores hold.
CHUNKS = (1024, 64, 512, 128)
#: Points that are tried to share a call, on a CPU and on an accelerator, with the samples of each; 0 is the task's own.
TOGETHER = {"cpu": ((4, 256),), "": ((16, 0), (64, 0))}
#: Seconds of a point on a CPU from which on points are not tried together: sharing saves there what a call costs beside
#: its arithmetic, which is a fraction of a millisecond.
BRIEF = 0.01
#: A way is tried no further whose first call takes this many times what the fastest takes.
HOPELESS = 2.0


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
    """Try ways near the middle of the family and take the fastest; where it has no score there, the plain one.

    Args:
        landscape: Made ready; left with the way that was chosen.
        planned: How many points are going to be evaluated.
        context: Asked between tries whether to stop.
    """
    plain = Way(threads=context.threads)
    if not landscape.one_network:
        landscape.use(plain)
        return Calibration(plain, ())
    # Not the very middle: there the axes of a plane have no say, so that an error in them would not show.
    coords = landscape.space().nearest([coord.at(0.4) for coord in landscape.family.coords])
    trial = _Trial(landscape, coords, planned, context)
    try:
        trial.start(plain)
    except (NumericError, TaskError) as error:
        return Calibration(plain, (str(error),))
    if trial.whole >= WORTH:
        trial.attempt(Way("folded", 0, plain.threads))
        path, most = trial.chosen.path, max(measure.evaluator.count for measure in landscape.measures)
        own = {min(chunk, most) for chunk in landscape.chunks}
        for chunk in CHUNKS:
            if own != {min(chunk, most)}:
                trial.attempt(Way(path, chunk, plain.threads))
        together = TOGETHER.get(context.device, TOGETHER[""])
        for points, chunk in together if context.device != "cpu" or trial.whole < BRIEF * planned else ():
            trial.attempt(Way("vmap", chunk, plain.threads, points))
        trial.compile(Way("compiled", 512, plain.threads))
        landscape.use(trial.chosen)
    return Calibration(trial.chosen, tuple(trial.said))


class _Trial:
    """Ways tried on one point.

    Attributes:
        chosen: The fastest so far.
        whole: Seconds that all points would take in the plain way.
        said: See :class:`Calibration`.
    """

    def __init__(self, landscape: Landscape, coords: Sequence[float], planned: int, context: Context) -> None:
        self.chosen, self.whole = Way(), 0.0
        self.said: list[str] = []
        self._landscape, self._coords, self._planned, self._context = landscape, coords, planned, context
        # One thread's own time does not count what else the machine is busy with.
        alone = context.threads == 1 and context.device == "cpu"
        self._clock = time.thread_time if alone else time.perf_counter
        self._began, self._plain, self._seconds = self._clock(), math.inf, math.inf
        self._reference: tuple[Score, ...] = ()

    def start(self, plain: Way) -> None:
        """Score in the plain way, which all others are held against.

        Raises:
            NumericError: The point has no weights.
        """
        self._reference, self._plain = self._timed(plain)
        self.chosen, self._seconds, self.whole = plain, self._plain, self._planned * self._plain
        self.said.append(f"plain {self._plain:.3g} s")

    def attempt(self, way: Way, *, weighed: bool = False) -> None:
        """Try a way, unless trying has taken its share of the time already; not asked where that is ``weighed``."""
        self._context.check()
        if not weighed and self._clock() - self._began > SHARE * self.whole:
            return
        try:
            scores, found = self._timed(way)
        except (InputError, TaskError, CapacityError) as error:
            self.said.append(str(error))
            return
        gap = _gap(scores, self._reference)
        name = way.path if way.points == 1 else f"{way.path} of {way.points}"
        name += f" by {way.chunk}" if way.chunk else ""
        self.said.append(f"{name} {found:.3g} s")
        if gap > AGREES:
            self.said[-1] += f" (left out: it differs by {gap:.1g})"
        elif found < min(self._seconds, GAIN * self._plain):
            self.chosen, self._seconds = way, found

    def compile(self, way: Way) -> None:
        """Try a compiler where it can win back its time, which is none if this process has done its work before."""
        landscape = self._landscape
        if not is_compiled(way, landscape.network):
            if self.whole * SAVES < COMPILING:
                return
            landscape.use(Way(threads=way.threads))
            products = 0.0
            if self._context.device == "cpu":
                products = seconds_of_products(lambda: landscape.score_anew(self._coords, self._context), self._clock)
                products = min(products, PRODUCTS * self._plain)
            if (self.whole - self._planned * products) * SAVES < COMPILING:
                self.said.append(f"not compiled: of {self._plain:.3g} s products take {products:.3g} s")
                return
        self.attempt(way, weighed=True)

    def _timed(self, way: Way) -> tuple[tuple[Score, ...], float]:
        """Scores of the point, and the least seconds of two calls after a first."""
        self._landscape.use(way)
        scores, found = self._call(way)
        if way.points > 1 and found > HOPELESS * self._seconds:
            return scores, found
        return scores, min(self._call(way)[1] for _ in range(2))

    def _call(self, way: Way) -> tuple[tuple[Score, ...], float]:
        """Scores of the point and the seconds they took; where points share a call, one's share of them."""
        began = self._clock()
        if way.points > 1:
            scores = self._landscape.score_together([self._coords] * way.points, self._context)[-1]
        else:
            scores = self._landscape.score_anew(self._coords, self._context)
        return scores, (self._clock() - began) / way.points


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

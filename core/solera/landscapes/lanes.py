"""Points scored at once, one landscape to a lane; what comes out does not show how many lanes there were."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from solera.context import Context
from solera.errors import Cancelled, InputError, TaskError
from solera.events import Event
from solera.landscapes.explorer import Ask
from solera.landscapes.landscape import Landscape
from solera.seeds import Seed
from solera.tasks.scores import Score


@dataclass(frozen=True, slots=True)
class Scored:
    """A point's scores and what they cost.

    Attributes:
        scores: One per column.
        seconds: Wall time.
        said: What was emitted while scoring, in order.
        failure: Why there are none, where a task could not score the point.
    """

    scores: tuple[Score, ...]
    seconds: float
    said: tuple[Event, ...] = ()
    failure: TaskError | None = None


class Lanes:
    """Scores many points, each on whichever landscape is free, and hands the scores out in the order of asking.

    Args:
        landscapes: The same family and tasks, each with a network and evaluators of its own (one per device); with one
            alone everything happens in the caller's thread.

    Raises:
        InputError: They measure different things, or share a network.
    """

    def __init__(self, landscapes: Sequence[Landscape]) -> None:
        self.landscapes = tuple(landscapes)
        if not self.landscapes:
            raise InputError("Nothing can be scored without a landscape.")
        if any((each.columns, each.family) != (self.first.columns, self.first.family) for each in self.landscapes):
            raise InputError("Lanes must have the same family and the same tasks.")
        if len({id(each.network) for each in self.landscapes}) < len(self.landscapes):
            raise InputError("Every lane needs a network of its own.")

    @property
    def first(self) -> Landscape:
        """The landscape that stands for all."""
        return self.landscapes[0]

    def score(self, asks: Sequence[Ask], context: Context) -> Iterator[Scored]:
        """The scores of points, in order, as they are there.

        Args:
            asks: The points.
            context: Of the job; asked between points whether to stop.

        Raises:
            Cancelled: The context says stop; no lane is at work any more when it is raised.
            SoleraError: A point could not be scored.
        """
        size = self.first.way.points
        blocks = [asks[start : start + size] for start in range(0, len(asks), size)]
        if len(self.landscapes) == 1 or len(blocks) < 2:
            for block in blocks:
                yield from _scored(self.first, block, context)
            return
        yield from self._side_by_side(blocks, context)

    def _side_by_side(self, blocks: Sequence[Sequence[Ask]], context: Context) -> Iterator[Scored]:
        free: SimpleQueue[Landscape] = SimpleQueue()
        for landscape in self.landscapes:
            free.put(landscape)
        stop = threading.Event()

        def work(block: Sequence[Ask]) -> list[Scored]:
            landscape, held = free.get(), _Held(context, stop)
            try:
                return [replace(scored, said=held.taken()) for scored in _scored(landscape, block, held)]
            finally:
                free.put(landscape)

        pool = ThreadPoolExecutor(len(self.landscapes), "solera-lane")
        futures: list[Future[list[Scored]]] = []
        try:
            futures += [pool.submit(work, block) for block in blocks]
            for block, future in zip(blocks, futures, strict=True):
                for ask, scored in zip(block, _waited(future, context), strict=True):
                    self._share(ask, scored)
                    yield scored
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _share(self, ask: Ask, scored: Scored) -> None:
        """Tell every lane, so that any of them can go on with the rest of the samples, or compare without scoring."""
        for landscape in self.landscapes:
            if not ask.samples:
                landscape.remember(ask.coords, scored.scores)
            else:
                landscape.portions.remember(ask.coords, scored.scores)


def _scored(landscape: Landscape, block: Sequence[Ask], context: Context) -> Iterator[Scored]:
    """The scores of points that may share a call of the network."""
    began = time.perf_counter()
    if len(block) > 1:
        context.check()
        landscape.ahead([ask.coords for ask in block if not ask.samples], context)
    shared = (time.perf_counter() - began) / len(block)
    for ask in block:
        context.check()
        began = time.perf_counter()
        scores = landscape.evaluate(ask.coords, context, ask.samples)
        yield Scored(scores, shared + time.perf_counter() - began, failure=landscape.failure)


def _waited(future: Future[list[Scored]], context: Context) -> list[Scored]:
    while True:
        context.check()
        try:
            return future.result(timeout=0.05)
        except TimeoutError:
            if future.done():
                raise


class _Held:
    """A lane's context: what it says waits until its point is told, so that runs do not differ by who was faster."""

    def __init__(self, context: Context, stop: threading.Event) -> None:
        self._context, self._stop = context, stop
        self.job, self.device, self.threads = context.job, context.device, context.threads
        self.seed: Seed = context.seed
        self.scratch: Path = context.scratch
        self.said: list[Event] = []

    def check(self) -> None:
        """Stop with the job, and when another lane failed."""
        if self._stop.is_set():
            raise Cancelled("Another lane stopped.")
        self._context.check()

    def progress(self, done: float, total: float | None, unit: str = "", text: str = "") -> None:
        """Left out: the loop says how far all lanes are."""

    def emit(self, event: Event) -> None:
        """Kept until the point's turn."""
        self.said.append(event)

    def taken(self) -> tuple[Event, ...]:
        """What was said since the last time."""
        said, self.said = tuple(self.said), []
        return said

    def reserve(self, nbytes: int, what: str) -> AbstractContextManager[None]:
        """The job's."""
        return self._context.reserve(nbytes, what)

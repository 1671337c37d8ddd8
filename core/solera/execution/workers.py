"""Threads that share a line of work: in order, within a budget, and stopped by the first failure."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch

from solera.context import Context

T = TypeVar("T")


@dataclass(slots=True)
class _Gang(Generic[T]):
    """Some of the threads: what they have in work, and what that led to."""

    ahead: deque[T] = field(default_factory=deque)
    held: int = 0
    busy: int = 0


class Workers(Generic[T]):
    """Does items of work in their order with some threads.

    A thread that is done with an item takes the next one; what an item leads to comes before the rest. An item waits
    while it does not fit the budget beside those in work, so that one alone is always done.

    torch works with one thread inside each: pieces are small, and there is one of us for every core.

    Threads may stand in several gangs, each with a budget of its own. All take from one line; but what an item leads to
    is done by the gang that did the item.

    Args:
        do: Does one item, given the number of the gang; gives the items it leads to.
        holds: Bytes an item takes while it is done.
        count: Threads, of all gangs together.
        budget: Bytes all items that one gang has in work may take together.
        context: Asked whether to stop, ten times a second and more.
        gangs: How many there are.
    """

    def __init__(
        self, do: Callable[[T, int], Sequence[T]], holds: Callable[[T], int], count: int, budget: int, context: Context,
        gangs: int = 1,
    ) -> None:  # fmt: skip
        self._do = do
        self._holds = holds
        self._count = max(count, gangs)
        self._budget = budget
        self._context = context
        self._changed = threading.Condition(threading.RLock())
        self._gangs = [_Gang[T]() for _ in range(gangs)]
        self._put_back: deque[T] = deque()
        self._stopped = False
        self._failure: BaseException | None = None

    def run(self, items: Iterable[T]) -> None:
        """Do all items; raises what the first failing one raised, and when asked to stop."""
        self._items = iter(items)
        threads = [
            threading.Thread(target=self._work, args=(i % len(self._gangs),), name=f"solera-merge-{i}", daemon=True)
            for i in range(self._count)
        ]
        before = torch.get_num_threads()
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    self._context.check()
                    thread.join(0.05)
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify_all()
            for thread in threads:
                thread.join()
            torch.set_num_threads(before)  # for threads that start later: the number is the process's, too
        if self._failure is not None:
            raise self._failure

    def _work(self, number: int) -> None:
        torch.set_num_threads(1)
        gang = self._gangs[number]
        while (item := self._take(gang)) is not None:
            more: Sequence[T] = ()
            try:
                more = self._do(item, number)
            except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
                self._fail(error)
            with self._changed:
                gang.busy -= 1
                gang.held -= self._holds(item)
                gang.ahead.extendleft(reversed(more))
                self._changed.notify_all()

    def _take(self, gang: _Gang[T]) -> T | None:
        """The next item, when it fits; None when there is nothing more to do."""
        with self._changed:
            while not self._stopped:
                line = gang.ahead or self._put_back
                item = line.popleft() if line else self._next()
                if item is None:
                    # What another gang still does leads to nothing for this one.
                    if not gang.busy:
                        return None
                elif not gang.busy or gang.held + self._holds(item) <= self._budget:
                    gang.busy += 1
                    gang.held += self._holds(item)
                    return item
                elif line is gang.ahead:
                    line.appendleft(item)
                else:
                    self._put_back.appendleft(item)
                self._changed.wait()
            return None

    def _next(self) -> T | None:
        try:
            return next(self._items, None)
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
            self._fail(error)
            return None

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._stopped = True
            self._changed.notify_all()

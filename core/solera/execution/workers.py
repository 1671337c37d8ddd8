"""Threads that share a line of work: in order, within a budget, and stopped by the first failure."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

import torch

from solera.context import Context

T = TypeVar("T")


class Workers(Generic[T]):
    """Does items of work in their order with some threads.

    A thread that is done with an item takes the next one; what an item leads to comes before the rest. An item waits
    while it does not fit the budget beside those in work, so that one alone is always done.

    torch works with one thread inside each: pieces are small, and there is one of us for every core.

    Args:
        do: Does one item; gives the items it leads to.
        holds: Bytes an item takes while it is done.
        count: Threads.
        budget: Bytes all items in work may take together.
        context: Asked whether to stop, ten times a second and more.
    """

    def __init__(
        self, do: Callable[[T], Sequence[T]], holds: Callable[[T], int], count: int, budget: int, context: Context
    ) -> None:
        self._do = do
        self._holds = holds
        self._count = count
        self._budget = budget
        self._context = context
        self._changed = threading.Condition(threading.RLock())
        self._ahead: deque[T] = deque()
        self._held = 0
        self._busy = 0
        self._stopped = False
        self._failure: BaseException | None = None

    def run(self, items: Iterable[T]) -> None:
        """Do all items; raises what the first failing one raised, and when asked to stop."""
        self._items = iter(items)
        threads = [
            threading.Thread(target=self._work, name=f"solera-merge-{i}", daemon=True) for i in range(self._count)
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

    def _work(self) -> None:
        torch.set_num_threads(1)
        while (item := self._take()) is not None:
            more: Sequence[T] = ()
            try:
                more = self._do(item)
            except BaseException as error:  # noqa: BLE001 - carried to the thread that waits
                self._fail(error)
            with self._changed:
                self._busy -= 1
                self._held -= self._holds(item)
                self._ahead.extendleft(reversed(more))
                self._changed.notify_all()

    def _take(self) -> T | None:
        """The next item, when it fits; None when there is nothing more to do."""
        with self._changed:
            while not self._stopped:
                item = self._next()
                if item is None:
                    if not self._busy:
                        return None
                elif not self._busy or self._held + self._holds(item) <= self._budget:
                    self._busy += 1
                    self._held += self._holds(item)
                    return item
                else:
                    self._ahead.appendleft(item)
                self._changed.wait()
            return None

    def _next(self) -> T | None:
        if self._ahead:
            return self._ahead.popleft()
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

"""Threads that share a line of work."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from solera.context import QuietContext
from solera.errors import Cancelled
from solera.execution.workers import Workers


def run(do, items, *, count=3, budget=100, holds=lambda item: 1, context=None):
    Workers(lambda item, _: do(item), holds, count, budget, context or QuietContext()).run(items)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_everything_is_done_and_what_follows_comes_before_the_rest(count):
    done, lock = [], threading.Lock()

    def do(item):
        with lock:
            done.append(item)
        return [f"{item}.{i}" for i in range(2)] if len(item) == 1 else []

    run(do, list("abc"), count=count)
    assert sorted(done) == sorted([*"abc", *(f"{x}.{i}" for x in "abc" for i in range(2))])
    if count == 1:
        assert done == ["a", "a.0", "a.1", "b", "b.0", "b.1", "c", "c.0", "c.1"]


def test_what_does_not_fit_waits_and_one_alone_is_always_done():
    held, most, lock = [0], [0], threading.Lock()

    def do(item):
        with lock:
            held[0] += item
            most[0] = max(most[0], held[0])
        time.sleep(0.01)
        with lock:
            held[0] -= item
        return []

    run(do, [6, 5, 4, 3, 3, 3, 50, 1], budget=10, holds=lambda item: item)
    assert most[0] == 50
    most[0] = 0
    run(do, [6, 5, 4, 3, 3, 3, 1], budget=10, holds=lambda item: item)
    assert most[0] <= 10


def test_the_first_failure_stops_all_and_is_raised():
    done = []

    def do(item):
        done.append(item)
        if item == 3:
            raise KeyError(item)
        time.sleep(0.002)
        return []

    with pytest.raises(KeyError):
        run(do, range(1000))
    assert len(done) < 100


def test_a_line_that_fails_is_a_failure():
    def items():
        yield 1
        raise ValueError("the line")

    with pytest.raises(ValueError, match="the line"):
        run(lambda item: [], items())


def test_a_cancel_is_seen_while_work_is_long():
    class Stop(QuietContext):
        def check(self):
            if time.monotonic() > until:
                raise Cancelled("stopped")

    until = time.monotonic() + 0.1
    began = time.monotonic()
    with pytest.raises(Cancelled):
        run(lambda item: time.sleep(0.05) or [], range(10_000), context=Stop())
    assert time.monotonic() - began < 10


def test_torch_has_one_thread_inside_and_as_many_as_before_outside():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        seen = set()
        run(lambda item: seen.add(torch.get_num_threads()) or [], range(20))
        assert seen == {1}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)

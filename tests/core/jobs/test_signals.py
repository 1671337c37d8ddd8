"""A signal stops all work resumably; the same again means the same, and a later one ends the program."""

import os
import signal
import time

import pytest

from solera.jobs import signals
from solera.jobs.ledger import MemoryLedger
from solera.jobs.queue import JobQueue
from solera.jobs.signals import resumable


class Queue(JobQueue):
    """Counts how often it was interrupted."""

    def __init__(self) -> None:
        super().__init__({}, ledger=MemoryLedger(1000))
        self.interrupts = 0

    def interrupt(self) -> None:
        self.interrupts += 1


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sent_to_the_process_and_to_its_group_is_one_request(number):
    queue = Queue()
    with resumable(queue) as stopped:
        assert not stopped
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        until(lambda: queue.interrupts)
    assert stopped.by == number
    assert queue.interrupts == 1


def test_a_second_signal_ends_at_once(monkeypatch):
    monkeypatch.setattr(signals, "_SAME", 0.0)
    queue = Queue()
    with resumable(queue):
        os.kill(os.getpid(), signal.SIGINT)
        until(lambda: queue.interrupts)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_afterwards_signals_are_as_before():
    before = signal.getsignal(signal.SIGTERM)
    with resumable(Queue()):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before

"""Cycles are collected in the window's thread alone while there is a window."""

import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject

from solera.errors import InputError
from solera.jobs.queue import JobQueue
from solera.jobs.spec import JobSpec
from solera_app.bridge.collector import Collector, collect


class Knot:
    """A cycle that says which thread freed it."""

    def __init__(self, freed: list[threading.Thread]) -> None:
        self.me = self
        weakref.finalize(self, lambda: freed.append(threading.current_thread()))


@pytest.fixture
def automatic() -> Iterator[None]:
    before = gc.isenabled()
    gc.enable()
    yield
    if not before:
        gc.disable()


def destroy(owner: QObject) -> None:
    owner.deleteLater()
    QCoreApplication.sendPostedEvents(owner, QEvent.Type.DeferredDelete)


def test_a_busy_thread_frees_no_cycle_of_ours(qtbot: Any, qapp: Any, automatic: None) -> None:
    owner = QObject()
    Collector(owner)
    freed: list[threading.Thread] = []

    worker = threading.Thread(target=lambda: [Knot(freed) for _ in range(5000)])
    worker.start()
    worker.join()
    qtbot.waitUntil(lambda: len(freed) > 4000)
    assert set(freed) == {threading.main_thread()}
    destroy(owner)


def test_neither_does_a_job_that_ends_and_its_memory_comes_back_all_the_same(
    qtbot: Any, qapp: Any, automatic: None
) -> None:
    """A job's thread that frees a closed tab's wrappers waits for the window's thread, which waits for it."""
    owner = QObject()
    Collector(owner)
    freed: list[threading.Thread] = []

    def fail(args: Any, context: Any) -> None:
        Knot(freed)
        raise InputError("It does not fit.")

    queue = JobQueue({"fail": fail})
    queue.wait(queue.submit(JobSpec("fail", "fail")).id)
    qtbot.waitUntil(lambda: bool(freed))
    assert freed == [threading.main_thread()]
    destroy(owner)
    queue.wait(queue.submit(JobSpec("fail", "fail")).id)
    assert len(freed) == 2, "at once, without a window"
    queue.shutdown()


def test_the_automatic_collector_comes_back_with_the_last_window(qapp: Any, automatic: None) -> None:
    first, second = QObject(), QObject()
    Collector(first)
    Collector(second)
    assert not gc.isenabled()
    destroy(first)
    assert not gc.isenabled()
    destroy(second)
    assert gc.isenabled()


def test_one_that_was_off_stays_off(qapp: Any, automatic: None) -> None:
    gc.disable()
    owner = QObject()
    Collector(owner)
    destroy(owner)
    assert not gc.isenabled()


def test_nothing_is_collected_before_it_is_due(automatic: None) -> None:
    gc.disable()
    gc.collect()
    assert collect() == -1
    kept: list[list[object]] = [[] for _ in range(gc.get_threshold()[0] + 50)]
    assert collect() == 0
    assert len(kept) > 50


def test_what_an_import_made_is_set_aside_and_later_cycles_are_freed(
    qtbot: Any, qapp: Any, automatic: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = QObject()
    Collector(owner)
    gc.unfreeze()  # what was set aside when it was made
    monkeypatch.setitem(sys.modules, "a_module_that_is_new", sys)
    qtbot.waitUntil(lambda: gc.get_freeze_count() > 10_000)
    freed: list[threading.Thread] = []
    for _ in range(5000):
        Knot(freed)
    qtbot.waitUntil(lambda: len(freed) > 4000)
    destroy(owner)
    assert gc.get_freeze_count() == 0

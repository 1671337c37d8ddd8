"""How the command line waits for a job, and how soon it stops waiting."""

import os
import signal
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from solera.cli import work
from solera.errors import Interrupted
from solera.jobs.context import JobContext
from solera.jobs.queue import JobQueue
from solera.jobs.spec import JobSpec

_OVER = threading.Event()


def deaf(args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Never looks up."""
    _OVER.wait(60)
    return {}


def obedient(args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    while True:
        context.check()
        time.sleep(0.01)


def quick(args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGTERM)  # it comes too late to stop anything
    return {"made": 1}


def run(handler: Any, monkeypatch: pytest.MonkeyPatch, *, after: float | None) -> dict[str, Any]:
    monkeypatch.setattr(work, "_STOP_SECONDS", 0.5)
    queue = JobQueue({"job": handler})
    bench: Any = SimpleNamespace(jobs=queue, project=None)
    timer = threading.Timer(after or 0.0, os.kill, (os.getpid(), signal.SIGTERM))
    if after is not None:
        timer.start()
    try:
        return work.submit_and_run(bench, lambda: queue.submit(JobSpec("job", "A job")), quiet=True)
    finally:
        timer.cancel()
        _OVER.set()
        queue.shutdown(5)


@pytest.mark.parametrize("handler", [deaf, obedient])
def test_a_signal_ends_the_wait_whether_or_not_the_job_hears_it(handler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _OVER.clear()
    began = time.monotonic()
    with pytest.raises(Interrupted, match=r"Stopped\."):
        run(handler, monkeypatch, after=0.3)
    assert time.monotonic() - began < 5


def test_a_job_that_was_done_before_the_signal_took_effect_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(quick, monkeypatch, after=None) == {"made": 1}

import threading

import pytest
import torch

from solera.errors import Cancelled
from solera.landscapes.ways import Way, make_engine
from solera.models.network import Network
from solera.patience import asking, patiently


def stop() -> None:
    raise Cancelled("Stopped.")


def test_what_was_done_is_given_back_and_what_was_raised_is_raised():
    def fail() -> None:
        raise TimeoutError("its own")

    assert patiently(threading.current_thread) is threading.current_thread()
    with asking(lambda: None):
        assert patiently(threading.current_thread) is not threading.current_thread()
        with pytest.raises(TimeoutError, match="its own"):
            patiently(fail)


def test_who_is_asked_to_stop_leaves_the_work_to_itself():
    go_on, done = threading.Event(), threading.Event()

    def work() -> None:
        go_on.wait(60)
        done.set()

    with asking(stop), pytest.raises(Cancelled):
        patiently(work)
    assert not done.is_set()
    go_on.set()
    assert done.wait(60)


def test_a_compiler_at_work_does_not_keep_a_job_that_is_to_stop(monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr(torch, "compile", lambda *_, **__: go_on.wait(60))
    network = Network(torch.nn.Linear(2, 2))
    try:
        with asking(stop), pytest.raises(Cancelled):
            make_engine(Way("compiled"), network)
    finally:
        go_on.set()

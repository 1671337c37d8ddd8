"""The preview scorer: never more than one at work, the latest request wins, errors come back as values."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from solera.errors import TaskError
from solera_app.preview import PreviewScorer


@pytest.fixture
def scorer(qapp: Any) -> Iterator[PreviewScorer]:
    made = PreviewScorer()
    yield made
    made.stop()


def test_requests_in_between_are_dropped(scorer: PreviewScorer, qtbot: Any) -> None:
    gate, begun = threading.Event(), threading.Event()
    answers: list[tuple[int, Any]] = []
    scored: list[int] = []
    scorer.scored.connect(lambda number, result: answers.append((number, result)))

    def first() -> int:
        begun.set()
        gate.wait(10)
        return 0

    scorer.request(first)
    assert begun.wait(5)
    for value in range(1, 50):
        scorer.request(lambda value=value: scored.append(value) or value)  # type: ignore[misc]
    gate.set()
    qtbot.waitUntil(lambda: len(answers) == 2)
    assert answers == [(1, 0), (50, 49)]
    assert scored == [49]


def test_an_error_comes_back_and_the_next_request_is_served(scorer: PreviewScorer, qtbot: Any) -> None:
    def broken() -> None:
        raise TaskError("The data of 'rotated' are missing.")

    with qtbot.waitSignal(scorer.failed) as told:
        scorer.request(broken)
    assert str(told.args[1]) == "The data of 'rotated' are missing."
    with qtbot.waitSignal(scorer.scored) as told:
        scorer.request(lambda: "fine")
    assert told.args == [2, "fine"]


def test_answers_arrive_in_the_windows_thread(scorer: PreviewScorer, qtbot: Any) -> None:
    threads: list[threading.Thread] = []
    scorer.scored.connect(lambda *_: threads.append(threading.current_thread()))
    scorer.request(threading.current_thread)
    qtbot.waitUntil(lambda: bool(threads))
    assert threads == [threading.main_thread()]


def test_stop_ends_the_thread_even_twice(qapp: Any) -> None:
    made = PreviewScorer()
    made.stop()
    assert not made._thread.is_alive()
    made.stop()
    made.request(lambda: 1)

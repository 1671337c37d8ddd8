"""Events into signals: order, coalescing, a budget for each drain; the border that keeps exceptions out of Qt."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest
import shiboken6
from PySide6.QtCore import QObject, Signal

from solera.errors import InputError
from solera.events import (
    ArtifactMade,
    Event,
    Indicator,
    JobChanged,
    Logged,
    PointScored,
    Progress,
    RunEnded,
    RunStarted,
)
from solera_app.bridge import bridge as module
from solera_app.bridge.background import idle, in_background
from solera_app.bridge.bridge import Bridge
from solera_app.bridge.slots import attempt, guarded, notices
from solera_app.bridge.weakly import WeakCall, Weakly


def point(run: str, index: int) -> PointScored:
    return PointScored(run=run, index=index, coords=(0.0,), values=(1.0,), stderrs=(0.1,), counts=(9,))


@pytest.fixture
def queue() -> SimpleQueue[Event]:
    return SimpleQueue()


@pytest.fixture
def heard(qapp: Any, queue: SimpleQueue[Event]) -> Any:
    bridge = Bridge(queue)
    said: list[tuple[str, Any]] = []
    for name in ("jobChanged", "progressed", "runStarted", "runEnded", "logged", "artifactMade"):
        getattr(bridge, name).connect(lambda event, name=name: said.append((name, event)))
    bridge.pointsArrived.connect(lambda run, points: said.append(("points", (run, [p.index for p in points]))))
    bridge.indicated.connect(lambda run, numbers: said.append(("indicated", (run, [n.value for n in numbers]))))
    yield bridge, said
    bridge.stop()


def test_points_are_joined_and_never_overtake_the_end(heard: Any, queue: SimpleQueue[Event]) -> None:
    bridge, said = heard
    start = RunStarted(job="j", run="r", path="/r.h5", header={})
    end = RunEnded(job="j", run="r", state="done", summary="")
    for event in (start, point("r", 0), point("r", 1), point("q", 0), point("r", 2), end, point("q", 1)):
        queue.put(event)
    bridge.drain()
    assert said == [
        ("runStarted", start), ("points", ("r", [0, 1, 2])), ("points", ("q", [0])), ("runEnded", end),
        ("points", ("q", [1])),
    ]  # fmt: skip


def test_only_the_last_progress_of_a_job_is_told(heard: Any, queue: SimpleQueue[Event]) -> None:
    bridge, said = heard
    for done in range(200):
        queue.put(Progress(job="a" if done % 2 else "b", done=done))
    bridge.drain()
    assert [(name, event.job, event.done) for name, event in said] == [
        ("progressed", "b", 198),
        ("progressed", "a", 199),
    ]


def test_progress_before_a_state_is_told_before_it(heard: Any, queue: SimpleQueue[Event]) -> None:
    bridge, said = heard
    queue.put(Progress(job="a", done=9))
    queue.put(JobChanged(job="a", kind="merge", title="", state="done"))
    bridge.drain()
    assert [name for name, _ in said] == ["progressed", "jobChanged"]


def test_every_kind_has_a_signal(heard: Any, queue: SimpleQueue[Event]) -> None:
    bridge, said = heard
    queue.put(Logged(text="hello"))
    queue.put(ArtifactMade(kind="checkpoint", path="/x"))
    queue.put(Indicator(run="r", name="hypervolume", index=3, value=0.5))
    bridge.drain()
    assert [name for name, _ in said] == ["logged", "artifactMade", "indicated"]


def test_a_flood_is_taken_in_parts_and_loses_nothing(
    heard: Any, queue: SimpleQueue[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    bridge, said = heard
    monkeypatch.setattr(module, "BUDGET", 0.002)
    total = 30_000
    for index in range(total):
        queue.put(point("r", index))
    longest, drains = 0.0, 0
    while not queue.empty():
        began = time.thread_time()
        bridge.drain()
        longest = max(longest, time.thread_time() - began)
        drains += 1
    assert drains > 1
    assert longest < 0.5
    assert [i for _, (_, indices) in said for i in indices] == list(range(total))


def test_the_timer_drains_and_stop_takes_the_rest(heard: Any, queue: SimpleQueue[Event], qtbot: Any) -> None:
    bridge, said = heard
    bridge.start()
    threading.Thread(target=lambda: queue.put(Logged(text="from a thread"))).start()
    qtbot.waitUntil(lambda: bool(said))
    queue.put(Logged(text="last"))
    bridge.stop()
    assert [event.text for _, event in said] == ["from a thread", "last"]
    queue.put(Logged(text="too late"))
    assert len(said) == 2


# --- the border -----------------------------------------------------------------------------------------------------


def test_an_error_of_ours_is_its_sentence(qtbot: Any, qapp: Any) -> None:
    @guarded
    def slot() -> None:
        raise InputError("Wanted two, got one.")

    with qtbot.waitSignal(notices().raised) as told:
        assert slot() is None
    assert told.args[:2] == ["error", "Wanted two, got one."]
    assert "InputError" in told.args[2]


def test_any_other_error_says_that_the_window_goes_on(qtbot: Any, qapp: Any) -> None:
    with qtbot.waitSignal(notices().raised) as told:
        guarded(lambda: 1 / 0)()
    assert "ZeroDivisionError" in told.args[1]
    assert "The window goes on." in told.args[1]


def test_an_attempt_has_a_result_or_an_error() -> None:
    assert attempt(lambda: 3) == (3, None)
    result, error = attempt(lambda: [][0])
    assert result is None
    assert isinstance(error, IndexError)


def test_work_aside_answers_in_the_windows_thread(qtbot: Any, qapp: Any) -> None:
    threads: list[Any] = []
    in_background(threading.current_thread, lambda worker: threads.append((worker, threading.current_thread())))
    qtbot.waitUntil(lambda: bool(threads))
    worker, here = threads[0]
    assert here is threading.main_thread()
    assert worker is not here


def test_work_aside_that_fails_is_told_or_handed_on(qtbot: Any, qapp: Any) -> None:
    def fail() -> None:
        raise InputError("No such thing.")

    with qtbot.waitSignal(notices().raised) as told:
        in_background(fail)
    assert told.args[1] == "No such thing."
    errors: list[Exception] = []
    with qtbot.assertNotEmitted(notices().raised):
        in_background(fail, None, errors.append)
        qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], InputError)


def test_an_error_in_the_answer_is_told_too(qtbot: Any, qapp: Any) -> None:
    with qtbot.waitSignal(notices().raised) as told:
        in_background(lambda: 0, lambda zero: 1 / zero)
    assert "ZeroDivisionError" in told.args[1]


def test_nobody_hears_of_work_for_something_that_is_gone(qtbot: Any, qapp: Any) -> None:
    heard: list[str] = []
    gone, here = QObject(), QObject()
    shiboken6.delete(gone)
    in_background(lambda: "lost", heard.append, owner=gone)
    in_background(lambda: "found", heard.append, owner=here)
    qtbot.waitUntil(idle)
    qtbot.waitUntil(lambda: bool(heard))
    assert heard == ["found"]


def test_a_part_keeps_neither_its_whole_nor_whom_it_calls() -> None:
    class Part:
        whole = Weakly["Whole"]()
        call = WeakCall[Callable[[], str]]()

        def __init__(self, whole: "Whole") -> None:
            self.whole, self.call = whole, whole.speak

    class Whole:
        def __init__(self) -> None:
            self.part = Part(self)

        def speak(self) -> str:
            return "spoken"

    whole = Whole()
    part: Any = whole.part
    gone = weakref.ref(whole)
    assert part.whole is whole
    assert part.call is not None
    assert part.call() == "spoken"
    gc.disable()
    del whole
    assert gone() is None
    assert part.call is None
    with pytest.raises(ReferenceError, match="belongs to is gone"):
        _ = part.whole
    part.call = lambda: "kept"
    assert part.call() == "kept"


def test_a_connection_keeps_no_receiver_alive(qapp: Any) -> None:
    class Receiver(QObject):
        def hear(self, word: str) -> None:
            words.append(word)

    class Sender(QObject):
        said = Signal(str)

    words: list[str] = []
    sender, receiver = Sender(), Receiver()
    gone = weakref.ref(receiver)
    sender.said.connect(guarded(receiver.hear))
    sender.said.emit("one")
    del receiver
    gc.collect()
    assert gone() is None
    sender.said.emit("two")
    assert words == ["one"]


def test_a_receiver_that_qt_destroyed_is_not_called(qapp: Any) -> None:
    class Receiver(QObject):
        def hear(self) -> None:
            self.objectName()

    parent = QObject()
    receiver = Receiver(parent)
    call = guarded(receiver.hear)
    said: list[str] = []
    notices().raised.connect(lambda level, text, details: said.append(text))
    shiboken6.delete(parent)
    call()
    assert said == []


class Asker(QObject):
    """Asks, and hears."""

    def __init__(self, heard: list[object]) -> None:
        super().__init__()
        self._heard = heard

    def hear(self, value: object) -> None:
        self._heard.append(value)


def test_work_under_way_keeps_nobody_alive(qtbot: Any) -> None:
    go_on, heard = threading.Event(), list[object]()
    gone, here = Asker(heard), Asker(heard)
    for name, asker in (("lost", gone), ("found", here)):
        in_background(lambda name=name: go_on.wait(30) and name, asker.hear, owner=asker)  # type: ignore[misc]
    held = weakref.ref(gone)
    del gone, asker
    assert held() is None
    go_on.set()
    qtbot.waitUntil(lambda: heard == ["found"])

"""Random actions at the real window: no exception, no lost edit, no tab that outlives its closing, no growing memory.

Two minutes by one seed in ``make test``, half an hour by another each time in ``make test-all``.
``SOLERA_SOAK_SECONDS`` says how long; ``SOLERA_SOAK_SEED`` repeats a run, as far as jobs end when they did.
"""

import logging
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.flows.monkey import Monkey, holders, rest
from tests.flows.person import Person

#: Seconds after which all that is open is closed; then it goes on.
_ROUND = 300
#: Bytes that may be held more after the last round than after the second: libraries are imported and caches fill.
_MORE = 512 << 20


_SHORT, _LONG = (int(os.environ.get("SOLERA_SOAK_SECONDS", seconds)) for seconds in (120, 1800))


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(_SHORT, id="short", marks=pytest.mark.timeout(_SHORT + 900)),
        pytest.param(_LONG, id="long", marks=[pytest.mark.heavy, pytest.mark.timeout(_LONG + 1800)]),
    ],
)
def test_random_hands(
    furnished: Person, incoming: Path, seconds: int, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    seed = int(os.environ.get("SOLERA_SOAK_SEED", "0")) or (int(time.time()) if seconds > _ROUND else 1)
    person, monkey = furnished, Monkey(furnished, incoming, seed)
    rounds = max(1, seconds // _ROUND)
    held: list[int] = []
    try:
        with (
            monkey.awake(monkeypatch),
            person.qtbot.captureExceptions() as raised,
            caplog.at_level(logging.ERROR),
        ):
            for _ in range(rounds):
                began = time.monotonic()
                while time.monotonic() - began < seconds / rounds:
                    monkey.step()
                    assert_nothing_broke(raised, caplog.records)
                assert_no_edit_is_lost(person)
                rest(person)
                assert_nothing_broke(raised, caplog.records)
                assert_no_tab_is_left(monkey)
                held.append(anonymous())
        assert held[-1] - held[:2][-1] < _MORE
    finally:  # what is printed is shown where the test fails
        print(f"SOLERA_SOAK_SEED={seed} SOLERA_SOAK_SECONDS={seconds}; the last of {len(monkey.done)} steps:")
        print(*monkey.done[-40:], f"MiB held after each round: {[each >> 20 for each in held]}", sep="\n")


def assert_nothing_broke(raised: Sequence[Any], records: Sequence[logging.LogRecord]) -> None:
    """No exception reached Qt, a slot or a job; what is refused with a sentence is none."""
    broken = ["".join(traceback.format_exception(error)) for _, error, _ in raised]
    for record in records:
        if record.exc_info:
            broken.append(f"{record.getMessage()}\n{''.join(traceback.format_exception(record.exc_info[1]))}")
        elif "Traceback (most recent call last)" in record.getMessage():
            broken.append(record.getMessage())
    assert not broken, "\n".join(broken)


def assert_no_edit_is_lost(person: Person) -> None:
    """Every edit of every document can be taken back and done again."""
    for opened in person.desk.recipes.documents:
        history, last, undone = opened.history, opened.document, 0
        while history.can_undo:
            history.undo()
            undone += 1
        for _ in range(undone):  # and not what the hands had undone
            history.redo()
        assert opened.document == last


def assert_no_tab_is_left(monkey: Monkey) -> None:
    """Every tab went with its closing."""
    kept = [f"{type(ref()).__name__}: {holders(ref())}" for ref in monkey.tabs if ref() is not None]
    assert not kept, f"{len(kept)} of {len(monkey.tabs)} tabs outlive their closing, held by\n" + "\n".join(kept)


def anonymous() -> int:
    """Bytes of memory no file backs; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))

"""Random actions at the real window: no exception, no lost edit, no tab that outlives its closing, no growing memory.

Two minutes by one seed, half an hour by another each time; both in ``make test-all``.
``SOLERA_SOAK_SECONDS`` says how long; ``SOLERA_SOAK_SEED`` repeats a run, as far as jobs end when they did.
"""

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.flows.monkey import Monkey, holders, rest
from tests.flows.person import Person

#: Bytes that may be held more at the end than after a third of the time: caches fill, and then no more.
_MORE = 256 << 20


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(120, id="short", marks=pytest.mark.heavy),
        pytest.param(1800, id="long", marks=pytest.mark.heavy),
    ],
)
def test_random_hands(
    furnished: Person, incoming: Path, seconds: int, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    seed = int(os.environ.get("SOLERA_SOAK_SEED", "0")) or (1 if seconds == 120 else int(time.time()))
    seconds = int(os.environ.get("SOLERA_SOAK_SECONDS", str(seconds)))
    person, monkey = furnished, Monkey(furnished, incoming, seed)
    began, early = time.monotonic(), 0
    with monkey.awake(monkeypatch), caplog.at_level(logging.ERROR):
        while (passed := time.monotonic() - began) < seconds:
            try:
                monkey.step()
            except BaseException:
                print(f"seed {seed}, after {len(monkey.done)} steps: {monkey.done[-12:]}")
                raise
            early = early if early or passed < seconds / 3 else anonymous()
        print(f"seed {seed}, {len(monkey.done)} steps: {monkey.done[-12:]}")
        late = anonymous()
        for opened in person.desk.recipes.documents:
            history, last, undone = opened.history, opened.document, 0
            while history.can_undo:
                history.undo()
                undone += 1
            for _ in range(undone):  # and not what the hands had undone
                history.redo()
            assert opened.document == last, "an edit was lost"
        rest(person)
    kept = [f"{type(ref()).__name__}: {holders(ref())}" for ref in monkey.tabs if ref() is not None]
    assert not kept, f"{len(kept)} of {len(monkey.tabs)} tabs outlive their closing, held by\n" + "\n".join(kept)
    assert late - early < _MORE
    broken = [record for record in caplog.records if record.exc_info and record.levelno >= logging.ERROR]
    assert not broken, broken[0].getMessage()


def anonymous() -> int:
    """Bytes of memory no file backs; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))

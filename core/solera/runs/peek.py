"""The few facts of a run that a list shows, without reading its points."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from solera.errors import RunError
from solera.locks import holder
from solera.runs import _h5, layout
from solera.runs.header import RunHeader

_STARTED_OR_ENDED = (b"run-started", b"run-ended")


@dataclass(frozen=True, slots=True)
class Peek:
    """What a list shows of a run; see :class:`solera.runs.reader.RunReader` for the fields."""

    header: RunHeader
    count: int
    state: str
    summary: str


def peek(path: str | os.PathLike[str]) -> Peek:
    """Look into a live, killed or finished run.

    Raises:
        NotFoundError: There is no such file.
        RunError: It is not a readable run.
    """
    where = Path(path).absolute()
    file = _h5.open_to_read(where)
    try:
        header = layout.read_header(file)
        count = len(file.table(layout.POINT))
        events = file.table(layout.EVENTS).read()
        rows = [row for row in events if row["kind"] in _STARTED_OR_ENDED]
        last = {}
        if rows and rows[-1]["kind"] == b"run-ended":
            at, length = int(rows[-1]["at"]), int(rows[-1]["length"])
            last = json.loads(file.table(layout.TEXT).read(at, at + length).tobytes())
    except (ValueError, KeyError) as error:
        raise RunError(f"The run {where} is damaged: {error}.", path=str(where)) from error
    finally:
        file.close()
    state = str(last["state"]) if last else live_state(where)
    return Peek(header, count, state, str(last.get("summary", "")))


def live_state(path: Path) -> str:
    """Of a run that has not said how it ended: ``"running"``, or ``"interrupted"`` if nobody writes it any more."""
    return "running" if holder(path.with_name(f"{path.name}.lock")) else "interrupted"

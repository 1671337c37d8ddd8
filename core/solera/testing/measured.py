"""Programs run and measured: wall time, and the most memory they held that is no file's."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from solera.errors import InputError

#: Seconds between looks at the memory.
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a program.

    Attributes:
        wall: Seconds from its start to its end.
        anonymous: Most bytes of memory held at once that no file backs; 0 if that was not looked at.
    """

    wall: float
    anonymous: int = 0


def measure(command: Sequence[str], *, memory: bool = False, environment: Mapping[str, str] | None = None) -> Measured:
    """Run a program to its end, in the state of one that was installed: Python keeps what it compiles.

    Args:
        command: The program and its arguments.
        memory: Look at its memory now and then, where /proc tells.
        environment: Beside this process's own.

    Raises:
        InputError: It fails; what it said last is in the sentence.
    """
    known = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**known, **(environment or {})}
    ) as process:
        most = 0
        if memory:
            while process.poll() is None:
                most = max(most, anonymous_bytes(process.pid))
                time.sleep(_LOOK_SECONDS)
        said = process.communicate()[1]
    wall = time.perf_counter() - began
    if process.returncode != 0:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise InputError(
            f"{Path(command[0]).name} failed with code {process.returncode}: {last}", command=list(command)
        )
    return Measured(wall, most)


def anonymous_bytes(pid: int | Literal["self"] = "self") -> int:
    """Memory of a process that no file backs, as the kernel counts it; 0 where it does not."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")), 0)
    except OSError:
        return 0

"""What a job in another process and its queue say to each other. All of it pickles; nothing holds a tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from solera.errors import SoleraError
from solera.events import Event


@dataclass(frozen=True, slots=True)
class Begin:
    """To the process: the job."""

    target: str
    args: dict[str, Any]
    job: str
    run: str
    attempt: int
    devices: tuple[str, ...]
    threads: int
    seed: tuple[int, tuple[str, ...]]
    scratch: str


@dataclass(frozen=True, slots=True)
class Check:
    """From the process: may I go on? Answered when the job is not paused."""


@dataclass(frozen=True, slots=True)
class Advance:
    """From the process: progress."""

    done: float
    total: float | None
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Emit:
    """From the process: an event; answered once the store has taken it."""

    event: Event


@dataclass(frozen=True, slots=True)
class Reserve:
    """From the process: memory, to be held until :class:`Release` of the same number."""

    number: int
    nbytes: int
    what: str


@dataclass(frozen=True, slots=True)
class Release:
    """From the process: that memory is free again."""

    number: int


@dataclass(frozen=True, slots=True)
class Answer:
    """To the process: yes, or why not (``SoleraError.to_plain()``)."""

    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class End:
    """From the process: how it came out."""

    state: str
    result: dict[str, Any] | None
    error: dict[str, Any] | None


class RemoteError(SoleraError):
    """An error that came from another process, with the code and the traceback it had there.

    Args:
        plain: ``SoleraError.to_plain()``, perhaps with ``"traceback"``.
    """

    def __init__(self, plain: dict[str, Any]) -> None:
        super().__init__(str(plain.get("message", "")), **plain.get("fields", {}))
        self._code = str(plain.get("code", SoleraError.code))
        if plain.get("traceback"):
            self.add_note(f"In the job's process:\n{plain['traceback']}")

    def to_plain(self) -> dict[str, Any]:
        """As it was there."""
        return {**super().to_plain(), "code": self._code}

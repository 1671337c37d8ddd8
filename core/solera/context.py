"""What running work is handed: how it asks whether to stop, tells how far it is, and says what it found.

The low floors know only this protocol. Jobs implement it (``solera.jobs``); scripts and tests use
:class:`QuietContext`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from solera.events import Event
from solera.seeds import Seed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


@runtime_checkable
class Context(Protocol):
    """The door between a piece of work and whoever runs it.

    Thread rule: every method may be called from any thread of the job. Nothing here blocks for long, except
    :meth:`check` while the job is paused and :meth:`emit` while the store is behind (back-pressure).

    Attributes:
        job: The job's id; empty outside a job.
        device: torch device string the job was given: ``"cpu"``, ``"cuda:0"``.
        threads: How many CPU threads the job may use for tensor work.
        seed: The root of the job's randomness; draw children by name.
        scratch: A folder of the job's own, removed when it ends.
    """

    job: str
    device: str
    threads: int
    seed: Seed
    scratch: Path

    def check(self) -> None:
        """Stop here if asked to.

        Call it at least ten times a second.

        Raises:
            Cancelled: A person cancelled the job.
            Interrupted: The process is ending; what is stored can be resumed.
        """
        ...

    def progress(self, done: float, total: float | None, unit: str = "", text: str = "") -> None:
        """Say how far the work is. Cheap; coalesced before anyone sees it."""
        ...

    def emit(self, event: Event) -> None:
        """Hand a result or a message on, in order."""
        ...

    def reserve(self, nbytes: int, what: str) -> AbstractContextManager[None]:
        """Hold ``nbytes`` of memory on the ledger while in the block.

        Raises:
            CapacityError: It cannot fit beside what other jobs hold.
        """
        ...


class QuietContext:
    """A context for scripts and tests: never stops, remembers what was emitted.

    Args:
        device: torch device string.
        threads: CPU threads for tensor work; 0 leaves torch's setting alone.
        seed: Root seed.
        scratch: Scratch folder; the current directory unless told.
    """

    def __init__(self, device: str = "cpu", threads: int = 0, seed: int = 0, scratch: Path | None = None) -> None:
        self.job = ""
        self.device = device
        self.threads = threads
        self.seed = Seed(seed)
        self.scratch = scratch or Path()
        self.events: list[Event] = []

    def check(self) -> None:
        """Never stops."""

    def progress(self, done: float, total: float | None, unit: str = "", text: str = "") -> None:
        """Ignored."""

    def emit(self, event: Event) -> None:
        """Kept in ``events``."""
        self.events.append(event)

    @contextmanager
    def reserve(self, nbytes: int, what: str) -> Iterator[None]:
        """Always granted."""
        yield

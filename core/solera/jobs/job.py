"""A job: its description and how far it has come."""

from __future__ import annotations

import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from solera.errors import InputError
from solera.events import FINAL_STATES, JobChanged, JobState, Logged, Progress
from solera.jobs.spec import JobSpec

_LOG_LINES = 1000

#: From each state, where a job can go. Final states lead back to the queue when it is tried again.
TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    "queued": frozenset({"running", "cancelled", "interrupted"}),
    "running": frozenset({"paused", "done", "failed", "cancelled", "interrupted"}),
    "paused": frozenset({"running", "cancelled", "interrupted"}),
    "done": frozenset(),
    "failed": frozenset({"queued"}),
    "cancelled": frozenset({"queued"}),
    "interrupted": frozenset({"queued"}),
}


def new_job_id() -> str:
    """A fresh id, short and sortable by time within a day: ``"142530-9f3a01"``."""
    return f"{time.strftime('%H%M%S')}-{secrets.token_hex(3)}"


@dataclass(slots=True, eq=False)
class Job:
    """One entry of the queue. Thread rule: only the queue writes; anybody may read, a field at a time.

    Attributes:
        spec: What is to be done.
        id: Unique in its project.
        state: See :data:`TRANSITIONS`.
        progress: The latest, or None.
        error: ``SoleraError.to_plain()`` plus ``"traceback"`` when it failed.
        result: What the handler returned, when it is done.
        run: Id of the run it records; kept when it is tried again, so that the handler can go on with it.
        created, started, ended: Seconds since the epoch; None before it came to that.
        attempt: How often it was started.
        stopping: ``"cancelled"`` or ``"interrupted"`` from the moment it was asked to stop, which may take a second.
        log: The last thousand messages.
    """

    spec: JobSpec
    id: str = field(default_factory=new_job_id)
    state: JobState = "queued"
    progress: Progress | None = None
    error: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    run: str = ""
    created: float = field(default_factory=time.time)
    started: float | None = None
    ended: float | None = None
    attempt: int = 0
    stopping: str = ""
    log: deque[Logged] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))

    @property
    def final(self) -> bool:
        """Whether nothing more comes from it."""
        return self.state in FINAL_STATES

    @property
    def seconds(self) -> float:
        """How long it has run, or ran."""
        return 0.0 if self.started is None else (self.ended or time.time()) - self.started

    def enter(self, state: JobState) -> None:
        """Go to another state.

        Raises:
            InputError: A job cannot get there from where it is.
        """
        if state not in TRANSITIONS[self.state]:
            raise InputError(f"Job '{self.spec.title}' is {self.state}; it cannot become {state}.", job=self.id)
        self.state = state

    def changed(self) -> JobChanged:
        """The event that tells how it stands."""
        return JobChanged(
            job=self.id, kind=self.spec.kind, title=self.spec.title, state=self.state, run=self.run, error=self.error,
            result=self.result,
        )  # fmt: skip

    def to_plain(self) -> dict[str, Any]:
        """What outlives the process, JSON-ready."""
        return {
            "id": self.id,
            "spec": self.spec.to_plain(),
            "state": self.state,
            "error": self.error,
            "result": self.result,
            "run": self.run,
            "created": self.created,
            "started": self.started,
            "ended": self.ended,
            "attempt": self.attempt,
        }

    @staticmethod
    def from_plain(plain: dict[str, Any]) -> Job:
        """The inverse of :meth:`to_plain`; progress and log are gone."""
        return Job(
            spec=JobSpec.from_plain(plain["spec"]),
            id=str(plain["id"]),
            state=plain["state"],
            error=plain.get("error"),
            result=plain.get("result"),
            run=str(plain.get("run", "")),
            created=float(plain["created"]),
            started=plain.get("started"),
            ended=plain.get("ended"),
            attempt=int(plain.get("attempt", 0)),
        )

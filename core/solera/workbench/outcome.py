"""How a job ended, as a result or as the error it failed with."""

from __future__ import annotations

from typing import Any

from solera.errors import Cancelled, FaultsError, InputError, Interrupted, SoleraError
from solera.jobs.job import Job


def result_of(job: Job) -> dict[str, Any]:
    """What a job that is over returned.

    Raises:
        SoleraError: It failed; of the class it failed with, ``fields`` with its ``"traceback"``. Faults come as an
            :class:`~solera.errors.InputError`, whatever was not ours as a plain :class:`~solera.errors.SoleraError`.
        Cancelled: It was cancelled.
        Interrupted: It was stopped with its process.
    """
    if job.state == "done":
        return job.result or {}
    if job.state == "interrupted":
        raise Interrupted(f"'{job.spec.title}' was stopped; it can be gone on with.", job=job.id, run=job.run)
    if job.error is None or job.state == "cancelled":
        said = (job.error or {}).get("message", "")
        raise Cancelled(said or f"'{job.spec.title}' was cancelled.", job=job.id, run=job.run)
    error = job.error
    fields = {**error.get("fields", {}), "traceback": error.get("traceback", ""), "job": job.id}
    raise _class_of(error["code"])(error["message"], **fields)


def _class_of(code: str) -> type[SoleraError]:
    if code == FaultsError.code:
        return InputError
    waiting = [SoleraError]
    while waiting:
        cls = waiting.pop()
        if cls.code == code:
            return cls
        waiting += cls.__subclasses__()
    return SoleraError

"""Unfinished jobs on disk, so that after a crash they can be offered again."""

from __future__ import annotations

import json
import logging
import os
import secrets
from pathlib import Path

from solera.errors import LockedError, OutputError
from solera.files import replace_text
from solera.jobs.job import Job
from solera.locks import FileLock, holder

_LOG = logging.getLogger(__name__)
_KEPT = frozenset({"queued", "running", "paused", "interrupted", "failed"})
_FORMAT = 1


class JobRecords:
    """One small JSON file per job that is not done; who wrote it is told by a lock that dies with its process.

    Several processes may keep records in one folder; each sees its own jobs and those of the dead.

    Args:
        folder: Made when the first job is recorded.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._session = secrets.token_hex(6)
        self._lock = FileLock(self._lock_path(self._session), "job list")

    def save(self, job: Job) -> None:
        """Record how a job stands now; one that is done or was cancelled is forgotten.

        Trouble is logged, not raised: a job does not fail because it cannot be remembered.
        """
        if job.state not in _KEPT:
            self.remove(job.id)
            return
        path = self._path(job.id)
        try:
            if not self._lock.held:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._lock.acquire()
            text = json.dumps({"format": _FORMAT, "session": self._session, **job.to_plain()}, indent=1, default=str)
            replace_text(path, text)
        except (OSError, OutputError, LockedError) as error:
            _LOG.warning("Job %s cannot be recorded in %s: %s", job.id, self.folder, error)

    def remove(self, job: str) -> None:
        """Forget a job."""
        try:
            self._path(job).unlink(missing_ok=True)
        except OSError as error:
            _LOG.warning("The record of job %s cannot be removed: %s", job, error)

    def load(self) -> list[Job]:
        """What earlier processes left unfinished, oldest first; jobs that were under way are ``"interrupted"``."""
        found = []
        alive: dict[str, bool] = {}
        for path in sorted(self.folder.glob("*.json")):
            try:
                plain = json.loads(path.read_text(encoding="utf-8"))
                session = str(plain["session"])
                if session not in alive:
                    alive[session] = holder(self._lock_path(session)) is not None
                if alive[session] or int(plain["format"]) > _FORMAT:
                    continue
                job = Job.from_plain(plain)
            except (OSError, ValueError, KeyError, TypeError) as error:
                _LOG.warning("The job record %s cannot be read and is left out: %s", path, error)
                continue
            if job.state in ("queued", "running", "paused"):
                job.state = "interrupted"
                job.ended = job.ended or path.stat().st_mtime
            found.append(job)
        for session, lives in alive.items():
            if not lives:
                self._lock_path(session).unlink(missing_ok=True)
        return sorted(found, key=lambda job: job.created)

    def close(self) -> None:
        """This process ends; what it did not finish is free for others."""
        self._lock.release()

    def _path(self, job: str) -> Path:
        return self.folder / f"{job}.json"

    def _lock_path(self, session: str) -> Path:
        return self.folder / f"session-{session}.lock"

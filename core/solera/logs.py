"""Logging: the standard library's, with the job in every record and a file in the project.

Modules say ``logging.getLogger(__name__)``; the command line and the window call :func:`start` once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from logging.handlers import RotatingFileHandler
from pathlib import Path

#: Id of the job that the current thread works for; empty outside a job.
JOB: ContextVar[str] = ContextVar("solera_job", default="")

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s%(in_job)s: %(message)s"


@contextmanager
def in_job(job: str) -> Iterator[None]:
    """Records made in the block carry this job's id."""
    token = JOB.set(job)
    try:
        yield
    finally:
        JOB.reset(token)


def start(level: str = "info", file: Path | None = None, *, screen: bool = False) -> logging.Logger:
    """Set Solera's logger up; what an earlier call set up is replaced.

    Args:
        level: ``"debug"``, ``"info"``, ``"warning"`` or ``"error"``.
        file: A log file, kept under 1 MB with one predecessor; a file that cannot be opened is reported and left out.
        screen: Whether warnings and worse also go to stderr.
    """
    logger = logging.getLogger("solera")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level.upper())
    logger.propagate = False
    handlers: list[logging.Handler] = [logging.NullHandler()]
    if screen:
        handlers.append(logging.StreamHandler())
        handlers[-1].setLevel(max(logging.WARNING, logger.level))
    trouble = ""
    if file is not None:
        try:
            handlers.append(RotatingFileHandler(file, maxBytes=10**6, backupCount=1, encoding="utf-8", delay=False))
        except OSError as error:
            trouble = f"The log file {file} cannot be opened ({error.strerror}); logging goes without it."
    for handler in handlers:
        handler.addFilter(_with_job)
        handler.setFormatter(logging.Formatter(_FORMAT))
        logger.addHandler(handler)
    if trouble:
        logger.warning(trouble)
    return logger


def _with_job(record: logging.LogRecord) -> bool:
    job = JOB.get()
    record.job = job
    record.in_job = f" [{job}]" if job else ""
    return True

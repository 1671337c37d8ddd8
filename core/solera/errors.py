"""What can go wrong, in sentences: what was wanted, what was got, where, and what to do.

One root, :class:`SoleraError`. Every child also inherits the builtin a caller would expect, so that
``except ValueError`` and ``except FileNotFoundError`` keep working. ``code`` is stable and meant for programs;
``fields`` hold the facts of the sentence, JSON-ready.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar


class SoleraError(Exception):
    """The root of everything Solera raises on purpose.

    Args:
        message: An English sentence (or two) for a person.
        **fields: The facts in it, JSON-ready, for a program.
    """

    code: ClassVar[str] = "solera"

    def __init__(self, message: str, /, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields

    def __str__(self) -> str:
        return self.message

    def to_plain(self) -> dict[str, Any]:
        """``{"code", "message", "fields"}``, ready for JSON."""
        return {"code": self.code, "message": self.message, "fields": self.fields}


class InputError(SoleraError, ValueError):
    """A value a person gave (argument, parameter, option) does not fit."""

    code = "input"


class NotFoundError(SoleraError, FileNotFoundError):
    """A file, folder, library entry or run is not where it was said to be."""

    code = "not-found"


class CheckpointError(SoleraError, ValueError):
    """A file is not a checkpoint we can read: truncated, empty, malformed, of an unknown format."""

    code = "checkpoint"


class UnsafeError(CheckpointError):
    """A file tries something a checkpoint must not: code, links out of its folder, overlapping tensors."""

    code = "checkpoint.unsafe"


class ChangedError(CheckpointError):
    """A file changed after it was opened."""

    code = "checkpoint.changed"


class MismatchError(SoleraError, ValueError):
    """Two sets of weights do not fit each other: names, shapes or kinds differ."""

    code = "mismatch"


class CapacityError(SoleraError, MemoryError):
    """Something does not fit into memory or on disk; the sentence has the numbers."""

    code = "capacity"


class NumericError(SoleraError, ArithmeticError):
    """NaN or infinity in an input, or an overflow of the output's dtype; the tensor is named."""

    code = "numeric"


class OutputError(SoleraError, OSError):
    """A result cannot be written: it exists, the folder is read-only, the disk is full."""

    code = "output"


class LockedError(SoleraError, BlockingIOError):
    """Another process holds the project, run or output."""

    code = "locked"


class PluginError(SoleraError, ImportError):
    """A plugin, or one of its contributions, cannot be loaded or is not installed."""

    code = "plugin"


class TaskError(SoleraError, LookupError):
    """A task cannot be scored: its data is missing, or the network does not fit it."""

    code = "task"


class RunError(SoleraError, OSError):
    """A run file cannot be read, written or resumed."""

    code = "run"


class Cancelled(SoleraError):
    """The job was asked to stop (a person cancelled it). Not a failure."""

    code = "cancelled"


class Interrupted(Cancelled):
    """The process was asked to end (SIGINT, SIGTERM); the work can be resumed."""

    code = "interrupted"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a recipe, an experiment or a manifest.

    Attributes:
        code: Stable, for programs: ``"recipe.unknown-key"``.
        place: Where: a node id, ``"nodes.merge.params.density"``, or ``"line 7"``.
        message: The sentence for a person.
        remedies: What would mend it, shortest first; may be empty.
    """

    code: str
    place: str
    message: str
    remedies: tuple[str, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message

    @property
    def told(self) -> str:
        """The place, the sentence, and what would mend it; not the window's commands, which end in an ellipsis."""
        advice = "; or ".join(remedy for remedy in self.remedies if not remedy.endswith("…"))
        return f"{self} To mend it: {advice}." if advice else str(self)


def suggestion(word: str, known: Iterable[str]) -> str:
    """``" Did you mean 'density'?"`` when something known is spelled alike, else an empty text."""
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


class FaultsError(SoleraError, ValueError):
    """All faults of a document at once.

    Args:
        subject: What was read: ``"recipe blend.yaml"``.
        faults: Every fault found, in reading order.
    """

    code = "faults"

    def __init__(self, subject: str, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        head = f"{subject}: {count} fault{'' if count == 1 else 's'}"
        lines = "\n".join(f"  {fault.told}" for fault in self.faults)
        super().__init__(
            f"{head}\n{lines}",
            subject=subject,
            faults=[{"code": f.code, "place": f.place, "message": f.message} for f in self.faults],
        )

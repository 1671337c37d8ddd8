"""What is to be done: an explicit description that could travel to another machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from solera.errors import InputError


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A job to be.

    Attributes:
        kind: Which handler: ``"merge"``, ``"explore"``, ``"evaluate"`` ...
        title: A line for a person.
        args: What the handler is given. JSON only: inputs by name or hash, never a closure, never a tensor.
        lanes: What it occupies while it runs: ``("cpu",)``, ``("cpu", "cuda:0")``.
        memory: Bytes of main memory it is known to need; it waits until they are free.
        deadline: Seconds after which it is cancelled; 0 is never.
    """

    kind: str
    title: str
    args: dict[str, Any] = field(default_factory=dict)
    lanes: tuple[str, ...] = ("cpu",)
    memory: int = 0
    deadline: float = 0.0

    def __post_init__(self) -> None:
        try:
            json.dumps(self.args)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"The arguments of job '{self.title}' must be plain JSON data: {error}.", kind=self.kind
            ) from error

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "lanes": list(self.lanes)}

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> JobSpec:
        """The inverse of :meth:`to_plain`."""
        return JobSpec(
            kind=str(plain["kind"]),
            title=str(plain["title"]),
            args=dict(plain.get("args", {})),
            lanes=tuple(plain.get("lanes", ("cpu",))),
            memory=int(plain.get("memory", 0)),
            deadline=float(plain.get("deadline", 0.0)),
        )

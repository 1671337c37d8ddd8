"""How two networks are aligned, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from solera.errors import InputError

By = Literal["weights", "activations"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How the places of a model's units are chosen.

    Attributes:
        by: What is compared: weights, or activations on the data of a task.
        task: Name of the task whose data the networks see; needed to match activations.
        seed: Of the order in which weight matching visits groups.
        tries: How many such orders are tried; the best is kept.
        hold: Globs over groups whose units stay where they are.
    """

    by: By = "weights"
    task: str = ""
    seed: int = 0
    tries: int = 1
    hold: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.by not in get_args(By):
            raise InputError(f"Models are aligned by {' or '.join(get_args(By))}, not by '{self.by}'.", by=self.by)
        if self.by == "activations" and not self.task:
            raise InputError("To align by activations, name a task whose data the networks see.")
        if self.tries < 1:
            raise InputError(f"At least one order is tried, not {self.tries}.", tries=self.tries)

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready; what is usual left out."""
        plain: dict[str, Any] = {"by": self.by, "task": self.task, "seed": self.seed, "tries": self.tries}
        usual = Rule()
        found = {key: value for key, value in plain.items() if value != getattr(usual, key)}
        return {**found, "hold": list(self.hold)} if self.hold else found

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Rule:
        """The inverse of :meth:`to_plain`.

        Raises:
            InputError: It is malformed.
        """
        return cls(**{**plain, "hold": tuple(plain.get("hold", ()))})

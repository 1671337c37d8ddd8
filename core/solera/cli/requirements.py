"""What a score must be for a command to succeed: ``code.loss<=1.80``."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from solera.errors import InputError

#: Exit code of a command whose scores do not meet a requirement.
UNMET = 4

_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = re.compile(r"\s*(?P<column>[^<>=\s]+)\s*(?P<sign><=|>=|==|<|>)\s*(?P<bound>[^<>=\s]+)\s*")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one score.

    Attributes:
        text: As it was written.
        column: ``"task.metric"``.
        sign: ``"<="``, ``">="``, ``"<"``, ``">"`` or ``"=="``.
        bound: A finite number.
    """

    text: str
    column: str
    sign: str
    bound: float

    def check(self, columns: Sequence[str]) -> None:
        """See whether there is such a score.

        Raises:
            InputError: There is none; the sentence names those there are.
        """
        if self.column not in columns:
            raise InputError(
                f"--require '{self.text}': there is no score '{self.column}'; there are: "
                f"{', '.join(columns) or 'none'}.",
                option=self.text, columns=list(columns),
            )  # fmt: skip

    def judge(self, values: Mapping[str, float]) -> dict[str, Any]:
        """``{"require", "column", "value", "met"}``; a score that is NaN meets nothing."""
        value = values[self.column]
        met = math.isfinite(value) and _HOLDS[self.sign](value, self.bound)
        return {"require": self.text, "column": self.column, "value": value, "met": met}


def parse_requirements(texts: Iterable[str]) -> list[Requirement]:
    """Read conditions as they are written on the command line.

    Raises:
        InputError: One is not of the form ``task.metric<=number``.
    """
    found = []
    for text in texts:
        parts = _FORM.fullmatch(text)
        bound = _number(parts["bound"]) if parts else math.nan
        if parts is None or not math.isfinite(bound):
            raise InputError(
                f"--require takes TASK.METRIC, one of {' '.join(_HOLDS)}, and a number, as in 'code.loss<=1.80'; "
                f"not '{text}'.",
                option=text,
            )  # fmt: skip
        found.append(Requirement(text.strip(), parts["column"], parts["sign"], bound))
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

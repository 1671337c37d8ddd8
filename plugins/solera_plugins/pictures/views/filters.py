"""What a person writes to see only some rows of a table: ``rotated loss<0.5``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from solera.api import InputError

_TERM = re.compile(r"(?P<column>[^<>=]+?)(?P<sign><=|>=|=|<|>)(?P<bound>[^<>=]+)")
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt, "=": operator.eq,
}  # fmt: skip

#: What the field for it says.
HINT = "Filter: a name, or loss<0.5"


@dataclass(frozen=True, slots=True)
class Bound:
    """One condition on a column's number.

    Attributes:
        column: The column's place in the table.
        sign: ``"<"``, ``"<="``, ``">"``, ``">="`` or ``"="``.
        number: What it is compared with, as the table writes it (percents as percents).
    """

    column: int
    sign: str
    number: float

    def holds(self, value: float) -> bool:
        """Whether a number meets it; one that is not finite meets none."""
        return value == value and abs(value) != float("inf") and _SIGNS[self.sign](value, self.number)


@dataclass(frozen=True, slots=True)
class Filter:
    """All of these must hold.

    Attributes:
        words: In some text of the row, whatever their case.
        bounds: On its numbers.
    """

    words: tuple[str, ...] = ()
    bounds: tuple[Bound, ...] = ()

    def keeps(self, texts: Sequence[str], number_of: Callable[[int], float]) -> bool:
        """Whether a row stays.

        Args:
            texts: Its names.
            number_of: The number in a column of it.
        """
        told = " ".join(texts).lower()
        return all(word in told for word in self.words) and all(b.holds(number_of(b.column)) for b in self.bounds)


def parse(text: str, titles: Sequence[str]) -> Filter:
    """Read a filter.

    Args:
        text: Terms parted by blanks: words, or ``COLUMN<NUMBER`` with a part of the column's title without blanks.
        titles: Of the table's columns.

    Raises:
        InputError: No column has such a title, or what it is compared with is no number.
    """
    words, bounds = [], []
    for term in text.split():
        found = _TERM.fullmatch(term)
        if found is None:
            words.append(term.lower())
            continue
        column = _column(found["column"], titles)
        try:
            number = float(found["bound"].replace("−", "-"))
        except ValueError as error:
            raise InputError(f"'{found['bound']}' in '{term}' is no number.", term=term) from error
        bounds.append(Bound(column, found["sign"], number))
    return Filter(tuple(words), tuple(bounds))


def _column(name: str, titles: Sequence[str]) -> int:
    wanted = _squeezed(name)
    for exact in (True, False):
        for place, title in enumerate(titles):
            told = _squeezed(title)
            if wanted and (told == wanted if exact else wanted in told):
                return place
    raise InputError(f"No column has '{name}' in its title.", column=name)


def _squeezed(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())

"""Changing single entries of an experiment by name: ``explorer.params.points=40``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from solera.errors import InputError

#: Seconds in a unit of time.
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def overridden(plain: Mapping[str, Any], items: Sequence[str]) -> dict[str, Any]:
    """An experiment with some of its entries changed.

    Args:
        plain: Its plain form; not changed.
        items: ``"KEY=VALUE"``, a key's parts parted by dots; values as JSON where they are, else text.

    Raises:
        InputError: An item has no ``=``, or a part of its key leads into something that is no mapping.
    """
    made: dict[str, Any] = json.loads(json.dumps(plain))
    for item in items:
        key, equals, text = item.partition("=")
        if not equals or not all(key.split(".")):
            raise InputError(
                f"An entry is changed by KEY=VALUE, such as seed=3 or explorer.params.points=40; got '{item}'."
            )
        *way, last = key.split(".")
        place = made
        for part in way:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise InputError(f"'{part}' in '{key}' holds no entries, so '{last}' cannot be set in it.")
        place[last] = _read(text)
    return made


def read_seconds(text: str) -> float:
    """A time as a person writes it: ``90``, ``90s``, ``5m``, ``1.5h``.

    Raises:
        InputError: It is none, or not above 0.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not seconds > 0:
        raise InputError(f"A time limit is written 90, 90s, 5m or 1.5h; got '{text}'.", text=text)
    return seconds


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text

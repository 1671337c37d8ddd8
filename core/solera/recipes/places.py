"""YAML text as plain data, with the line of every place in it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from solera.errors import Fault

#: Most values a file may stand for, aliases written out.
_MAX_VALUES = 200_000


def parse(text: str, faults: list[Fault]) -> tuple[Any, dict[str, int]]:
    """Plain data and the line (from 1) of every place in it; None, with a fault, where it is no YAML."""
    documents = parse_all(text, faults, most=1)
    return documents[0] if documents else (None, {})


def parse_all(text: str, faults: list[Fault], most: int = 0) -> list[tuple[Any, dict[str, int]]]:
    """The documents of a text, each as :func:`parse` gives it; empty, with a fault, where it is no YAML.

    Args:
        text: YAML.
        faults: What is wrong is appended here.
        most: How many documents there may be; 0 is any number.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    reader = YAML(typ="rt", pure=True)
    try:
        loaded = [reader.load(io.StringIO(text))] if most == 1 else list(reader.load_all(io.StringIO(text)))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        problem = str(error.problem or error.context or "it cannot be read").partition("\n")[0]
        faults.append(Fault("recipe.yaml", f"line {line}", f"It is no YAML: {problem}.", (), {"line": line}))
        return []
    except (YAMLError, ValueError, RecursionError) as error:
        faults.append(Fault("recipe.yaml", "", f"It is no YAML: {str(error).partition(chr(10))[0]}."))
        return []
    budget = iter(range(_MAX_VALUES))
    documents = []
    try:
        for document in loaded:
            lines: dict[str, int] = {}
            documents.append((_plain(document, "", lines, budget), lines))
    except (StopIteration, RecursionError):
        faults.append(Fault("recipe.size", "", "Its aliases stand for more values than a recipe has."))
        return []
    return documents


def _plain(loaded: Any, place: str, lines: dict[str, int], budget: Iterator[int]) -> Any:
    """Turn the reader's own types into plain ones; places are written as faults write them."""
    next(budget)
    if isinstance(loaded, Mapping):
        plain = {}
        for key, value in loaded.items():
            here = f"{place}.{key}" if place else str(key)
            position = getattr(loaded, "lc", None)
            known = position.data if position is not None and position.data else {}
            if key in known:
                lines[here] = known[key][0] + 1
            plain[_scalar(key)] = _plain(value, here, lines, budget)
        return plain
    if isinstance(loaded, list):
        for i in range(len(loaded)):
            known = getattr(loaded, "lc", None)
            if known is not None and known.data and i in known.data:
                lines[f"{place}[{i}]"] = known.data[i][0] + 1
        return [_plain(value, f"{place}[{i}]", lines, budget) for i, value in enumerate(loaded)]
    return _scalar(loaded)


def _scalar(loaded: Any) -> Any:
    if loaded is None or isinstance(loaded, bool):
        return loaded
    for kind in (int, float, str):
        if isinstance(loaded, kind):
            return kind(loaded)
    return bool(loaded) if type(loaded).__name__ == "ScalarBoolean" else str(loaded)


def placed(fault: Fault, lines: Mapping[str, int]) -> Fault:
    """The fault with the line of its place, or of the nearest place around it."""
    place = fault.place
    while place and place not in lines:
        cut = max(place.rfind("."), place.rfind("["))
        place = place[:cut] if cut > 0 else ""
    return replace(fault, fields={**fault.fields, "line": lines[place]}) if place else fault


def in_line(fault: Fault) -> Fault:
    """The fault with its line in the sentence a person reads, where it is known."""
    line = fault.fields.get("line")
    if not line or fault.place.startswith("line "):
        return fault
    return replace(fault, place=f"line {line}, {fault.place}")

"""Plain data as YAML text, always the same bytes for the same data.

A small emitter of our own: mappings of the first two levels are written in blocks, what lies deeper on one line when
it fits, so that a recipe stays the size a person would write. What it writes, every YAML 1.1 and 1.2 reader reads
alike.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

#: Longest line before a node is written as a block.
WIDTH = 110

_PLAIN = re.compile(r"[A-Za-z_./~][\w./+\-]*")
_WORDS = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "~", ".inf", ".nan", ".", "..."}


def emit(plain: Mapping[str, Any]) -> str:
    """A mapping as YAML.

    Args:
        plain: Text keys; values are text, numbers, booleans, None, lists or mappings of these.

    Returns:
        The text, UTF-8 safe, ending in a newline.
    """
    return "".join(f"{line}\n" for line in _block(plain, "")) or "{}\n"


def _block(plain: Mapping[str, Any], indent: str) -> list[str]:
    lines: list[str] = []
    for key, value in plain.items():
        head = f"{indent}{_text(str(key))}:"
        flow = _flow(value)
        nested = isinstance(value, Mapping) and any(isinstance(item, Mapping) for item in value.values())
        if isinstance(value, Mapping) and value and (len(head) + len(flow) >= WIDTH or (nested and not indent)):
            lines.append(head)
            lines += _block(value, indent + "  ")
        elif isinstance(value, (list, tuple)) and value and len(head) + len(flow) >= WIDTH:
            lines.append(head)
            lines += [f"{indent}  - {_flow(item)}" for item in value]
        else:
            lines.append(f"{head} {flow}")
    return lines


def _flow(value: Any) -> str:
    match value:
        case Mapping():
            return "{" + ", ".join(f"{_text(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_flow(item) for item in value) + "]"
        case str():
            return _text(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _float(value)
        case _:
            return str(int(value))


def _float(value: float) -> str:
    """Shortest text that reads back as the same float; whole numbers without a point, exponents with one."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = repr(value)
    if value == int(value) and abs(value) < 1e15 and text != "-0.0":
        return str(int(value))
    mantissa, mark, exponent = text.partition("e")
    if mark and "." not in mantissa:
        mantissa += ".0"
    return f"{mantissa}e{int(exponent):+d}" if mark else text


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS and not value.endswith((".", "-")):
        return value
    if value.isprintable() and _looks_wordy(value):
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escape(char) for char in quoted)


def _looks_wordy(value: str) -> bool:
    """Words and blanks, as in a note: plain in YAML as long as no sign of its grammar occurs."""
    return re.fullmatch(r"[A-Za-z_][\w./+\-]*( [A-Za-z_(][\w./+()\-]*)+", value) is not None and value.isascii()


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

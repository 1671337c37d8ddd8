"""What code a plugin is made of, as a digest: results made by other code are other results."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any


def source_digest(folder: Path) -> str:
    """SHA-256 over the Python files of a plugin: their paths in it and what they hold.

    Args:
        folder: The plugin's; files that cannot be read count as empty.
    """
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        try:
            content = file.read_bytes()
        except OSError:
            content = b""
        whole.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()


def function_digest(function: Callable[..., Any]) -> str:
    """SHA-256 of a function that a script declared: its source where there is one, and its compiled code."""
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        text = ""
    code = getattr(function, "__code__", None)
    compiled = code.co_code + repr((code.co_consts, code.co_names)).encode() if code is not None else b""
    return hashlib.sha256(text.encode() + b"\0" + compiled).hexdigest()

"""What every format and architecture promises about what is not theirs."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path
from typing import Any

from solera.errors import CheckpointError


def format_complaints(format_: Any) -> list[str]:
    """What is wrong with a format; empty if it keeps its promises.

    It must not raise when asked about files that are not its own, and an empty or torn file of its own kind must be
    refused with a :class:`~solera.errors.CheckpointError`.
    """
    item: Any = format_() if inspect.isclass(format_) else format_
    complaints = [f"It has no '{name}'." for name in ("name", "title", "suffixes") if not getattr(item, name, None)]
    if complaints:
        return complaints
    with tempfile.TemporaryDirectory(prefix="solera-conformance-") as folder:
        for name, content in (("readme.txt", b"hello"), ("no-suffix", b""), ("picture.png", b"\x89PNG\r\n")):
            file = Path(folder) / name
            file.write_bytes(content)
            if item.matches(file):
                complaints.append(f"It takes {name} for its own.")
        for suffix in item.suffixes:
            for content in (b"", b"\x00", b"\xff" * 64):
                complaints += _torn_complaints(item, Path(folder) / f"torn{suffix}", content)
    return complaints


def _torn_complaints(item: Any, file: Path, content: bytes) -> list[str]:
    file.write_bytes(content)
    if not item.matches(file):
        return []
    what = f"A torn {file.suffix} file of {len(content)} bytes"
    try:
        item.open(file)
    except CheckpointError:
        return []
    except (ValueError, OSError, KeyError, TypeError, EOFError) as error:
        return [f"{what} raises {type(error).__name__} instead of a CheckpointError."]
    return [f"{what} is opened as if it were whole."]


def architecture_complaints(architecture: Any) -> list[str]:
    """What is wrong with an architecture; empty if it does not claim configs that are not its own."""
    item: Any = architecture() if inspect.isclass(architecture) else architecture
    complaints = [f"It has no '{name}'." for name in ("name", "title") if not getattr(item, name, None)]
    for config in ({}, {"architecture": "nobody's"}, {"architectures": None}, {"architectures": 3}):
        if item.matches(config):
            complaints.append(f"It takes the config {config} for its own.")
    return complaints

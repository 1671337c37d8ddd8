"""Small files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path


def replace_text(path: Path, text: str, *, sync: bool = False) -> None:
    """Write a small text file through a temporary sibling and a rename.

    Whoever reads it meanwhile, and whatever dies meanwhile, sees the old text or the new one.

    Args:
        path: The file; its folder exists.
        text: All of it; written as UTF-8.
        sync: Whether the text must have reached the disk before it takes the old one's place.

    Raises:
        OSError: It cannot be written; the old file is as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise

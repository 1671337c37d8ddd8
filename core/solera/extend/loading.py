"""The border where plugins are imported: whatever one throws at us ends here, as text.

One of the three files of Solera that may catch everything.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """An import that went wrong.

    Attributes:
        reason: The exception in a line: ``"ModuleNotFoundError: No module named 'foo'"``.
        traceback: In full, for Details.
    """

    reason: str
    traceback: str


def load_object(target: str, import_root: Path | None = None) -> Any | Failure:
    """The object ``"package.module:name"``, or why it cannot be had.

    ``SystemExit`` counts as a failure too: a plugin must not end the program. ``KeyboardInterrupt`` passes.

    Args:
        target: Where the object is.
        import_root: A folder to append to ``sys.path`` first.
    """
    if import_root is not None and str(import_root) not in sys.path:
        sys.path.append(str(import_root))
    module, _, attributes = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (Exception, SystemExit) as error:
        return Failure(f"{type(error).__name__}: {error}".strip(), traceback.format_exc())
    return found


def forget_modules(folder: Path) -> None:
    """Let go of every imported module that lies in a folder, so that the next import reads its file again."""
    inside = folder.resolve()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and inside in Path(file).resolve().parents:
            del sys.modules[name]
    importlib.invalidate_caches()


def call_safely(function: Any, *args: Any, **kwargs: Any) -> Any | Failure:
    """What a plugin's function returns, or how it failed."""
    try:
        return function(*args, **kwargs)
    except (Exception, SystemExit) as error:
        return Failure(f"{type(error).__name__}: {error}".strip(), traceback.format_exc())

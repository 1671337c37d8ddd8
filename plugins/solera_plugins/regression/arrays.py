"""Arrays in an ``.npz`` file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from solera.api import TaskError
from solera_plugins.regression.table import Table


def read_arrays(name: str, path: Path) -> Table:
    """An ``.npz`` file with ``x``, ``y`` and, if wanted, ``split`` and ``group``.

    Args:
        name: The task's, for sentences.
        path: The file; pickled objects in it are not loaded.

    Raises:
        TaskError: There is no such file, or its arrays do not fit.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {key: file[key] for key in ("x", "y", "split", "group") if key in file}
    except FileNotFoundError as error:
        raise TaskError(f"Task '{name}': there is no file {path}. Put the data there.", task=name) from error
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise TaskError(f"Task '{name}': {path} is no .npz file of plain arrays: {error}.", task=name) from error
    if not {"x", "y"} <= set(found):
        raise TaskError(f"Task '{name}': {path} needs the arrays x and y; it has {', '.join(found) or 'neither'}.")
    lengths = {key: len(array) if array.ndim else 0 for key, array in found.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{key} {length}" for key, length in lengths.items())
        raise TaskError(f"Task '{name}': the arrays of {path} differ in length: {said}.", task=name)
    if found["y"].dtype.kind not in "fiub":
        raise TaskError(f"Task '{name}': the array y of {path} is {found['y'].dtype}, not numbers.", task=name)
    words = found["split"].astype(str) if "split" in found else None
    return Table(found["x"], found["y"].astype(np.float64), words, found.get("group"))

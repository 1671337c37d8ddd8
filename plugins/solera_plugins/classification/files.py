"""The task kind ``classification``: arrays in one ``.npz`` file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from solera.api import ClassificationTask, InputError, Param, Seed, Split, TaskError, split_rows

_NAMES: tuple[Split, ...] = ("train", "selection", "report")


def classification(
    name: str,
    *,
    data: Annotated[Path, Param(help="An .npz file with the arrays x, y and, if wanted, split.")],
    chunk: Annotated[int, Param(1, help="Samples per call of the network.")] = 256,
) -> ClassificationTask:
    """Classify the samples in a NumPy file.

    The file holds ``x`` (n, ...), as the network takes it, ``y`` (n,) integers from 0, and optionally ``split`` (n,)
    with the words train, selection and report. Without it, a fixed permutation gives 60, 15 and 25 % of the samples.
    """

    def read(split: Split) -> tuple[NDArray[Any], NDArray[Any]]:
        arrays = _load(name, Path(data))
        rows = _rows(name, arrays, split)
        return arrays["x"][rows], arrays["y"][rows]

    return ClassificationTask(name, read, chunk=chunk)


def _load(name: str, path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("x", "y", "split") if key in file}
    except FileNotFoundError as error:
        raise TaskError(f"Task '{name}': there is no file {path}. Put the data there.", task=name) from error
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise TaskError(f"Task '{name}': {path} is no .npz file of plain arrays: {error}.", task=name) from error
    if not {"x", "y"} <= set(arrays):
        raise TaskError(f"Task '{name}': {path} needs the arrays x and y; it has {', '.join(arrays) or 'neither'}.")
    return arrays


def _rows(name: str, arrays: dict[str, NDArray[Any]], split: Split) -> NDArray[Any]:
    if "split" in arrays:
        words = arrays["split"].astype(str)
        strange = sorted(set(words.tolist()) - set(_NAMES))
        if strange or words.shape != arrays["y"].shape:
            got = f"the words {', '.join(strange)}" if strange else f"shape {words.shape}"
            raise InputError(f"Task '{name}': 'split' has one of {', '.join(_NAMES)} per sample, not {got}.", task=name)
        return np.flatnonzero(words == split)
    return split_rows(len(arrays["y"]), split, Seed(0).child("classification", "splits"))

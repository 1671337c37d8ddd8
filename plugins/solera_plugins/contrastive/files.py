"""The task kind ``contrastive``: images, or their embeddings, and text embeddings in one ``.npz`` file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from solera.api import ContrastiveTask, Param, Seed, Split, TaskError, split_rows

_NAMES: tuple[Split, ...] = ("train", "selection", "report")


def contrastive(
    name: str,
    *,
    data: Annotated[Path, Param(help="An .npz file with the arrays x, y, texts and, if wanted, split.")],
    temperature: Annotated[float, Param(1e-6, 1e6, log=True, help="What cosines are divided by.")] = 0.01,
    chunk: Annotated[int, Param(1, help="Images per call of the network.")] = 64,
) -> ContrastiveTask:
    """Classify images by the nearest text embedding.

    The file holds ``x`` (n, ...), images or image embeddings, as the network takes them, ``y`` (n,) classes from 0,
    ``texts`` (classes, width) or (classes, prompts, width), and optionally ``split`` (n,) with the words train,
    selection and report. Without it, a fixed permutation gives 60, 15 and 25 % of the samples.
    """

    def read(split: Split) -> tuple[NDArray[Any], NDArray[Any]]:
        arrays = _load(name, Path(data))
        rows = _rows(name, arrays, split)
        return arrays["x"][rows], arrays["y"][rows]

    return ContrastiveTask(name, read, lambda: _load(name, Path(data))["texts"], temperature=temperature, chunk=chunk)


def _load(name: str, path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("x", "y", "texts", "split") if key in file}
    except FileNotFoundError as error:
        raise TaskError(f"Task '{name}': there is no file {path}. Put the data there.", task=name) from error
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise TaskError(f"Task '{name}': {path} is no .npz file of plain arrays: {error}.", task=name) from error
    lost = [key for key in ("x", "y", "texts") if key not in arrays]
    if lost:
        raise TaskError(f"Task '{name}': {path} has no array {', '.join(lost)}.", task=name)
    if arrays["y"].ndim != 1 or len(arrays["x"]) != len(arrays["y"]):
        shapes = f"{arrays['x'].shape} and {arrays['y'].shape}"
        raise TaskError(f"Task '{name}': the arrays x and y of {path} do not fit each other: {shapes}.", task=name)
    return arrays


def _rows(name: str, arrays: dict[str, NDArray[Any]], split: Split) -> NDArray[Any]:
    if "split" not in arrays:
        return split_rows(len(arrays["y"]), split, Seed(0).child("contrastive", "splits"))
    words = arrays["split"].astype(str)
    strange = sorted(set(words.reshape(-1).tolist()) - set(_NAMES))
    if strange or words.shape != arrays["y"].shape:
        got = f"the words {', '.join(strange)}" if strange else f"shape {words.shape}"
        raise TaskError(f"Task '{name}': 'split' has one of {', '.join(_NAMES)} per sample, not {got}.", task=name)
    return np.flatnonzero(words == split)

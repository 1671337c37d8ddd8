"""The 1,797 handwritten digits that come with scikit-learn, their three splits and their four transforms."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from solera.api import Seed, Split, TaskError

Transform = Literal["none", "rotation", "inversion", "mirroring", "transposition"]

#: Where the fixed permutation is cut: 1000 to train on, 300 to select with, 497 to report.
_CUTS: dict[Split, slice] = {"train": slice(0, 1000), "selection": slice(1000, 1300), "report": slice(1300, 1797)}


def pictures(split: Split) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The digits of a split as they were drawn.

    Returns:
        Pictures in [0, 1], float32 of shape (n, 1, 8, 8), and labels 0 to 9, int64 of shape (n,).

    Raises:
        TaskError: scikit-learn, which holds the data, is not installed.
    """
    x, y = _shuffled()
    cut = _CUTS[split]
    return x[cut], y[cut]


def transformed(x: NDArray[np.float32], transform: Transform) -> NDArray[np.float32]:
    """Every picture changed the same way; shape and range stay.

    ``"rotation"`` turns by a quarter, counter-clockwise; ``"inversion"`` swaps ink and paper; ``"mirroring"`` swaps
    left and right; ``"transposition"`` swaps rows and columns.
    """
    match transform:
        case "rotation":
            x = np.rot90(x, axes=(2, 3))
        case "inversion":
            x = np.float32(1) - x
        case "mirroring":
            x = x[:, :, :, ::-1]
        case "transposition":
            x = x.swapaxes(2, 3)
    return np.ascontiguousarray(x)


@lru_cache(maxsize=1)
def _shuffled() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    table = np.loadtxt(_file(), delimiter=",")
    raw, labels = table[:, :-1], table[:, -1].astype(np.int64)
    order = Seed(0).child("digits", "splits").numpy().permutation(len(labels))
    x = (raw / 16).astype(np.float32).reshape(-1, 1, 8, 8)[order]
    return x, labels[order]


def _file() -> Path:
    """scikit-learn's table, without its import: that takes seconds in which no job can be cancelled."""
    found = find_spec("sklearn")
    if found is None or found.origin is None:
        raise TaskError(
            "The digits come with scikit-learn, which is not installed. Install the demo: pip install 'solera[demo]'."
        )
    path = Path(found.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        raise TaskError(
            f"scikit-learn has its digits elsewhere than at {path}; install the one that constraints.txt pins."
        )
    return path

"""The task kind ``regression``: a table in a ``.csv`` file, or arrays in an ``.npz`` file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from solera.api import InputError, Param, RegressionTask, Seed, Split, TaskError, split_rows
from solera_plugins.regression.arrays import read_arrays
from solera_plugins.regression.table import Table, read_table

_NAMES: tuple[Split, ...] = ("train", "selection", "report")
_METRICS = ("mse", "mae", "r2")


def regression(
    name: str,
    *,
    data: Annotated[
        Path,
        Param(help="A .csv file with a header, or an .npz file with the arrays x, y and, if wanted, split, group."),
    ],
    target: Annotated[str, Param(help="Of a .csv file: the column to predict, or several with commas between.")] = "",
    metrics: Annotated[str, Param(help="Of mse, mae and r2, with commas between; searches use the first.")] = (
        "mse, mae, r2"
    ),
    chunk: Annotated[int, Param(1, help="Samples per call of the network.")] = 256,
) -> RegressionTask:
    """Predict numbers in a table or file.

    Of a table every column is an input but the targets, ``split`` (the words train, selection and report) and ``group``
    (the document or subject of a row, by which errors are clustered); an ``.npz`` file has ``x``, ``y`` and may have
    the same. Without a split, a fixed permutation gives 60, 15 and 25 % of the samples, groups held together.
    """
    chosen = [item.strip() for item in metrics.split(",") if item.strip()]
    if not set(chosen) <= set(_METRICS):
        raise InputError(f"Task '{name}' can measure mse, mae and r2; not {metrics}.", task=name)

    def read(split: Split) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        table = read_arrays(name, Path(data)) if Path(data).suffix == ".npz" else read_table(name, Path(data), target)
        rows = _rows(name, table, split)
        return table.x[rows], table.y[rows], None if table.group is None else table.group[rows]

    return RegressionTask(name, read, metrics=chosen, chunk=chunk)


def _rows(name: str, table: Table, split: Split) -> NDArray[np.int64]:
    count = len(table.y)
    if table.split is not None:
        strange = sorted(set(table.split.tolist()) - set(_NAMES))
        if strange:
            said = f"{', '.join(_NAMES)}, not {', '.join(strange[:3])}"
            raise TaskError(f"Task '{name}': 'split' has one of {said}.", task=name)
        return np.flatnonzero(table.split == split)
    seed = Seed(0).child("regression", "splits")
    if table.group is None:
        return split_rows(count, split, seed)
    _, group = np.unique(table.group, return_inverse=True)
    return np.flatnonzero(np.isin(group, split_rows(int(group.max(initial=-1)) + 1, split, seed)))

"""Regression: squared and absolute errors, and the share of variance explained, per sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from solera.context import Context
from solera.errors import TaskError
from solera.tasks.inference import network_forward
from solera.tasks.sampled import SampledTask, group_numbers
from solera.tasks.scores import Split

#: ``data(split) -> (x, y)`` or ``(x, y, groups)``: x of shape (n, ...), y of shape (n,) or (n, outputs).
RegressionData = Callable[[Split], tuple[Any, ...]]

_METRICS = ("mse", "mae", "r2")


class RegressionTask(SampledTask):
    """Scores of a network that gives numbers.

    Errors are means over samples and outputs. R² is one minus the squared error over the variance of the targets, which
    is that of the whole split, output by output: so it too is a mean over samples, in a preview as well, and its
    standard error takes that variance as known.

    Args:
        name: Unique in a project.
        data: ``data(split)`` gives x (float32, as the network takes it), y, and optionally the group of each sample by
            which errors are clustered. It is asked when a split is first needed, and raises TaskError if data are
            missing.
        metrics: Of ``"mse"``, ``"mae"`` and ``"r2"``; the first is what searches use.
        version: Goes up whenever the same weights would score differently.
        units: See :class:`solera.tasks.task.Task`.
        chunk: Samples per call of the network. Part of what the bytes of a score depend on.
    """

    def __init__(
        self,
        name: str,
        data: RegressionData,
        *,
        metrics: Sequence[str] = _METRICS,
        version: int = 1,
        units: str = "",
        chunk: int = 256,
    ) -> None:
        def read(split: Split) -> _Pairs:
            return _checked(name, split, data(split), explained="r2" in metrics)

        super().__init__(name, read, metrics=metrics, known=_METRICS, version=version, units=units, chunk=chunk)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Inputs (n, ...), targets (n, outputs) float32 and the variance of the split's targets (outputs,) float32."""

    x: Tensor
    y: Tensor
    variance: Tensor
    groups: NDArray[np.int64] | None

    @property
    def count(self) -> int:
        return int(self.y.shape[0])

    @property
    def strata(self) -> NDArray[np.int64]:
        return np.zeros(self.count, dtype=np.int64) if self.groups is None else self.groups

    def part(self, rows: NDArray[np.int64]) -> _Pairs:
        where = torch.from_numpy(rows).to(self.y.device)
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, x=self.x[where], y=self.y[where], groups=groups)

    def to(self, device: str) -> _Pairs:
        return replace(self, x=self.x.to(device), y=self.y.to(device), variance=self.variance.to(device))

    def values(self, network: nn.Module, where: slice, task: str, context: Context) -> dict[str, Tensor]:
        size = where.stop - where.start
        found = network_forward(network, self.x, size, task)(where).float()
        wanted = self.y[where]
        if found.shape != wanted.shape and not (found.ndim == 1 and wanted.shape == (size, 1)):
            raise TaskError(
                f"Task '{task}' has {wanted.shape[1]} numbers per sample to predict; the network gave shape "
                f"{tuple(found.shape)} for {size} samples. Choose a network with as many outputs.",
                task=task,
            )
        error = found.view_as(wanted) - wanted
        return {
            "mse": error.square().mean(dim=1),
            "mae": error.abs().mean(dim=1),
            "r2": (1 - error.square() / self.variance).mean(dim=1),
        }


def _checked(name: str, split: Split, data: tuple[Any, ...], *, explained: bool) -> _Pairs:
    try:
        x, y = (torch.as_tensor(part).contiguous() for part in data[:2])
    except (TypeError, ValueError) as error:
        raise TaskError(f"Task '{name}', {split} split: the data are not numbers: {error}.", task=name) from error
    groups = group_numbers(np.asarray(data[2]).tolist()) if len(data) > 2 and data[2] is not None else None
    y = y[:, None] if y.ndim == 1 else y
    if y.ndim != 2 or x.shape[:1] != y.shape[:1] or not y.shape[1]:
        raise TaskError(
            f"Task '{name}', {split} split: inputs of shape {tuple(x.shape)} do not fit targets of shape "
            f"{tuple(y.shape)}; targets are (n,) or (n, outputs).",
            task=name,
            split=split,
        )
    if not y.shape[0]:
        raise TaskError(f"Task '{name}' has no data on the {split} split.", task=name, split=split)
    if groups is not None and groups.size != y.shape[0]:
        raise TaskError(f"Task '{name}': {groups.size} groups do not fit {y.shape[0]} samples.", task=name)
    exact = y.double()
    if not bool(exact.isfinite().all()):
        lost = int((~exact.isfinite()).any(dim=1).sum())
        raise TaskError(f"Task '{name}', {split} split: {lost} targets are NaN or infinite.", task=name, split=split)
    variance = exact.var(dim=0, correction=0)
    if explained and not bool((variance > 0).all()):
        raise TaskError(
            f"Task '{name}', {split} split: a target is the same for all samples, so R² is not defined; "
            "leave the metric r2 out.",
            task=name,
            split=split,
        )
    return _Pairs(x.float() if x.is_floating_point() else x, exact.float(), variance.float(), groups)

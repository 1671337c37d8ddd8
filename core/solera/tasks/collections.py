"""Samples in whatever a script keeps them in: counted, taken in part, moved to a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from solera.errors import TaskError


def count_of(samples: Any, task: str) -> int:
    """How many samples a collection has.

    Args:
        samples: A tensor or array (its first axis), a list, or a tuple or mapping of such of equal length, each sample
            having a part in every one.
        task: For sentences.

    Raises:
        TaskError: It is none of these, or the parts differ in length.
    """
    if isinstance(samples, (torch.Tensor, np.ndarray)) and samples.ndim:
        return int(samples.shape[0])
    if isinstance(samples, (tuple, Mapping)) and len(samples):
        parts = samples.values() if isinstance(samples, Mapping) else samples
        counts = [count_of(part, task) for part in parts]
        if len(set(counts)) > 1:
            raise TaskError(
                f"Task '{task}': the parts of its samples differ in length ({', '.join(map(str, counts))}).", task=task
            )
        return counts[0]
    if isinstance(samples, Sequence) and not isinstance(samples, (str, bytes, tuple)):
        return len(samples)
    raise TaskError(
        f"Task '{task}': samples are a tensor, an array, a list, or a tuple or mapping of such; not "
        f"{'an empty one' if samples == () or samples == {} else f'a {type(samples).__name__}'}.",
        task=task,
    )


def taken(samples: Any, rows: NDArray[np.int64]) -> Any:
    """Some of the samples of a collection, in this order; of the same kind."""
    if isinstance(samples, torch.Tensor):
        return samples[torch.from_numpy(rows).to(samples.device)]
    if isinstance(samples, np.ndarray):
        return samples[rows]
    if isinstance(samples, Mapping):
        return {key: taken(part, rows) for key, part in samples.items()}
    if isinstance(samples, tuple):
        return tuple(taken(part, rows) for part in samples)
    return [samples[row] for row in rows.tolist()]


def moved(samples: Any, device: str) -> Any:
    """A collection whose tensors are on a device, arrays of numbers become tensors; the rest is left as it is."""
    if isinstance(samples, torch.Tensor):
        return samples.to(device)
    if isinstance(samples, np.ndarray) and samples.dtype.kind in "fiub":
        return torch.from_numpy(np.ascontiguousarray(samples)).to(device)
    if isinstance(samples, Mapping):
        return {key: moved(part, device) for key, part in samples.items()}
    if isinstance(samples, (tuple, list)):
        return type(samples)(moved(part, device) for part in samples)
    return samples

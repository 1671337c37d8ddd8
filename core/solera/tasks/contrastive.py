"""Zero-shot classification: the class whose text embedding is nearest to what a network makes of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from solera.context import Context
from solera.errors import InputError, TaskError
from solera.tasks.inference import network_forward
from solera.tasks.sampled import SampledTask
from solera.tasks.scores import Split

#: ``data(split) -> (x, y)``: x of shape (n, ...) as the network takes it, y of shape (n,), classes from 0.
ContrastiveData = Callable[[Split], tuple[Any, Any]]

_METRICS = ("cross_entropy", "accuracy")

#: Where image features are in what a library's models give, the first that is there.
_PLACES = ("image_embeds", "pooler_output", "logits")


class ContrastiveTask(SampledTask):
    """Scores of a network that gives image features, held against fixed text embeddings of the classes.

    Logits are cosines of features and text embeddings, divided by the temperature (Radford et al. 2021). The network
    is an image tower, or a projection that takes image embeddings; one with ``get_image_features`` is asked by that.

    Args:
        name: Unique in a project.
        data: ``data(split)`` gives images, or image embeddings, and classes; raises TaskError if data are missing.
        texts: Gives the text embeddings, shape (classes, width), or (classes, prompts, width): then the mean of the
            prompts' directions stands for a class.
        temperature: What cosines are divided by; CLIP's trained scale of 100 is 0.01.
        metrics: Of ``"cross_entropy"`` (nats) and ``"accuracy"``; the first is what searches use.
        version: Goes up whenever the same weights would score differently.
        units: See :class:`solera.tasks.task.Task`.
        chunk: Samples per call of the network. Part of what the bytes of a score depend on.

    Raises:
        InputError: The temperature is not above 0, or a metric is not known.
    """

    def __init__(
        self,
        name: str,
        data: ContrastiveData,
        texts: Callable[[], Any],
        *,
        temperature: float = 0.01,
        metrics: Sequence[str] = _METRICS,
        version: int = 1,
        units: str = "",
        chunk: int = 64,
    ) -> None:
        if not temperature > 0:
            raise InputError(f"Task '{name}': a temperature is above 0, not {temperature}.", task=name)

        def read(split: Split) -> _Images:
            classes = _directions(name, texts()) / temperature
            return _checked(name, split, *data(split), classes)

        super().__init__(name, read, metrics=metrics, known=_METRICS, version=version, units=units, chunk=chunk)


@dataclass(frozen=True, slots=True)
class _Images:
    """Images (n, ...), labels (n,) int64 and text directions over temperature (classes, width) float32."""

    x: Tensor
    y: Tensor
    classes: Tensor

    groups: None = None

    @property
    def count(self) -> int:
        return int(self.y.shape[0])

    @property
    def strata(self) -> NDArray[np.int64]:
        return self.y.cpu().numpy()

    def part(self, rows: NDArray[np.int64]) -> _Images:
        where = torch.from_numpy(rows).to(self.y.device)
        return replace(self, x=self.x[where], y=self.y[where])

    def to(self, device: str) -> _Images:
        return replace(self, x=self.x.to(device), y=self.y.to(device), classes=self.classes.to(device))

    def values(self, network: nn.Module, where: slice, task: str, context: Context) -> dict[str, Tensor]:
        size, width = where.stop - where.start, self.classes.shape[1]
        features = network_forward(_ImageFeatures(network), self.x, size, task)(where).float()
        if features.shape != (size, width):
            raise TaskError(
                f"Task '{task}' has text embeddings of {width} numbers; the network gave features of shape "
                f"{tuple(features.shape)} for {size} images. Choose the image tower they were trained with.",
                task=task,
            )
        logits, labels = F.normalize(features, dim=1) @ self.classes.T, self.y[where]
        losses = F.cross_entropy(logits, labels, reduction="none")
        right = (logits.argmax(dim=1) == labels).float().masked_fill(losses.isnan(), torch.nan)
        return {"cross_entropy": losses, "accuracy": right}


class _ImageFeatures(nn.Module):
    """A network by its image features, whatever else it gives."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        inner = getattr(network, "module", network)
        self._features = getattr(inner, "get_image_features", network)

    def forward(self, x: Tensor) -> Any:
        found = self._features(x)
        named = (getattr(found, place, None) for place in _PLACES)
        return found if isinstance(found, Tensor) else next((each for each in named if each is not None), found)


def _directions(name: str, texts: Any) -> Tensor:
    """One direction of length 1 per class."""
    found = torch.as_tensor(texts)
    if found.ndim not in (2, 3) or min(found.shape) < 1 or not found.is_floating_point():
        raise TaskError(
            f"Task '{name}': text embeddings are numbers of shape (classes, width) or (classes, prompts, width); got "
            f"{found.dtype} of shape {tuple(found.shape)}.",
            task=name,
        )
    rows = F.normalize(found.double(), dim=-1)
    rows = F.normalize(rows.mean(dim=1), dim=-1) if rows.ndim == 3 else rows
    if not bool(((rows.norm(dim=1) - 1).abs() < 1e-6).all()):
        raise TaskError(f"Task '{name}': the text embedding of a class is zero or not a number.", task=name)
    return rows.float()


def _checked(name: str, split: Split, x: Any, y: Any, classes: Tensor) -> _Images:
    inputs, labels = torch.as_tensor(x).contiguous(), torch.as_tensor(y)
    if labels.ndim != 1 or inputs.shape[:1] != labels.shape[:1]:
        raise TaskError(
            f"Task '{name}', {split} split: images of shape {tuple(inputs.shape)} do not fit labels of shape "
            f"{tuple(labels.shape)}.",
            task=name,
        )
    count = classes.shape[0]
    if labels.is_floating_point() or (len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < count):
        raise TaskError(
            f"Task '{name}': labels are integers from 0 to {count - 1}, one for each text embedding; got "
            f"{labels.dtype}{f' up to {int(labels.max())}' if len(labels) else ''}.",
            task=name,
        )
    return _Images(inputs.float() if inputs.is_floating_point() else inputs, labels.long().contiguous(), classes)

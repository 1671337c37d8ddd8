"""The small convolutional network of the digits example."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solera.api import MismatchError

#: What config.json says.
NAME = "digits-cnn"


class DigitsCnn(nn.Module):
    """Three convolutions with GroupNorm, one hidden layer, a linear head.

    GroupNorm, not BatchNorm, because running statistics do not survive averaging.

    Args:
        width: Channels of the second convolution (the first has half, the third twice as many); a multiple of 8.
        classes: Width of the head.
    """

    def __init__(self, width: int = 64, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width // 2, 3, padding=1)
        self.norm1 = nn.GroupNorm(4, width // 2)
        self.conv2 = nn.Conv2d(width // 2, width, 3, padding=1)
        self.norm2 = nn.GroupNorm(4, width)
        self.conv3 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.norm3 = nn.GroupNorm(4, 2 * width)
        self.hidden = nn.Linear(2 * width * 4, 128)
        self.head = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (n, 1, 8, 8) float32 in [0, 1] to logits (n, classes)."""
        # Channels last from here on: over so few pixels a CPU then takes a third of the time for the same numbers.
        x = self.conv1(x).contiguous(memory_format=torch.channels_last)
        x = F.relu(self.norm1(x))
        x = F.max_pool2d(F.relu(self.norm2(self.conv2(x))), 2)
        x = F.max_pool2d(F.relu(self.norm3(self.conv3(x))), 2)
        logits: Tensor = self.head(F.relu(self.hidden(x.flatten(1))))
        return logits


class DigitsArchitecture:
    """Builds :class:`DigitsCnn` from ``{"architecture": "digits-cnn", "width": 64, "classes": 10}``."""

    name = NAME
    title = "Digits CNN"

    def matches(self, config: dict[str, Any]) -> bool:
        """Whether the config names this architecture."""
        return config.get("architecture") == NAME

    def build(self, config: dict[str, Any]) -> nn.Module:
        """A network of the config's width.

        Raises:
            MismatchError: The width or the number of classes makes no network.
        """
        width, classes = config.get("width", 64), config.get("classes", 10)
        if not (isinstance(width, int) and width >= 8 and width % 8 == 0 and isinstance(classes, int) and classes > 0):
            raise MismatchError(
                f"A digits CNN has a width that is a multiple of 8 and at least one class, not width {width!r} and "
                f"classes {classes!r}.",
                width=width,
                classes=classes,
            )
        return DigitsCnn(width, classes)


architecture = DigitsArchitecture()

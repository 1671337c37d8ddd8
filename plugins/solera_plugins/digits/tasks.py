"""The task kind ``digits``: classify the pictures, all changed in one way."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from solera.api import ClassificationTask, Param, Split
from solera_plugins.digits.data import Transform, pictures, transformed


def digits(
    name: str,
    *,
    transform: Annotated[Transform, Param(help="How every picture is changed before the network sees it.")] = "none",
) -> ClassificationTask:
    """Classify scikit-learn's handwritten digits; splits of 1000, 300 and 497 pictures.

    All digits tasks score the same pictures, so that means over tasks have paired errors.
    """

    def data(split: Split) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        x, y = pictures(split)
        return transformed(x, transform), y

    # 32 pictures of this network's activations stay in a CPU's second-level cache.
    return ClassificationTask(name, data, units="digits", chunk=32)

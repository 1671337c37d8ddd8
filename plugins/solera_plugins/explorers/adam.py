"""Adam (Kingma and Ba 2015): a step goes by running means of the gradient and of its square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Decay rates of both means, and the guard against a division by 0.
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


def moved(first: Floats, second: Floats, gradient: Floats, steps: int) -> tuple[Floats, Floats, Floats]:
    """One step, at a rate of 1.

    Args:
        first: Running mean of the gradient before it, shape (d,).
        second: That of its square.
        gradient: Shape (d,).
        steps: Steps so far, this one among them.

    Returns:
        Both means after it, and what is taken off for each unit of the rate; shape (d,) each.
    """
    first = _BETA1 * first + (1 - _BETA1) * gradient
    second = _BETA2 * second + (1 - _BETA2) * gradient**2
    step = (first / (1 - _BETA1**steps)) / (np.sqrt(second / (1 - _BETA2**steps)) + _EPSILON)
    return first, second, np.asarray(step, dtype=np.float64)

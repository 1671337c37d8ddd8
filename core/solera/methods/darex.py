"""DAREx-q: what to divide the surviving changes by: of each Linear from the mean of its inputs, or one for all.

Deng et al. 2025, DARE the extreme: revisiting delta-parameter pruning for fine-tuned models, arXiv 2410.09344.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from solera.errors import InputError


def darex_q(
    delta: Tensor,
    mean_input: Tensor,
    density: float,
    *,
    bias: Tensor | None = None,
    eta: float = 0.45,
    confidence: float = 0.95,
    compat: Literal["none", "authors"] = "none",
    settled: float = 0.8,
) -> Tensor:
    """For each output of a Linear the divisor that bounds how far dropping changes of the weights moves the output.

    With ``c_j = delta_j E[x_j]`` over one output's weights (and its bias) and drop rate ``p = 1 - density``: ``q`` is
    where ``|eta (1 - (1-p)/q) sum c + eta^2 phi(p) sum c^2 / (4 q^2) + ln(2 / (1 - confidence))|`` is least, ``phi(p) =
    (1 - 2p) / ln((1-p)/p)``, sought from ``1 - p`` to 0.998 in steps of a thousandth; of equal places the first. A
    layer is divided by the mean over its outputs (the parameter ``q`` of DARE, by rules).

    The authors' search runs in half precision and stops when four fifths of the outputs have met one step that is no
    better, where of equal places the last counts: on flat ground that decides the answer. ``compat="authors"`` does the
    same. For decoders they advise tuning one q on held-out data instead.

    Args:
        delta: Change of the weight, (outputs, inputs).
        mean_input: Mean of the layer's inputs over data, (inputs,).
        density: Share kept, 1 - p.
        bias: Change of the bias, (outputs,), if there is one.
        eta: Balance of mean and spread, tuned on held-out data (0.27 to 1.01 in the authors' examples).
        confidence: Of the bound.
        compat: Whose arithmetic. At density 1/2 the authors' has no answer (0/0), and theirs is then the density.
        settled: With the authors' arithmetic: the share of outputs after which the search stops.

    Returns:
        float32 (outputs,), from the density to 0.998.

    Raises:
        InputError: Shapes do not fit, or the density or confidence is not inside 0 to 1.
    """
    fits = delta.dim() == 2 and mean_input.shape == delta.shape[1:] and (bias is None or bias.shape == delta.shape[:1])
    if not fits or not 0 < density < 1 or not 0 < confidence < 1:
        raise InputError(
            f"DAREx-q wants a matrix, the mean of its inputs, and a density and confidence inside 0 to 1; got shapes "
            f"{tuple(delta.shape)} and {tuple(mean_input.shape)}, density {density}, confidence {confidence}."
        )
    moved = delta * mean_input
    columns = moved if bias is None else torch.cat([moved, bias.unsqueeze(1)], dim=1)
    if compat == "authors":
        return _as_released(columns.half(), 1 - density, eta, confidence, settled)
    places = [i * 0.001 for i in range(math.ceil(density * 1000 - 1e-9), 999)] or [density]
    grid = torch.tensor(places, dtype=torch.float64)
    shift = eta * (1 - density / grid) * columns.double().sum(1, keepdim=True)
    spread = eta**2 * _phi(1 - density) * columns.double().square().sum(1, keepdim=True) / (4 * grid.square())
    bound = (shift + spread + math.log(2 / (1 - confidence))).abs()
    return grid[bound.argmin(dim=1)].float()


def q_grid(density: float, step: float = 0.02) -> list[float]:
    """Divisors that are tried in turn: from the density, ``1 - p``, up to 1.

    Raises:
        InputError: The density is not inside 0 to 1, or the step is not above 0.
    """
    if not 0 < density <= 1 or step <= 0:
        raise InputError(f"Divisors lie between a density inside 0 to 1 and 1, not {density}, in steps above 0.")
    steps = math.ceil((1 - density) / step - 1e-9)
    return [min(density + i * step, 1.0) for i in range(steps + 1)]


def chosen_q(
    measure: Callable[[float], float], density: float, *, best: Literal["lower", "higher"], step: float = 0.02
) -> tuple[float, list[tuple[float, float]]]:
    """One divisor for all tensors: the one at which a measure is best; of equal ones the first, nearest to ``1 - p``.

    The paper's two other choices: the measure is a score on held-out data (labels are needed), or how far pruning moves
    the network's outputs on data without labels (:func:`output_change`, lower is better).

    Args:
        measure: Of a divisor; finite.
        density: Share kept, 1 - p.
        best: Which way is better.
        step: Of the grid.

    Returns:
        The divisor, and every divisor tried with its measure.

    Raises:
        InputError: As :func:`q_grid`.
    """
    sign = 1.0 if best == "lower" else -1.0
    tried = [(q, float(measure(q))) for q in q_grid(density, step)]
    return min(tried, key=lambda pair: sign * pair[1])[0], tried


def output_change(whole: Tensor, pruned: Tensor, *, top: int = 0) -> float:
    """How far pruning moved what a network gives out, on the same inputs.

    For encoders the mean absolute difference (of the last hidden states); for decoders the mean squared difference of
    the ``top`` largest logits of the network that is not pruned (5 in the paper).

    Args:
        whole: Outputs of the network that is not pruned, (..., outputs).
        pruned: Those of the pruned one, the same shape.
        top: How many logits count; 0 takes all outputs and absolute differences.

    Raises:
        InputError: The shapes differ.
    """
    if whole.shape != pruned.shape:
        raise InputError(f"Outputs of one shape are compared, not {tuple(whole.shape)} and {tuple(pruned.shape)}.")
    if not top:
        return float((pruned.double() - whole.double()).abs().mean())
    places = whole.topk(min(top, whole.shape[-1]), dim=-1).indices
    apart = pruned.gather(-1, places).double() - whole.gather(-1, places).double()
    return float(apart.square().mean())


def _phi(p: float) -> float:
    """``(1 - 2p) / ln((1-p)/p)``, 1/2 at p = 1/2."""
    return 0.5 if p == 0.5 else (1 - 2 * p) / math.log((1 - p) / p)


def _as_released(columns: Tensor, p: float, eta: float, confidence: float, settled: float) -> Tensor:
    """The authors' search over half-precision columns, one place after the other."""
    total, squares = columns.sum(dim=1), columns.square().sum(dim=1)
    found = torch.full((len(columns),), 1 - p)
    if p == 0.5:
        return found
    best = torch.full((len(columns),), 10000.0, dtype=torch.float16)
    worse = torch.zeros(len(columns), dtype=torch.bool)
    for place in range(int((1 - p) * 1000), 999):
        q = place * 0.001
        spread = eta**2 * _phi(p) * squares / (4 * q**2) + math.log(2 / (1 - confidence))
        bound = (eta * ((1 - (1 - p) / q) * total) + spread).abs()
        better = bound <= best
        worse |= bound >= best
        best = torch.where(better, bound, best)
        found = torch.where(better, q, found)
        if float(worse.float().mean()) >= settled:
            break
    return found

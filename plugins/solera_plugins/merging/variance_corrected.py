"""Variance-corrected averaging: give the average back the spread its models had."""

from __future__ import annotations

import re
from math import sqrt
from typing import Annotated, Literal

import torch
from torch import Tensor

from solera.api import InputError, Param, Piece, method, reductions
from solera_plugins.merging.sums import weighted_sum

_STATISTICS = re.compile(r"(^|\.)(running_mean|running_var|num_batches_tracked)$")


@method(
    "variance_corrected",
    title="Variance-corrected average",
    takes="weights",
    granularity="tensor",
    version=3,
    paper="Tian et al. 2024, Vanishing variance problem in fully decentralized neural-network systems",
    url="https://arxiv.org/abs/2404.04616",
)
def variance_corrected(
    tensors: list[Tensor],
    *,
    mode: Annotated[
        Literal["all", "others", "conservative", "self"],
        Param(
            help="Average all; or let the first model receive the others: average those alone, mix with it, or mix and "
            "aim at its own variance."
        ),
    ] = "all",
    conservative: Annotated[
        float, Param(0.0, 1.0, step=0.05, help="Share of the receiving model where it takes part.")
    ] = 0.5,
    epsilon: Annotated[
        float, Param(0.0, log=True, help="Added to both variances; where weights vary less, little is corrected.")
    ] = 1e-4,
    compat: Annotated[
        Literal["none", "authors"],
        Param(help="authors: the receiver's variance is that of the average, which overwrote it."),
    ] = "none",
    piece: Piece | None = None,
) -> Tensor:
    """Average, then stretch each tensor about its mean so that it varies as its models do.

    ``W = (A - mean A) sqrt((v + e) / (Var A + e)) + mean A`` with ``A`` the average and ``v`` the mean variance of the
    models (unbiased), by mode mixed like the average or the receiver's alone. Running statistics of BatchNorm are
    neither averaged nor corrected: the first model's are kept. A tensor of one element is averaged only. For whole
    weights, not for task vectors.

    Args:
        tensors: One per model, one shape; the first is the receiver unless mode is ``all``.
        mode: Who is averaged and what variance is aimed at.
        conservative: Share of the receiver.
        epsilon: Added to variances.
        compat: Whose receiver's variance.
        piece: Which tensor this is.

    Raises:
        InputError: There is no other model for the receiver to hear.

    Paper:
        epsilon 1e-4.

    Pitfalls:
        - For weights that vary as little as the square root of epsilon the correction is only partial: lower it.
        - Models of a common base hardly lose variance when averaged, so there is little to correct.
    """
    if piece and _STATISTICS.search(piece.name):
        return tensors[0].clone()
    others = tensors if mode == "all" else tensors[1:]
    if not others:
        raise InputError(f"The mode '{mode}' wants the receiving model and at least one other.")
    average = weighted_sum(others, [1.0 / len(others)] * len(others))
    if mode in {"conservative", "self"}:
        average = weighted_sum([tensors[0], average], [conservative, 1 - conservative])
    if average.numel() < 2:
        return average
    mean, spread = moments(average)
    target = sum(moments(tensor)[1] for tensor in others) / len(others)
    own = spread if compat == "authors" else moments(tensors[0])[1]
    if mode == "conservative":
        target = conservative * own + (1 - conservative) * target
    elif mode == "self":
        target = own
    if spread + epsilon == 0:
        return average
    return (average - mean) * sqrt((target + epsilon) / (spread + epsilon)) + mean


def moments(tensor: Tensor) -> tuple[float, float]:
    """Mean and unbiased variance of at least two elements."""
    mean = reductions.reduce_sum(tensor) / tensor.numel()
    shift = torch.tensor(mean, dtype=torch.float64)
    return mean, _squares(tensor.double() - shift) / (tensor.numel() - 1)


def _squares(tensor: Tensor) -> float:
    return reductions.dot(tensor, tensor)

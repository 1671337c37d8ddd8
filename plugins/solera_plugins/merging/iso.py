"""Iso-C and Iso-CTS: give the merged change one singular value in all directions."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from solera.api import Param, Piece, bricks, method
from solera_plugins.merging.spectral import SKIP_HELP, average, spectral
from solera_plugins.merging.sums import weighted_sum

_PAPER = "Marczak et al. 2025, No task left behind: isotropic model merging with common and task-specific subspaces"
_URL = "https://arxiv.org/abs/2502.04959"


@method(
    "iso_c",
    title="Iso-C",
    takes="delta",
    base="required",
    granularity="tensor",
    promise="tolerance",
    float64=True,
    paper=_PAPER,
    url=_URL,
)
def iso_c(
    deltas: list[Tensor],
    *,
    scale: Annotated[float, Param(step=0.1, search=(0.5, 2.0), help="How far to go along the merged change.")] = 1.0,
    skip: Annotated[str, Param(help=SKIP_HELP)] = "*text_projection*",
    piece: Piece | None = None,
) -> Tensor:
    """Sum the changes of each matrix and make all its singular values their mean.

    ``sum_t d_t = U S V'`` becomes ``mean(S) U V'``; other tensors are averaged; ``W = W0 + scale * m``. Where the sum
    lacks rank, the directions it does not have are left out (a library's choice would be arbitrary).

    Args:
        deltas: One task vector per model, float64, one whole tensor.
        scale: Common factor.
        skip: Pattern of names that are averaged.
        piece: Which tensor this is.

    Paper:
        scale tuned on held-out data, about 1 to 1.5.

    Pitfalls:
        - A flat spectrum lifts weak directions, noise among them, as high as the strong.
    """
    if not spectral(deltas[0], piece, skip):
        return average(deltas) * scale
    total = weighted_sum(deltas, [1.0] * len(deltas))
    left, values, right = bricks.truncated_svd(total, min(total.shape))
    sure = values > 1e-10 * max(float(values[0]), torch.finfo(torch.float64).tiny)
    merged: Tensor = left[:, sure] @ right[sure] * (values.mean() * scale)
    return merged


@method(
    "iso_cts",
    title="Iso-CTS",
    takes="delta",
    base="required",
    granularity="tensor",
    promise="tolerance",
    float64=True,
    paper=_PAPER,
    url=_URL,
)
def iso_cts(
    deltas: list[Tensor],
    *,
    scale: Annotated[float, Param(step=0.1, search=(0.5, 2.0), help="How far to go along the merged change.")] = 1.0,
    common: Annotated[
        float,
        Param(0.0, 1.0, step=0.1, search=(0.2, 1.0), help="Share of the directions that all tasks have together."),
    ] = 0.8,
    skip: Annotated[str, Param(help=SKIP_HELP)] = "*text_projection*",
    piece: Piece | None = None,
) -> Tensor:
    """Take most directions from the sum of the changes and the rest from each task, all of one singular value.

    Of the R directions of a matrix the top ``k`` of ``sum_t d_t = U S V'`` are common, and ``(R - k)/T`` more come from
    each ``(I - U_k U_k') d_t``; ``k`` is about ``common * R``, such that the rest can be shared evenly. All are made
    orthogonal together and get the mean of their singular values. Matrices of lower rank than there are tasks have
    common directions only.

    Args:
        deltas: One task vector per model, float64, one whole tensor.
        scale: Common factor.
        common: Share of common directions.
        skip: Pattern of names that are averaged.
        piece: Which tensor this is.

    Paper:
        common 0.8; scale tuned on held-out data, about 1 to 1.5.

    Pitfalls:
        - It wants matrices whose smaller side is at least the number of tasks.
    """
    if not spectral(deltas[0], piece, skip):
        return average(deltas) * scale
    rank, tasks = min(deltas[0].shape), len(deltas)
    own = min(round((rank - int(common * rank)) / tasks), rank // tasks)
    shared = rank - tasks * own
    parts = [bricks.truncated_svd(weighted_sum(deltas, [1.0] * tasks), shared)]
    left = parts[0][0]
    parts += [bricks.truncated_svd(delta - left @ (left.T @ delta), own) for delta in deltas]
    values = torch.cat([part[1] for part in parts])
    # Directions without a change are anyone's choice; without them the rest stays as it is.
    floor = 1e-10 * max(float(values.max()), torch.finfo(torch.float64).tiny)
    lefts = torch.cat([part[0][:, part[1] > floor] for part in parts], dim=1)
    rights = torch.cat([part[2][part[1] > floor] for part in parts], dim=0)
    return bricks.polar(lefts) @ bricks.polar(rights) * (values.mean() * scale)

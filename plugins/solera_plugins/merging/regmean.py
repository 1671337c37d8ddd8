"""RegMean: the merged Linear is the one that answers most nearly as each model does on its own inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from solera.api import NumericError, Param, Piece, method
from solera_plugins.merging.sums import weighted_sum


@method(
    "regmean",
    title="RegMean",
    takes="weights",
    granularity="tensor",
    needs="gram",
    promise="tolerance",
    paper="Jin et al. 2023, Dataless knowledge fusion by merging weights of language models",
    url="https://arxiv.org/abs/2212.09849",
)
def regmean(
    tensors: list[Tensor],
    *,
    off_diagonal: Annotated[
        float, Param(0.0, 1.0, step=0.05, search=(0.1, 1.0), help="Share of the off-diagonal of Gram matrices kept.")
    ] = 0.9,
    weight: Annotated[
        tuple[float, ...], Param(0.0, per_model=True, step=0.05, search=(0.0, 1.0), help="Share of each model.")
    ] = (1.0,),
    ridge: Annotated[
        float, Param(0.0, log=True, help="Pull to the average, relative to the mean of the diagonal.")
    ] = 1e-8,
    statistics: Sequence[Tensor | None] = (),
    piece: Piece | None = None,
) -> Tensor:
    """Solve for the Linear whose answers are nearest to all models' on their inputs; average all else.

    ``W' = (sum_t G_t + r I)^-1 (sum_t G_t W_t' + r M')`` with ``G_t = w_t (a X_t'X_t / n + (1 - a) diag)``, ``a`` the
    off-diagonal factor, ``M`` the weighted average and ``r = ridge * mean diagonal``. In float64, solved and not
    inverted. With the ridge, inputs that are always 0 (a singular system) take the average.

    Args:
        tensors: One per model, any one shape; (outputs, inputs) where there are Gram matrices.
        off_diagonal: a.
        weight: w_t.
        ridge: Relative to the mean of the summed diagonal; 0 for none.
        statistics: Gram matrices (inputs, inputs) of what enters this Linear in each model; None where it is none.
        piece: Which tensor this is.

    Raises:
        NumericError: The system is singular and there is no ridge.

    Paper:
        off-diagonal factor 0.9, for T5 0.1; 1000 or fewer batches of data of each model's own task.

    Pitfalls:
        - Without a ridge an input that is always 0 makes the system singular; shrinking the off-diagonal does not help.
        - Only Linear layers gain; embeddings, norms, biases and weights tied to an embedding are averaged.
        - A Gram matrix has inputs squared numbers: for wide layers more than the weight itself.
    """
    shares = [share / sum(weight) for share in weight] if sum(weight) > 0 else [1.0 / len(tensors)] * len(tensors)
    average = weighted_sum(tensors, shares)
    if any(gram is None for gram in statistics) or tensors[0].dim() != 2:
        return average
    total = torch.zeros(0)
    wanted = torch.zeros(0)
    for tensor, gram, share in zip(tensors, statistics, shares, strict=True):
        assert gram is not None
        shrunk = gram.double() * off_diagonal
        shrunk.diagonal().copy_(gram.diagonal())
        shrunk *= share
        answer = shrunk @ tensor.double().T
        total = shrunk if not total.numel() else total + shrunk
        wanted = answer if not wanted.numel() else wanted + answer
    pull = ridge * float(total.diagonal().mean())
    if not float(total.diagonal().mean()) > 0:
        return average  # nothing ever entered this layer
    total.diagonal().add_(pull)
    solved, failed = torch.linalg.solve_ex(total, wanted + pull * average.double().T)
    if int(failed):
        name = piece.name if piece is not None else "a Linear"
        raise NumericError(
            f"The Gram matrices of '{name}' are singular (an input is always 0, or there were too few examples); give "
            "a ridge above 0, such as 1e-8.",
            tensor=name,
        )
    merged: Tensor = solved.T.float().contiguous()
    return merged

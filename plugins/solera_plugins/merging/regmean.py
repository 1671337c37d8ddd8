"""RegMean: the merged layer is the one that answers most nearly as each model's does on its own inputs."""

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
    version=2,
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
    """Solve for the layer whose answers are nearest to all models' on their inputs; average all else.

    ``W' = (sum_t G_t + r I)^-1 (sum_t G_t W_t' + r M')`` with ``G_t = w_t (a X_t'X_t / n + (1 - a) diag)``, ``a`` the
    off-diagonal factor, ``M`` the weighted average and ``r = ridge * mean diagonal``. In float64, solved and not
    inverted. With the ridge, inputs that are always 0 (a singular system) take the average. Layers are Linear layers
    and convolutions, whose inputs are the patches under the kernel (in groups each its own); weights stored (inputs,
    outputs), as transformers' Conv1D has them, are turned.

    Args:
        tensors: One per model, any one shape; where there are Gram matrices (outputs, inputs ...), or (inputs, outputs)
            where those have a third axis of length 1.
        off_diagonal: a.
        weight: w_t.
        ridge: Relative to the mean of the summed diagonal; 0 for none.
        statistics: Gram matrices of what enters this layer in each model, (inputs, inputs), (groups, inputs, inputs) or
            (inputs, inputs, 1); None where it is none.
        piece: Which tensor this is.

    Raises:
        NumericError: The system is singular and there is no ridge.

    Paper:
        Linear layers; off-diagonal factor 0.9, for T5 0.1; 1000 or fewer batches of data of each model's own task.

    Pitfalls:
        - Without a ridge an input that is always 0 makes the system singular; shrinking the off-diagonal does not help.
        - Embeddings, norms and biases are averaged, and so is a weight that is also an embedding: its rows are tokens
        there, and no one system says both. A weight that only Linear layers have in common is solved for all of them.
        - A Gram matrix has inputs squared numbers: for wide layers more than the weight itself.
    """
    shares = [share / sum(weight) for share in weight] if sum(weight) > 0 else [1.0 / len(tensors)] * len(tensors)
    average = weighted_sum(tensors, shares)
    grams = [gram for gram in statistics if gram is not None]
    if len(grams) < len(tensors) or tensors[0].dim() < 2:
        return average
    turned = tensors[0].dim() == 2 and grams[0].dim() == 3
    grams = [gram.squeeze(-1).unsqueeze(0) if turned else gram.reshape(-1, *gram.shape[-2:]) for gram in grams]

    def grouped(tensor: Tensor) -> Tensor:
        """As (groups, inputs, outputs), float64."""
        lines = tensor.T if turned else tensor.reshape(len(tensor), -1)
        return lines.double().reshape(len(grams[0]), -1, lines.shape[1]).transpose(1, 2)

    shrunk = [share * shrink(gram.double(), off_diagonal) for gram, share in zip(grams, shares, strict=True)]
    total = weighted_sum(shrunk, [1.0] * len(shrunk))
    wanted = weighted_sum([g @ grouped(t) for g, t in zip(shrunk, tensors, strict=True)], [1.0] * len(shrunk))
    level = total.diagonal(dim1=1, dim2=2).mean(1)
    silent = level <= 0  # nothing ever entered: the average
    pull = torch.where(silent, 1.0, ridge * level).view(-1, 1, 1)
    solved, failed = torch.linalg.solve_ex(
        total + pull * torch.eye(total.shape[1], dtype=total.dtype, device=total.device),
        wanted + pull * grouped(average),
    )
    if bool(failed.any()):
        name = piece.name if piece is not None else "a layer"
        raise NumericError(
            f"The Gram matrices of '{name}' are singular (an input is always 0, or there were too few examples); give "
            "a ridge above 0, such as 1e-8.",
            tensor=name,
        )
    lines = solved.transpose(1, 2).reshape(-1, total.shape[1])
    merged: Tensor = lines.T if turned else lines.reshape(tensors[0].shape)
    return merged.float().contiguous()


def shrink(gram: Tensor, off_diagonal: float) -> Tensor:
    """Gram matrices with their off-diagonals times a factor: (groups, inputs, inputs)."""
    shrunk = gram * off_diagonal
    shrunk.diagonal(dim1=1, dim2=2).copy_(gram.diagonal(dim1=1, dim2=2))
    return shrunk

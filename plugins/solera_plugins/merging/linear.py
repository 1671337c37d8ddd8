"""Weighted average: the uniform model soup is the case of equal weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from torch import Tensor

from solera.api import InputError, Param, Tape, TapeValue, method
from solera_plugins.merging.sums import normalised, weighted_sum


def taped(tape: Tape, values: Sequence[TapeValue], *, weight: tuple[float, ...], normalize: bool) -> TapeValue:
    """The average, element by element."""
    return tape.weighted_sum(values, shares(weight, normalize))


def shares(weight: tuple[float, ...], normalize: bool) -> Sequence[float]:
    """The weights as they are, or as shares of their total.

    Raises:
        InputError: They total 0.
    """
    if not normalize:
        return weight
    if abs(sum(weight)) < 1e-8:
        raise InputError(f"The weights {list(weight)} total 0 and cannot be made shares; switch 'normalize' off.")
    return normalised(weight)


@method(
    "linear",
    title="Weighted average",
    takes="any",
    granularity="element",
    tape=taped,
    paper="Wortsman et al. 2022, Model soups: averaging weights of multiple fine-tuned models",
    url="https://arxiv.org/abs/2203.05482",
    also={
        "Uniform soup": "weight left alone",
        "Run averaging": "one input per run, each the average of its checkpoints",
        "FedAvg (federated averaging)": "weight: how many samples each client trained on",
        "Layer-wise interpolation": "weight: a curve over the layers for each model",
        "LERP": "two models, weight [1 - t, t]",
        "Sparse model soup": "models pruned with one mask, which the average keeps",
    },
)
def linear(
    tensors: list[Tensor],
    *,
    weight: Annotated[
        tuple[float, ...], Param(per_model=True, step=0.05, search=(0.0, 1.0), help="Share of each model.")
    ] = (1.0,),
    normalize: Annotated[bool, Param(help="Divide by the total of the weights, so that they are shares.")] = True,
) -> Tensor:
    """Average the models, each with its weight.

    ``W = sum_i w_i W_i / sum_i w_i``. Without ``normalize`` the weights are taken as they are.

    Args:
        tensors: One per model, any one shape.
        weight: One number per model.
        normalize: Whether to divide by the total.

    Raises:
        InputError: The weights total 0 and are to be normalised.

    Paper:
        equal weights.

    Pitfalls:
        - The models must have a common start: networks trained apart lie in different basins and must be aligned first.
        - After averaging networks with BatchNorm its running statistics are to be computed anew.
        - Averages of models that were pruned apart are no longer sparse; models of one mask keep it.
    """
    return weighted_sum(tensors, shares(weight, normalize))

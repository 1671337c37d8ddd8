"""BatchNorm recalculation: running statistics that are those of the merged network, not averages of others'."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from solera.api import method


@method(
    "batchnorm",
    title="BatchNorm recalculation",
    takes="weights",
    granularity="element",
    inputs=(1, 1),
    needs="batchnorm",
    paper="Izmailov et al. 2018, Averaging weights leads to wider optima and better generalization",
    url="https://arxiv.org/abs/1803.05407",
    also={"REPAIR": "for networks with BatchNorm", "SWA's bn_update": "after an average over a trajectory"},
)
def batchnorm(tensors: list[Tensor], *, statistics: Sequence[Tensor | None] = ()) -> Tensor:
    """Take the weights as they are and the BatchNorm statistics from data.

    A merged network's activations have other means and (smaller) variances than its parents'; averaging their running
    statistics does not give them. The statistic is one of the merged node itself.

    Args:
        tensors: The merged model, any one shape.
        statistics: Running means and variances, made anew; None for every other tensor.

    Paper:
        one pass over the training data after averaging.

    Pitfalls:
        - The data should look as in training, augmentation included; some thousand examples are plenty.
        - Networks without BatchNorm (LayerNorm, none) have nothing to be made anew and are refused.
    """
    (found,) = statistics
    return tensors[0].clone() if found is None else found.clone()

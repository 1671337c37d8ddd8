"""Which statistics of a model on data there are: what a recipe may ask for and what a method may need.

Here is only what they are called and which parameters they have; :mod:`solera.statistics` computes them.
"""

from __future__ import annotations

from dataclasses import dataclass

from solera.params import Param, ParamSpec


@dataclass(frozen=True, slots=True)
class StatisticSpec:
    """A kind of statistic.

    Attributes:
        name: What recipes and methods call it: ``"fisher"``.
        title: What a person reads.
        summary: One sentence: what its tensors are.
        params: Parameters of its own, beside task, split, samples and seed.
        aligned: Whether it has one number for each weight, so that it may be taken in the same pieces; else each tensor
            has a shape of its own and is taken whole.
        version: Goes up whenever the same model and data give other numbers.
    """

    name: str
    title: str
    summary: str
    params: tuple[ParamSpec, ...] = ()
    aligned: bool = False
    version: int = 1


_FISHER = (
    ParamSpec(
        "labels", "choice", "auto", choices=("auto", "exact", "sampled", "empirical"),
        param=Param(help="All classes (exact), classes the model draws (sampled), or those of the data (empirical)."),
    ),
    ParamSpec("draws", "int", 1, param=Param(1, 1024, help="Classes drawn for each example, when sampled.")),
    ParamSpec(
        "gradients", "choice", "auto", choices=("auto", "vmap", "loop"),
        param=Param(help="Gradients of several examples at once, or one after the other; auto takes the faster."),
    ),
)  # fmt: skip

_BATCH = (ParamSpec("batch", "int", 128, param=Param(2, 65536, help="Examples that are normalised together.")),)

#: Every kind by name.
STATISTICS: dict[str, StatisticSpec] = {
    spec.name: spec
    for spec in (
        StatisticSpec(
            "fisher", "Fisher information", "How sharply the model's predictions depend on each weight (the diagonal).",
            _FISHER, aligned=True,
        ),
        StatisticSpec(
            "gram", "Gram matrices", "For each Linear and convolution the mean of x x' over its inputs x.", version=2
        ),
        StatisticSpec("mean", "Mean inputs", "For each Linear the mean of its inputs, under its weight.", version=2),
        StatisticSpec("moments", "Activation moments", "Mean and variance of each output channel of a layer."),
        StatisticSpec(
            "batchnorm", "BatchNorm statistics", "Running means and variances of every BatchNorm, made anew on data.",
            _BATCH, aligned=True,
        ),
    )
}  # fmt: skip

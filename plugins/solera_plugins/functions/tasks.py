"""The task kind ``function``: scores by a function of one's own, named as text."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from solera.api import METRICS, CallableTask, InputError, Param, Split, TaskError, load_factory


def function(
    name: str,
    *,
    function: Annotated[str, Param(help="What scores: 'package.module:function', called with network and samples.")],
    samples: Annotated[str, Param(help="What gives the samples: 'package.module:function', called with the split.")],
    metric: Annotated[str, Param(help="A metric of the registry, or several with commas between.")] = "score",
    yields: Annotated[
        Literal["samples", "aggregate"], Param(help="Whether it gives a number per sample, or one for all.")
    ] = "samples",
    chunk: Annotated[int, Param(0, help="Samples per call; 0 is all.")] = 0,
    version: Annotated[int, Param(1, help="Raise it when the functions change: older scores are not used then.")] = 1,
) -> CallableTask:
    """Score by a function of one's own.

    The functions' module must be importable: installed, or in a folder of ``PYTHONPATH``. It is imported when a split
    is first needed.
    """
    metrics = [item.strip() for item in metric.split(",") if item.strip()]
    unknown = [item for item in metrics if item not in METRICS]
    if unknown or not metrics:
        known = ", ".join(METRICS)
        raise InputError(f"Task '{name}': a metric is one of {known}; not {', '.join(unknown) or 'none'}.", task=name)

    def scores(network: Any, some: Any) -> Any:
        return _loaded(name, function, "scoring function")(network, some)

    def data(split: Split) -> Any:
        _loaded(name, function, "scoring function")  # told before the first point, not at it
        return _loaded(name, samples, "function of samples")(split)

    scores.__name__ = function
    return CallableTask(name, scores, data, metric=metrics, yields=yields, chunk=chunk, version=version)


def _loaded(name: str, text: str, what: str) -> Any:
    try:
        return load_factory(text, what)
    except InputError as error:
        raise TaskError(f"Task '{name}': {error}", task=name) from error

"""How long a statistic will take: from those that were computed on this machine, or from a few examples."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from solera.context import QuietContext
from solera.errors import Cancelled, SoleraError
from solera.methods.statistics import STATISTICS
from solera.settings import cache_folder
from solera.workbench.rates import Expected, Paces

if TYPE_CHECKING:
    from collections.abc import Callable

    from solera.models.network import Network
    from solera.recipes.nodes import StatisticNode
    from solera.tasks.examples import Examples

#: Seconds that trying some examples is to take at least, and at most.
_TRIED_SECONDS, _MOST_SECONDS = 0.5, 8.0

#: Larger models are not loaded only to be timed.
_LARGEST = 300_000_000


def paces() -> Paces:
    """How fast statistics were on this machine: examples times weights a second."""
    return Paces(cache_folder() / "statistic-rates.json")


def kind_of(node: StatisticNode, device: str) -> str:
    """What decides the pace."""
    params = {spec.name: node.params.get(spec.name, spec.default) for spec in STATISTICS[node.statistic].params}
    told = " ".join(f"{name}={value}" for name, value in params.items())
    return f"{node.statistic} {told} {device.partition(':')[0]}"


def remember(node: StatisticNode, device: str, examples: int, weights: int, seconds: float) -> None:
    """Note how long computing a statistic took."""
    paces().note(kind_of(node, device), examples * weights, seconds)


def expected(
    node: StatisticNode,
    device: str,
    examples: int,
    weights: int,
    prepare: Callable[[], tuple[Network, Examples]] | None,
) -> Expected:
    """How long computing a statistic will take.

    Args:
        node: The statistic.
        device: torch device.
        examples: How many there are.
        weights: Elements of the model.
        prepare: Makes the network and the examples, to try a few; None where nothing may be loaded.
    """
    known = paces().known(kind_of(node, device))
    if known is not None:
        rate, count = known
        former = "a former one" if count == 1 else f"{count} former ones"
        return Expected(examples * weights / rate, f"{former} of this kind on this machine")
    if prepare is None:
        return Expected(None, "none of this kind was computed on this machine yet")
    if weights > _LARGEST:
        return Expected(None, "none of this kind was computed here, and the model is too large to try some examples")
    try:
        tried, seconds = _tried(node, *prepare())
    except Cancelled:
        return Expected(None, f"a few examples took more than {_MOST_SECONDS:g} s")
    except SoleraError as error:
        return Expected(None, f"some examples cannot be tried: {error}")
    return Expected(seconds / tried * examples, f"trying {tried} examples just now")


def _tried(node: StatisticNode, network: Network, examples: Examples) -> tuple[int, float]:
    """How many examples were taken, and in how many seconds; what is made once is not counted."""
    from solera.statistics.collect import collector_of

    collector = collector_of(node.statistic, examples, dict(node.params), node.seed)
    context = _Limited(examples.inputs.device.type)
    count, began = len(examples.inputs), time.perf_counter()
    step = min(8, count)
    collector.add(network, examples, slice(0, step), context)
    done = 0
    while done == 0 or (time.perf_counter() - began < _TRIED_SECONDS and done < count):
        began = began if done else time.perf_counter()
        stop = min(done + step, count)
        collector.add(network, examples, slice(done, stop), context)
        done, step = stop, min(2 * step, collector.chunk)
    return done, time.perf_counter() - began


class _Limited(QuietContext):
    """Stops when its time is up."""

    def __init__(self, device: str) -> None:
        super().__init__(device)
        self._until = time.monotonic() + _MOST_SECONDS

    def check(self) -> None:
        if time.monotonic() > self._until:
            raise Cancelled("Trying some examples takes too long.")

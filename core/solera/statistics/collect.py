"""One pass over the examples, which may be stopped and gone on with."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from solera.context import Context
from solera.errors import Cancelled, InputError
from solera.methods.statistics import STATISTICS
from solera.models.network import Network
from solera.statistics.collector import Collector
from solera.statistics.fisher import FisherCollector
from solera.statistics.layers import LAYER_KINDS
from solera.tasks.examples import Examples

#: Seconds between writings of what was gathered so far.
KEEP_SECONDS = 30.0


def collector_of(kind: str, examples: Examples, params: Mapping[str, Any], seed: int = 0) -> Collector:
    """What gathers a statistic.

    Args:
        kind: A name of :data:`solera.methods.statistics.STATISTICS`.
        examples: What it will be fed.
        params: The kind's own parameters; those absent take their defaults.
        seed: Of what is drawn.

    Raises:
        InputError: There is no such kind, or a parameter does not fit the examples.
    """
    if kind not in STATISTICS:
        raise InputError(f"No statistic is called '{kind}'; known: {', '.join(STATISTICS)}.", statistic=kind)
    if kind == "fisher":
        return FisherCollector(examples, seed=seed, **params)
    return LAYER_KINDS[kind](examples.chunk, params)


def collect(
    network: Network, examples: Examples, collector: Collector, context: Context, partial: Path | None = None
) -> dict[str, Tensor]:
    """Gather a statistic over all examples, in order.

    Args:
        network: In evaluation mode; its weights stay as they are.
        examples: On the network's device.
        collector: What gathers it.
        context: Asked whether to stop at every chunk; told how far it is.
        partial: Where what was gathered is kept now and then and when it is stopped; a file that is there is gone on
            with. It stays until the caller has the result in safety.

    Returns:
        float32 tensors by name, on the CPU.

    Raises:
        TaskError: The network does not fit the examples.
        MismatchError: It has nothing that the statistic is of.
        Cancelled: The context said so.
    """
    total = int(examples.inputs.shape[0])
    done = _restore(collector, partial, str(examples.inputs.device)) if partial is not None else 0
    kept = time.monotonic()
    try:
        while done < total:
            context.check()
            stop = min(done + collector.chunk, total)
            collector.add(network, examples, slice(done, stop), context)
            done = stop
            context.progress(done, total, "samples")
            if partial is not None and time.monotonic() - kept > KEEP_SECONDS:
                _keep(collector, done, partial)
                kept = time.monotonic()
    except Cancelled:
        if partial is not None and done:
            _keep(collector, done, partial)
        raise
    return collector.result()


def _keep(collector: Collector, done: int, partial: Path) -> None:
    """Write the sums so far; whoever is killed meanwhile leaves the former ones."""
    from safetensors.torch import save_file

    partial.parent.mkdir(parents=True, exist_ok=True)
    temporary = partial.with_name(f".{partial.name}.{os.getpid()}")
    # Names of tensors may be anything; a mark before each keeps one without a name apart.
    state = {f"={name}": tensor.contiguous().cpu() for name, tensor in collector.state().items()}
    save_file(state, temporary, {"done": str(done), "facts": json.dumps(collector.facts)})
    temporary.replace(partial)


def _restore(collector: Collector, partial: Path, device: str) -> int:
    from safetensors import SafetensorError, safe_open

    if not partial.is_file():
        return 0
    try:
        with safe_open(partial, "pt") as file:
            told = file.metadata()
            state = {name[1:]: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        facts, done = json.loads(told["facts"]), int(told["done"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return 0  # damaged: begin anew
    # Counts stay on the CPU; sums go where they grow.
    collector.restore({n: t.to(device) if t.dtype == torch.float64 else t for n, t in state.items()}, facts)
    return done

"""What every probe promises, tried on tiny models."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.errors import SoleraError
from solera.models.network import Network
from solera.probes.measuring import check_subject, measured
from solera.probes.spec import ProbeSpec
from solera.probes.subject import Probed, Subject
from solera.runs.results import Result, places
from solera.seeds import Seed
from solera.tasks.examples import Examples
from solera.tensors.hashing import normal

_SAMPLES, _INPUTS, _HIDDEN, _CLASSES = 16, 4, 4, 3


def tiny_subject(spec: ProbeSpec, kept: dict[str, tuple[float, ...]] | None = None) -> Subject:
    """Small networks and samples of the number a probe takes, the same each time; what it keeps goes into ``kept``."""
    store: dict[str, tuple[float, ...]] = {} if kept is None else kept
    count = max(spec.models[0], min(2, spec.models[1] or 2))
    inputs = normal(5, "inputs", 0, 0, _SAMPLES * _INPUTS).view(_SAMPLES, _INPUTS)
    examples = Examples(inputs, torch.arange(_SAMPLES) % _CLASSES, 10)
    return Subject(
        [_tiny_model(f"model {i}", i + 1) for i in range(count)],
        QuietContext(),
        base=_tiny_model("base", 0) if spec.base == "required" else None,
        examples=lambda: examples,
        seed=Seed(7),
        kept=store,
        keep=store.__setitem__,
    )


def _tiny_model(name: str, index: int) -> Probed:
    module = nn.Sequential(nn.Linear(_INPUTS, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, _CLASSES))
    state = {}
    for key, each in module.state_dict().items():
        shared, own = (normal(6, key, which, 0, each.numel()) for which in (0, index))
        state[key] = (0.4 * shared + 0.1 * index * own).view_as(each)
    module.load_state_dict(state)
    return Probed(name, MemoryCheckpoint.from_state_dict(state, name), lambda: Network(module))


def probe_complaints(spec: Any) -> list[str]:
    """What is wrong with a probe; empty if it keeps its promises.

    At its defaults it measures tiny networks: every row at a place of its axes, none twice, and the same numbers when
    it goes on from what a stopped run kept. It refuses too few models and, if it needs one, a missing task.
    """
    if not isinstance(spec, ProbeSpec):
        return ["It is no probe: declare a function with @probe."]
    required = [each.name for each in spec.params if each.required]
    if required:
        return [f"The parameter '{name}' has no default, so no form can show one." for name in required]
    kept: dict[str, tuple[float, ...]] = {}
    result, _ = measured(spec, tiny_subject(spec, kept))
    complaints = _row_complaints(result)
    half = dict(list(kept.items())[: len(kept) // 2])
    if not _same(result, _gone_on(spec, half)):
        complaints.append("It finds other numbers the second time, when it goes on from half of what was kept.")
    return complaints + _refusal_complaints(spec)


def _gone_on(spec: ProbeSpec, kept: dict[str, tuple[float, ...]]) -> Result:
    subject = tiny_subject(spec, kept)
    subject.forget = lambda: None  # type: ignore[method-assign]
    return measured(spec, subject)[0]


def _row_complaints(result: Result) -> list[str]:
    if not len(result):
        return ["It finds nothing on tiny networks."]
    complaints = []
    where = [tuple(row) for row in result.at.tolist()]
    if len(set(where)) < len(where):
        complaints.append("It has two rows at one place.")
    shape = places(result.axes)
    if shape and result.kind in {"scalars", "matrix"} and len(where) != math.prod(shape):
        complaints.append(f"A result of kind '{result.kind}' fills its {math.prod(shape)} places; it has {len(where)}.")
    for j, measure in enumerate(result.measures):
        values = result.values[:, j]
        low, high = measure.low, measure.high
        if (low is not None and (values < low).any()) or (high is not None and (values > high).any()):
            complaints.append(f"'{measure.name}' leaves the range it declares.")
    return complaints


def _same(a: Result, b: Result) -> bool:
    import numpy as np

    pairs = ((a.at, b.at), (a.values, b.values), (a.errors, b.errors))
    return a.axes == b.axes and all(np.array_equal(x, y, equal_nan=True) for x, y in pairs)


def _refusal_complaints(spec: ProbeSpec) -> list[str]:
    complaints = []
    bare = tiny_subject(spec)
    wrong = [(Subject(bare.models[: spec.models[0] - 1], QuietContext(), base=bare.base), "too few models")]
    if spec.needs == "task":
        wrong.append((Subject(bare.models, QuietContext(), base=bare.base), "a missing task"))
    for subject, what in wrong:
        try:
            check_subject(spec, subject)
        except SoleraError:
            continue
        complaints.append(f"It does not refuse {what}.")
    return complaints

"""Fixtures of published methods: run each through our own path and compare.

A case is ``NAME.json`` beside ``NAME.safetensors``: inputs ``in.base/<tensor>``, ``in.m<i>/<tensor>``, outputs
``out.<group>/<tensor>``. What a case asks of us is told from its ``method``, ``called`` and ``hyper`` fields, never
from its name, so unseen cases of the same form are run as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from solera.errors import NotFoundError, SoleraError

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec
    from solera.probes.spec import ProbeSpec

#: What goes wrong with a case whose form is not as expected, and must not stop the others.
_BROKEN = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

Outcome = Literal["passed", "failed", "irreproducible", "unsupported"]
Tensors = dict[str, Tensor]


class Unsupported(Exception):
    """A case asks for something that is not implemented; the sentence says what."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one case went.

    Attributes:
        case: ``"ties/bf16"``.
        outcome: ``"passed"`` or ``"failed"``; ``"irreproducible"`` and ``"unsupported"`` are not counted.
        error: Largest absolute difference; NaN when nothing was compared.
        note: Why, when there is something to say.
        relative: Largest difference in units of what it is to be, where that is not 0; NaN when that is nowhere.
        tolerance: What may differ: ``"1e-06 + 1e-05 |x|"``; empty where no one formula says it.
    """

    case: str
    outcome: Outcome
    error: float = float("nan")
    note: str = ""
    relative: float = float("nan")
    tolerance: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """A fixture.

    Attributes:
        name: ``"ties/bf16"``.
        method: The folder it belongs to.
        facts: The JSON.
        inputs: Input tensors by group (``"base"``, ``"m0"`` ...) and name; single tensors under group ``""``.
        outputs: Output tensors, likewise.
    """

    name: str
    method: str
    facts: Mapping[str, Any]
    inputs: Mapping[str, Tensors] = field(default_factory=dict)
    outputs: Mapping[str, Tensors] = field(default_factory=dict)

    @property
    def hyper(self) -> Mapping[str, Any]:
        """The parameters the source was called with."""
        return self.facts.get("hyper") or {}

    @property
    def models(self) -> list[Tensors]:
        """The models in order."""
        groups = [name for name in self.inputs if name.startswith("m") and name[1:].isdigit()]
        return [self.inputs[name] for name in sorted(groups, key=lambda name: int(name[1:]))]

    @property
    def base(self) -> Tensors:
        """The base model."""
        if "base" not in self.inputs:
            raise Unsupported("the case has no base model")
        return self.inputs["base"]


@dataclass(frozen=True, slots=True)
class Made:
    """What we make of a case.

    Attributes:
        groups: Tensors by output group and name.
        open: By name, bool: elements that the source decides by chance, for they lie exactly on a threshold that keeps
            only some of its equals.
    """

    groups: Mapping[str, Tensors]
    open: Mapping[str, Tensor] = field(default_factory=dict)


Methods = Mapping[str, "MethodSpec"]
Runner = Callable[[Case, Methods], Made]


def verify(
    path: str | Path,
    methods: Methods,
    runners: Mapping[str, Runner] | None = None,
    probes: Mapping[str, ProbeSpec] | None = None,
) -> Iterator[Result]:
    """Run every case under a folder, in order of name.

    Args:
        path: A goldens root, one kind's folder, or one method's.
        methods: The registered methods.
        runners: By the cases' ``method``; those of :mod:`solera.testing.golden_methods` if None.
        probes: The registered probes, for fixtures of analysis; none if None.

    Raises:
        NotFoundError: There is no such folder, or no case in it.
    """
    if runners is None:
        from solera.testing.golden_methods import RUNNERS

        runners = RUNNERS
    root = Path(path)
    files = sorted(root.rglob("*.json")) if root.is_dir() else []
    if not files:
        raise NotFoundError(f"There are no fixtures (*.json) under {root}.", path=str(root))
    for file in files:
        yield run_case(file, root, methods, runners, probes or {})


def run_case(
    file: Path, root: Path, methods: Methods, runners: Mapping[str, Runner], probes: Mapping[str, ProbeSpec]
) -> Result:
    """Run one case."""
    facts = json.loads(file.read_text("utf-8"))
    method = str(facts.get("method", file.parent.name)) if isinstance(facts, dict) else file.parent.name
    name = f"{file.parent.name}/{file.stem}"
    if method not in runners:
        from solera.testing.golden_analysis import KINDS, run_analysis

        if method in KINDS and isinstance(facts, dict):
            return run_analysis(file, facts, probes)
    runner = runners.get(method)
    tensors = file.with_suffix(".safetensors")
    if runner is None or not (tensors.is_file() or "grids" in facts):
        return Result(name, "unsupported", note=f"'{method}' is not implemented" if runner is None else "no tensors")
    if facts.get("reproducible") is False:
        return Result(name, "irreproducible", note=str(facts.get("note", "")))
    case = _load(name, method, facts, tensors)
    try:
        made = runner(case, methods)
    except Unsupported as error:
        return Result(name, "unsupported", note=str(error))
    except SoleraError as error:
        return Result(name, "passed" if expects_failure(facts) else "failed", note=f"refused: {error}")
    except _BROKEN as error:
        return Result(name, "failed", note=f"{type(error).__name__}: {error}")
    return guarded(case, made) if expects_failure(facts) else compare(case, made)


def guarded(case: Case, made: Made) -> Result:
    """Whether all that we make is finite where the source fails (near what it fails on, its numbers say nothing)."""
    broken = sorted(
        key for group in made.groups.values() for key, tensor in group.items() if not tensor.isfinite().all()
    )
    if broken:
        return Result(case.name, "failed", note=f"not finite: {', '.join(broken)}")
    return Result(case.name, "passed", note="guarded: finite where the source fails")


def expects_failure(facts: Mapping[str, Any]) -> bool:
    """Whether the source itself raises, or returns NaN or infinity, on the whole case."""
    return bool(facts.get("expected_error")) or bool(facts.get("nonfinite_outputs"))


def compare(case: Case, made: Made) -> Result:
    """Compare what we made with what the source returned.

    Of a group that we make every tensor is wanted; of tensors that are in no group those we make.
    """
    from solera.testing.golden_compare import difference, statistic, tolerance

    gaps, notes = [], []
    for group, tensors in made.groups.items():
        for key, want in case.outputs.get(group, {}).items():
            if key not in tensors and not group:
                continue
            if key not in tensors:
                notes.append(f"{group}/{key}: not made")
                continue
            gap = statistic(case, key, tensors[key]) or difference(case, tensors[key], want, made.open.get(key))
            gaps.append(gap)
            if gap.complaint:
                notes.append(f"{group}/{key}: {gap.complaint}")
    if not gaps:
        return Result(case.name, "failed", note="; ".join(notes) or "nothing to compare")
    relative = max((gap.relative for gap in gaps if gap.relative == gap.relative), default=float("nan"))
    outcome: Outcome = "failed" if notes else "passed"
    return Result(
        case.name, outcome, max(gap.absolute for gap in gaps), "; ".join(notes), relative, tolerance(case)
    )  # fmt: skip


def _load(name: str, method: str, facts: Mapping[str, Any], file: Path) -> Case:
    import torch
    from safetensors.torch import load_file

    inputs: dict[str, Tensors] = {}
    outputs: dict[str, Tensors] = {}
    if "grids" in facts:  # numbers that a case writes down instead of tensors
        outputs[""] = {key: torch.tensor(rows, dtype=torch.float64) for key, rows in facts["grids"].items()}
    for key, tensor in load_file(file).items() if file.is_file() else ():
        side, _, rest = key.partition(".")
        group, slash, tensor_name = rest.partition("/")
        place = inputs if side == "in" else outputs
        if slash:
            place.setdefault(group, {})[tensor_name] = tensor
        else:
            place.setdefault("", {})[group] = tensor
    return Case(name, method, facts, inputs, outputs)

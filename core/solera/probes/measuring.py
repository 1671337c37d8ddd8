"""Running a probe: its rows become points of a run as they are found."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from solera.errors import InputError
from solera.events import Indicator, PointScored
from solera.probes.spec import ProbeSpec
from solera.probes.subject import Subject
from solera.runs.results import Axis, Estimate, Finding, Result, Row, places


def check_subject(spec: ProbeSpec, subject: Subject) -> None:
    """See that a subject is what a probe takes.

    Raises:
        InputError: There are too few models or too many, two of one name, or the base is missing or too much.
        TaskError: No task is named where one is needed.
    """
    fewest, most = spec.models
    count = len(subject.models)
    if count < fewest or (most is not None and count > most):
        wanted = f"{fewest} or more" if most is None else f"{fewest}" if most == fewest else f"{fewest} to {most}"
        raise InputError(f"The probe '{spec.name}' takes {wanted} models, not {count}.", probe=spec.name)
    if len(set(subject.names)) < count:
        raise InputError(f"The models of a probe need names that differ; got {', '.join(subject.names)}.")
    if spec.base == "required" and subject.base is None:
        raise InputError(f"The probe '{spec.name}' needs the base that the models were made from.", probe=spec.name)
    if spec.base == "none" and subject.base is not None:
        raise InputError(f"The probe '{spec.name}' takes no base; name it among the models.", probe=spec.name)
    if spec.needs == "task":
        subject.examples  # noqa: B018 (says what is missing)


def measure(
    spec: ProbeSpec,
    subject: Subject,
    params: Mapping[str, Any],
    axes: tuple[Axis, ...],
    *,
    run: str = "",
    done: int = 0,
    known: Iterable[tuple[str, int]] = (),
) -> str:
    """Let a probe measure a subject; every row and finding is emitted through the subject's context.

    Args:
        spec: The probe.
        subject: What :func:`check_subject` let pass.
        params: Its parameters, all of them.
        axes: From :meth:`ProbeSpec.labelled`.
        run: Id of the run the events are for.
        done: Rows that the run holds already: they are passed over.
        known: Findings that it holds already: name, and after how many rows.

    Returns:
        A line for a person.

    Raises:
        InputError: The probe yields a row that does not fit what it declared.
        SoleraError: Whatever the probe raises.
    """
    context, shape = subject.context, places(axes)
    held, findings, index = set(known), list[Finding](), 0
    first: Row | None = None
    began = time.perf_counter()
    for item in spec.function(subject, **params):
        context.check()
        if isinstance(item, Finding):
            findings.append(item)
            if (item.name, index) not in held:
                context.emit(Indicator(run=run, name=item.name, index=index, value=float(item.value), job=context.job))
            continue
        first = first or item
        if index >= done:
            event = _point(spec, item, axes, bool(shape), run, index, time.perf_counter() - began)
            context.emit(event)
        began = time.perf_counter()
        index += 1
        if shape:
            context.progress(index, math.prod(shape), "rows")
    return _summary(spec, findings, first, index, subject)


def measured(spec: ProbeSpec, subject: Subject, **params: Any) -> tuple[Result, dict[str, float]]:
    """What a probe finds, in memory: for scripts and tests.

    Args:
        spec: The probe.
        subject: What it looks at.
        **params: Its parameters; those absent take their defaults.

    Returns:
        The result, and the findings by name.

    Raises:
        InputError: The subject is not what the probe takes, or there is no such parameter.
    """
    unknown = sorted(set(params) - {each.name for each in spec.params})
    if unknown:
        raise InputError(f"The probe '{spec.name}' has no parameter {', '.join(unknown)}.", probe=spec.name)
    check_subject(spec, subject)
    subject.forget()
    full = {each.name: params.get(each.name, each.default) for each in spec.params}
    axes = spec.labelled(subject, full)
    rows, findings = list[PointScored](), dict[str, float]()
    for item in spec.function(subject, **full):
        if isinstance(item, Finding):
            findings[item.name] = float(item.value)
        else:
            rows.append(_point(spec, item, axes, False, "", len(rows), 0.0))
    shape = (len(rows), len(spec.measures))
    values = np.array([row.values for row in rows], dtype=np.float64).reshape(shape)
    errors = np.array([row.stderrs for row in rows], dtype=np.float64).reshape(shape)
    counts = np.array([row.counts for row in rows], dtype=np.int64).reshape(shape)
    at = np.array([row.coords for row in rows], dtype=np.float64).reshape(len(rows), len(axes))
    return Result(spec.name, spec.kind, axes, spec.measures, at, values, errors, counts), findings


def _point(
    spec: ProbeSpec, row: Row, axes: tuple[Axis, ...], grid: bool, run: str, index: int, seconds: float
) -> PointScored:
    names = [each.name for each in spec.measures]
    unknown = sorted(set(row.values) - set(names))
    outside = len(row.at) != len(axes) or any(
        axis.of != "number" and not (0 <= at < len(axis.labels) and at == int(at))
        for axis, at in zip(axes, row.at, strict=False)
    )
    if unknown or outside:
        what = f"the measure {unknown[0]}" if unknown else f"the place {row.at}"
        raise InputError(f"The probe '{spec.name}' found {what}, which it did not declare.", probe=spec.name)
    found = [_estimate(row.values.get(name, math.nan)) for name in names]
    return PointScored(
        run=run, index=index, coords=tuple(map(float, row.at)), values=tuple(each.value for each in found),
        stderrs=tuple(each.stderr for each in found), counts=tuple(each.count for each in found),
        cell=tuple(map(int, row.at)) if grid else (), seconds=seconds,
    )  # fmt: skip


def _estimate(value: float | Estimate) -> Estimate:
    return value if isinstance(value, Estimate) else Estimate(float(value))


def _summary(spec: ProbeSpec, findings: list[Finding], first: Row | None, rows: int, subject: Subject) -> str:
    if findings:
        return ", ".join(f"{item.name} {item.value:.4g}" for item in findings[:3])
    if spec.kind == "scalars" and first is not None and rows == 1:
        told = [(each, _estimate(first.values.get(each.name, math.nan))) for each in spec.measures]
        shown = [
            f"{each.name} {found.value:.4g}" + (f" ± {found.stderr:.1g}" if math.isfinite(found.stderr) else "")
            for each, found in told
            if not math.isnan(found.value)
        ]
        return ", ".join(shown[:3]) or "no numbers"
    return f"{rows} rows of {len(subject.models)} model{'' if len(subject.models) == 1 else 's'}"

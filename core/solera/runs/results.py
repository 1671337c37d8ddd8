"""What a probe finds: rows of measured numbers along named axes, of one of five kinds that views can draw.

A result is a table. Each row lies at a place along every axis (a model, a layer, a number) and holds a value for every
measure, with a standard error where there is one. The kind says which picture is meant:

=========== ==================================== =========================================================
kind        axes                                 picture
=========== ==================================== =========================================================
``scalars`` model                                a number with its error for each model
``curve``   labelled axes, then one of numbers   a line (or a spectrum) for each combination of the labels
``matrix``  two labelled axes                    a square of colours: models x models, layers x layers
``layers``  model, layer                         a layer map
``table``   any                                  a table
=========== ==================================== =========================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from solera.errors import InputError
from solera.runs.header import RunHeader
from solera.runs.points import Points

ResultKind = Literal["scalars", "curve", "matrix", "layers", "table"]
AxisKind = Literal["number", "model", "layer", "choice"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a result.

    Attributes:
        name: ``"model"``.
        of: What lies along it: ``"model"`` and ``"layer"`` are labelled when the probe begins, a ``"choice"`` by its
            own labels; ``"number"`` is a coordinate.
        title: What a person reads.
        unit: Of a number.
        labels: What its places are called, in order; empty for numbers.
    """

    name: str
    of: AxisKind = "number"
    title: str = ""
    unit: str = ""
    labels: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready, as a coordinate of a run's header."""
        plain = {"name": self.name, "title": self.title or self.name.replace("_", " "), "of": self.of}
        return {**plain, "unit": self.unit, **({"labels": list(self.labels)} if self.of != "number" else {})}


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that a probe finds.

    Attributes:
        name: ``"trace"``.
        title: What a person reads.
        unit: Its unit; empty for a plain number.
        log: Whether it spans orders of magnitude and is drawn on a logarithmic scale.
        low, high: The range it can have; None is unbounded.
    """

    name: str
    title: str = ""
    unit: str = ""
    log: bool = False
    low: float | None = None
    high: float | None = None

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready, as a column of a run's header."""
        plain: dict[str, Any] = {"name": self.name, "title": self.title or self.name.replace("_", " ")}
        plain |= {"unit": self.unit, "log": self.log}
        return plain | {key: value for key, value in (("low", self.low), ("high", self.high)) if value is not None}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value that is not exact.

    Attributes:
        value: The number.
        stderr: Its standard error; NaN if unknown.
        count: How many samples or draws are behind it; 0 if that means nothing.
    """

    value: float
    stderr: float = math.nan
    count: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a result.

    Attributes:
        at: Its place along each axis: the index of a label, or a number.
        values: By measure; a measure left out is NaN.
    """

    at: tuple[float, ...]
    values: Mapping[str, float | Estimate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """A number about the result as a whole: ``"barrier:chord"``. Kept as an indicator of the run."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a run of a probe holds, as arrays. Grows with the run.

    Attributes:
        probe: The probe's registered name.
        kind: Which picture is meant.
        axes: Labelled.
        measures: What was measured.
        at: Place of every row along every axis, float64, shape (n, axes).
        values: float64, shape (n, measures); NaN where not measured.
        errors: Standard errors, float64, shape (n, measures); NaN where unknown.
        counts: Samples or draws behind each value, int64, shape (n, measures).
    """

    probe: str
    kind: ResultKind
    axes: tuple[Axis, ...]
    measures: tuple[Measure, ...]
    at: NDArray[np.float64]
    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    counts: NDArray[np.int64]

    @staticmethod
    def of(header: RunHeader, points: Points) -> Result:
        """The result in a run.

        Raises:
            InputError: It is a run of another kind.
        """
        if header.kind != "probe":
            raise InputError(f"Run '{header.id}' is of kind '{header.kind}'; a probe's result is wanted.")
        probe = header.experiment.get("probe", {})
        axes = [
            Axis(c["name"], c["of"], c.get("title", ""), c.get("unit", ""), tuple(c.get("labels", ())))
            for c in header.coords
        ]
        keys = ("name", "title", "unit", "log", "low", "high")
        measures = [Measure(**{key: each[key] for key in keys if key in each}) for each in header.columns]
        kind: ResultKind = header.provenance.get("result", "table")
        return Result(
            str(probe.get("name", "")), kind, tuple(axes), tuple(measures), points.coords, points.values,
            points.stderrs, points.counts,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.at)

    def column(self, measure: str) -> NDArray[np.float64]:
        """The values of a measure, float64, shape (n,), in the order of the rows.

        Raises:
            InputError: There is no such measure.
        """
        return self.values[:, self._index(measure)]

    def grid(self, measure: str, *, errors: bool = False) -> NDArray[np.float64]:
        """A measure as an array with one dimension for each axis, all of which must be labelled.

        Args:
            measure: Its name.
            errors: The standard errors instead of the values.

        Returns:
            float64 of shape (labels of the first axis, ...); NaN where there is no row (yet).

        Raises:
            InputError: There is no such measure, or an axis of numbers.
        """
        if any(axis.of == "number" for axis in self.axes):
            names = ", ".join(axis.name for axis in self.axes if axis.of == "number")
            raise InputError(f"'{self.probe}' has places along {names} that are numbers; take its columns instead.")
        found = np.full([len(axis.labels) for axis in self.axes], np.nan)
        column = (self.errors if errors else self.values)[:, self._index(measure)]
        found[tuple(self.at.astype(np.int64).T)] = column
        return found

    def lines(self, measure: str) -> dict[tuple[str, ...], tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """The lines of a curve: labels of the labelled axes -> (places, values), sorted by place.

        Raises:
            InputError: There is no such measure, or not exactly one axis of numbers.
        """
        numbers = [i for i, axis in enumerate(self.axes) if axis.of == "number"]
        if len(numbers) != 1:
            raise InputError(f"A curve has one axis of numbers; '{self.probe}' has {len(numbers)}.")
        labelled = [i for i in range(len(self.axes)) if i not in numbers]
        found: dict[tuple[str, ...], list[int]] = {}
        for row, at in enumerate(self.at):
            found.setdefault(tuple(self.label(i, at[i]) for i in labelled), []).append(row)
        lines = {}
        for key, rows in found.items():
            places, values = self.at[rows, numbers[0]], self.column(measure)[rows]
            order = np.argsort(places, kind="stable")
            lines[key] = (places[order], values[order])
        return lines

    def label(self, axis: int, at: float) -> str:
        """What a place along an axis is called; a number as text."""
        labels = self.axes[axis].labels
        return labels[int(at)] if labels else f"{at:g}"

    def records(self) -> list[dict[str, Any]]:
        """Every row as a mapping: axes by label or number, then the measures and ``"MEASURE stderr"`` where known."""
        return [self._record(i) for i in range(len(self))]

    def _record(self, row: int) -> dict[str, Any]:
        record: dict[str, Any] = {}
        for i, axis in enumerate(self.axes):
            record[axis.name] = self.label(i, self.at[row, i]) if axis.labels else float(self.at[row, i])
        for j, measure in enumerate(self.measures):
            record[measure.name] = float(self.values[row, j])
            if not math.isnan(self.errors[row, j]):
                record[f"{measure.name} stderr"] = float(self.errors[row, j])
        return record

    def _index(self, measure: str) -> int:
        names = [each.name for each in self.measures]
        if measure not in names:
            raise InputError(f"'{self.probe}' measures {', '.join(names)}, not '{measure}'.", measure=measure)
        return names.index(measure)


def places(axes: Sequence[Axis]) -> tuple[int, ...]:
    """How many labels each axis has, if every place is a combination of labels; else empty."""
    return () if any(axis.of == "number" for axis in axes) else tuple(len(axis.labels) for axis in axes)

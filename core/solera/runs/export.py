"""A run for other programs: an xarray Dataset, or a CSV table; the file itself opens as netCDF-4."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import OutputError, RunError
from solera.runs.reader import RunReader

if TYPE_CHECKING:
    import xarray


def to_xarray(run: RunReader) -> xarray.Dataset:
    """The points as a Dataset with dimensions ``point``, ``coord`` and ``column``, all in memory.

    Coordinates are also given one by one under their own names along ``point``; the header is in the attributes.
    Works on live and killed runs too.

    Raises:
        RunError: xarray is not installed.
    """
    try:
        import xarray as xr
    except ImportError as error:
        raise RunError("xarray is not installed; install solera[analysis] for it.") from error
    header, points = run.header, run.points()
    where: dict[str, Any] = {"point": points.index, "phase": ("point", points.phase), "label": ("point", points.labels)}
    if header.coords:
        where["coord"] = list(header.coord_names)
    if header.columns:
        where["column"] = list(header.column_names)
        for part in ("task", "metric", "split"):
            where[part] = ("column", [str(column.get(part, "")) for column in header.columns])
    data = {
        "position": (("point", "coord"), points.coords),
        "score": (("point", "column"), points.values),
        "stderr": (("point", "column"), points.stderrs),
        "count": (("point", "column"), points.counts),
        "seconds": ("point", points.seconds),
        "time": ("point", points.times),
    }
    for axis, name in enumerate(header.coord_names):
        if name not in where and name not in data:
            where[name] = ("point", points.coords[:, axis])
    attributes = {"id": header.id, "kind": header.kind, "title": header.title, "header": json.dumps(header.to_plain())}
    return xr.Dataset(data, coords=where, attrs=attributes | {"state": run.state, "summary": run.summary})


def to_csv(run: RunReader, path: Path) -> Path:
    """One line per point: coordinates, then value, error and sample count of each column. Unknown numbers are empty.

    Places along a labelled axis are told by their labels.

    Raises:
        OutputError: The file cannot be written.
    """
    header, points = run.header, run.points()
    titles = ["point", "phase", "label", *header.coord_names]
    for name in header.column_names:
        titles += [name, f"{name} stderr", f"{name} n"]
    try:
        with open(path, "w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow([*titles, "seconds"])
            for i in range(len(points)):
                places = [_place(coord, at) for coord, at in zip(header.coords, points.coords[i], strict=True)]
                row: list[Any] = [i, points.phase[i], points.labels[i], *places]
                for j in range(len(header.columns)):
                    row += [_number(points.values[i, j]), _number(points.stderrs[i, j]), int(points.counts[i, j])]
                lines.writerow([*row, f"{points.seconds[i]:.6g}"])
    except OSError as error:
        raise OutputError(f"The table {path} cannot be written: {error.strerror}.", path=str(path)) from error
    return path


def _place(coord: Mapping[str, Any], at: float) -> str:
    labels = coord.get("labels")
    return str(labels[int(at)]) if labels else repr(float(at))


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))

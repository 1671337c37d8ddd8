"""What a run says about itself before its first point: what was explored, how, and where it comes from."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from solera.errors import RunError

#: Version of the file format. Older files are migrated by numbered steps, forward only; newer ones are refused.
FORMAT = 1
SUFFIX = ".h5"

KINDS = ("explore", "merge", "evaluate", "compare", "probe")


def new_run_id(now: float | None = None) -> str:
    """A fresh id that sorts by time: ``"20250131-142530-9f3a01"`` (UTC, then six random hex digits)."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(time.time() if now is None else now))
    return f"{stamp}-{secrets.token_hex(3)}"


def run_path(folder: str | os.PathLike[str], run: str) -> Path:
    """The file of a run in a project's runs folder."""
    return Path(folder) / f"{run}{SUFFIX}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """Everything about a run that is known before it starts; JSON-ready throughout.

    Attributes:
        id: Unique; also the file's stem.
        kind: ``"explore"``, ``"merge"``, ``"evaluate"``, ``"compare"`` or ``"probe"``.
        title: A line for a person.
        created: Seconds since the epoch.
        coords: The coordinates, ``Coord.to_plain()`` each, or a probe's axes; ``"name"`` is required. Where there are
            ``"labels"``, positions are indices into them.
        columns: The score columns, ``Column.to_plain()`` each; a probe's measures, ``Measure.to_plain()`` each.
        experiment: The experiment as submitted; resuming needs nothing else.
        provenance: Versions, machine, fingerprints: see :func:`solera.runs.provenance.provenance`.
        planned: Points in all, if known.
        shape: Shape of the grid the points fill; empty if they fill none.
        keep_samples: Whether per-sample values are stored.
        labels: Named models at coordinates: ``{"base": [0.0, 0.0]}``.
        trace: Numbers per point that pictures are interpolated from; 0 if none are stored.
        picture: Cells along each coordinate of the interpolated pictures; empty if none are drawn.
    """

    id: str = field(default_factory=new_run_id)
    kind: str
    title: str
    created: float = field(default_factory=time.time)
    coords: tuple[dict[str, Any], ...] = ()
    columns: tuple[dict[str, Any], ...] = ()
    experiment: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    planned: int | None = None
    shape: tuple[int, ...] = ()
    keep_samples: bool = False
    labels: dict[str, Sequence[float]] = field(default_factory=dict)
    trace: int = 0
    picture: tuple[int, ...] = ()

    @property
    def coord_names(self) -> tuple[str, ...]:
        """Names of the coordinates, in order."""
        return tuple(str(coord["name"]) for coord in self.coords)

    @property
    def column_names(self) -> tuple[str, ...]:
        """``"task.metric"`` of each column, in order."""
        return tuple(column_name(column) for column in self.columns)

    @property
    def stores_samples(self) -> bool:
        """Whether there is a place for per-sample values."""
        return self.keep_samples and bool(self.columns)

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready, with the format's version."""
        plain = asdict(self)
        plain["coords"], plain["columns"], plain["shape"] = list(self.coords), list(self.columns), list(self.shape)
        plain["picture"] = list(self.picture)
        plain["labels"] = {name: list(at) for name, at in self.labels.items()}
        return {"format": FORMAT, **plain}

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> RunHeader:
        """The inverse of :meth:`to_plain`; keys of a later minor change are left out.

        Raises:
            RunError: It was written by a newer Solera, or something required is missing.
        """
        version = int(plain.get("format", FORMAT))
        if version > FORMAT:
            raise RunError(
                f"This run has format {version}; this Solera reads up to {FORMAT}. Update Solera to open it.",
                format=version,
            )
        known = {item.name for item in fields(RunHeader)}
        values = {key: value for key, value in plain.items() if key in known}
        for key in ("coords", "columns", "shape", "picture"):
            values[key] = tuple(values.get(key, ()))
        try:
            return RunHeader(**values)
        except TypeError as error:
            raise RunError(f"The run's header is incomplete: {error}.") from error


def column_name(column: Mapping[str, Any]) -> str:
    """How a person names a column: ``"rotated.accuracy"``; its ``"name"`` if it has one."""
    return str(column["name"]) if "name" in column else f"{column['task']}.{column['metric']}"

"""The surface or curve between models that some run of the project has scored already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import SoleraError

if TYPE_CHECKING:
    from solera.runs.header import RunHeader
    from solera.workbench import Workbench

#: So many runs are looked into, the newest first.
_LOOKED = 40


def known_ground(bench: Workbench, family: Mapping[str, Sequence[str]], tasks: Sequence[str]) -> Path | None:
    """The newest finished grid over a family on these tasks; None if there is none. Not for the window's thread.

    A run that is older than one of its checkpoints does not count: the checkpoint may be another by now.

    Args:
        bench: The workbench.
        family: ``{"plane": [A, B, C]}``, paths as jobs have them.
        tasks: Those that are shown.
    """
    from solera.runs.reader import RunReader

    bench.runs.refresh()
    found = [info for info in bench.runs.list() if info.kind == "explore" and info.state == "done"]
    for info in found[:_LOOKED]:
        try:
            header = RunReader(info.path).header
        except SoleraError:
            continue  # damaged, or removed meanwhile
        if _fits(bench, header, family, tasks) and _newest(bench, family) <= header.created:
            return info.path
    return None


def _fits(bench: Workbench, header: RunHeader, family: Mapping[str, Sequence[str]], tasks: Sequence[str]) -> bool:
    experiment: Mapping[str, Any] = header.experiment
    plain = dict(experiment.get("family", {}))
    form = next(iter(family))
    nodes = dict(plain.get("recipe", {})).get("nodes", {})
    models = [node["checkpoint"] for node in nodes.values() if "checkpoint" in node]
    return (
        plain.get("kind") == form
        and len(models) == len(family[form])
        and list(experiment.get("tasks", ())) == list(tasks)
        and bool(header.shape)
        and not experiment.get("limit")
        and all(_same(bench, one, other) for one, other in zip(models, family[form], strict=True))
    )


def _same(bench: Workbench, one: str, other: str) -> bool:
    """Whether two ways to name a model mean the same files."""
    if one == other:
        return True
    try:
        return bench.open(one).path == bench.open(other).path is not None
    except SoleraError:
        return False  # it is gone


def _newest(bench: Workbench, family: Mapping[str, Sequence[str]]) -> float:
    """When the last of the models was written."""
    times = []
    for models in family.values():
        for source in models:
            path = bench.open(source).path
            if path is None:
                continue
            files = [path, *path.iterdir()] if path.is_dir() else [path]
            times += [file.stat().st_mtime for file in files]
    return max(times, default=0.0)

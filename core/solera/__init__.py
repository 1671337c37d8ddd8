"""Solera: a workbench for weight space. The headless core; see ``solera.api`` for plugin authors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solera import runs as runs
    from solera._face import Model as Model
    from solera._face import Project as Project
    from solera._face import Statistic as Statistic
    from solera._face import align as align
    from solera._face import connect as connect
    from solera._face import curve as curve
    from solera._face import explore as explore
    from solera._face import line as line
    from solera._face import merge as merge
    from solera._face import open as open
    from solera._face import plane as plane
    from solera._face import polyline as polyline
    from solera._face import probe as probe
    from solera._face import random_directions as random_directions
    from solera._face import simplex as simplex
    from solera._face import stack as stack
    from solera._face import statistic as statistic
    from solera._face import subset as subset
    from solera._face import subspace as subspace
    from solera._face import task as task
    from solera._face import tokens as tokens
    from solera._face import trajectory_plane as trajectory_plane
    from solera._face import var as var

__all__ = [
    "Model", "Project", "Statistic", "align", "connect", "curve", "explore", "line", "merge", "open", "plane",
    "polyline", "probe", "random_directions", "runs", "simplex", "stack", "statistic", "subset", "subspace", "task",
    "tokens", "trajectory_plane", "var",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    import importlib

    if name == "runs":
        return importlib.import_module("solera.runs")
    if name == "__version__":
        from importlib.metadata import version

        return version("solera")
    if name in __all__:
        return getattr(importlib.import_module("solera._face"), name)
    raise AttributeError(f"solera has no '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

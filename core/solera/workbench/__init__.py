"""The composition root: project, plugins, jobs and runs, put together once; windows and commands stand on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solera.workbench.experiment import Experiment as Experiment
    from solera.workbench.workbench import Workbench as Workbench

__all__ = ["Experiment", "Workbench"]


def __getattr__(name: str) -> Any:
    if name == "Workbench":
        from solera.workbench.workbench import Workbench

        return Workbench
    if name == "Experiment":
        from solera.workbench.experiment import Experiment

        return Experiment
    raise AttributeError(f"solera.workbench has no '{name}'")

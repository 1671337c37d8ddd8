"""What every kind of job works with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from solera.extend.registry import Registry
from solera.projects.project import Project
from solera.workbench.inputs import Inputs
from solera.workbench.memo import Memo


@dataclass(frozen=True, slots=True)
class Bench:
    """The parts of a workbench that jobs share.

    Attributes:
        registry: Everything that is registered.
        project: The open project; None without one.
        inputs: Opens checkpoints and recipes.
        runs_folder: Where run files go.
        memo: Which runs there are already.
    """

    registry: Registry
    project: Project | None
    inputs: Inputs
    runs_folder: Path
    memo: Memo

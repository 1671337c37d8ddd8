from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QWidget

from solera.params import Param, ParamSpec


@dataclass(frozen=True)
class Method:
    name: str
    title: str
    params: tuple[ParamSpec, ...] = ()
    summary: str = "What it does."
    takes: str = "delta"
    gives: str = "same"
    base: str = "optional"
    max_inputs: int | None = None
    needs: str = ""
    promise: str = "bytes"


TIES = Method(
    "ties",
    "TIES",
    (
        ParamSpec("density", "float", 0.2, param=Param(0, 1, per_model=True, search=(0.05, 1.0), help="Share kept.")),
        ParamSpec("scale", "float", 1.0, param=Param(step=0.05, search=(0.0, 2.0))),
        ParamSpec("weight", "float", 1.0, param=Param(per_model=True, search=(0.0, 1.0))),
        ParamSpec("scope", "choice", "tensor", choices=("tensor", "model")),
        ParamSpec("exact", "bool", False),
        ParamSpec("steps", "int", 3, param=Param(1, 9)),
        ParamSpec("label", "str", ""),
    ),
)


@pytest.fixture
def methods() -> dict[str, Method]:
    return {"ties": TIES}


@pytest.fixture
def shown(qtbot: Any) -> Callable[[QWidget], Any]:
    """Shows a widget at the size of a dock."""

    def show(widget: QWidget) -> Any:
        qtbot.addWidget(widget)
        widget.resize(320, 640)
        widget.show()
        return widget

    return show


@dataclass
class Entry:
    name: str
    path: Path = Path("/models/x")
    numel: int = 103_130
    dtype: str = "float32"
    nbytes: int = 412_520
    role: str = "checkpoint"
    missing: bool = False
    trouble: str = ""
    adapter: str = ""
    base: str = ""
    format: str = "safetensors"
    architecture: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    fingerprint: str = ""
    lineage: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.name


@pytest.fixture
def entry() -> type[Entry]:
    return Entry

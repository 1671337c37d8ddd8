"""Lanes: what a job occupies while it runs. One for the CPU, one per accelerator; one job in each at a time."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

CPU = "cpu"


def detect_lanes() -> tuple[str, ...]:
    """``("cpu", "cuda:0", ...)``. torch is asked if it is loaded, else the device files are counted: it stays quick."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None:
        count = int(cuda.device_count()) if cuda.is_available() else 0
    else:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        files = [path for path in Path("/dev").glob("nvidia*") if re.fullmatch(r"nvidia\d+", path.name)]
        count = len(files)
        if visible is not None:
            count = min(count, len([item for item in visible.split(",") if item.strip() not in ("", "-1")]))
    return (CPU, *(f"cuda:{index}" for index in range(count)))


def device_of(lanes: tuple[str, ...]) -> str:
    """The torch device of a job in these lanes: its first accelerator, else the CPU."""
    return next((lane for lane in lanes if lane != CPU), CPU)

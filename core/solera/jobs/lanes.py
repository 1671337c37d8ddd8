"""Lanes: what a job occupies while it runs. One for the CPU, one per accelerator; one job in each at a time."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from solera.errors import InputError

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


def devices_of(lanes: tuple[str, ...]) -> tuple[str, ...]:
    """The torch devices of a job in these lanes: its accelerators, else the CPU."""
    return tuple(lane for lane in lanes if lane != CPU) or (CPU,)


def device_of(lanes: tuple[str, ...]) -> str:
    """The torch device of a job in these lanes: its first accelerator, else the CPU."""
    return devices_of(lanes)[0]


def spans(device: str) -> bool:
    """Whether a device option names several devices for one network: ``"cuda:0+cuda:1"``."""
    return "+" in device


def lanes_of(device: str, there: tuple[str, ...]) -> tuple[str, ...]:
    """The lanes that a device option or setting means.

    Args:
        device: ``"auto"`` (the first accelerator, else the CPU), ``"all"`` (every accelerator, else the CPU), or names
            with commas between: ``"cuda:0,cuda:1"``; ``"cuda"`` is the first. Names with ``+`` between are devices that
            hold one network together.
        there: The lanes there are.

    Raises:
        InputError: One is not there.
    """
    if device in {"auto", "all"}:
        found = devices_of(there)
        return found if device == "all" else found[:1]
    names = [name.strip() for name in device.split("+" if spans(device) else ",")]
    wanted = tuple(dict.fromkeys("cuda:0" if name == "cuda" else name for name in names))
    unknown = [name for name in wanted if name not in there]
    if unknown and spans(device):
        raise InputError(
            f"One network over several devices ({device}) needs each of them here; there is no '{unknown[0]}', only "
            f"{', '.join(there)}. Name devices that are there, or score on one: its memory, or that of the CPU, has to "
            "hold the whole network.",
            device=device,
        )
    if unknown:
        raise InputError(f"There is no device '{unknown[0]}'; there are {', '.join(there)}.", device=device)
    return wanted

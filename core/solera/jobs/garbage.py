"""Giving memory back after a job that did not come to its end: what it held may hang in cycles."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

_collect: Callable[[], object] = gc.collect


def collect_by(collect: Callable[[], object]) -> None:
    """Say how cycles are collected after a job: a program whose objects must die in one thread brings its own way."""
    global _collect
    _collect = collect


def release_memory() -> None:
    """Collect cycles, and give an accelerator's cached blocks back."""
    _collect()
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():
        cuda.empty_cache()

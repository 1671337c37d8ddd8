"""The C library's heap under many short-lived tensors: kept while they come and go, given back afterwards."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8


@contextmanager
def kept_heap() -> Iterator[None]:
    """Let freed memory be used again at once while in the block; give it back to the system at its end.

    glibc otherwise returns what a chunk's temporaries took when they are freed, and the next chunk's touch it page by
    page anew, which costs more than the arithmetic. The thresholds are those it arrives at by itself in programs with
    large blocks; they stay. Nothing where the C library is another one.
    """
    settings = getattr(ctypes.CDLL(None), "mallopt", None)
    if settings is not None:
        settings(_MMAP_THRESHOLD, 32 << 20)
        settings(_TRIM_THRESHOLD, 64 << 20)
    try:
        yield
    finally:
        trim()


def few_arenas() -> None:
    """Let threads share two parts of the heap, before there are any.

    Every job is a thread of its own, and glibc gives new threads parts of the heap in turn, sixteen on two cores: each
    grows to what one job needs and keeps it. Nothing where the C library is another one.
    """
    settings = getattr(ctypes.CDLL(None), "mallopt", None)
    if settings is not None:
        settings(_ARENA_MAX, 2)


def trim() -> None:
    """Give free memory back to the system: else each thread's part of the heap keeps its own largest piece for ever."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:  # glibc only
        give_back(0)

"""torch's libraries, loaded by a thread while Python still imports what comes before ``import torch``.

To load them takes a quarter of a second, which a command that will need them has no use for otherwise: Python's own
imports keep one core busy. A thread that calls the system's loader itself, not Python's wrapping of it, does not keep
the interpreter waiting.
"""

from __future__ import annotations

import os
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

_begun = threading.Event()


def load_torch_ahead() -> None:
    """Begin, where that is possible (Linux); whoever imports torch meanwhile waits for what is not there yet."""
    spec = find_spec("torch") if sys.platform == "linux" and "torch" not in sys.modules else None
    library = Path(spec.origin).parent / "lib" / "libtorch_cpu.so" if spec is not None and spec.origin else None
    if _begun.is_set() or library is None or not library.is_file():
        return
    import ctypes

    wait_passively()
    _begun.set()
    load = ctypes.CDLL(None).dlopen
    threading.Thread(target=load, args=(os.fsencode(library), os.RTLD_LAZY), daemon=True, name="torch-ahead").start()


def wait_passively() -> None:
    """Tell OpenMP, before it is loaded, that a waiting thread gives up its core.

    One that spins keeps the core from the window, and from the thread it waits for: beside other work on two cores
    small networks then take five times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def loaded_ahead() -> bool:
    """Whether that was begun: the libraries may have read the environment, and will not again."""
    return _begun.is_set()

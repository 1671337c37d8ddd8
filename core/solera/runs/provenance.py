"""Where a run comes from: program, libraries, machine. Nothing here loads a heavy library."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import sys
from collections.abc import Mapping
from importlib import metadata
from typing import Any

_LIBRARIES = ("solera", "torch", "numpy", "scipy", "safetensors", "h5py", "optuna", "transformers", "scikit-learn")


def provenance(**facts: Any) -> dict[str, Any]:
    """Facts for :attr:`RunHeader.provenance`; read from installed metadata, so it is quick.

    Args:
        **facts: What only the caller knows, JSON-ready: fingerprints, semantic hash, seed, device, threads.
    """
    return {
        "versions": {name: version for name in _LIBRARIES if (version := _version(name))},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": {"host": socket.gethostname(), "processor": _processor(), "cores": os.cpu_count() or 1},
        "user": _user(),
        "command": list(sys.argv),
        "pid": os.getpid(),
        **facts,
    }


def summary_of(provenance: Mapping[str, Any]) -> str:
    """One line for a person: ``"solera 0.1.0, torch 2.13.0, Python 3.11.7, host atlas"``."""
    versions, machine = provenance.get("versions", {}), provenance.get("machine", {})
    parts = [f"{name} {versions[name]}" for name in ("solera", "torch") if name in versions]
    if "python" in provenance:
        parts.append(f"Python {provenance['python']}")
    if "host" in machine:
        parts.append(f"host {machine['host']}")
    return ", ".join(parts)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""  # no such user in the container

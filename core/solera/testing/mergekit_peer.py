"""mergekit beside us: in a virtual environment of its own that is made when it is first needed."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

from solera.errors import InputError
from solera.testing.measured import Measured, measure

VERSION = "0.1.5"

#: Its defaults, and the options that make it faster.
OPTIONS: tuple[tuple[str, ...], ...] = ((), ("--lazy-unpickle", "--async-write"))


class Mergekit:
    """mergekit's command.

    Args:
        folder: Where its environment is made, and kept for the next run.

    Raises:
        InputError: It cannot be installed there.
    """

    def __init__(self, folder: Path) -> None:
        self._command = folder / "bin" / "mergekit-yaml"
        if self._command.exists():
            return
        venv.create(folder, with_pip=True, clear=True)
        torch = metadata.version("torch").partition("+")[0]
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", f"torch=={torch}", f"mergekit=={VERSION}"]
        done = subprocess.run(pip, stdout=sys.stderr, check=False)
        if done.returncode != 0 or not self._command.exists():
            raise InputError(
                f"mergekit {VERSION} cannot be installed into {folder}; the benchmark needs it beside us, and pip an "
                "index it can reach."
            )

    def merge(self, recipe: Path, out: Path, options: tuple[str, ...] = (), *, memory: bool = False) -> Measured:
        """Run one of its files. Raises as :func:`measure`."""
        command = [str(self._command), str(recipe), str(out), "--no-copy-tokenizer", *options]
        return measure(
            command, memory=memory, environment={"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(os.cpu_count())}
        )

"""mergekit beside us: in a virtual environment of its own that is made when it is first needed."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from solera.errors import InputError, NotFoundError
from solera.locks import FileLock
from solera.settings import cache_folder
from solera.testing.measured import Measured, measure

VERSION = "0.1.5"

#: Sets of its options: those that make it faster, and its defaults.
OPTIONS: tuple[tuple[str, ...], ...] = (("--lazy-unpickle", "--async-write"), ())

#: Names a Python that has mergekit already.
VARIABLE = "SOLERA_MERGEKIT_PYTHON"


def mergekit_python(folder: Path | None = None) -> Path:
    """A Python that has mergekit: the one ``SOLERA_MERGEKIT_PYTHON`` names, or that of an environment made for it.

    The environment is made the first time, which takes minutes and needs a package index.

    Args:
        folder: Where it is made, and kept for the next run; None is a place in the user's cache.

    Raises:
        InputError: It cannot be made.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    folder = folder or cache_folder() / "peers" / f"mergekit-{VERSION}"
    python, command = folder / "bin" / "python", folder / "bin" / "mergekit-yaml"
    if command.exists():
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock"), "mergekit's environment"):
        if not command.exists():
            venv.create(folder, with_pip=True, clear=True)
            torch = metadata.version("torch").partition("+")[0]
            pip = [str(python), "-m", "pip", "install", "-q", f"torch=={torch}", f"mergekit=={VERSION}"]
            done = subprocess.run(pip, stdout=sys.stderr, check=False)
            if done.returncode != 0 or not command.exists():
                raise InputError(
                    f"mergekit {VERSION} cannot be installed into {folder}; it is wanted beside us, and pip needs an "
                    "index it can reach."
                )
    return python


def run_mergekit(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Merge ``NAME.yml`` to ``mergekit-NAME`` in a folder, for every name, in one process.

    Returns:
        What mergekit refused, by name, with its reason.

    Raises:
        InputError: mergekit cannot be had.
        NotFoundError: It did not run.
    """
    script = Path(__file__).with_name("mergekit_runner.py")
    environ = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [str(mergekit_python()), str(script), *names]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise NotFoundError(f"mergekit ended with {done.returncode}:\n{last}")
    lines = [line.partition(": ") for line in done.stdout.splitlines()]
    return {name: reason for name, mark, reason in lines if mark and name in names}


class Mergekit:
    """mergekit's command.

    Args:
        folder: Where its environment is made; see :func:`mergekit_python`.

    Raises:
        InputError: It cannot be installed there.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._command = mergekit_python(folder).with_name("mergekit-yaml")

    def merge(self, recipe: Path, out: Path, options: tuple[str, ...] = (), *, memory: bool = False) -> Measured:
        """Run one of its files. Raises as :func:`measure`."""
        command = [str(self._command), str(recipe), str(out), "--no-copy-tokenizer", *options]
        return measure(
            command, memory=memory, environment={"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(os.cpu_count())}
        )

"""mergekit beside us: a virtual environment of its own, found or made, and merges run in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from solera.errors import NotFoundError
from solera.locks import FileLock
from solera.settings import cache_folder

#: The release that is compared with.
VERSION = "0.1.5"

#: What its environment is made of; torch as ours, so that both round alike.
PACKAGES = (f"mergekit=={VERSION}", "torch==2.13.0")

#: Names a Python that has mergekit already.
VARIABLE = "SOLERA_MERGEKIT_PYTHON"


def mergekit_python() -> Path:
    """A Python that has mergekit: the one ``SOLERA_MERGEKIT_PYTHON`` names, or that of an environment in the cache.

    The environment is made the first time, which takes minutes and needs a package index.

    Raises:
        NotFoundError: It cannot be made.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named)
    folder = cache_folder() / "peers" / f"mergekit-{VERSION}"
    python, done = folder / "bin" / "python", folder / "complete"
    if done.is_file():
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock"), "mergekit's environment"):
        if not done.is_file():
            _run([sys.executable, "-m", "venv", "--clear", str(folder)])
            _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES])
            done.touch()
    return python


def run_mergekit(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Merge ``NAME.yml`` to ``mergekit-NAME`` in a folder, for every name.

    Returns:
        What mergekit refused, by name, with its reason.

    Raises:
        NotFoundError: mergekit is not there, or did not run.
    """
    script = Path(__file__).with_name("mergekit_runner.py")
    environ = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = _run([str(mergekit_python()), str(script), *names], cwd=folder, env=environ)
    lines = [line.partition(": ") for line in done.splitlines()]
    return {name: reason for name, mark, reason in lines if mark and name in names}


def _run(command: Sequence[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotFoundError(f"{command[0]} cannot be run: {error.strerror}.") from error
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise NotFoundError(f"{' '.join(command[:4])} ... ended with {done.returncode}:\n{last}")
    return done.stdout

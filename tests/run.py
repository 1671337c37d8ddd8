"""Runs pytest; where Qt cannot start, runs the tests of the core alone and says so loudly.

``python tests/run.py [PYTEST ARGUMENTS]``. Qt aborts its process when a system library is missing, so whether it
starts is tried in a subprocess.
"""

import os
import subprocess
import sys
from pathlib import Path

from solera_app.commands import PACKAGES

_TRY = """
import ctypes, pathlib, sys
import PySide6
from PySide6 import QtSvg, QtWidgets
QtWidgets.QApplication([sys.argv[0], "-platform", "offscreen"])
if sys.platform == "linux":
    ctypes.CDLL(str(pathlib.Path(PySide6.__file__).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"))
"""


def trouble() -> str:
    """Why Qt cannot start, and what to do; empty if it can."""
    done = subprocess.run([sys.executable, "-c", _TRY], capture_output=True, text=True, timeout=120)
    if done.returncode == 0:
        return ""
    last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
    if "PySide6" in last and "No module" in last:
        return "PySide6 is not installed; the window needs: pip install 'solera[app]'"
    return f"Qt cannot start ({last}).\nOn Debian or Ubuntu: sudo apt install {PACKAGES}"


def main() -> int:
    """The exit code of pytest."""
    why = trouble()
    arguments = [sys.executable, "-m", "pytest", *sys.argv[1:]]
    if why:
        print(f"\n*** TESTS OF THE WINDOW ARE SKIPPED ***\n{why}\n", file=sys.stderr)
        arguments += ["-p", "no:pytest-qt"]
    environ = {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"} | dict(os.environ)
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # tests start hundreds of programs
    code = subprocess.call(arguments, cwd=Path(__file__).parents[1], env=environ)
    if why:
        print(f"\n*** TESTS OF THE WINDOW WERE SKIPPED ***\n{why}\n", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())

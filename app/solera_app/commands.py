"""Commands that the application adds to ``solera`` (entry point ``solera.commands``). Qt is imported when one runs."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import InputError, SoleraError

if TYPE_CHECKING:
    import typer

#: Packages of Debian and Ubuntu that PySide6's wheels need and do not bring along (the rest depends on these).
PACKAGES = (
    "libegl1 libgl1 libglib2.0-0 libfontconfig1 libdbus-1-3 libx11-xcb1 libxkbcommon-x11-0 "
    "libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0"
)

# Loading the platform plugin first names the library that is missing, which Qt does not.
_PROBE = """
import ctypes, os, pathlib, sys
from PySide6 import QtWidgets
if sys.platform == "linux" and os.environ.get("DISPLAY") and not os.environ.get("QT_QPA_PLATFORM"):
    ctypes.CDLL(str(pathlib.Path(QtWidgets.__file__).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"))
QtWidgets.QApplication([])
"""


class DisplayError(SoleraError, OSError):
    """No window can be opened here."""

    code = "display"


def probe_display(load: Callable[[], object] = lambda: None) -> None:
    """Make sure a window can be opened: Qt does not raise but aborts the process when it cannot.

    Where an X server answers and Qt's plugin for it loads, nothing is left to abort over. Otherwise a subprocess tries.

    Args:
        load: Imports the window; an import error in it is left to the subprocess to name.

    Raises:
        DisplayError: There is no display, or system libraries are missing; the sentence says which packages.
    """
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        if os.environ.get("QT_QPA_PLATFORM", "") not in {"offscreen", "minimal", "vnc"}:
            raise DisplayError(
                "There is no display (DISPLAY and WAYLAND_DISPLAY are empty), so no window can be opened."
            )
    if _x_answers():
        with contextlib.suppress(ImportError):
            load()
            return
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False, timeout=60)
    if probe.returncode:
        raise DisplayError(
            f"The window cannot be opened ({_reason(probe.stderr)}). If a library is missing, on Debian or Ubuntu: "
            f"sudo apt install {PACKAGES}.",
            stderr=probe.stderr,
        )


def _x_answers() -> bool:
    """Whether Qt will use X11, its plugin for that loads with all its libraries, and the server lets us in."""
    if sys.platform != "linux" or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("QT_QPA_PLATFORM"):
        return False
    from ctypes import CDLL, c_void_p
    from importlib.util import find_spec

    spec = find_spec("PySide6")
    if spec is None or spec.origin is None:
        return False
    try:
        CDLL(str(Path(spec.origin).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"))
        xcb = CDLL("libxcb.so.1")
    except OSError:
        return False
    xcb.xcb_connect.restype = c_void_p
    connection = c_void_p(xcb.xcb_connect(None, None))
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return not refused


def _reason(said: str) -> str:
    """Of all that Qt says, the line with the cause."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no message"]
    telling = [line for line in lines if "could not connect" in line or "cannot open shared object" in line]
    return (telling or lines[-1:])[0].removeprefix("ImportError: ").removeprefix("OSError: ")


def register(app: typer.Typer) -> None:
    """Add the application's commands."""
    import typer

    @app.command("app")
    def open_app(
        project: Path | None = typer.Argument(None, help="A project folder; the welcome page if left out."),
        safe_mode: bool = typer.Option(False, "--safe-mode", help="Load only the plugins that came with Solera."),
    ) -> int:
        """Open the window."""
        probe_display(load=lambda: importlib.import_module("solera_app.main"))
        from solera_app.main import run

        return run(project, safe_mode=safe_mode)

    @app.command()
    def pictures(
        run: Path = typer.Argument(help="A run file (.h5)."),
        out: Path = typer.Argument(Path(), help="Folder for the pictures."),
        theme: str = typer.Option("light", help="light or dark."),
    ) -> int:
        """Draw the pictures of a run without a display: PNG, SVG and CSV."""
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
        words = [sys.executable, "-m", "solera_app.pictures", str(run), str(out), "--theme", theme]
        return subprocess.run(words, env=environment, check=False).returncode

    _register_bench()


def _register_bench() -> None:
    """``solera bench window``."""
    import typer

    from solera.cli.benches import bench, know_bench, show_measured
    from solera.cli.screen import say

    def measure(only: Sequence[str] = ()) -> dict[str, Any]:
        from solera.testing.bench import report
        from solera_app.bench_window import window

        return report("window", window(say, only))

    @bench.command("window")
    def run_window(
        only: list[str] = typer.Option([], help="Only start, late, draw, memory or cancel; may be repeated."),
        page: Path | None = typer.Option(None, help="Write the figures there, in Markdown."),
        json: bool = typer.Option(False, "--json", help="One JSON object on stdout."),
    ) -> None:
        """How soon the window is up, how smooth beside jobs and with large pictures, how lean, how soon a job ends."""
        from solera_app.bench_window_page import write_page

        show_measured(measure(only), page, write_page, json=json)

    know_bench("window", measure)


def render_run(run: Path, out: Path) -> list[Path]:
    """Draw the pictures of a run in a subprocess without a display; returns the files.

    Raises:
        DisplayError: Qt cannot be started even so.
    """
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    words = [sys.executable, "-m", "solera_app.pictures", str(run), str(out)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise DisplayError(f"The pictures of {run.name} could not be drawn: {said[0]}", stderr=done.stderr)
    return [Path(line) for line in done.stdout.splitlines() if line]


def draw_view(
    run: Path,
    view: str,
    files: Sequence[Path],
    *,
    theme: str,
    size: tuple[int, int],
    scale: float,
    choices: Mapping[str, str],
    beside: Path | None = None,
    among: Sequence[Path] = (),
) -> None:
    """Write one view of a run, in a subprocess without a display; see :class:`solera.runs.figure.Draw`.

    Raises:
        InputError: No such view shows this run, or it has no such choice.
        DisplayError: It could not be drawn.
    """
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    words = [sys.executable, "-m", "solera_app.pictures", str(run), str(files[0])]
    words += ["--view", view, "--theme", theme, "--size", f"{size[0]}x{size[1]}", "--scale", str(scale)]
    for file in files[1:]:
        words += ["--also", str(file)]
    if beside is not None:
        words += ["--beside", str(beside)]
    for other in among:
        words += ["--among", str(other)]
    for word, entry in choices.items():
        words += ["--choose", f"{word}={entry}"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    said = (done.stderr.strip().splitlines() or ["no message"])[-1]
    if done.returncode == 2:
        raise InputError(said)
    if done.returncode:
        raise DisplayError(f"The picture of {run.name} could not be drawn: {said}", stderr=done.stderr)


def open_demo(folder: Path, examples: tuple[str, ...]) -> None:
    """Open the window on a demo project, with further examples made as jobs.

    Raises:
        DisplayError: No window can be opened.
    """
    probe_display()
    from solera_app.main import run

    run(folder, examples=examples)

"""Commands that the application adds to ``solera`` (entry point ``solera.commands``). Qt is imported when one runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import SoleraError

if TYPE_CHECKING:
    import typer

#: Debian's names of what Qt needs beside its own libraries.
PACKAGES = "libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libdbus-1-3 libfontconfig1"

_PROBE = "from PySide6.QtWidgets import QApplication; QApplication([])"


class DisplayError(SoleraError, OSError):
    """No window can be opened here."""

    code = "display"


def probe_display() -> None:
    """Make sure a window can be opened. In a subprocess: Qt aborts the process when it cannot.

    Raises:
        DisplayError: There is no display, or system libraries are missing; the sentence says which packages.
    """
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        if os.environ.get("QT_QPA_PLATFORM", "") not in {"offscreen", "minimal", "vnc"}:
            raise DisplayError(
                "There is no display (DISPLAY and WAYLAND_DISPLAY are empty), so no window can be opened."
            )
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False, timeout=60)
    if probe.returncode:
        said = [line for line in probe.stderr.strip().splitlines() if line][-1:] or ["no message"]
        raise DisplayError(
            f"The window system cannot be started ({said[0]}). Install what Qt needs: apt-get install {PACKAGES}.",
            stderr=probe.stderr,
        )


def register(app: typer.Typer) -> None:
    """Add the application's commands."""
    import typer

    @app.command("app")
    def open_app(
        project: Path | None = typer.Argument(None, help="A project folder; the welcome page if left out."),
        safe_mode: bool = typer.Option(False, "--safe-mode", help="Load only the plugins that came with Solera."),
    ) -> int:
        """Open the window."""
        probe_display()
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
    from solera.cli.benches import add_bench

    def measure() -> dict[str, Any]:
        from solera.cli.screen import say
        from solera.testing.bench import report
        from solera_app.bench_window import window

        return report("window", window(say))

    add_bench("window", "How soon the window is up, and how smooth beside a job.", measure)


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


def open_demo(folder: Path, examples: tuple[str, ...]) -> None:
    """Open the window on a demo project, with further examples made as jobs.

    Raises:
        DisplayError: No window can be opened.
    """
    probe_display()
    from solera_app.main import run

    run(folder, examples=examples)

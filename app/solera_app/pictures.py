"""Pictures of a run without a display: every view that accepts it as PNG and SVG, its data as CSV.

``python -m solera_app.pictures RUN OUT`` prints the path of each file. Run it in a process of its own: it sets the
platform to offscreen, and Qt aborts a process whose system packages are missing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from solera.errors import OutputError, SoleraError

if TYPE_CHECKING:
    from solera_app.views.view import View

ThemeName = Literal["light", "dark"]


def render_run(
    run_path: Path,
    out_dir: Path,
    *,
    theme: ThemeName = "light",
    size: tuple[int, int] = (1280, 800),
    scale: float = 2.0,
    views: Mapping[str, type[View]] | None = None,
) -> list[Path]:
    """Write a picture of every view that accepts the run, and the run's points as CSV.

    Args:
        run_path: The run's file; finished, live or killed.
        out_dir: Where; made if it is missing. Files are named ``<run>-<view>.png``, ``.svg`` and ``<run>.csv`` and
            replaced if they exist.
        theme: ``"light"`` or ``"dark"``.
        size: Logical pixels.
        scale: Image pixels per logical pixel.
        views: Name -> view class; those registered if None.

    Returns:
        The files written, absolute, pictures first.

    Raises:
        NotFoundError: There is no such run.
        RunError: It cannot be read.
        OutputError: A file cannot be written.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from solera.runs.reader import RunReader
    from solera_app.theme import themes
    from solera_app.views.reading import snapshot_of

    snapshot = snapshot_of(RunReader(run_path))
    app = QApplication.instance() or QApplication(["solera"])
    assert isinstance(app, QApplication)
    themes().apply(theme)
    folder = Path(out_dir).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.", path=str(folder)) from error
    stem = Path(run_path).stem
    pictures: list[Path] = []
    tables: list[Path] = []
    for name, cls in (registered() if views is None else views).items():
        if not cls.accepts(snapshot.header):
            continue
        view = cls()
        view.resize(*size)
        view.set_run(snapshot)
        if view.plots():  # a table is better read as text
            pictures.append(view.export("png", folder / f"{stem}-{name}.png", size=size, scale=scale))
            pictures.append(view.export("svg", folder / f"{stem}-{name}.svg", size=size))
        else:
            tables.append(view.export("csv", folder / f"{stem}.csv"))
        view.deleteLater()
    return pictures + tables


def registered() -> dict[str, type[View]]:
    """The views of this installation that can be loaded, by name."""
    from solera.extend.registry import Registry
    from solera.settings import load_settings

    settings = load_settings()
    shelf = Registry.discover(settings.all_plugin_folders, disabled=settings.disabled_plugins).views
    found: dict[str, Any] = {}
    for name in shelf:
        try:
            found[name] = shelf[name]
        except SoleraError:  # a broken plugin leaves its pictures out; `solera plugin list` says why
            continue
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when everything was written."""
    parser = argparse.ArgumentParser(prog="python -m solera_app.pictures", description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path, help="the run's file")
    parser.add_argument("out", type=Path, help="the folder for the pictures")
    parser.add_argument("--theme", choices=get_args(ThemeName), default="light")
    parser.add_argument("--size", default="1280x800", help="logical pixels, WIDTHxHEIGHT")
    given = parser.parse_args(arguments)
    width, _, height = given.size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) >= 320 and int(height) >= 200):
        parser.error(f"--size is WIDTHxHEIGHT, at least 320x200; got {given.size!r}")
    try:
        paths = render_run(given.run, given.out, theme=given.theme, size=(int(width), int(height)))
    except SoleraError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    return 0


if __name__ == "__main__":
    sys.exit(main())

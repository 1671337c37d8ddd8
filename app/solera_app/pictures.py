"""Pictures of a run without a display: every view that accepts it as PNG and SVG, its data as CSV; or one view.

``python -m solera_app.pictures RUN OUT`` prints the path of each file; with ``--view`` it writes the file OUT and each
``--also``. Run it in a process of its own: it sets the platform to offscreen, and Qt aborts a process whose system
packages are missing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from solera.errors import InputError, OutputError, SoleraError

if TYPE_CHECKING:
    from solera_app.views.beside import BesideView
    from solera_app.views.snapshot import Snapshot
    from solera_app.views.view import View

ThemeName = Literal["light", "dark"]
ExportKind = Literal["png", "svg", "pdf", "csv"]


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
    snapshot = _begin(run_path, theme)
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


def draw_view(
    run_path: Path,
    name: str,
    files: Sequence[Path],
    *,
    theme: ThemeName = "light",
    size: tuple[int, int] = (1000, 700),
    scale: float = 2.0,
    choices: Mapping[str, str] | None = None,
    beside: Path | None = None,
    among: Sequence[Path] = (),
) -> None:
    """Write one view of a run.

    Args:
        run_path: The run's file.
        name: The view; empty is the first that shows the run.
        files: Where; png, svg, pdf or csv, as the endings say.
        theme: ``"light"`` or ``"dark"``.
        size: Logical pixels.
        scale: Image pixels per logical pixel of a PNG.
        choices: See :meth:`~solera_app.views.view.View.choose`.
        beside: Another run's file, shown at the right on linked axes.
        among: Further runs' files, in the same picture.

    Raises:
        InputError: No such view shows the run, or a choice or an ending is unknown.
        SoleraError: The run cannot be read, or a file not written.
    """
    snapshot = _begin(run_path, theme)
    showing = {known: cls for known, cls in registered().items() if cls.accepts(snapshot.header)}
    if name and name not in showing:
        raise InputError(
            f"No view '{name}' shows run {snapshot.header.id}; those that do: {', '.join(showing) or 'none'}.",
            view=name,
        )
    if not showing:
        raise InputError(f"No view shows runs of the kind '{snapshot.header.kind}'.")
    view: View | BesideView
    if beside is None:
        view = showing[name or next(iter(showing))]()
        view.set_run(snapshot)
        view.choose(choices or {})
        if among:
            view.join([_begin(path, theme) for path in among])
    else:
        view = _pair(snapshot, _begin(beside, theme), showing, name)
        view.views[0].choose(choices or {})
    view.resize(*size)
    for file in files:
        kind = file.suffix.lower().removeprefix(".")
        if kind not in get_args(ExportKind):
            raise InputError(f"A view is written as {', '.join(get_args(ExportKind))}, not as '{file.name}'.")
        view.export(kind, file, size=size, scale=scale)  # type: ignore[arg-type]
    view.deleteLater()


def _pair(left: Snapshot, right: Snapshot, showing: Mapping[str, type[View]], name: str) -> BesideView:
    from solera_app.views.beside import BesideView

    both = {known: cls for known, cls in showing.items() if cls.accepts(right.header)}
    if not both or (name and name not in both):
        what = f"view '{name}'" if name else "view"
        raise InputError(
            f"No {what} shows both {left.header.id} and {right.header.id}; those that do: {', '.join(both) or 'none'}."
        )
    return BesideView(both[name or next(iter(both))], left, right)


def _begin(run_path: Path, theme: ThemeName) -> Snapshot:
    """Read a run and start Qt without a display."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from solera.runs.reader import RunReader
    from solera_app.theme import themes
    from solera_app.views.reading import snapshot_of

    snapshot = snapshot_of(RunReader(run_path))
    app = QApplication.instance() or QApplication(["solera"])
    assert isinstance(app, QApplication)
    themes().apply(theme)
    return snapshot


def registered() -> dict[str, type[View]]:
    """The views of this installation that can be loaded, by name."""
    from solera.extend.registry import Registry
    from solera.settings import load_settings

    settings = load_settings()
    shelf = Registry.discover(
        settings.all_plugin_folders, disabled=settings.disabled_plugins, safe_mode=settings.safe_mode
    ).views
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
    parser.add_argument("--scale", type=float, default=2.0, help="image pixels per logical pixel")
    parser.add_argument("--view", default=None, help="write this view alone to the file OUT; '' is the first")
    parser.add_argument("--also", type=Path, action="append", default=[], help="with --view: another file")
    parser.add_argument("--beside", type=Path, default=None, help="with --view: another run, at the right")
    parser.add_argument("--among", type=Path, action="append", default=[], help="with --view: a further run in it")
    parser.add_argument("--choose", action="append", default=[], metavar="WORD=ENTRY", help="with --view: a choice")
    given = parser.parse_args(arguments)
    width, _, height = given.size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) >= 320 and int(height) >= 200):
        parser.error(f"--size is WIDTHxHEIGHT, at least 320x200; got {given.size!r}")
    sides = (int(width), int(height))
    try:
        if given.view is None:
            paths = render_run(given.run, given.out, theme=given.theme, size=sides, scale=given.scale)
        else:
            paths = [given.out, *given.also]
            choices = dict(choice.partition("=")[::2] for choice in given.choose)
            draw_view(
                given.run, given.view, paths, theme=given.theme, size=sides, scale=given.scale, choices=choices,
                beside=given.beside, among=given.among,
            )  # fmt: skip
    except SoleraError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, InputError) else 1
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    return 0


if __name__ == "__main__":
    sys.exit(main())

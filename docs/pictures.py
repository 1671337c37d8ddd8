"""Drives the real window through every canvas, dock, dialog and view, and takes its picture.

``python docs/pictures.py PROJECT [FOLDER] [--large]``: ``PROJECT`` is a demo project that was run (``solera demo``);
pictures go to ``docs/images``, in light and dark at 1280x800, with ``--large`` at 2560x1440 too. Without a display they
are taken off screen.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
_HOME = tempfile.mkdtemp(prefix="solera-pictures-")
os.environ |= {"SOLERA_CONFIG": f"{_HOME}/settings.toml", "XDG_CONFIG_HOME": _HOME, "XDG_CACHE_HOME": _HOME}

from PySide6.QtCore import QCoreApplication, QEventLoop, QPoint, Qt, QTimer  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QApplication, QDialog, QWidget  # noqa: E402

from solera_app.bridge.background import idle  # noqa: E402
from solera_app.main import Application  # noqa: E402
from solera_app.run_desk import RunTab  # noqa: E402
from solera_app.theme import themes  # noqa: E402

SMALL, LARGE = (1280, 800), (2560, 1440)


class Camera:
    """Takes pictures of a window in every theme and size.

    Args:
        application: The window.
        folder: Where they go.
        sizes: Of the window, in logical pixels.
    """

    def __init__(self, application: Application, folder: Path, sizes: tuple[tuple[int, int], ...]) -> None:
        self.application, self.folder, self.sizes = application, folder, sizes
        self.window = application.window

    def take(self, name: str, dialog: QWidget | None = None) -> None:
        """Picture the window, or a dialog."""
        for size in self.sizes:
            if dialog is None:
                self.window.resize(*size)
            for theme in ("light", "dark"):
                themes().apply(theme)  # type: ignore[arg-type]
                settle()
                shown = dialog or self.window
                large = "_large" if size == LARGE else ""
                if dialog is None or not large:
                    shown.grab().save(str(self.folder / f"{name}_{theme}{large}.png"))
        self.window.resize(*SMALL)
        themes().apply("light")
        settle()

    def take_dialog(self, name: str, opening: Callable[[], Any]) -> None:
        """Picture the dialog that something opens and waits for."""

        def look() -> None:
            dialog = QApplication.activeModalWidget()
            if isinstance(dialog, QDialog):
                timer.stop()
                settle()
                self.take(name, dialog)
                dialog.reject()

        timer = QTimer(self.window, interval=50)
        timer.timeout.connect(look)
        timer.start()
        opening()
        until(lambda: not timer.isActive())


def settle(seconds: float = 0.4) -> None:
    """Let the window do what it has to do."""
    end = time.monotonic() + seconds
    while time.monotonic() < end or not idle():
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)


def until(seen: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait for something.

    Raises:
        TimeoutError: It does not come.
    """
    end = time.monotonic() + seconds
    while not seen():
        if time.monotonic() > end:
            raise TimeoutError("The window does not come to rest.")
        settle(0.05)


@contextmanager
def opened(project: Path | None) -> Iterator[Application]:
    """The window, on a project or on the welcome page."""
    application = Application()
    application.open(project)
    application.window.resize(*SMALL)
    if project is not None:
        until(lambda: application.desk.workbench is not None)
    settle(1.0)
    try:
        yield application
    finally:
        for document in application.desk.recipes.documents:
            document.history.mark_saved()
        application.window.close()
        settle()


def canvases(camera: Camera, project: Path) -> None:
    """The recipe, soup and interpolation canvases, and what opens over them."""
    application, window = camera.application, camera.window
    act = window.actions_by_id.by_id
    application.desk.recipes.open_path(next(iter(sorted((project / "recipes").glob("*ties*.yaml")))))
    settle()
    canvas = application.desk.tab.canvas  # type: ignore[union-attr]
    canvas.fit()
    item = next(item for item in canvas.picture.items_by_id.values() if item.face.kind == "method")
    at = canvas.viewportTransform().map(item.pos()) + QPoint(100, int(item.anatomy.height) - 8)
    QTest.mouseClick(canvas.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at.toPoint())
    camera.take("recipe")
    camera.take_dialog("explore", act["run.explore"].trigger)
    act["view.palette"].trigger()
    settle()
    camera.take("palette", window.palette_popup)
    QTest.keyClick(window.palette_popup, Qt.Key.Key_Escape)
    act["edit.select-all"].trigger()
    act["canvas.soup"].trigger()
    until(lambda: not window.jobs.running, 120)
    settle(3.0)
    camera.take("soup")
    act["canvas.interpolate"].trigger() if act["canvas.interpolate"].isEnabled() else None
    settle(3.0)
    camera.take("interpolation")


def runs(camera: Camera, project: Path) -> None:
    """Every view of every run, each kind of picture once."""
    seen: set[str] = set()
    names = [path.stem for path in sorted((project / "runs").glob("*.h5"))]
    for name in names:
        camera.application.desk.runs.open(name)
        until(lambda: isinstance(camera.application.desk.tab, RunTab))
        settle(1.5)
        view = camera.application.desk.tab.view  # type: ignore[union-attr]
        for kind in view.names:
            if kind not in seen:
                seen.add(kind)
                view.show_view(kind)
                settle(1.0)
                camera.take(kind)


def furniture(camera: Camera) -> None:
    """Docks at the bottom, and dialogs."""
    act = camera.window.actions_by_id.by_id
    for place, name in enumerate(("jobs", "runs", "log")):
        camera.window.bottom.setCurrentIndex(place)
        camera.take(f"dock-{name}")
    camera.take_dialog("settings", act["tools.settings"].trigger)
    camera.take_dialog("plugins", act["tools.plugins"].trigger)
    camera.take_dialog("shortcuts", act["help.shortcuts"].trigger)


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent / "images")
    parser.add_argument("--large", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    sizes = (SMALL, LARGE) if given.large else (SMALL,)
    with opened(None) as application:
        Camera(application, given.folder, sizes).take("welcome")
    with opened(given.project.resolve()) as application:
        camera = Camera(application, given.folder, sizes)
        canvases(camera, given.project)
        runs(camera, given.project)
        furniture(camera)


if __name__ == "__main__":
    main()

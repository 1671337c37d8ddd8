"""The application: window first, everything heavy after its first paint."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from solera.execution.heap import few_arenas
from solera.settings import load_settings
from solera_app.bridge.background import in_background
from solera_app.bridge.collector import Collector
from solera_app.desk import Desk
from solera_app.docks.log import LogHandler
from solera_app.first_paint import FirstPaint
from solera_app.session.store import SessionStore
from solera_app.stylesheet import Stylist
from solera_app.theme import themes
from solera_app.window import Window


class Application:
    """The QApplication, the window and the desk, put together.

    Args:
        arguments: For Qt.
        safe_mode: Only the plugins that came with Solera.
        session: What is remembered; the user's own by default.
    """

    def __init__(
        self, arguments: Sequence[str] = (), *, safe_mode: bool = False, session: SessionStore | None = None
    ) -> None:
        # Threads that work in Python give the window its turn sooner; halves stutter under a CPU job.
        sys.setswitchinterval(0.0005)
        few_arenas()
        present = QApplication.instance()
        self.qt = present if isinstance(present, QApplication) else QApplication(["solera", *arguments])
        self.qt.setApplicationName("Solera")
        self.qt.setDesktopFileName("solera")
        themes().apply(load_settings().theme)
        self.stylist = Stylist(self.qt)
        self.session = session or SessionStore()
        self.window = Window()
        Collector(self.window)
        self.desk = Desk(self.window, safe_mode=safe_mode, session=self.session)
        logging.getLogger("solera").addHandler(LogHandler(self.window.log))

    def open(self, project: Path | None = None, examples: Sequence[str] = ()) -> None:
        """Show the window; then, while it is idle, open a project or make an example."""
        layout = self.session.layout()
        if layout is not None:
            self.window.restore_layout(*layout)
        else:
            self.window.set_default_layout()
        if project is None:
            self.desk.show_welcome()
        FirstPaint(self.window, lambda: self._after_paint(project, examples))
        self.window.show()

    def _after_paint(self, project: Path | None, examples: Sequence[str]) -> None:
        self.desk.show_examples()
        if project is not None:
            self.desk.open_project(project)
        for example in examples:
            self.desk.start_example(example)
        in_background(_warm_up)

    def run(self) -> int:
        """Until the window closes."""
        signal.signal(signal.SIGINT, lambda *_: self.window.close())
        signal.signal(signal.SIGTERM, lambda *_: self.window.close())
        awake = QTimer()  # Python sees a signal only when it runs
        awake.timeout.connect(lambda: None)
        awake.start(200)
        return self.qt.exec()


def _warm_up() -> None:
    """Import what the first canvas, the first view and the first job will need: what is nearest first."""
    import solera_app.canvases.recipe
    import solera_app.docks.node_page
    import solera_app.extend

    del solera_app
    import torch

    del torch


def run(project: Path | None = None, *, examples: Sequence[str] = (), safe_mode: bool = False) -> int:
    """Open the window and stay until it closes.

    Args:
        project: A project to open.
        examples: Examples to make in it, as jobs.
        safe_mode: Only the plugins that came with Solera.
    """
    application = Application(safe_mode=safe_mode)
    application.open(project, examples)
    return application.run()

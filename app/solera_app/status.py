"""The status bar: a hint at the left; lanes, memory and the state of the file at the right."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QLabel, QStatusBar, QWidget

from solera_app.theme import font, pixmap, themes


class Figure(QWidget):
    """An icon and a few words.

    Args:
        icon: Icon name.
        tip: What it tells.
    """

    def __init__(self, icon: str, tip: str) -> None:
        super().__init__()
        self._icon = icon
        self.setToolTip(tip)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 4, 0)
        row.setSpacing(6)
        self._picture = QLabel()
        self.words = QLabel()
        self.words.setFont(font("small"))
        row.addWidget(self._picture)
        row.addWidget(self.words)
        themes().changed.connect(self._recolour)
        self._recolour()
        self.show_words("")

    def show_words(self, words: str) -> None:
        """Show these; nothing at all if empty."""
        self.words.setText(words)
        self.setVisible(bool(words))

    def _recolour(self) -> None:
        self._picture.setPixmap(pixmap(self._icon, "text-3", 14, self.devicePixelRatioF()))


class StatusBar(QStatusBar):
    """Hints come through ``showMessage``; the figures stay."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeGripEnabled(False)
        self.setFont(font("small"))
        self.lanes = Figure("cpu", "What runs on the processor (and on each accelerator)")
        self.memory = Figure("memory", "Memory held by running jobs, and the budget")
        self.plugins = Figure("plugin", "Plugins found; see Tools, Plugins")
        self.saved = Figure("check", "State of the document in front")
        for figure in (self.lanes, self.memory, self.plugins, self.saved):
            self.addPermanentWidget(figure)

"""A line over the list of jobs: each lane with its load and memory, and what jobs hold of the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QWidget

from solera_app.theme import font, pixmap, themes
from solera_app.words import size_short


class Load(Protocol):
    """What the strip needs of a lane (``solera.jobs.load.LaneLoad`` has it)."""

    @property
    def lane(self) -> str:
        """``"cpu"``."""
        ...

    @property
    def job(self) -> str:
        """Title of the job that holds it; empty if it is free."""
        ...

    @property
    def busy(self) -> float | None:
        """0 to 1."""
        ...

    @property
    def used(self) -> int:
        """Bytes of memory in use."""
        ...

    @property
    def total(self) -> int:
        """Bytes of memory it has."""
        ...


class _Lane(QWidget):
    """Icon, name, a bar and a few words."""

    def __init__(self, icon: str) -> None:
        super().__init__()
        self._icon = icon
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        self._picture = QLabel()
        self.bar = QProgressBar(textVisible=False)
        self.bar.setFixedSize(56, 4)
        self.words = QLabel()
        self.words.setFont(font("small"))
        self.words.setProperty("tone", "2")
        for widget in (self._picture, self.bar, self.words):
            row.addWidget(widget)
        themes().changed.connect(self._recolour)
        self._recolour()

    def tell(self, share: float | None, words: str, tip: str) -> None:
        """Show a share of the bar (none hides it) and these words."""
        self.bar.setVisible(share is not None)
        self.bar.setValue(round(100 * (share or 0.0)))
        self.words.setText(words)
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.bar.setAccessibleName(tip)

    def _recolour(self) -> None:
        self._picture.setPixmap(pixmap(self._icon, "text-3", 14, self.devicePixelRatioF()))


class LaneStrip(QWidget):
    """Lanes at the left, the memory of all jobs at the right."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(24)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 0, 12, 0)
        self._row.setSpacing(20)
        self.lanes: dict[str, _Lane] = {}
        self.memory = _Lane("memory")
        self._row.addStretch(1)
        self._row.addWidget(self.memory)
        self.hide()

    def show_loads(self, loads: Sequence[Load], held: int, budget: int) -> None:
        """Show how things stand.

        Args:
            loads: One a lane.
            held: Bytes that jobs hold.
            budget: Bytes they may hold.
        """
        self.setVisible(bool(loads))
        for load in loads:
            if load.lane not in self.lanes:
                made = self.lanes[load.lane] = _Lane("cpu" if load.lane == "cpu" else "gpu")
                self._row.insertWidget(len(self.lanes) - 1, made)
            self.lanes[load.lane].tell(*_told(load))
        for lane in [lane for lane in self.lanes if lane not in {load.lane for load in loads}]:
            gone = self.lanes.pop(lane)
            gone.hide()
            gone.deleteLater()
        words = f"jobs hold {size_short(held)} of {size_short(budget)}"
        tip = f"{words.capitalize()}; the budget is in the settings"
        self.memory.tell(held / budget if budget else None, words, tip)


def _told(load: Load) -> tuple[float | None, str, str]:
    busy = f"{100 * load.busy:.0f} %" if load.busy is not None else ""
    memory = f"{size_short(load.used)} of {size_short(load.total)}" if load.total else ""
    words = " · ".join(part for part in (load.lane, busy, memory) if part)
    at = f"runs '{load.job}'" if load.job else "is free"
    share = load.busy if load.busy is not None else load.used / load.total if load.total else None
    return share, words, f"{load.lane} {at}; {busy or 'load unknown'} busy, memory in use {memory or 'unknown'}"

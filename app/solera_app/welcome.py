"""The welcome page: start, first steps, demo projects, recent projects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen, QRadialGradient
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from solera_app.docks.row_view import RowView
from solera_app.models.rows import ROW_ROLE, Row
from solera_app.theme import font, pixmap, theme, themes, tokens

#: So many recent projects are in sight; more are scrolled to.
_MOST_RECENT = 6


class Logo(QWidget):
    """Six discs, 1-2-3: the barrels of a solera.

    Args:
        size: Side in px.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.setFixedSize(size, size)
        self.setAccessibleName("Solera")

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: D102 - Qt's name
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        side = self.width()
        radius = side * 0.145
        for row, colour in enumerate(tokens()["logo"]["tiers"]):
            painter.setBrush(QColor(colour))
            for place in range(row + 1):
                x = side / 2 + (place - row / 2) * side * 0.34
                painter.drawEllipse(QPointF(x, side * (0.2 + 0.3 * row)), radius, radius)


class _Start(QAbstractButton):
    """A line of the start list: icon, title, hint, shortcut."""

    def __init__(self, icon: str, title: str, hint: str) -> None:
        super().__init__()
        self._icon, self._title, self._hint = icon, title, hint
        self.keys = ""
        self.setAccessibleName(title)
        self.setToolTip(hint)
        self.setFixedHeight(48)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.underMouse() or self.hasFocus():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().colour("accent-soft"))
            painter.drawRoundedRect(self.rect(), 4, 4)
        painter.drawPixmap(12, 15, pixmap(self._icon, "accent", 18, self.devicePixelRatioF()))
        painter.setFont(font("body", "medium"))
        painter.setPen(theme().colour("text"))
        painter.drawText(QRectF(44, 6, self.width() - 150, 18), Qt.AlignmentFlag.AlignVCenter, self._title)
        painter.setFont(font("label"))
        painter.setPen(theme().colour("text-2"))
        painter.drawText(QRectF(44, 24, self.width() - 56, 17), Qt.AlignmentFlag.AlignVCenter, self._hint)
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.setPen(theme().colour("text-3"))
        painter.drawText(QRectF(0, 6, self.width() - 12, 18), right, self.keys)


class _Step(QWidget):
    """One of the first steps: its number in a ring, what to do, how."""

    def __init__(self, number: str, title: str, hint: str) -> None:
        super().__init__()
        self._number = number
        name = QLabel(title)
        name.setFont(font("label", "medium"))
        about = QLabel(hint, wordWrap=True)
        about.setProperty("tone", "2")
        about.setFont(font("small"))
        column = QVBoxLayout(self)
        column.setContentsMargins(36, 2, 0, 8)
        column.setSpacing(2)
        column.addWidget(name)
        column.addWidget(about)
        themes().changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ring = QRectF(0.5, 2.5, 23, 23)
        painter.setPen(QPen(theme().colour("accent-line"), 1))
        painter.drawEllipse(ring)
        painter.setPen(theme().colour("accent"))
        painter.setFont(font("label", "semibold"))
        painter.drawText(ring, Qt.AlignmentFlag.AlignCenter, self._number)


#: The map of surfaces, for a sketch of one.
_VIRIDIS = ((0, "#440154"), (0.25, "#443a83"), (0.45, "#31688e"), (0.62, "#21918c"), (0.8, "#35b779"), (1, "#b5de2b"))


class _Sketch(QWidget):
    """What an example is about, drawn: a surface with its triangle, or a front. A sketch, with no figures in it."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._kind = kind
        self.setFixedHeight(132)
        self.setAccessibleName("Sketch")
        themes().changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        w, h = self.width(), self.height()
        rounded = QPainterPath()  # the card's own, at the top
        rounded.addRoundedRect(QRectF(0, 0, w, h + 8), 7, 7)
        painter.setClipPath(rounded)
        if self._kind == "surface":
            painter.save()
            painter.translate(w * 0.5, h * 0.6)
            painter.scale(1.0, 0.62)
            ground = QRadialGradient(QPointF(0, 0), w * 0.62)
            for place, colour in _VIRIDIS:
                ground.setColorAt(place, QColor(colour))
            painter.fillRect(QRectF(-w, -2 * h, 2 * w, 4 * h), ground)
            for ring in range(1, 8):
                painter.setPen(QPen(QColor(255, 255, 255, 150 if ring % 2 else 80), 1))
                painter.drawEllipse(QPointF(0, 0), ring * w * 0.085, ring * w * 0.085)
            painter.restore()
            corners = [QPointF(w * 0.26, h * 0.86), QPointF(w * 0.74, h * 0.86), QPointF(w * 0.48, h * 0.14)]
            painter.setPen(QPen(QColor("white"), 1.5))
            painter.drawPolygon(corners)
            painter.setBrush(QColor("white"))
            for corner in corners:
                painter.drawRect(QRectF(corner.x() - 4, corner.y() - 4, 8, 8))
            painter.setPen(QPen(QColor("#24221e"), 1.5))
            painter.drawEllipse(QPointF(w * 0.49, h * 0.62), 6, 6)
            return
        painter.fillRect(self.rect(), theme().colour("base"))
        front = [(0.12, 0.14), (0.17, 0.36), (0.25, 0.53), (0.36, 0.66), (0.5, 0.76), (0.67, 0.83), (0.84, 0.87)]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().colour("accent-soft"))
        for x, y in front:
            painter.drawRect(QRectF(w * x, 0, w - w * x, h * y))
        painter.setBrush(theme().colour("plot.dominated"))
        for place in range(26):
            x, y = 0.3 + 0.66 * ((place * 0.618) % 1), 0.1 + 0.52 * ((place * 0.414) % 1)
            painter.drawEllipse(QPointF(w * x, h * y), 2.5, 2.5)
        painter.setBrush(theme().colour("accent"))
        for x, y in front:
            painter.drawEllipse(QPointF(w * x, h * y), 4.5, 4.5)


class _Card(QFrame):
    def __init__(self, sketch: str, title: str, summary: str, facts: str, button: str) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # all are as wide
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 12)
        column.setSpacing(6)
        column.addWidget(_Sketch(sketch))
        inner = QVBoxLayout()
        inner.setContentsMargins(16, 6, 16, 0)
        inner.setSpacing(4)
        name = QLabel(title.partition(":")[0])
        name.setToolTip(title)
        name.setFont(font("body", "semibold"))
        about = QLabel(summary, wordWrap=True)
        about.setProperty("tone", "2")
        about.setMinimumHeight(52)
        about.setAlignment(Qt.AlignmentFlag.AlignTop)
        foot = QHBoxLayout()
        small = QLabel(facts)
        small.setProperty("tone", "3")
        self.button = QPushButton(button)
        foot.addWidget(small)
        foot.addStretch(1)
        foot.addWidget(self.button)
        inner.addWidget(name)
        inner.addWidget(about)
        inner.addStretch(1)
        inner.addLayout(foot)
        column.addLayout(inner, 1)


def _title(text: str) -> QLabel:
    made = QLabel(text)
    made.setFont(font("heading", "semibold"))
    return made


def _link(text: str, tip: str) -> QPushButton:
    made = QPushButton(text)
    made.setProperty("role", "link")
    made.setToolTip(tip)
    return made


def _headed(text: str, link: QPushButton) -> QHBoxLayout:
    """A title with a link at the right."""
    row = QHBoxLayout()
    row.addWidget(_title(text))
    row.addStretch(1)
    row.addWidget(link)
    return row


class Welcome(QScrollArea):
    """The page a window without a project shows.

    Signals:
        actionRequested: Id of an action of the table.
        exampleRequested: Name of an example.
        projectRequested: Path of a recent project.
        cleared: The list of recent projects is to be emptied.
        tourRequested, galleryRequested: The tour, or the gallery of examples, is to be shown.
    """

    actionRequested = Signal(str)
    exampleRequested = Signal(str)
    projectRequested = Signal(str)
    cleared = Signal()
    tourRequested = Signal()
    galleryRequested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        page = QWidget()
        page.setProperty("role", "page")
        self.setWidget(page)
        grid = QGridLayout(page)
        grid.setContentsMargins(64, 24, 64, 32)
        grid.setHorizontalSpacing(76)
        grid.setVerticalSpacing(0)
        for row, share in ((0, 1), (2, 3)):  # a little above the middle
            grid.setRowStretch(row, share)
        left, right = QVBoxLayout(), QVBoxLayout()
        left.setSpacing(4)
        right.setSpacing(10)
        for place, layout in enumerate((left, right)):
            column = QWidget()
            column.setMaximumWidth((372, 960)[place])
            column.setLayout(layout)
            layout.setContentsMargins(0, 0, 0, 0)
            grid.addWidget(column, 1, place + 1, Qt.AlignmentFlag.AlignTop)
        grid.setColumnMinimumWidth(1, 340)
        grid.setColumnStretch(2, 8)
        for side in (0, 3):  # on a wide screen the two columns stand in the middle
            grid.setColumnStretch(side, 1)
        self._starts: dict[str, _Start] = {}
        self._head(left)
        self._start(left)
        self._steps(left)
        self.gallery = _link("All examples", "Every example that can be made here, and what it brings")
        self.gallery.clicked.connect(self.galleryRequested)
        right.addLayout(_headed("Demo projects", self.gallery))
        self._cards = QHBoxLayout()
        self._cards.setSpacing(20)
        right.addLayout(self._cards)
        right.addSpacing(18)
        clear = _link("Clear", "Forget the recent projects; their folders stay")
        clear.clicked.connect(self.cleared)
        right.addLayout(_headed("Recent", clear))
        self.recent = RowView("Recent projects")
        self.recent.setProperty("role", "field")
        self.recent.activatedRow.connect(self.projectRequested)
        self.recent.clicked.connect(self._recent_clicked)
        right.addWidget(self.recent)

    def _recent_clicked(self, index: QModelIndex) -> None:
        row = index.data(ROW_ROLE)
        if isinstance(row, Row) and not row.section:
            self.projectRequested.emit(row.id)

    def _head(self, column: QVBoxLayout) -> None:
        row = QHBoxLayout()
        row.addWidget(Logo(56))
        words = QVBoxLayout()
        words.setSpacing(0)
        name = QLabel("Solera")
        name.setFont(font("display", "semibold"))
        about = QLabel("A workbench for weight space")
        about.setFont(font("body"))
        about.setProperty("tone", "2")
        words.addWidget(name)
        words.addWidget(about)
        row.addSpacing(12)
        row.addLayout(words)
        row.addStretch(1)
        column.addLayout(row)
        column.addSpacing(24)

    def _start(self, column: QVBoxLayout) -> None:
        column.addWidget(_title("Start"))
        column.addSpacing(6)
        for id_, icon, title, hint in (
            ("file.new-project", "add", "New project", "An empty folder for recipes and runs"),
            ("file.open-project", "folder", "Open project…", "A folder with solera.toml"),
            ("file.open-checkpoints", "checkpoint", "Open checkpoints…", "safetensors, PyTorch, GGUF: into a project"),
            ("file.open-recipe", "recipe", "Open recipe…", "Solera or mergekit YAML"),
        ):
            button = _Start(icon, title, hint)
            button.clicked.connect(self._asking(id_))
            self._starts[id_] = button
            column.addWidget(button)
        column.addSpacing(20)

    def show_shortcuts(self, of: Callable[[str], str]) -> None:
        """Say which keys the commands here have now."""
        for id_, button in self._starts.items():
            button.keys = of(id_)
            button.update()

    def _asking(self, id_: str) -> Callable[..., None]:
        return lambda *_: self.actionRequested.emit(id_)

    def _steps(self, column: QVBoxLayout) -> None:
        self.tour = _link("Take the tour", "Three steps over the window; without a project an example is made for it")
        self.tour.clicked.connect(self.tourRequested)
        column.addLayout(_headed("First steps", self.tour))
        column.addSpacing(10)
        for number, title, hint in (
            ("1", "Drop checkpoints", "Files or folders, from the file manager to the library."),
            ("2", "Connect them to a method", "Drag from port to port, then press Run."),
            ("3", "Explore what is between", "A line, a plane or a Pareto front fills in while it runs."),
        ):
            column.addWidget(_Step(number, title, hint))

    def show_examples(self, examples: Sequence[tuple[str, str, str, str]]) -> None:
        """Show demo projects as cards: ``(name, title, summary, facts)``."""
        while self._cards.count():
            item = self._cards.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        for place, (name, title, summary, facts) in enumerate(examples):
            card = _Card("surface" if place % 2 == 0 else "front", title, summary, facts, "Make and open")
            card.button.clicked.connect(self._making(name))
            card.button.setAccessibleName(f"Make and open {title}")
            card.button.setToolTip("Make it in a project of its own; training is a job one can watch")
            self._cards.addWidget(card, 1)

    def _making(self, name: str) -> Callable[..., None]:
        return lambda *_: self.exampleRequested.emit(name)

    def show_recent(self, projects: Sequence[Path]) -> None:
        """Show recent projects; those that are gone are dim."""
        rows = []
        for path in projects:
            there = (path / "solera.toml").exists()
            look = ("folder", "text-2", "") if there else ("broken-link", "text-3", "moved or deleted")
            rows.append(Row(str(path), path.name, _short(path), *look, dim=not there))
        self.recent.rows_model.set_rows(rows or [Row("section:none", "Projects you open appear here", section=True)])
        self.recent.setFixedHeight(min(max(len(rows), 1), _MOST_RECENT) * 44 + 4)

    def sizeHint(self) -> QSize:  # noqa: D102 - Qt's name
        return QSize(1024, 640)


def _short(path: Path) -> str:
    """A path as a person writes it: ``~/work/digits``."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)

"""The interpolation canvas: models as a line, a triangle or a polygon, with a handle to drag between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from solera.errors import InputError
from solera_app.canvases.blend import Place, Weights, shifted, weights_of
from solera_app.canvases.gestures.drop import DropLibrary
from solera_app.canvases.gestures.handle import DragHandle
from solera_app.canvases.grounds import LineGround, PolygonGround, TriangleGround
from solera_app.canvases.scores_here import ScoreHere, mean_of
from solera_app.docks.panel import Empty

_GRIP = 16.0
_FINE, _COARSE = 0.01, 0.10
_ARROWS = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, 1), Qt.Key.Key_Down: (0, -1)}


Ground = LineGround | TriangleGround


class _FormSwitch(QWidget):
    """Line, Triangle or Polygon, as joined buttons."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(-1)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        for form, label in (("line", "Line"), ("triangle", "Triangle"), ("polygon", "Polygon")):
            button = QPushButton(label)
            button.setCheckable(True)
            button.setMinimumWidth(68)
            button.setAccessibleName(f"Show as a {form}")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _=False, form=form: self.chosen.emit(form))
            self._group.addButton(button)
            self.buttons[form] = button
            row.addWidget(button)

    def show_form(self, form: str, models: int) -> None:
        """Which is in force, and whether the other is to be had."""
        self.buttons[form].setChecked(True)
        self.buttons["line"].setToolTip("Between the first two models")
        self.buttons["triangle"].setEnabled(models >= 3)
        tip = "Between three models" if models >= 3 else "Drop a third model on the plot to make a triangle."
        self.buttons["triangle"].setToolTip(tip)
        self.buttons["polygon"].setEnabled(models >= 4)
        tip = "Between all of them" if models >= 4 else "Drop a fourth model on the plot to make a polygon."
        self.buttons["polygon"].setToolTip(tip)


def form_of(count: int) -> str:
    """How so many models are shown."""
    return {2: "line", 3: "triangle"}.get(count, "polygon")


class InterpolationCanvas(QWidget):
    """Models at their true distances, what is known between them, and a handle.

    Positions are in the models' own geometry (L2 distances of weights), from four models on at the corners of a
    polygon; weights total 1 and may leave the segment or triangle.
    """

    #: Weights while the handle moves; whoever scores them throttles.
    moved = Signal(tuple)
    #: Weights where it was released.
    released = Signal(tuple)
    #: ``"line"``, ``"triangle"`` or ``"polygon"`` was asked for.
    formRequested = Signal(str)
    #: Library entries dropped on the canvas: a list of :class:`~solera_app.canvases.gestures.drop.LibraryEntry`.
    modelsDropped = Signal(list)
    #: Files dropped from a file manager.
    filesDropped = Signal(list)
    #: A hint for the status bar.
    message = Signal(str)
    #: How many points the recorded path has.
    pathChanged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._places: tuple[Place, ...] = ()
        self._weights: Weights = ()
        self._path: list[Weights] = []
        self._recording = False
        self._gesture: DragHandle | None = None
        self.line, self.triangle, self.polygon = LineGround(), TriangleGround(), PolygonGround()
        self._grounds: tuple[Ground, ...] = (self.line, self.triangle, self.polygon)
        words = "Drop two models for a line, three for a triangle, more for a polygon."
        self._empty = Empty("interpolate", words)
        self._stack = QStackedWidget()
        for page in (self._empty, *self._grounds):
            self._stack.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._stack)
        self._switches = []
        for ground in self._grounds:
            switch = _FormSwitch()
            switch.chosen.connect(self._switch_pressed)
            ground.header.add_control(switch)
            self._switches.append(switch)
            ground.kit.on_handle_key = self._key
            ground.canvas.viewport().installEventFilter(self)
            ground.canvas.setAcceptDrops(False)
        self.setAcceptDrops(True)
        self.setAccessibleName("Interpolation canvas")

    # --- what the window calls -----------------------------------------------------------------------------------

    @property
    def ground(self) -> Ground:
        """The plot in force."""
        return self._grounds[min(max(len(self._names), 2), 4) - 2]

    @property
    def weights(self) -> Weights:
        """Where the handle is: one weight per model, total 1."""
        return self._weights

    @property
    def names(self) -> tuple[str, ...]:
        """The models' names."""
        return self._names

    def set_models(self, names: Sequence[str], positions: Sequence[Place], *, available: int | None = None) -> None:
        """Show these models, with equal weights; two make a line, three a triangle, more a polygon, fewer nothing.

        Args:
            names: What the corners are called.
            positions: (x, y) of each in L2 distances of weights; of four or more they do not count.
            available: How many models there are to choose from; decides which forms can be asked for.

        Raises:
            InputError: They do not span a line or triangle.
        """
        if len(names) < 2:
            self._names, self._places, self._weights = (), (), ()
            self._stack.setCurrentWidget(self._empty)
            return
        if len(names) < 4:
            weights_of(positions, positions[0])  # refuses models that coincide
        self._names, self._places = tuple(names), tuple((float(x), float(y)) for x, y in positions)
        self.clear_path()
        ground = self.ground
        ground.kit.weights = (1 / len(names),) * len(names)
        ground.hold(names, self._places)
        for switch in self._switches:
            switch.show_form(form_of(len(names)), available or len(names))
        self._stack.setCurrentWidget(ground)
        self.set_weights((1 / len(names),) * len(names))

    def set_title(self, title: str, subtitle: str = "") -> None:
        """Title and one line of facts: network · tasks · n · points · seed."""
        for ground in self._grounds:
            ground.set_title(title, subtitle)

    def set_state(self, text: str, token: str = "text-3") -> None:
        """State at the right of the title."""
        self.ground.set_state(text, token)

    def set_weights(self, weights: Sequence[float]) -> None:
        """Put the handle (no signal)."""
        if len(weights) != len(self._names) or not weights:
            return
        self._weights = tuple(weights)
        self.ground.kit.weights = self._weights
        words = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(self._names, self._weights, strict=True))
        self.ground.set_summary(f"Handle at {words}.")
        self.ground.refresh()

    def set_surface(
        self,
        z: NDArray[np.float64],
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        *,
        title: str = "",
        contours: int = 10,
        scored: NDArray[np.bool_] | None = None,
        log: bool | None = None,
        colours: str = "viridis",
        percent: bool = False,
    ) -> None:
        """Put a surface under a triangle.

        Args:
            z: Shape (rows, columns): value at the grid points that spread evenly over the ranges; NaN where not scored.
            x_range: From first to last column, in the models' distances.
            y_range: From first to last row.
            title: What the ground is, with unit: ``"Mean loss (nats)"``.
            contours: About how many iso-lines; 0 for none.
            scored: Same shape as z; the finite values if None. Others are hatched as interpolated.
            log: Colours by logarithm; None when all are positive and the largest is over 20 times the smallest.
            colours: Name of the map.
            percent: Fractions written as percent.
        """
        values = np.asarray(z, dtype=np.float64)
        finite = values[np.isfinite(values)]
        if log is None:
            log = bool(finite.size and finite.min() > 0 and finite.max() / finite.min() > 20)
        xs, ys = np.linspace(*x_range, values.shape[1]), np.linspace(*y_range, values.shape[0])
        known = np.isfinite(values) if scored is None else scored
        self.triangle.set_colours(colours)
        self.triangle.set_contours(contours)
        shown = f"{title}, log scale" if log and title else title
        self.triangle.show_surface(values, xs, ys, known, title=shown, log=log, percent=percent)

    def clear_surface(self) -> None:
        """Take the surface away."""
        self.triangle.clear_surface()

    def set_scores(self, scores: Sequence[ScoreHere]) -> None:
        """What was measured at the handle: in the line form its mean joins the curve, unless it is a preview."""
        mean = mean_of(scores)
        if mean is None or len(self._names) != 2:
            return
        title = f"{mean.axis_title}"
        self.line.name_values(title, percent=mean.percent, low=mean.low, high=mean.high)
        if not mean.preview:
            self.line.add_value(self._weights[1], mean.value, mean.stderr)

    def set_ends(self, means: Sequence[ScoreHere | None]) -> None:
        """What the two models of a line score themselves: they stand on the axis where they belong."""
        if len(self._names) == 2 == len(means):
            for share, mean in zip((0.0, 1.0), means, strict=True):
                if mean is not None:
                    self.line.add_value(share, mean.value, mean.stderr)

    def set_curve(
        self,
        shares: Sequence[float],
        values: Sequence[float],
        stderrs: Sequence[float],
        *,
        title: str = "",
        percent: bool | None = None,
    ) -> None:
        """Put a curve under a line.

        Args:
            shares: The way from the first model (0) to the second (1), any order.
            values: The value at each.
            stderrs: Its standard error; NaN when unknown.
            title: Of the axis, in words with unit and direction; empty leaves it.
            percent: Whether fractions are written as percent; None leaves it.
        """
        self.line.set_values(shares, values, stderrs)
        if title or percent is not None:
            self.line.name_values(title or self.line.value_title, percent=bool(percent))

    # --- path --------------------------------------------------------------------------------------------------------

    @property
    def path(self) -> list[Weights]:
        """The recorded points."""
        return list(self._path)

    def set_recording(self, on: bool) -> None:
        """While on, every release of the handle adds a point to the path; turning it on begins a new one."""
        if on and not self._recording:
            self.clear_path()
        self._recording = on

    def clear_path(self) -> None:
        """Forget the path."""
        self._path = []
        self._show_path()

    def _show_path(self) -> None:
        for ground in self._grounds:
            ground.kit.path = tuple(self._path) if ground is self.ground else ()
            ground.refresh()
        self.pathChanged.emit(len(self._path))

    # --- the stage of the gesture ------------------------------------------------------------------------------------

    def handle_px(self) -> QPointF:
        """Where the handle is, px of the plot's canvas."""
        return self.ground.handle_px()

    def weights_at(self, px: QPointF) -> Weights:
        """Weights of a pixel."""
        return self.ground.weights_at(px)

    def drag_to(self, weights: Weights) -> None:
        """Move the handle and tell."""
        self.set_weights(weights)
        self.message.emit(self._where() + " Release to score all samples, Escape puts it back.")
        self.moved.emit(self._weights)

    def drop_at(self, weights: Weights) -> None:
        """Leave the handle and tell."""
        self.set_weights(weights)
        if self._recording:
            self._path.append(self._weights)
            self._show_path()
        self.message.emit(self._where() + " Arrow keys move by 0.01, Shift by 0.10.")
        self.released.emit(self._weights)

    def _where(self) -> str:
        return "Handle at " + " · ".join(f"{weight:.2f}" for weight in self._weights).replace("-", "−") + "."

    def _switch_pressed(self, form: str) -> None:
        for switch in self._switches:  # the window decides; until then the buttons say what is shown
            switch.buttons[form_of(len(self._names))].setChecked(True)
        if form != form_of(len(self._names)):
            self.formRequested.emit(form)

    # --- events ------------------------------------------------------------------------------------------------------

    def _key(self, event: QKeyEvent) -> bool:
        """Arrows move the handle; Escape gives up a drag."""
        if not self._weights:
            return False
        if event.key() == Qt.Key.Key_Escape and self._gesture is not None:
            gesture, self._gesture = self._gesture, None
            gesture.cancel()
            return True
        step = _ARROWS.get(Qt.Key(event.key()))
        if step is None or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return False
        size = _COARSE if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else _FINE
        weights = shifted(self._weights, step[0] * size, step[1] * size)
        self.drop_at(tuple(round(weight, 10) for weight in weights))
        return True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The handle's mouse events; everything else is the plot's."""
        if isinstance(event, QMouseEvent) and self._weights and self._mouse(event):
            return True
        return super().eventFilter(watched, event)

    def _mouse(self, event: QMouseEvent) -> bool:
        px = event.position()
        near = (px - self.handle_px()).manhattanLength() <= _GRIP
        viewport = self.ground.canvas.viewport()
        match event.type():
            case QEvent.Type.MouseButtonPress if event.button() == Qt.MouseButton.LeftButton and near:
                self.ground.canvas.setFocus(Qt.FocusReason.MouseFocusReason)
                self._gesture = DragHandle(self, px)
                viewport.setCursor(Qt.CursorShape.ClosedHandCursor)
                return True
            case QEvent.Type.MouseButtonDblClick if event.button() == Qt.MouseButton.LeftButton:
                self.drop_at(self.weights_at(px))
                return True
            case QEvent.Type.MouseMove if self._gesture is not None:
                self._gesture.move(px)
                return True
            case QEvent.Type.MouseMove if not event.buttons():
                viewport.setCursor(Qt.CursorShape.OpenHandCursor if near else Qt.CursorShape.ArrowCursor)
                return False
            case QEvent.Type.MouseButtonRelease if self._gesture is not None:
                gesture, self._gesture = self._gesture, None
                gesture.release(px)
                viewport.setCursor(Qt.CursorShape.OpenHandCursor)
                return True
            case _:
                return False

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take library entries and files."""
        drop = DropLibrary(event.mimeData())
        if drop.welcome:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.message.emit("Drop to make it a corner.")
        else:
            event.ignore()

    def dropEvent(self, event: QDropEvent) -> None:
        """Hand models and files on."""
        drop = DropLibrary(event.mimeData())
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if drop.entries:
            self.modelsDropped.emit(list(drop.entries))
        elif drop.files:
            self.filesDropped.emit(drop.files)

    def export(self, kind: str, path: Path) -> Path:
        """Write what is shown.

        Args:
            kind: ``"png"``, ``"svg"`` or ``"csv"`` (the surface or the curve).
            path: Where.

        Raises:
            InputError: The kind is not known, or there are no models.
            OutputError: The file cannot be written.
        """
        if kind not in {"png", "svg", "csv"} or not self._names:
            raise InputError("Nothing to export: choose png, svg or csv, and drop two models first.", kind=kind)
        writers = {"png": self.ground.export_png, "svg": self.ground.export_svg, "csv": self.ground.export_csv}
        return writers[kind](path)

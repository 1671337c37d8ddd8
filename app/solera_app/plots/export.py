"""A widget as a file: PNG at a given size and scale, SVG, PDF, and its data as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMarginsF, QPoint, QRect, QSize, QSizeF, Qt
from PySide6.QtGui import QImage, QImageWriter, QPageLayout, QPageSize, QPainter, QPdfWriter, QRegion
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QLayout, QWidget

from solera.errors import OutputError

DEFAULT_SIZE = (1000, 700)
_DOTS = 96  # a PDF's dots an inch: those of the screen, so that text takes the room it was given
_EXACT = QPageSize.SizeMatchPolicy.ExactMatch


def export_png(widget: QWidget, path: Path, size: tuple[int, int] = DEFAULT_SIZE, scale: float = 2.0) -> Path:
    """Write the widget laid out at ``size`` (logical px) with ``scale`` image pixels each.

    Raises:
        OutputError: The file cannot be written.
    """
    image = QImage(round(size[0] * scale), round(size[1] * scale), QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(scale)
    image.fill(widget.palette().base().color())
    with _laid_out(widget, size):
        painter = QPainter(image)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
        widget.render(painter, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
        painter.end()
    if not QImageWriter(str(path), QByteArray(b"png")).write(image):
        raise OutputError(f"The picture cannot be written to {path}. Choose another folder.", path=str(path))
    return path


def export_svg(widget: QWidget, path: Path, size: tuple[int, int] = DEFAULT_SIZE, title: str = "") -> Path:
    """Write the widget laid out at ``size`` px as vectors with real text.

    Raises:
        OutputError: The file cannot be written.
    """
    written = QBuffer()
    generator = QSvgGenerator()
    generator.setOutputDevice(written)
    generator.setSize(QSize(*size))
    generator.setViewBox(QRect(0, 0, *size))
    generator.setResolution(96)
    generator.setTitle(title or widget.accessibleName())
    with _laid_out(widget, size):
        painter = QPainter(generator)
        painter.fillRect(QRect(0, 0, *size), widget.palette().base())
        widget.render(painter, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
        painter.end()
    return _write(path, written)


def export_pdf(widget: QWidget, path: Path, size: tuple[int, int] = DEFAULT_SIZE, title: str = "") -> Path:
    """Write the widget laid out at ``size`` px as one page of that size (96 px an inch): vectors, fonts embedded.

    Raises:
        OutputError: The file cannot be written.
    """
    written = QBuffer()
    written.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(written)
    writer.setResolution(_DOTS)
    writer.setTitle(title or widget.accessibleName())
    writer.setCreator("Solera")
    page = QPageSize(QSizeF(size[0] * 72 / 96, size[1] * 72 / 96), QPageSize.Unit.Point, "", _EXACT)
    writer.setPageLayout(QPageLayout(page, QPageLayout.Orientation.Portrait, QMarginsF()))
    with _laid_out(widget, size):
        painter = QPainter(writer)
        painter.scale(_DOTS / 96, _DOTS / 96)
        painter.fillRect(QRect(0, 0, *size), widget.palette().base())
        widget.render(painter, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
        painter.end()
    written.close()
    return _write(path, written)


def _write(path: Path, written: QBuffer) -> Path:
    try:
        path.write_bytes(written.data().data())
    except OSError as error:
        raise OutputError(f"The picture cannot be written to {path}: {error.strerror}.", path=str(path)) from error
    return path


def export_csv(path: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a table: one header line, full precision, empty where there is no value.

    Raises:
        OutputError: The file cannot be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(names)
            writer.writerows([_cell(value) for value in row] for row in rows)
    except OSError as error:
        raise OutputError(f"The table cannot be written to {path}: {error.strerror}.", path=str(path)) from error
    return path


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if value != value else repr(float(value))
    return value


@contextmanager
def _laid_out(widget: QWidget, size: tuple[int, int]) -> Iterator[None]:
    """The widget at another size for a moment; nothing reaches the screen in between."""
    before, hidden = widget.size(), not widget.isVisible()
    if hidden:
        widget.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen, True)
        widget.show()
    widget.resize(*size)
    _activate(widget)
    try:
        yield
    finally:
        widget.resize(before)
        if hidden:
            widget.hide()
            widget.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen, False)
        _activate(widget)


def _activate(widget: QWidget) -> None:
    layout: QLayout | None = widget.layout()
    if layout is not None:
        layout.activate()
    for child in widget.findChildren(QWidget):
        inner = child.layout()
        if inner is not None:
            inner.activate()

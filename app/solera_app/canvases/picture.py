"""A whole recipe as a picture file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QImageReader, QImageWriter, QPainter
from PySide6.QtSvg import QSvgGenerator

from solera.documents.document import Document
from solera.documents.files import document_from_plain, document_to_plain
from solera.errors import InputError, OutputError
from solera_app.canvases.ink import ink
from solera_app.canvases.scene import RecipeScene

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec

_MARGIN = 24.0
_SCALE = 2.0
#: Under which name a PNG carries the document it shows.
_KEY = "solera-document"
#: Larger pictures are scaled down to this side, px.
_LARGEST = 16_000


def save_picture(scene: RecipeScene, kind: str, path: Path) -> Path:
    """Write every node of a scene as a picture.

    Args:
        scene: What.
        kind: ``"png"`` (at twice the size) or ``"svg"``.
        path: Where.

    Raises:
        InputError: The kind is not known, or there is nothing to show.
        OutputError: The file cannot be written.
    """
    if kind not in {"png", "svg"}:
        raise InputError(f"A recipe can be exported as png or svg, not {kind!r}.", kind=kind)
    if not scene.items_by_id:
        raise InputError("The recipe is empty, so there is nothing to export. Add a checkpoint first.")
    bounds = scene.itemsBoundingRect().adjusted(-_MARGIN, -_MARGIN, _MARGIN, _MARGIN)
    with scene.on_paper():
        written = _png(scene, bounds, path) if kind == "png" else _svg(scene, bounds, path)
    if not written:
        raise OutputError(f"The picture cannot be written to {path}. Choose another folder.", path=str(path))
    return path


def _png(scene: RecipeScene, bounds: QRectF, path: Path) -> bool:
    scale = min(_SCALE, _LARGEST / max(bounds.width(), bounds.height()))
    size = QSize(round(bounds.width() * scale), round(bounds.height() * scale))
    image = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(ink("canvas"))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    scene.render(painter, QRectF(image.rect()), bounds)
    painter.end()
    image.setText(_KEY, json.dumps(document_to_plain(scene.document)))
    return QImageWriter(str(path), QByteArray(b"png")).write(image)


def document_in(path: Path, methods: Mapping[str, MethodSpec]) -> Document | None:
    """The document that a picture of a recipe canvas carries; None if it carries none.

    Args:
        path: A PNG file.
        methods: By name, to read parameters with.
    """
    text = QImageReader(str(path)).text(_KEY)
    try:
        return document_from_plain(json.loads(text), methods, []) if text else None
    except (ValueError, TypeError, AttributeError):
        return None  # another program's text of this name


def carries_recipe(path: Path) -> bool:
    """Whether a file is a picture that carries a recipe."""
    return path.suffix.lower() == ".png" and bool(QImageReader(str(path)).text(_KEY))


def _svg(scene: RecipeScene, bounds: QRectF, path: Path) -> bool:
    generator = QSvgGenerator()
    generator.setFileName(str(path))
    generator.setSize(bounds.size().toSize())
    generator.setViewBox(QRectF(0, 0, bounds.width(), bounds.height()))
    generator.setTitle(scene.document.recipe.name or "Recipe")
    painter = QPainter()
    if not painter.begin(generator):
        return False
    scene.render(painter, QRectF(0, 0, bounds.width(), bounds.height()), bounds, Qt.AspectRatioMode.IgnoreAspectRatio)
    return painter.end()

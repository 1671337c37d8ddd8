"""Colours, fonts and icons from assets/tokens.json; light and dark.

Painted items read tokens by name (``theme().colour("line-strong")``) and never derive colours. Widgets that paint
connect to ``themes().changed`` and repaint.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal

from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication

Choice = Literal["system", "light", "dark"]


@lru_cache(maxsize=1)
def tokens() -> dict[str, Any]:
    """The whole of tokens.json: spacing, radius, node, dock, control, motion, font, states ..."""
    loaded: dict[str, Any] = json.loads((files("solera_assets") / "tokens.json").read_text(encoding="utf-8"))
    return loaded


class Theme:
    """One palette of the tokens.

    Args:
        name: ``"light"`` or ``"dark"``.
    """

    def __init__(self, name: Literal["light", "dark"]) -> None:
        self.name = name
        self._colours: dict[str, Any] = tokens()["colour"][name]

    def colour(self, token: str) -> QColor:
        """The colour of a token: ``"text-2"``, ``"port.delta"``, ``"plot.axis"``, ``"series.3"``.

        Raises:
            KeyError: No token has this name.
        """
        value: Any = self._colours
        for part in token.split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return _colour(value)

    def hex(self, token: str) -> str:
        """The colour as ``#rrggbb`` (its alpha dropped)."""
        return self.colour(token).name()

    def series(self, index: int) -> QColor:
        """Colour of the index-th data series (eight, then again)."""
        return _colour(self._colours["series"][index % len(self._colours["series"])])

    def palette(self) -> QPalette:
        """The QPalette of this theme."""
        palette = QPalette()
        for role, token in tokens()["qpalette"].items():
            if role == "note":
                continue
            group, _, names = role.rpartition("/")
            for name in names.split(","):
                colour_role = getattr(QPalette.ColorRole, name)
                if group:
                    palette.setColor(QPalette.ColorGroup.Disabled, colour_role, self.colour(token))
                else:
                    palette.setColor(colour_role, self.colour(token))
        disabled = tokens()["qpalette"]["Disabled/Text,WindowText,ButtonText"]
        for name in ("Text", "WindowText", "ButtonText"):
            palette.setColor(QPalette.ColorGroup.Disabled, getattr(QPalette.ColorRole, name), self.colour(disabled))
        return palette


def _colour(value: str) -> QColor:
    if len(value) == 9:  # tokens write #rrggbbaa, Qt reads #aarrggbb
        return QColor(f"#{value[7:]}{value[1:7]}")
    return QColor(value)


class Themes(QObject):
    """Holds the theme in force and tells when it changes."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.current = Theme("light")
        self.choice: Choice = "light"
        self._fusion = False

    def apply(self, choice: Choice) -> None:
        """Put a theme in force for the whole application."""
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            return
        dark = app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        name: Literal["light", "dark"] = "dark" if choice == "dark" or (choice == "system" and dark) else "light"
        self.choice = choice
        self.current = Theme(name)
        if not self._fusion:  # a style sheet hides the style's name, and setting it again polishes every widget anew
            app.setStyle("Fusion")
            self._fusion = True
        app.setPalette(self.current.palette())
        app.setFont(font("label"))
        self.changed.emit()


@lru_cache(maxsize=1)
def themes() -> Themes:
    """The one holder of the theme."""
    return Themes()


def theme() -> Theme:
    """The theme in force."""
    return themes().current


_WEIGHTS = {
    "regular": QFont.Weight.Normal,
    "medium": QFont.Weight.Medium,
    "semibold": QFont.Weight.DemiBold,
}


def font(size: str, weight: str = "regular") -> QFont:
    """A font of the type scale, with tabular figures.

    Args:
        size: ``"display", "title", "heading", "body", "label", "small"``.
        weight: ``"regular", "medium", "semibold"``.
    """
    return QFont(_font(size, weight))  # a copy: fonts can be changed


@cache
def _font(size: str, weight: str) -> QFont:
    made = QFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont))
    made.setPixelSize(tokens()["font"]["sizes"][size])
    made.setWeight(_WEIGHTS[weight])
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


def mono(size: str = "small") -> QFont:
    """The fixed-width system font at a size of the scale."""
    made = QFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
    made.setPixelSize(tokens()["font"]["sizes"][size])
    return made


@lru_cache(maxsize=128)
def _svg(name: str) -> str:
    return (files("solera_assets") / "icons" / f"{name}.svg").read_text(encoding="utf-8")


@lru_cache(maxsize=2048)
def _pixmap(name: str, rgba: str, size: int, ratio: float, gap: int = 0) -> QPixmap:
    renderer = QSvgRenderer(QByteArray(_svg(name).replace("currentColor", rgba).encode()))
    pixmap = QPixmap(QSize(round((size + gap) * ratio), round(size * ratio)))
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    renderer.render(painter, QRectF(0, 0, pixmap.height(), pixmap.height()))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def pixmap(name: str, token: str = "text-2", size: int = 16, ratio: float = 1.0) -> QPixmap:
    """An icon of assets/icons in a token's colour, for painted items."""
    return _pixmap(name, theme().hex(token), size, ratio)


def icon(name: str, token: str = "text-2", size: int = 16, gap: int = 0) -> QIcon:
    """An icon for a button or an action: normal, disabled and active forms, sharp at 1x and 2x.

    Args:
        name: Of assets/icons.
        token: Its colour.
        size: Its side, px.
        gap: Empty px at its right.
    """
    made = QIcon()
    for mode, colour in (
        (QIcon.Mode.Normal, token),
        (QIcon.Mode.Disabled, "text-disabled"),
        (QIcon.Mode.Active, token),
    ):
        for ratio in (1.0, 2.0):
            made.addPixmap(_pixmap(name, theme().hex(colour), size, ratio, gap), mode)
    return made


#: Air between an icon and the words beside it, px; a push button under a style sheet leaves 4 px fewer.
_AIR = 4


def dress(button: QAbstractButton, name: str, token: str = "text") -> None:
    """Put an icon before the words of a button, with air between them."""
    button.setIcon(icon(name, token, gap=_AIR))
    button.setIconSize(QSize(16 + _AIR, 16))

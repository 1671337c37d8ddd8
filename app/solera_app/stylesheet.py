"""The style sheet of the standard controls, made from the tokens of a theme.

Only furniture is styled here (menus, bars, tabs, buttons, fields, lists). Painted items (nodes, plots, list rows)
read tokens themselves; no rule below reaches them.
"""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtWidgets import QApplication

from solera_app.theme import Theme, theme, themes, tokens

_SHEET = """
QMainWindow, QDialog, QDockWidget, QStatusBar, QMenuBar, QToolBar { background: @window; }
QMainWindow::separator { background: @line; width: 1px; height: 1px; }
QToolTip { background: @tooltip; color: @on-tooltip; border: 1px solid @tooltip; padding: 4px 6px; }

QMenuBar { padding: 0 4px; border: none; max-height: 34px; }
QMenuBar::item { padding: 5px 9px; margin: 2px 0; background: transparent; border-radius: 4px; }
QMenuBar::item:selected { background: @hover; }
QMenuBar::item:pressed { background: @pressed; }
QMenu { background: @raised; border: 1px solid @line-strong; border-radius: 4px; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 28px; border-radius: 4px; }
QMenu::item:selected { background: @accent-soft; color: @text; }
QMenu::item:disabled { color: @text-disabled; }
QMenu::separator { height: 1px; background: @line; margin: 4px 8px; }
QMenu::icon { left: 6px; }

QToolBar { border: none; border-bottom: 1px solid @line; spacing: 4px; padding: 4px 8px; min-height: 31px; }
QToolBar::separator { background: @line; width: 1px; margin: 6px 8px; }
QToolButton { border: 1px solid transparent; border-radius: 4px; padding: 4px; background: transparent; }
QToolButton:hover { background: @hover; }
QToolButton:pressed { background: @pressed; }
QToolButton:checked { background: @accent-soft; }
QToolButton:focus { border: 1px solid @accent; }
QToolButton::menu-indicator { image: none; }

QPushButton { background: @base; border: 1px solid @line-strong; border-radius: 4px; padding: 4px 12px;
  min-height: 18px; color: @text; font-weight: 500; }
QPushButton:hover { background: @hover; }
QPushButton:pressed { background: @pressed; }
QPushButton:disabled { color: @text-disabled; background: @window; border-color: @line; }
QPushButton:focus { border: 2px solid @accent; padding: 3px 11px; }
QPushButton:checked { background: @accent-soft; color: @accent; border-color: @accent-line; }
QPushButton[role="main"] { background: @accent; color: @on-accent; border: 1px solid @accent; }
QPushButton[role="main"]:hover { background: @accent-hover; }
QPushButton[role="main"]:pressed { background: @accent-pressed; }
QPushButton[role="main"]:disabled { background: @pressed; color: @text-disabled; border-color: @pressed; }
QPushButton[role="link"] { background: transparent; border: none; color: @accent; padding: 0; min-height: 16px;
  font-weight: 400; text-align: left; }
QPushButton[role="link"]:hover { color: @accent-hover; text-decoration: underline; }

QLineEdit, QAbstractSpinBox, QComboBox, QPlainTextEdit, QTextEdit { background: @base; border: 1px solid @line-strong;
  border-radius: 4px; padding: 3px 8px; min-height: 20px; selection-background-color: @accent-soft;
  selection-color: @text; }
QAbstractSpinBox { padding: 2px 6px; min-height: 20px; }
QLineEdit:hover, QAbstractSpinBox:hover, QComboBox:hover { border-color: @control-line; }
QLineEdit:focus, QAbstractSpinBox:focus, QComboBox:focus, QPlainTextEdit:focus, QTextEdit:focus {
  border: 2px solid @accent; padding: 2px 7px; }
QAbstractSpinBox:focus { padding: 1px 5px; }
QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled { color: @text-disabled; background: @window;
  border-color: @line; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { width: 0; border: none; }
QComboBox { padding-right: 24px; }
QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: url(@icon:chevron-down); width: 12px; height: 12px; }
QComboBox QAbstractItemView { background: @raised; border: 1px solid @line-strong; outline: none; padding: 4px;
  selection-background-color: @accent-soft; selection-color: @text; }
QCheckBox { spacing: 8px; }
QCheckBox::indicator { width: 14px; height: 14px; border: 1px solid @control-line; border-radius: 3px;
  background: @base; }
QCheckBox::indicator:checked { background: @accent; border-color: @accent; image: url(@icon:check); }
QCheckBox::indicator:focus { border: 2px solid @accent; }

QTabBar { background: @window; border: none; qproperty-drawBase: 0; }
QTabBar::tab { background: @window; color: @text-2; border: none; border-right: 1px solid @line;
  border-top: 2px solid transparent; padding: 6px 12px 6px 12px; min-height: 18px; }
QTabBar::tab:hover { background: @hover; }
QTabBar::tab:selected { background: @canvas; color: @text; border-top: 2px solid @accent; font-weight: 500; }
QTabBar::close-button { image: url(@icon:close); subcontrol-position: right; padding: 2px; }
QTabBar::close-button:hover { background: @pressed; border-radius: 4px; }
QTabBar::tear { width: 0; border: none; }
QTabBar::scroller { width: 36px; }
QTabWidget::pane { border: none; border-top: 1px solid @line; background: @canvas; }
QDockWidget::title { background: @window; padding: 0; }
QDockWidget { titlebar-close-icon: none; titlebar-normal-icon: none; }

QAbstractItemView { background: @window; border: none; outline: none; selection-background-color: @accent-soft;
  selection-color: @text; }
QAbstractItemView[role="page"] { background: @canvas; }
QAbstractItemView[role="field"] { background: @base; border: 1px solid @line-strong; border-radius: 4px; }
QTableView { background: @base; gridline-color: @line; }
QHeaderView::section { background: @window; color: @text-2; border: none; border-bottom: 1px solid @line;
  padding: 8px 8px 6px 8px; }
QHeaderView::up-arrow, QHeaderView::down-arrow { subcontrol-origin: margin; subcontrol-position: top center;
  top: 2px; width: 9px; height: 7px; }
QScrollArea { border: none; background: @window; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar::handle:vertical { background: @line-strong; border-radius: 3px; min-height: 24px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle:horizontal { background: @line-strong; border-radius: 3px; min-width: 24px; margin: 2px; }
QScrollBar::handle:hover { background: @control-line; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QStatusBar { border-top: 1px solid @line; min-height: 23px; color: @text-2; }
QStatusBar::item { border: none; }
QProgressBar { background: @line; border: none; border-radius: 2px; max-height: 4px; min-height: 4px; }
QProgressBar::chunk { background: @accent; border-radius: 2px; }
QLabel[tone="2"] { color: @text-2; }
QLabel[tone="3"] { color: @text-3; }
QLabel[tone="error"] { color: @error; }
QLabel[tone="warn"] { color: @warn; }
QLabel[tone="accent"] { color: @accent; }
QPushButton[role="icon"] { background: transparent; border: none; padding: 0; min-height: 20px; }
QPushButton[role="icon"]:hover { background: @hover; }
QFrame[role="line"] { background: @line; border: none; max-height: 1px; min-height: 1px; }
QFrame[role="card"] { background: @raised; border: 1px solid @line-strong; border-radius: 8px; }
QFrame[role="toast"] { background: @raised; border: 1px solid @line-strong; border-radius: 8px; }
QWidget[role="page"] { background: @canvas; }
QWidget[role="dock"] { background: @window; }
QSplitter::handle { background: @line; }
"""


def sheet(theme: Theme, icons: str) -> str:
    """The style sheet for a theme.

    Args:
        theme: Whose colours.
        icons: Folder with the icons already in this theme's colours (see :func:`write_icons`), with forward slashes.
    """
    text = re.sub(r"@icon:([a-z-]+)", lambda m: f"{icons}/{m[1]}.svg", _SHEET)
    names = sorted(_flat(tokens()["colour"][theme.name]), key=len, reverse=True)
    return re.sub("@(" + "|".join(map(re.escape, names)) + r")\b(?!-)", lambda m: theme.hex(m[1]), text)


def _flat(colours: dict[str, object]) -> list[str]:
    return [name for name, value in colours.items() if isinstance(value, str)]


#: Icons the sheet names, and the token each is drawn in.
SHEET_ICONS = {"chevron-down": "text-3", "check": "on-accent", "close": "text-3"}


def write_icons(theme: Theme, folder: str) -> None:
    """Write the few icons the sheet refers to, recoloured: Qt style sheets take files only."""
    for name, token in SHEET_ICONS.items():
        source = (files("solera_assets") / "icons" / f"{name}.svg").read_text(encoding="utf-8")
        with open(f"{folder}/{name}.svg", "w", encoding="utf-8") as file:
            file.write(source.replace("currentColor", theme.hex(token)))


class Stylist:
    """Keeps the application's style sheet in step with the theme.

    Args:
        app: The application; the stylist lives as long as it does.
    """

    def __init__(self, app: QApplication) -> None:
        self._app = app
        self._icons = TemporaryDirectory(prefix="solera-icons-")
        themes().changed.connect(self.restyle)
        self.restyle()

    def restyle(self) -> None:
        """Write the icons and set the sheet again."""
        folder = Path(self._icons.name) / theme().name  # one a theme: Qt reads them when it first paints them
        if not folder.is_dir():
            folder.mkdir()
            write_icons(theme(), str(folder))
        self._app.setStyleSheet(sheet(theme(), folder.as_posix()))

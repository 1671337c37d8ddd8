"""Dialogs: one that is answered, about."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from solera_app.theme import font
from solera_app.welcome import Logo


def _dialog(title: str, parent: QWidget, width: int, height: int) -> tuple[QDialog, QVBoxLayout]:
    dialog = QDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.resize(width, height)
    column = QVBoxLayout(dialog)
    column.setContentsMargins(16, 16, 16, 16)
    column.setSpacing(12)
    return dialog, column


def _close_button(dialog: QDialog, column: QVBoxLayout) -> None:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.close)
    column.addWidget(buttons)


def answered(dialog: QDialog) -> bool:
    """Show a dialog until it is answered; whether it was accepted.

    It can be read until control returns to the event loop; then it goes, though its parent stays.
    """
    try:
        return bool(dialog.exec())
    finally:
        dialog.deleteLater()


def show_about(parent: QWidget, version: str) -> QDialog:
    """Name, version, licence."""
    dialog, column = _dialog("About Solera", parent, 380, 200)
    row = QHBoxLayout()
    row.addWidget(Logo(56))
    words = QLabel(
        f"<b>Solera {version}</b><br>A workbench for weight space.<br><br>Apache License 2.0.", wordWrap=True
    )
    words.setFont(font("body"))
    row.addWidget(words, 1)
    column.addLayout(row)
    column.addStretch(1)
    _close_button(dialog, column)
    dialog.show()
    return dialog

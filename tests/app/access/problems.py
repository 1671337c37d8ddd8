"""What keeps a person without eyes, mouse or a large screen from using a widget, in sentences."""

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollBar,
    QTabBar,
    QTextBrowser,
    QWidget,
)

#: Links that a page has at most.
_LINKS = 300


def internal(widget: QObject) -> bool:
    """Whether Qt made it as a part of a control of its own."""
    name = widget.objectName()
    parent = widget.parent()
    return (
        name.startswith("qt_")
        or isinstance(widget, (QScrollBar, QHeaderView))
        or (isinstance(widget, QLineEdit) and isinstance(parent, (QAbstractSpinBox, QComboBox)))
        or (isinstance(widget, QAbstractButton) and isinstance(parent, (QLineEdit, QTabBar)))
        or type(widget).__name__ in {"CloseButton", "QLineEditIconButton"}
        or (isinstance(parent, QAbstractScrollArea) and widget is parent.viewport())
        or type(parent).__name__ in {"QComboBoxPrivateContainer", "QKeySequenceEdit"}
        or (isinstance(widget, QAbstractItemView) and type(parent).__name__ == "QComboBoxPrivateContainer")
    )


CONTROLS = (QAbstractButton, QLineEdit, QComboBox, QAbstractSpinBox, QAbstractSlider, QPlainTextEdit, QAbstractItemView,
            QTextBrowser)  # fmt: skip


def controls(root: QWidget) -> list[QWidget]:
    return [w for w in root.findChildren(QWidget) if isinstance(w, CONTROLS) and w.isVisible() and not internal(w)]


def what(widget: QWidget) -> str:
    text = getattr(widget, "text", None)
    return f"{type(widget).__name__} {text() if callable(text) else ''!r} in {type(widget.parent()).__name__}"


def name_of(widget: QWidget) -> str:
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else ""


def unnamed(root: QWidget) -> list[str]:
    return [f"no accessible name: {what(control)}" for control in controls(root) if not name_of(control)]


def helpless(root: QWidget) -> list[str]:
    return [
        f"no tooltip: {what(control)}" for control in controls(root)
        if not control.toolTip() and not isinstance(control, QAbstractItemView | QTextBrowser)
        and not isinstance(control.parent(), QDialogButtonBox)
    ]  # fmt: skip


def out_of_reach(root: QWidget) -> list[str]:
    """Controls that Tab does not come to, or does not leave."""
    found = [
        f"not reached by Tab: {what(control)}" for control in controls(root)
        if control.isEnabled() and isinstance(control, QAbstractButton | QLineEdit | QComboBox | QAbstractSpinBox)
        and not control.focusPolicy() & Qt.FocusPolicy.TabFocus and control.focusProxy() is None
    ]  # fmt: skip
    root.window().activateWindow()
    for control in controls(root):
        if not control.isEnabled() or not control.focusPolicy() & Qt.FocusPolicy.TabFocus:
            continue
        control.setFocus(Qt.FocusReason.TabFocusReason)
        if not control.hasFocus():
            continue  # a part that hands the focus on
        for _ in range(_LINKS if isinstance(control, QTextBrowser) else 1):  # in a text Tab goes from link to link
            QTest.keyClick(control, Qt.Key.Key_Tab)
            if not control.hasFocus():
                break
        if control.hasFocus() and len(controls(root.window())) > 1:
            found.append(f"keeps the focus: {what(control)}")
    return found


def clipped(root: QWidget) -> list[str]:
    """Words that do not fit where they stand."""
    found = []
    for widget in root.findChildren(QWidget):
        if not widget.isVisible() or internal(widget):
            continue
        if isinstance(widget, QPushButton) and widget.text():
            wanted = widget.minimumSizeHint().width()
        elif type(widget) is QLabel and widget.text() and not widget.wordWrap() and widget.minimumWidth() <= 0:
            wanted = widget.sizeHint().width()
        else:
            continue
        if widget.width() < wanted - 2:
            found.append(f"clipped: {what(widget)}, {widget.width()} of {wanted} px")
    return found

"""A form made from declared parameters: pyqtgraph's parameter tree with our fields in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pyqtgraph.parametertree import Parameter, ParameterTree, registerParameterType
from pyqtgraph.parametertree.parameterTypes import SimpleParameter, WidgetParameterItem
from pyqtgraph.widgets.TreeWidget import InvisibleRootItem
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QWidget

from solera.methods.forms import Formed
from solera.params import Curve, ParamSpec, PerModel, Rules, Value, Var
from solera_app.docks.curve_field import CURVE_ROW, CurveField
from solera_app.docks.fields import (
    ChoiceField,
    Field,
    NumberField,
    StructureField,
    SwitchField,
    TextField,
    help_of,
)
from solera_app.theme import icon, themes


class Declared(Protocol):
    """What a form and its title need of a contribution; its manifest entry has it."""

    @property
    def title(self) -> str:
        """What a person reads."""
        ...

    @property
    def summary(self) -> str:
        """One sentence."""
        ...

    @property
    def params(self) -> Sequence[ParamSpec]:
        """Declared parameters."""
        ...


class DeclaredMethod(Declared, Formed, Protocol):
    """The same of a method, with its forms."""


class _FieldItem(WidgetParameterItem):  # type: ignore[misc]  # pyqtgraph is untyped
    """A row whose editor is always shown."""

    def __init__(self, param: Any, depth: int) -> None:
        super().__init__(param, depth)
        self.hideWidget = False
        height = CURVE_ROW if isinstance(param.opts["value"], Curve) else _ROW
        self.setSizeHint(0, QSize(84, height))
        self.setSizeHint(1, QSize(160, height))
        self.defaultBtn.setIcon(icon("undo", "text-3"))
        self.defaultBtn.setProperty("role", "icon")
        self.defaultBtn.setToolTip("Back to the default")
        self.defaultBtn.setAccessibleName(f"Reset {param.opts.get('title', '')}")
        self.setToolTip(0, param.opts.get("tip", ""))

    def makeWidget(self) -> QWidget:
        return field_for(self.param.opts["spec"], self.param.opts["value"], self.param.opts["variable"])

    def selected(self, sel: bool) -> None:
        pass

    def updateDefaultBtn(self) -> None:
        value = self.param.opts["value"]  # a variable goes back by its bracket
        self.defaultBtn.setVisible(value != self.param.opts["default"] and not isinstance(value, Var))


class _FieldParameter(SimpleParameter):  # type: ignore[misc]  # pyqtgraph is untyped
    itemClass = _FieldItem

    def _interpretValue(self, value: Any) -> Any:
        return value


class _Tree(ParameterTree):  # type: ignore[misc]  # pyqtgraph is untyped
    """A parameter tree that keeps no wrapper of its hidden root item.

    Qt frees that item with the tree and cannot tell Python so. A wrapper that outlives it stands for whatever Qt puts
    at its address next: a style, an action; the first call through it is a crash.
    """

    def __init__(self, label_width: int) -> None:
        super().__init__(showHeader=False)
        self._invRootItem = None
        self.setFrameShape(ParameterTree.Shape.NoFrame)
        self.setAlternatingRowColors(False)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Fixed)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.header().resizeSection(0, label_width + _PAD)
        self.setAccessibleName("Parameters")

    def invisibleRootItem(self) -> Any:  # pyqtgraph asks for it by this name
        return InvisibleRootItem(QTreeWidget.invisibleRootItem(self))


#: Height of a row, and what a row takes with its gap.
_ROW, _GAP = 30, 2
#: Pixels a tree puts before the text of its items; the form begins that much to the left.
_PAD = 3

registerParameterType("solera", _FieldParameter, override=True)


class Form(QWidget):
    """Declared parameters as a form.

    Args:
        label_width: Width of the column of labels in px.

    Signals:
        changed: Name and new value (None: back to the default).
    """

    changed = Signal(str, object)

    def __init__(self, label_width: int = 88) -> None:
        super().__init__()
        self._label_width = label_width
        self.tree = _Tree(label_width)
        self.tree.setParent(self)
        self._specs: Sequence[ParamSpec] = ()
        self._root: Any = None
        self._quiet = False
        self._shape: tuple[Any, ...] = ()
        themes().changed.connect(self._recolour)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102 - Qt's name
        self._place()

    def _place(self) -> None:
        self.tree.setGeometry(-_PAD, 0, self.width() + _PAD, self.height())

    def show_specs(
        self,
        specs: Sequence[ParamSpec],
        values: Mapping[str, Value],
        prefix: str = "",
        variables: bool = True,
    ) -> None:
        """Show these parameters at these values; the same parameters again only update their fields.

        Args:
            specs: Declarations, in order.
            values: Values by name; absent ones stand at their default.
            prefix: Put before a name to make a variable's name.
            variables: Whether numbers may become search variables.
        """
        self._specs = specs
        shape = (prefix, variables, *((spec.name, type(_form(values.get(spec.name)))) for spec in specs))
        self._quiet = True
        if shape == self._shape and self._root is not None:
            for spec in specs:
                child = self._root.child(spec.name)
                value = values.get(spec.name, _default(spec))
                if child.value() != value:
                    child.setValue(value)
        else:
            self._shape = shape
            self._build(specs, values, prefix, variables)
        self._quiet = False

    def _build(self, specs: Sequence[ParamSpec], values: Mapping[str, Value], prefix: str, variables: bool) -> None:
        rows = []
        for spec in specs:
            default = _default(spec)
            unit = f", {spec.param.unit}" if spec.param.unit else ""
            rows.append(
                {
                    "name": spec.name,
                    "title": spec.title,
                    "type": "solera",
                    "spec": spec,
                    "default": default,
                    "value": values.get(spec.name, default),
                    "tip": f"{spec.param.help}{unit}".strip(", "),
                    "variable": f"{prefix}{spec.name}".replace(":", "_")
                    if variables and spec.kind in {"float", "int"}
                    else "",
                }
            )
        self._root = Parameter(name="parameters", children=rows)
        self.tree.hide()
        self.tree.deleteLater()  # a tree that is only cleared leaves its rows behind
        self.tree = _Tree(self._label_width)
        self.tree.setParameters(self._root, showTop=False)
        self.tree.setParent(self)
        self._place()
        self.tree.show()
        self._root.sigTreeStateChanged.connect(self._told)
        curves = sum(isinstance(row["value"], Curve) for row in rows)
        self.setFixedHeight((_ROW + _GAP) * len(specs) + (CURVE_ROW - _ROW) * curves + 6)

    def values(self) -> dict[str, Value]:
        """Every value as it stands in the form, by name."""
        return {spec.name: self._root.child(spec.name).value() for spec in self._specs}

    def _told(self, _: Any, changes: Sequence[tuple[Any, str, Any]]) -> None:
        if self._quiet:
            return
        for param, change, value in changes:
            if change == "value":
                spec = param.opts["spec"]
                self.changed.emit(spec.name, None if value == _default(spec) else value)

    def _recolour(self) -> None:
        if self._root is not None:
            values = self.values()
            shape, self._shape = self._shape, ()
            self.show_specs(self._specs, values, str(shape[0]), bool(shape[1]))


def _default(spec: ParamSpec) -> Value | None:
    if isinstance(spec.default, tuple):
        return PerModel(spec.default)
    return spec.default


def _form(value: Value | None) -> object:
    """What decides which field a value needs: its structure, not its number."""
    return value if isinstance(value, (PerModel, Curve, Rules)) else 0


def field_for(spec: ParamSpec, value: Value | None, variable: str = "") -> Field:
    """The field that fits a declaration and its present value, with help on each of its parts."""
    field = _bare_field(spec, value, variable)
    for part in field.findChildren(QWidget):
        if not part.toolTip():
            part.setToolTip(help_of(spec))
    return field


def _bare_field(spec: ParamSpec, value: Value | None, variable: str) -> Field:
    if isinstance(value, Curve):
        return CurveField(spec)
    if isinstance(value, (Rules, PerModel)):
        return StructureField(spec)
    match spec.kind:
        case "float" | "int":
            return NumberField(spec, variable)
        case "choice":
            return ChoiceField(spec)
        case "bool":
            return SwitchField(spec)
        case _:
            return TextField(spec)

"""The inspector's page for several nodes at once: what they have in common can be set for all in one edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from solera.documents.commands import Batch, SetParam, SetSink
from solera.documents.document import AnyNode, Document, SaveNode
from solera.params import ParamSpec, PerModel, Value
from solera.recipes.nodes import MethodNode
from solera_app.canvases.faces import title_of
from solera_app.docks.form import DeclaredMethod, Form
from solera_app.docks.panel import line, section_title
from solera_app.docks.subject import Facts, Subject

_DTYPE = ParamSpec("dtype", "choice", "", choices=("", "float32", "bfloat16", "float16", "float64"))


class SeveralPage(QWidget):
    """Several nodes.

    Signals:
        edited: A command for the document.
    """

    edited = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self._nodes: Sequence[AnyNode] = ()
        self.subject, self.form, self.facts = Subject(), Form(), Facts()
        self.told = QLabel(wordWrap=True)
        self.told.setProperty("tone", "3")
        title, _ = section_title("Selected")
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 12)
        column.setSpacing(10)
        for widget in (self.subject, self.form, self.told, line(), title, self.facts):
            column.addWidget(widget)
        column.addStretch(1)
        self.form.changed.connect(self._changed)

    def show_nodes(self, document: Document, ids: Sequence[str], methods: Mapping[str, DeclaredMethod]) -> None:
        """Show nodes of a document."""
        self._nodes = [document.node(id_) for id_ in ids]
        specs = common(self._nodes, methods)
        values, differ = shared(self._nodes, specs)
        self.subject.show_subject("layers", f"{len(ids)} nodes", "What is set here is set for all of them in one edit.")
        self.form.setVisible(bool(specs))
        self.form.show_specs(specs, values, prefix=f"{'_'.join(ids)}_", variables=False)
        names = ", ".join(f"'{spec.title.lower()}'" for spec in specs if spec.name in differ)
        if not specs:
            self.told.setText("They have no parameter in common.")
        else:
            self.told.setText(f"They differ in {names}; it is shown as by default." if names else "They agree in all.")
        self.facts.show_facts([(title_of(node, methods), node.id) for node in self._nodes])

    def _changed(self, name: str, value: Value | None) -> None:
        commands: list[Any] = []
        for node in self._nodes:
            if isinstance(node, SaveNode):
                commands.append(SetSink(replace(node, dtype=str(value or ""))))
            elif isinstance(node, MethodNode):
                commands.append(SetParam(node.id, name, value))
        if commands:
            self.edited.emit(Batch(tuple(commands), label=f"Set {name.replace('_', ' ')} of {len(commands)} nodes"))


def common(nodes: Sequence[AnyNode], methods: Mapping[str, DeclaredMethod]) -> list[ParamSpec]:
    """The parameters that all nodes have, of one kind and with the same choices and bounds; none if a node has none."""
    found: list[ParamSpec] | None = None
    for node in nodes:
        if isinstance(node, SaveNode):
            specs: Sequence[ParamSpec] = (_DTYPE,)
        elif isinstance(node, MethodNode) and node.method in methods:
            specs = [spec for spec in methods[node.method].params if not isinstance(spec.default, tuple)]
        else:
            return []
        known = {spec.name: spec for spec in specs}
        found = list(specs) if found is None else [s for s in found if s.name in known and _alike(s, known[s.name])]
    return [spec for spec in found or [] if not any(_apart(node, spec.name) for node in nodes)]


def _alike(a: ParamSpec, b: ParamSpec) -> bool:
    bounds = [(spec.param.low, spec.param.high, spec.param.unit) for spec in (a, b)]
    return a.kind == b.kind and a.choices == b.choices and bounds[0] == bounds[1]


def _apart(node: AnyNode, name: str) -> bool:
    """Whether a node has a value for each of its models there."""
    return isinstance(node, MethodNode) and isinstance(node.params.get(name), PerModel)


def shared(nodes: Sequence[AnyNode], specs: Sequence[ParamSpec]) -> tuple[dict[str, Value], set[str]]:
    """The values that all nodes agree in, by name, and the names of those in which they differ."""
    values: dict[str, Value] = {}
    differ: set[str] = set()
    for spec in specs:
        told = [_value(node, spec) for node in nodes]
        if all(value == told[0] for value in told):
            if told[0] is not None:
                values[spec.name] = told[0]
        else:
            differ.add(spec.name)
    return values, differ


def _value(node: AnyNode, spec: ParamSpec) -> Any:
    if isinstance(node, SaveNode):
        return node.dtype
    return node.params.get(spec.name, spec.default) if isinstance(node, MethodNode) else None

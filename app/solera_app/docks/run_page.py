"""The inspector's page for a run of the list: what it is, what it came from, whether that still holds."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from solera_app.docks.checkpoint_page import short_print
from solera_app.docks.panel import line, section_title
from solera_app.docks.remarks import Remarks
from solera_app.docks.subject import Facts, Subject
from solera_app.words import when

#: What a run is called by its kind.
KINDS = {
    "explore": "Exploration", "merge": "Merge", "evaluate": "Evaluation", "compare": "Comparison", "probe": "Probe",
}  # fmt: skip


class RunPage(QWidget):
    """A run.

    Signals:
        commanded: Run id and ``"open"``, ``"recipe"``, ``"again"``, ``"resume"`` or ``"trash"``.
    """

    commanded = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self.run = ""
        self.subject, self.facts, self.origin, self.remarks = Subject(), Facts(), Facts(), Remarks()
        self.stale = QLabel(wordWrap=True)
        self.stale.setProperty("tone", "warn")
        self.found_title, _ = section_title("Found")
        self.found = Facts()
        self.origin_title, _ = section_title("Made from")
        self.buttons: dict[str, QPushButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 12)
        column.setSpacing(10)
        self._rule, self._found_rule = line(), line()
        grid = QGridLayout()
        grid.setSpacing(8)
        for place, (action, words, tip) in enumerate(
            (
                ("open", "Open", "Show its pictures in a tab"),
                ("recipe", "Open recipe", "Open the recipe it was made of as a new document"),
                ("again", "Run again…", "Do the same with one setting changed"),
                ("trash", "Delete", "Move it to the project's trash; it can be brought back"),
                ("resume", "Resume", "Go on where it stopped"),
            )
        ):
            button = self.buttons[action] = QPushButton(words)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, action=action: self.commanded.emit(self.run, action))
            grid.addWidget(button, place // 2, place % 2)
        column.addWidget(self.subject)
        column.addWidget(self.stale)
        column.addLayout(grid)
        for widget in (self.facts, self._found_rule, self.found_title, self.found, self._rule, self.origin_title,
                       self.origin, line(), self.remarks):  # fmt: skip
            column.addWidget(widget)
        column.addStretch(1)

    def show_run(self, info: Any, header: Any, stale: str) -> None:
        """Show a run.

        Args:
            info: Its line of the catalogue.
            header: What it says of itself; None while that is read, or if it cannot be.
            stale: Why it would come out otherwise now; empty if it would not.
        """
        self.run = info.id
        state = "Stale" if stale else info.state.capitalize()
        self.subject.show_subject("history", info.title, KINDS.get(info.kind, info.kind.capitalize()), state)
        self.stale.setText(f"Stale: {stale}")
        self.stale.setVisible(bool(stale))
        self.facts.show_facts(_facts(info, header))
        found = [("", text.strip()) for text in info.summary.split(";") if text.strip()][:6]
        for widget in (self._found_rule, self.found_title, self.found):
            widget.setVisible(bool(found))
        self.found.show_facts(found)
        origin = _origin(header)
        for widget in (self._rule, self.origin_title, self.origin):
            widget.setVisible(bool(origin))
        self.origin.show_facts(origin)
        self.remarks.show_remarks(info.id, info.note, info.tags)
        self.buttons["recipe"].setEnabled(bool(recipes_of(header)))
        self.buttons["again"].setEnabled(header is not None)
        self.buttons["resume"].setVisible(info.state in {"interrupted", "cancelled", "failed"})
        self.buttons["trash"].setEnabled(info.state != "running")


def _facts(info: Any, header: Any) -> list[tuple[str, str]]:
    experiment = header.experiment if header is not None else {}
    provenance = header.provenance if header is not None else {}
    done = min(info.count, info.planned or info.count)  # what was scored again for the report does not count
    planned = f" of {info.planned:,}" if info.planned and done < info.planned else ""
    facts = [
        ("State", info.state),
        ("Points", f"{done:,}{planned}" if info.count or info.planned else ""),
        ("Explorer", str(dict(experiment.get("explorer", {})).get("name", ""))),
        ("Tasks", ", ".join(map(str, experiment.get("tasks", ())))),
        ("Seed", str(experiment.get("seed", 0)) if header is not None else ""),
        ("Device", str(provenance.get("device", ""))),
        ("Started", when(info.created)),
        ("File", info.path.name),
    ]
    return [(title, text) for title, text in facts if text]


def _origin(header: Any) -> list[tuple[str, str]]:
    if header is None:
        return []
    found: dict[str, str] = {}
    models = header.provenance.get("models", {})
    for facts in (*models.values(), header.provenance):
        for id_, item in facts.get("inputs", {}).items():
            print_ = short_print(str(item.get("fingerprint", "")))
            found[str(item.get("name") or id_)] = f"hash {print_}" if print_ else str(item.get("source", ""))
    return list(found.items())[:12]


def recipes_of(header: Any) -> dict[str, str]:
    """The recipes a run was made of, as YAML by name: one, or those of the models it compared."""
    if header is None:
        return {}
    if text := header.provenance.get("recipe"):
        return {header.title: str(text)}
    models = header.provenance.get("models", {})
    return {str(name): str(facts["recipe"]) for name, facts in models.items() if facts.get("recipe")}

"""The inspector's page for a checkpoint of the library: what it is, where it comes from, how it scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from solera_app.docks.panel import line, section_title
from solera_app.docks.remarks import Remarks
from solera_app.docks.subject import Facts, Subject
from solera_app.words import size_short, when


class Score(Protocol):
    """What the page needs of a score (``solera.workbench.standing.Standing`` has it)."""

    @property
    def column(self) -> str:
        """``"rotated.accuracy"``."""
        ...

    @property
    def split(self) -> str:
        """On which data."""
        ...

    @property
    def value(self) -> float:
        """The score."""
        ...

    @property
    def stderr(self) -> float:
        """Its standard error."""
        ...

    @property
    def count(self) -> int:
        """Samples."""
        ...


class CheckpointPage(QWidget):
    """A checkpoint of the library.

    Signals:
        remarked: Name, note, tags as one text with commas.
        recipeRequested: Name of a made one whose recipe is to be opened.
        addRequested, relocateRequested: Name.
    """

    remarked = Signal(str, str, str)
    recipeRequested = Signal(str)
    addRequested = Signal(str)
    relocateRequested = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "dock")
        self._name = ""
        self.subject, self.facts = Subject(), Facts()
        self.scores_title, self._scores_figure = section_title("Scores")
        self.scores = Facts()
        self.origin_title, _ = section_title("Made from")
        self.origin = Facts()
        self.same = QLabel(wordWrap=True)
        self.same.setProperty("tone", "warn")
        self.remarks = Remarks()
        self.remarks.remarked.connect(self.remarked)
        self.add = QPushButton("Add to canvas")
        self.add.setToolTip("Put it on the recipe canvas in front")
        self.open = QPushButton("Open recipe")
        self.open.setToolTip("Open the recipe that made it as a new document")
        self.relocate = QPushButton("Relocate…")
        self.relocate.setToolTip("Say where its files are now")
        self._rules = [line() for _ in range(3)]
        self._lay_out()
        self.add.clicked.connect(lambda: self.addRequested.emit(self._name))
        self.open.clicked.connect(lambda: self.recipeRequested.emit(self._name))
        self.relocate.clicked.connect(lambda: self.relocateRequested.emit(self._name))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 12)
        column.setSpacing(10)
        for widget in (self.subject, self.facts, self.same, self._rules[0], self.scores_title, self.scores,
                       self._rules[1], self.origin_title, self.origin, self._rules[2],
                       self.remarks):  # fmt: skip
            column.addWidget(widget)
        row = QHBoxLayout()
        for button in (self.add, self.open, self.relocate):
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch(1)

    @property
    def shown(self) -> str:
        """Name of the checkpoint shown; empty before any was."""
        return self._name

    def show_entry(self, entry: Any, scores: Sequence[Score], same: Sequence[str]) -> None:
        """Show a checkpoint.

        Args:
            entry: Of the library.
            scores: What runs measured of it.
            same: Names of others with the same tensors.
        """
        self._name = entry.name
        icon = {"made": "merge", "adapter": "adapter"}.get(entry.role, "checkpoint")
        about = entry.trouble or entry.architecture or ""
        state = "Not found" if entry.missing else "Cannot be read" if entry.trouble else ""
        self.subject.show_subject("broken-link" if entry.missing else icon, entry.name, about, state)
        self.facts.show_facts(_facts(entry))
        self.same.setText(f"Holds the same weights as {', '.join(same)}." if same else "")
        self.same.setVisible(bool(same))
        alike = {f"{score.split}, n = {score.count:,}" for score in scores}
        self._scores_figure.setText(next(iter(alike)) if len(alike) == 1 else "")
        lines = [_score(score, whole=len(alike) > 1) for score in scores]
        self.scores.show_facts(lines or [("", "None yet: a task node, or an evaluation, scores it.")])
        origin = _origin(entry.lineage)
        for widget in (self._rules[1], self.origin_title, self.origin):
            widget.setVisible(bool(origin))
        self.origin.show_facts(origin)
        self.remarks.show_remarks(entry.name, entry.note, entry.tags)
        self.open.setVisible("recipe" in entry.lineage)
        self.relocate.setVisible(entry.missing)
        self.add.setVisible(not entry.missing and not entry.trouble)


def _facts(entry: Any) -> list[tuple[str, str]]:
    facts = [
        ("Adapter", entry.adapter),
        ("Trained on", entry.base),
        ("Format", entry.format),
        ("Parameters", f"{entry.numel:,}" if entry.numel else ""),
        ("Dtype", entry.dtype),
        ("Size", size_short(entry.nbytes) if entry.nbytes else ""),
        ("Fingerprint", short_print(entry.fingerprint)),
        ("Path", str(entry.path)),
    ]
    return [(title, text) for title, text in facts if text]


def short_print(fingerprint: str) -> str:
    """A content hash as a person compares it: its first and last digits."""
    digits = fingerprint.rpartition(":")[2]
    return f"{digits[:8]}…{digits[-4:]}" if digits else ""


def _score(score: Score, *, whole: bool) -> tuple[str, str]:
    from solera.tasks.scores import METRICS
    from solera_app.plots.numerals import measured

    task, _, name = score.column.rpartition(".")
    metric = METRICS.get(name)
    percent = metric is not None and metric.display == "percent"
    factor = 100.0 if percent else 1.0
    unit = " %" if percent else f" {metric.unit}".rstrip() if metric is not None else ""
    title = f"{task} {metric.title.lower() if metric is not None else name}"
    told = f", n = {score.count:,}, {score.split}" if whole else ""
    return title, f"{measured(score.value * factor, score.stderr * factor)}{unit}{told}"


def _origin(lineage: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a made one came from: its inputs with their hashes, when, in which run."""
    if not lineage:
        return []
    facts = [
        (str(id_), f"{item.get('name', '')} · {short_print(str(item.get('fingerprint', '')))}".rstrip(" ·"))
        for id_, item in lineage.get("inputs", {}).items()
    ]
    if lineage.get("numbers"):
        facts.append(("Variables", ", ".join(f"{key} {value:.4g}" for key, value in lineage["numbers"].items())))
    if lineage.get("run"):
        facts.append(("Run", str(lineage["run"])))
    if lineage.get("created"):
        facts.append(("Made", when(float(lineage["created"]))))
    return facts

"""The panel beside the interpolation canvas: weights, the scores here, the path, and Keep this point."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from solera_app.canvases.blend import Weights
from solera_app.canvases.score_bar import ScoreColumn, written
from solera_app.canvases.scores_here import ScoreHere, mean_of
from solera_app.canvases.weight_rows import ElidedLabel, WeightRows
from solera_app.docks.panel import Parts, section_title
from solera_app.plots.numerals import counted
from solera_app.theme import dress, font, themes


class InterpolationPanel(Parts):
    """Shows and sets where the handle is, and what was measured there."""

    #: Weights while a slider or field changes.
    moved = Signal(tuple)
    #: Weights when it was let go.
    released = Signal(tuple)
    #: Keep this point was pressed.
    keepRequested = Signal()
    #: Record was switched.
    recordToggled = Signal(bool)
    #: Save as run was pressed.
    saveRunRequested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Interpolation", parent)
        self._shown: tuple[ScoreHere, ...] = ()
        self.build(self._build_weights, self._build_scores, self._build_path, foot=self._build_keep)
        themes().changed.connect(self._recolour)
        self._recolour()
        self.set_scores(())
        self.set_path_length(0)

    # --- building ----------------------------------------------------------------------------------------------------

    def _button(self, text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setAccessibleName(text)
        return button

    def _build_weights(self) -> None:
        title, self._sum = section_title("Weights")
        self._column.addWidget(title)
        self.rows = WeightRows()
        self.rows.changed.connect(self.moved)
        self.rows.settled.connect(self.released)
        self.rows.sumChanged.connect(self._show_sum)
        self._column.addWidget(self.rows)
        self._lock = self._button("Lock sum", "Keep the total at 1: the other weights give way")
        self._lock.setCheckable(True)
        self._lock.setChecked(True)
        self._lock.toggled.connect(self.rows.set_locked)
        self._centre = self._button("Centre", "The same weight for every model")
        self._centre.clicked.connect(self._centred)
        self._column.addLayout(self._row(self._lock, self._centre))

    @staticmethod
    def _row(*buttons: QPushButton) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in buttons:
            row.addWidget(button)
        row.addStretch(1)
        return row

    def _build_scores(self) -> None:
        title, self._preview = section_title("Accuracy here")
        found = title.findChild(QLabel)
        self._heading = found if found is not None else QLabel()
        self._column.addWidget(title)
        self._bars = ScoreColumn()
        self._column.addWidget(self._bars)
        self._mean_name = ElidedLabel("", "text-2", 60)
        self._mean = QLabel()
        self._mean.setFont(font("title", "medium"))
        row = QHBoxLayout()
        row.addWidget(self._mean_name, 1)
        row.addWidget(self._mean)
        self._column.addLayout(row)
        self._best_name = ElidedLabel("", "text-3", 60)
        self._best = QLabel()
        self._best.setProperty("tone", "3")
        row = QHBoxLayout()
        row.addWidget(self._best_name, 1)
        row.addWidget(self._best)
        self._column.addLayout(row)
        self._hint = self._caption()
        self._column.addWidget(self._hint)

    def _caption(self) -> QLabel:
        label = QLabel()
        label.setWordWrap(True)
        label.setFont(font("small"))
        label.setProperty("tone", "3")
        return label

    def _build_path(self) -> None:
        title, self._path_figure = section_title("Path")
        self._column.addWidget(title)
        self.record = self._button("Record", "Every release of the handle adds a point to a path")
        self.record.setCheckable(True)
        self.record.toggled.connect(self.recordToggled)
        self._save_run = self._button("Save as run", "Score the points of the path and keep them as a run")
        self._save_run.clicked.connect(self.saveRunRequested)
        self._column.addLayout(self._row(self.record, self._save_run))

    def _build_keep(self) -> None:
        self.keep = self._button("Keep this point", "Make a model with these weights, in the library")
        self.keep.setProperty("role", "main")
        self.keep.setMinimumHeight(36)
        self.keep.clicked.connect(self.keepRequested)
        self._foot.addWidget(self.keep)
        self._keep_hint = self._caption()
        self._foot.addWidget(self._keep_hint)
        self.set_keep_hint("Makes a model in the library, with its recipe.")

    def _recolour(self) -> None:
        dress(self._lock, "lock", "text-2")
        dress(self.record, "record", "text-2")
        dress(self._save_run, "export", "text-2")
        dress(self.keep, "keep", "on-accent")

    # --- what the window calls -----------------------------------------------------------------------------------

    def set_models(self, names: Sequence[str]) -> None:
        """One row of weights per model; nothing can be kept without models."""
        self.rows.set_models(names)
        for button in (self._lock, self._centre, self.record, self.keep):
            button.setEnabled(bool(names))
        if names:
            self.rows.show_weights((1 / len(names),) * len(names))

    def set_weights(self, weights: Sequence[float]) -> None:
        """Show where the handle is (no signal)."""
        self.rows.show_weights(weights)

    def set_scores(
        self,
        scores: Sequence[ScoreHere],
        *,
        mean: ScoreHere | None = None,
        best: tuple[str, ScoreHere] | None = None,
        ground: str = "",
    ) -> None:
        """Show what was measured here.

        Args:
            scores: One per task.
            mean: Their mean if the caller knows its paired error; else it is made here, taking tasks as independent.
            best: The best single model on the mean: its name and score.
            ground: What the coloured ground is, when that is another metric than the bars: ``"mean loss (nats)"``.
        """
        self._shown = tuple(scores)
        self._bars.show_scores(scores)
        self._show_mean(mean if mean is not None else mean_of(scores), len(scores))
        self._best_name.setVisible(best is not None)
        self._best.setVisible(best is not None)
        if best is not None:
            self._best_name.set_text(f"Best single, {best[0]}")
            self._best.setText(written(best[1]))
        self._show_words(scores, ground)

    def _show_mean(self, mean: ScoreHere | None, count: int) -> None:
        shown = mean is not None and count > 1
        self._mean_name.setVisible(shown)
        self._mean.setVisible(shown)
        if mean is not None:
            self._mean_name.set_text(f"Mean of {counted(count, 'task')}")
            self._mean.setText(written(mean))
            self._mean.setAccessibleName(f"Mean of {counted(count, 'task')} {written(mean)}")

    def _show_words(self, scores: Sequence[ScoreHere], ground: str) -> None:
        metrics = {score.metric for score in scores}
        self._heading.setText(f"{metrics.pop()} here" if len(metrics) == 1 else "Scores here")
        preview = self._show_count()
        lines = []
        if any(score.expert is not None for score in scores):
            lines.append("The upright mark is the expert on its own task.")
        if preview:
            lines.append(f"Release the handle to score all {max(score.total for score in scores):,} samples.")
        if scores:
            lines.append(f"{scores[0].split.capitalize()} split" + (f"; the ground is {ground}." if ground else "."))
        self._hint.setText(" ".join(lines) if lines else "Move the handle to score the tasks here.")

    def _show_count(self) -> bool:
        """On how many samples; returns whether that is a preview."""
        preview = any(score.preview for score in self._shown)
        count = min((score.count for score in self._shown), default=0)
        self._preview.setText(f"{'Preview' if preview else 'Exact'}, n = {count:,}" if self._shown else "")
        self._tone(self._preview, "accent" if preview else "3")
        return preview

    @staticmethod
    def _tone(label: QLabel, tone: str) -> None:
        label.setProperty("tone", tone)
        label.style().polish(label)

    def set_busy(self, busy: bool) -> None:
        """Say that all samples are being scored here; the figures below are still those of before."""
        if busy:
            self._preview.setText("Scoring all samples")
            self._tone(self._preview, "accent")
        else:
            self._show_count()

    def set_path_length(self, count: int) -> None:
        """How many points the path has."""
        self._path_figure.setText(counted(count, "point"))
        self._save_run.setEnabled(count > 0)
        self._save_run.setToolTip(
            "Score the points of the path and keep them as a run" if count else "Record a path first"
        )

    def set_keep_hint(self, text: str) -> None:
        """What Keep this point makes, in a sentence: ``"Makes a model in the library, 114 kB, with its recipe."``."""
        self._keep_hint.setText(text)

    # --- what is pressed -----------------------------------------------------------------------------------------

    def _centred(self) -> None:
        count = len(self.rows.weights)
        if count:
            even: Weights = (1 / count,) * count
            self.rows.show_weights(even)
            self.moved.emit(even)
            self.released.emit(even)

    def _show_sum(self, total: float) -> None:
        whole = abs(total - 1) <= 5e-4
        self._sum.setText(f"sum {total:.2f}" if whole else f"sum {total:.2f}, must be 1")
        self._tone(self._sum, "3" if whole else "warn")

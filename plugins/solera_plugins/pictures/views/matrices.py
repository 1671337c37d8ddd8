"""What a probe found for every pair of things: models by layers, models by models."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera.api import Measure, Result
from solera_app.extend import Chooser, MatrixPlot, RunHeader, View, probe_words, state_words


class MatrixView(View):
    """A measure of a probe as a matrix of colours.

    What a probe measures on examples cannot be had of a task that gives only an aggregate; the probe says so.
    """

    title = "Matrix"
    icon = "matrix"
    kind: ClassVar[str] = "matrix"
    none_yet: ClassVar[str] = "No pair has been measured yet."

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = MatrixPlot()
        self.chooser = Chooser("Measure shown")
        self.chooser.chosen.connect(lambda _: self.redraw())
        self.plot.header.add_control(self.chooser)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Probes that found such a result, along two labelled axes."""
        labelled = [coord for coord in header.coords if coord.get("labels")]
        return header.kind == "probe" and header.provenance.get("result") == cls.kind and len(labelled) == 2

    def restart(self) -> None:
        """Offer the measures."""
        assert self.snapshot is not None
        self.chooser.set_entries([(measure.name, _title(measure)) for measure in self._result().measures])
        self.chooser.setVisible(self.chooser.count() > 1)
        self.plot.canvas.fit()

    def _result(self) -> Result:
        assert self.snapshot is not None
        return Result.of(self.snapshot.header, self.snapshot.points)

    def redraw(self) -> None:
        """Fill the cells."""
        snapshot = self.snapshot
        if snapshot is None or not self.chooser.key:
            return
        result, plot = self._result(), self.plot
        measure = next(each for each in result.measures if each.name == self.chooser.key)
        rows, columns = result.axes
        numbers = np.full((len(rows.labels), len(columns.labels)), -1, dtype=np.int64)
        numbers[tuple(result.at.astype(np.int64).T)] = snapshot.points.index
        plot.set_title(snapshot.header.title, probe_words(snapshot))
        plot.set_state(*state_words(snapshot))
        plot.set_titles(_sentence(rows.title or rows.name), _sentence(columns.title or columns.name), _title(measure))
        plot.set_cells(
            rows.labels, columns.labels, result.grid(measure.name), numbers,
            errors=result.grid(measure.name, errors=True), log=measure.log, limits=(measure.low, measure.high),
        )  # fmt: skip
        plot.set_empty("" if len(result) else self.none_yet)
        plot.select(self.selected, tell=False)

    def show_selected(self, index: int) -> None:
        """Frame the cell."""
        self.plot.select(index, tell=False)


class LayerMapView(MatrixView):
    """A statistic of every layer of every model.

    What a probe measures on examples cannot be had of a task that gives only an aggregate; the probe says so.
    """

    title = "Layer map"
    icon = "layers"
    kind = "layers"
    none_yet = "No layer has been measured yet."


def _title(measure: Measure) -> str:
    title = _sentence(measure.title or measure.name)
    return f"{title} ({measure.unit})" if measure.unit else title


def _sentence(text: str) -> str:
    text = text.replace("_", " ")
    return text[:1].upper() + text[1:]

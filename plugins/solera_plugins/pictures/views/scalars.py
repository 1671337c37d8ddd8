"""What a probe found for each model: a number with its error."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera.api import Measure, Result
from solera_app.extend import Chooser, DotsPlot, RunHeader, View, probe_words, state_words


class ScalarsView(View):
    """A measure of a probe as a disc with whiskers for each model.

    What a probe measures on examples cannot be had of a task that gives only an aggregate; the probe says so.
    """

    title = "Scalars"
    icon = "probe"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = DotsPlot()
        self.chooser = Chooser("Measure shown")
        self.chooser.chosen.connect(lambda _: self.restart_axes())
        self.plot.header.add_control(self.chooser)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Probes that found scalars along labelled axes."""
        labelled = all(coord.get("labels") for coord in header.coords)
        return header.kind == "probe" and header.provenance.get("result") == "scalars" and labelled

    def restart(self) -> None:
        """Offer the measures."""
        self.chooser.set_entries([(measure.name, _title(measure)) for measure in self._result().measures])
        self.chooser.setVisible(self.chooser.count() > 1)
        self.restart_axes()

    def restart_axes(self) -> None:
        """Another measure is shown."""
        self.plot.reset()
        self.redraw()

    def _result(self) -> Result:
        assert self.snapshot is not None
        return Result.of(self.snapshot.header, self.snapshot.points)

    def redraw(self) -> None:
        """One row for each place."""
        snapshot = self.snapshot
        if snapshot is None or not self.chooser.key:
            return
        result, plot = self._result(), self.plot
        measure = next(each for each in result.measures if each.name == self.chooser.key)
        shape = [len(axis.labels) for axis in result.axes]
        names = [
            " ".join(result.label(axis, at) for axis, at in enumerate(place)) for place in np.ndindex(*shape)
        ]  # fmt: skip
        numbers = np.full(shape, -1, dtype=np.int64)
        numbers[tuple(result.at.astype(np.int64).T)] = snapshot.points.index
        plot.set_title(snapshot.header.title, probe_words(snapshot) + (" · ± 1 SE" if not measure.log else ""))
        plot.set_state(*state_words(snapshot))
        plot.set_values(
            names, result.grid(measure.name).ravel(), result.grid(measure.name, errors=True).ravel(), numbers.ravel(),
            _title(measure), log=measure.log,
        )  # fmt: skip
        plot.set_empty("" if len(result) else "No model has been measured yet.")
        plot.select(self.selected, tell=False)

    def show_selected(self, index: int) -> None:
        """Ring the point."""
        self.plot.select(index, tell=False)


def _title(measure: Measure) -> str:
    title = (measure.title or measure.name).replace("_", " ")
    title = title[:1].upper() + title[1:]
    return f"{title} ({measure.unit})" if measure.unit else title

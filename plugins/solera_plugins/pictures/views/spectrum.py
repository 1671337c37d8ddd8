"""What a probe found along a number: densities of eigenvalues, singular values, curves between models."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from solera.api import Measure, Result
from solera_app.extend import Chooser, RunHeader, Series, SpectrumPlot, View, probe_words, state_words

_MOST_LINES = 8  # as many as there are colours


class SpectrumView(View):
    """A measure of a probe over its number, a line for each model; of several layers, one at a time.

    What a probe measures on examples cannot be had of a task that gives only an aggregate; the probe says so.
    """

    title = "Spectrum"
    icon = "spectrum"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = SpectrumPlot()
        self.measure, self.part, self.scale = Chooser("Measure shown"), Chooser("Part shown"), Chooser("Scale shown")
        for chooser in (self.part, self.measure, self.scale):
            chooser.chosen.connect(lambda _: self.restart_axes())
            self.plot.header.add_control(chooser)
        self.measure.chosen.connect(lambda _: self._offer_scale())
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.plot)
        self.connect_plot(self.plot)

    @classmethod
    def accepts(cls, header: RunHeader) -> bool:
        """Probes that found a curve along one number."""
        numbers = [coord for coord in header.coords if coord.get("of") == "number"]
        return header.kind == "probe" and header.provenance.get("result") == "curve" and len(numbers) == 1

    def restart(self) -> None:
        """Offer measures and parts."""
        result = self._result()
        self.measure.set_entries(
            [(measure.name, _sentence(measure.title or measure.name)) for measure in result.measures]
        )
        self.measure.setVisible(self.measure.count() > 1)
        further = self._further(result)
        self.part.set_entries([(str(place), label) for place, label in enumerate(further)])
        self.part.setVisible(len(further) > 1)
        self.scale.set_entries([("linear", "Linear"), ("log", "Log")])
        self._offer_scale()
        self.restart_axes()

    def _offer_scale(self) -> None:
        """A measure says which scale it is read on; a person may say otherwise."""
        if self.snapshot is not None and self.measure.key:
            self.scale.choose("log" if self._measure(self._result()).log else "linear")

    def restart_axes(self) -> None:
        """Another measure, part or scale is shown."""
        self.plot.reset()
        if self.snapshot is not None:
            self.redraw()

    def _result(self) -> Result:
        assert self.snapshot is not None
        return Result.of(self.snapshot.header, self.snapshot.points)

    def _measure(self, result: Result) -> Measure:
        return next(each for each in result.measures if each.name == self.measure.key)

    def _further(self, result: Result) -> list[str]:
        """Labels of the axis after the first labelled one; several such axes are joined."""
        labelled = [axis for axis in result.axes if axis.labels][1:]
        found = [""]
        for axis in labelled:
            found = [f"{before} {label}".strip() for before in found for label in axis.labels]
        return found if labelled else []

    def redraw(self) -> None:
        """One line per label of the first axis."""
        snapshot = self.snapshot
        if snapshot is None or not self.measure.key:
            return
        result, plot = self._result(), self.plot
        measure = self._measure(result)
        across = next(axis for axis in result.axes if axis.of == "number")
        series = self._lines(result, measure, snapshot.points.index)
        part = f" · {self.part.currentText()}" if self.part.count() else ""
        more = len(series) - _MOST_LINES
        left = f" · {more:,} further lines are in the table" if more > 0 else ""
        plot.set_title(snapshot.header.title, probe_words(snapshot) + part + left)
        plot.set_state(*state_words(snapshot))
        title = _sentence(measure.title or measure.name)
        plot.set_axes(_with_unit(across.title or across.name, across.unit), _with_unit(title, measure.unit))
        plot.set_names(across.title or across.name, title)
        plot.set_series(series[:_MOST_LINES], log=self.scale.key == "log")
        plot.set_empty("" if series else "Nothing has been measured yet.")
        plot.select(self.selected, tell=False)

    def _lines(self, result: Result, measure: Measure, index: np.ndarray) -> list[Series]:
        place = next(k for k, axis in enumerate(result.axes) if axis.of == "number")
        labelled = [k for k, axis in enumerate(result.axes) if axis.labels]
        further = self._further(result)
        values, errors = result.column(measure.name), result.errors[:, result.measures.index(measure)]
        keys = [tuple(result.label(k, at[k]) for k in labelled) for at in result.at]
        wanted = self.part.currentText() if further else ""
        rows_of: dict[str, list[int]] = {}
        for row, key in enumerate(keys):
            if " ".join(key[1:]).strip() == wanted:
                rows_of.setdefault(key[0] if key else "", []).append(row)
        lines: list[Series] = []
        for name, rows in rows_of.items():
            chosen = np.array(rows)[np.argsort(result.at[rows, place], kind="stable")]
            known = errors[chosen] if np.isfinite(errors[chosen]).any() else None
            lines.append(Series(name, result.at[chosen, place], values[chosen], known, index[chosen], len(lines)))
        return lines

    def show_selected(self, index: int) -> None:
        """Ring the point."""
        self.plot.select(index, tell=False)


def _with_unit(title: str, unit: str) -> str:
    return f"{_sentence(title)} ({unit})" if unit else _sentence(title)


def _sentence(text: str) -> str:
    text = text.replace("_", " ")
    return text[:1].upper() + text[1:]

"""What holds for every plot: small sizes, both themes, files, names, tooltips."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from solera.errors import OutputError
from solera_app.plots.cloud import CloudPlot
from solera_app.plots.curve import CurvePlot
from solera_app.plots.dots import DotsPlot
from solera_app.plots.front import FrontPlot, Scatter
from solera_app.plots.lines import Series
from solera_app.plots.matrix import MatrixPlot
from solera_app.plots.parallel import ParallelPlot, Rail
from solera_app.plots.plot import Plot
from solera_app.plots.relief import ReliefPlot
from solera_app.plots.scattered import ScatteredPlot
from solera_app.plots.spectrum import SpectrumPlot
from solera_app.plots.surface import SurfacePlot
from solera_app.plots.trend import TrendPlot
from solera_app.theme import themes

X = np.linspace(0, 1, 9)


def curve() -> Plot:
    plot = CurvePlot()
    plot.set_series([Series("one", X, X**2, X * 0.01, np.arange(9)), Series("two", X, X**3, None, np.arange(9), 1)])
    return plot


def surface() -> Plot:
    plot = SurfacePlot()
    plot.set_names("x", "y", "Loss")
    plot.set_grid(X, X)
    values = X[None] ** 2 + X[:, None]
    plot.set_values(values, np.ones(values.shape, bool), numbers=np.arange(81).reshape(9, 9))
    plot.set_models({"base": (0.0, 0.0), "expert": (1.0, 0.5)})
    return plot


def front() -> Plot:
    plot = FrontPlot()
    flags = np.zeros(9, bool)
    plot.set_points(Scatter(np.arange(9), X, 1 - X, X * 0.02, X * 0.02, ~flags, flags, {4: "average"}))
    return plot


def trend() -> Plot:
    plot = TrendPlot()
    plot.set_series([Series("pareto", np.arange(9.0), X, None, np.arange(9))], planned=20, live=True)
    return plot


def scattered() -> Plot:
    plot = ScatteredPlot()
    plot.set_names("x", "y", "Loss")
    plot.set_models({"base": (0.0, 0.0)})
    at = np.column_stack((X, X**2))
    plot.set_points(at, X, X * 0.01, np.arange(9), details=[f"share {x:.2f}" for x in X])
    return plot


def matrix() -> Plot:
    plot = MatrixPlot()
    plot.set_titles("Model", "Other", "Cosine")
    names = ("base", "rotated", "inverted")
    plot.set_cells(names, names, np.linspace(-0.9, 0.8, 9).reshape(3, 3), np.arange(9).reshape(3, 3))
    return plot


def spectrum() -> Plot:
    plot = SpectrumPlot()
    plot.set_series([Series("base", X - 0.5, np.exp(-9 * X), None, np.arange(9))], log=True)
    return plot


def parallel() -> Plot:
    plot = ParallelPlot()
    values = np.column_stack((X, 1 - X, X**2))
    rails = [Rail("Loss (nats)", lower=True), Rail("Accuracy", percent=True), Rail("Scale", judged=False)]
    plot.set_points(rails, values, values * 0.01, np.arange(9), X > 0.5)
    return plot


def relief() -> Plot:
    plot = ReliefPlot()
    plot.set_names("x", "y", "Loss")
    plot.set_models({"base": (0.0, 0.0)})
    values = X[None] ** 2 + X[:, None]
    known, index = np.ones(values.shape, bool), np.arange(81).reshape(9, 9)
    plot.set_surface(X, X, values, known, index, values * 0.01)
    return plot


def cloud() -> Plot:
    plot = CloudPlot()
    values = np.column_stack((X, 1 - X, X**2))
    flags = np.zeros(9, bool)
    plot.set_points(values, values * 0.01, np.arange(9), ~flags, flags, ("one", "two", "three"), {4: "average"})
    return plot


def dots() -> Plot:
    plot = DotsPlot()
    plot.set_values([f"model {k}" for k in range(9)], X, X * 0.1, np.arange(9), "Trace")
    return plot


PLOTS = [curve, surface, front, trend, scattered, matrix, spectrum, parallel, relief, cloud, dots]


@pytest.fixture(params=PLOTS, ids=lambda made: made.__name__)
def plot(request: pytest.FixtureRequest, qtbot: QtBot) -> Plot:
    made: Callable[[], Plot] = request.param
    plot = made()
    qtbot.addWidget(plot)
    plot.set_title("Line from prose to code", "small-llama · selection split · n = 16,000 tokens")
    plot.set_axes("Across (nats), lower is better", "Upwards (nats), lower is better")
    plot.select(3, tell=False)
    return plot


@pytest.mark.parametrize("size", [(320, 160), (640, 300), (1024, 640)])
@pytest.mark.parametrize("name", ["light", "dark"])
def test_it_paints_at_any_size_in_both_themes(plot: Plot, qtbot: QtBot, name: str, size: tuple[int, int]) -> None:
    themes().apply(name)  # type: ignore[arg-type]
    try:
        plot.resize(*size)
        plot.show()
        ground = plot.grab().toImage().pixelColor(2, size[1] - 3)
        assert ground == themes().current.colour("plot.background")
        assert plot.canvas.window_rect.width() > 0
        assert plot.canvas.rect().contains(plot.canvas.window_rect.toRect())
    finally:
        themes().apply("light")


def test_png_has_the_size_and_scale_asked_for(plot: Plot, tmp_path: Path) -> None:
    before = plot.size()
    image = QImage(str(plot.export_png(tmp_path / "a.png", (600, 400), 2)))
    assert (image.width(), image.height()) == (1200, 800)
    colours = {image.pixelColor(x, y).rgb() for x in range(0, 1200, 7) for y in range(0, 800, 7)}
    assert len(colours) > 5
    assert plot.size() == before


def test_svg_is_vectors_with_the_title_as_text(plot: Plot, tmp_path: Path) -> None:
    root = ET.parse(plot.export_svg(tmp_path / "a.svg", (600, 400))).getroot()
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "Line from prose to code" in texts
    assert len([*root.iter("{http://www.w3.org/2000/svg}path")]) + len(texts) > 10
    pictures = [*root.iter("{http://www.w3.org/2000/svg}image")]
    assert len(pictures) <= (2 if hasattr(plot, "_bar") else 0)


def test_csv_has_a_header_and_rows(plot: Plot, tmp_path: Path) -> None:
    assert len(plot.export_csv(tmp_path / "a.csv").read_text().splitlines()) >= 10


def test_a_folder_that_is_not_there_is_a_sentence(plot: Plot, tmp_path: Path) -> None:
    nowhere = tmp_path / "no" / "a"
    for write in (plot.export_png, plot.export_svg, plot.export_csv):
        with pytest.raises(OutputError, match=r"cannot be written"):
            write(nowhere)


def test_it_has_names_for_those_who_do_not_see_it(plot: Plot) -> None:
    assert plot.accessibleName() == plot.canvas.accessibleName() == "Line from prose to code"
    assert plot.header.accessibleName().startswith("Line from prose to code")
    assert "16,000" in plot.header.toolTip()
    plot.set_state("Running 66 %", "accent")
    assert plot.header.accessibleDescription() == "Running 66 %"


def test_at_most_six_ticks_on_an_axis(plot: Plot) -> None:
    if not plot.canvas.axes or plot.canvas.y.hidden:
        pytest.skip("It paints its own axes.")
    plot.resize(1600, 1200)
    plot.show()
    assert 2 <= len(plot.canvas._x_ticks) <= 6
    assert 2 <= len(plot.canvas._y_ticks) <= 6

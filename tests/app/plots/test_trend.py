import numpy as np
from pytestqt.qtbot import QtBot

from solera_app.plots.lines import Series
from solera_app.plots.trend import TrendPlot


def test_the_axis_reaches_to_what_is_planned_and_begins_at_nought(qtbot: QtBot) -> None:
    plot = TrendPlot()
    qtbot.addWidget(plot)
    plot.set_axes("Evaluations", "Hypervolume")
    plot.resize(700, 180)
    plot.show()
    for count in (5, 60, 130):
        x = np.arange(1.0, count + 1)
        y = 0.17 * (1 - np.exp(-x / 20))
        plot.set_series([Series("pareto", x, y, None, np.arange(count))], planned=200, live=True)
        plot.canvas.grab()
        assert plot.canvas.full[:2] == (0.0, 200.0)
        assert plot.canvas.full[2] == 0.0
    assert list(plot.describe(0)) == ["After 1 evaluations", "0.008291"] or plot.describe(0)[0].startswith("After 1")
    plot.set_level(0.2, "Best known (5 seeds)")
    plot.set_series([Series("pareto", x, y, None, np.arange(130))], planned=200)
    assert plot.canvas.full[3] >= 0.2
    plot.grab()

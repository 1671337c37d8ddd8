"""What view plugins build on: the base of views, the plots, words and numbers, the theme.

A view plugin imports this module and ``solera.api`` and nothing else of Solera.
"""

from solera.runs.header import RunHeader
from solera.runs.points import Points
from solera_app.plots.canvas import Axis, Canvas
from solera_app.plots.curve import Barrier, CurvePlot, chord_barrier
from solera_app.plots.front import FrontPlot, Scatter
from solera_app.plots.header import Entry, Header, Legend
from solera_app.plots.lines import Series
from solera_app.plots.numerals import counted, listed, measured, number, short
from solera_app.plots.plot import Plot
from solera_app.plots.surface import SurfacePlot
from solera_app.plots.trend import TrendPlot
from solera_app.theme import Theme, font, icon, theme, themes
from solera_app.views.facts import (
    ColumnFacts,
    coordinate_title,
    family_kind,
    format_value,
    noise_words,
    objectives,
    scale,
    state_words,
    subtitle,
    with_direction,
)
from solera_app.views.facts import columns as column_facts
from solera_app.views.fronts import front_of, within_noise
from solera_app.views.snapshot import Snapshot
from solera_app.views.view import Chooser, View

__all__ = [
    "Axis", "Barrier", "Canvas", "Chooser", "ColumnFacts", "CurvePlot", "Entry", "FrontPlot", "Header", "Legend",
    "Plot", "Points", "RunHeader", "Scatter", "Series", "Snapshot", "SurfacePlot", "Theme", "TrendPlot", "View",
    "chord_barrier", "column_facts", "coordinate_title", "counted", "family_kind", "font", "format_value",
    "front_of", "icon", "listed", "measured", "noise_words", "number", "objectives", "scale", "short",
    "state_words", "subtitle", "theme", "themes", "with_direction", "within_noise",
]  # fmt: skip

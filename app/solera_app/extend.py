"""What view plugins build on: the base of views, the plots, words and numbers, the theme.

A view plugin imports this module and ``solera.api`` and nothing else of Solera. Names and signatures are frozen as
those of ``solera.api`` are: a plugin's manifest says for which version of both it is written (:data:`API_VERSION`).
"""

from solera.extend.manifest import API_VERSION
from solera.runs.header import RunHeader
from solera.runs.points import Points
from solera_app.plots.canvas import Axis, Canvas
from solera_app.plots.cloud import CloudPlot
from solera_app.plots.curve import Barrier, CurvePlot, chord_barrier
from solera_app.plots.dots import DotsPlot
from solera_app.plots.front import FrontPlot, Scatter
from solera_app.plots.header import Entry, Header, Legend
from solera_app.plots.lines import Series
from solera_app.plots.matrix import MatrixPlot
from solera_app.plots.numerals import counted, listed, measured, number, short
from solera_app.plots.parallel import ParallelPlot, Rail
from solera_app.plots.plot import Plot
from solera_app.plots.relief import ReliefPlot
from solera_app.plots.scattered import ScatteredPlot
from solera_app.plots.space import Camera, SpacePlot
from solera_app.plots.spectrum import SpectrumPlot
from solera_app.plots.stops import Stops
from solera_app.plots.surface import SurfacePlot
from solera_app.plots.trend import TrendPlot
from solera_app.theme import Theme, font, icon, theme, themes
from solera_app.views.facts import (
    ColumnFacts,
    coordinate_title,
    family_kind,
    family_words,
    format_value,
    noise_words,
    objectives,
    probe_words,
    scale,
    state_words,
    subtitle,
    with_direction,
)
from solera_app.views.facts import columns as column_facts
from solera_app.views.fronts import comparable, front_of, within_noise
from solera_app.views.grids import Grid, equal_scales, grid_of, has_grid, models_at, plane_titles
from solera_app.views.places import Flat, Slice, flattened, path_stops, slice_of, slices, soup_rows, spanning
from solera_app.views.seeds import OverSeeds, over_seeds
from solera_app.views.snapshot import Snapshot
from solera_app.views.view import Chooser, View

__all__ = [
    "API_VERSION",
    "Axis", "Barrier", "Camera", "Canvas", "Chooser", "CloudPlot", "ColumnFacts", "CurvePlot", "DotsPlot", "Entry",
    "Flat", "FrontPlot", "Grid", "Header", "Legend", "MatrixPlot", "OverSeeds", "ParallelPlot", "Plot", "Points",
    "Rail", "ReliefPlot", "RunHeader", "Scatter", "ScatteredPlot", "Series", "Slice", "Snapshot", "SpacePlot",
    "SpectrumPlot", "Stops", "SurfacePlot", "Theme", "TrendPlot", "View", "chord_barrier", "column_facts", "comparable",
    "coordinate_title", "counted", "equal_scales", "family_kind", "family_words", "flattened", "font", "format_value",
    "front_of", "grid_of", "has_grid", "icon", "listed", "measured", "models_at", "noise_words", "number", "objectives",
    "over_seeds", "path_stops", "plane_titles", "probe_words", "scale", "short", "slice_of", "slices", "soup_rows",
    "spanning", "state_words", "subtitle", "theme", "themes", "with_direction", "within_noise",
]  # fmt: skip

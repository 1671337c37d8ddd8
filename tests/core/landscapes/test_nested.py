"""Pictures from few points, on a plane between real networks."""

import dataclasses

import numpy as np
import pytest

from solera.errors import InputError
from solera.events import Indicator, PictureDrawn, PointScored
from solera.landscapes.explore import explore
from solera.landscapes.explorer import History
from solera.runs.header import RunHeader
from solera.runs.reader import RunReader
from solera.runs.recover import recover
from solera.runs.writer import RunWriter
from solera.seeds import Seed
from solera.testing.bowls import bowl, spaces
from solera_plugins.explorers.grid import Grid
from solera_plugins.explorers.nested_grid import NestedGrid


def drawn(context):
    return [event for event in context.events if isinstance(event, PictureDrawn)]


def scored(context):
    return [event for event in context.events if isinstance(event, PointScored)]


def walk(landscape, context, history=None, **params):
    return explore(landscape, NestedGrid(**params), run="r", seed=Seed(3), context=context, history=history)


@pytest.fixture
def exact(build, context):
    """A picture's cells, every one evaluated."""

    def make(cells, **kind):
        landscape = build("ABC", **kind)
        explore(landscape, Grid(points=cells), run="r", seed=Seed(0), context=context)
        found = np.empty((len(landscape.columns), cells, cells))
        for event in scored(context):
            found[(slice(None), *event.cell)] = event.values
        context.events.clear()
        return found

    return make


def test_a_picture_is_close_to_the_grid_and_says_how_close(build, context, exact):
    truth = exact(25)
    walk(build("ABC"), context, points=13, cells=25)
    picture = drawn(context)[-1]
    assert len(scored(context)) == 13 * 13 + 32
    assert picture.index == 13 * 13 + 32
    loss, accuracy = np.abs(picture.values[0] / truth[0] - 1).max(), np.abs(picture.values[1] - truth[1]).max()
    assert loss < 0.02
    errors = np.array(picture.errors)
    assert errors.shape == (32, 2)
    assert loss < 2.5 * errors[:, 0].max()
    assert accuracy < 2.5 * errors[:, 1].max() < 0.1  # labels are random here: many samples are on the edge
    said = {event.name: event.value for event in context.events if isinstance(event, Indicator)}
    assert said["held_out:as-is.cross_entropy"] == errors[:, 0].max()


def test_held_out_errors_are_those_of_the_points_they_name(build, context):
    landscape = build("ABC")
    result = walk(landscape, context, points=9, cells=17)
    picture = drawn(context)[-1]
    for row, errors in zip(picture.held_out, picture.errors, strict=True):
        true = result.history.values[row]
        assert tuple(result.history.coords[row]) == scored(context)[row].coords
        again = landscape.evaluate(result.history.coords[row], context)[0].value
        assert again == true[0]
        assert errors[0] < 1
    assert len(set(picture.held_out)) == 32
    assert min(picture.held_out) == 81  # no node is among them


def test_a_bound_refines_until_it_holds_or_everything_is_scored(build, context):
    walk(build("ABC"), context, bound=0.05, cells=25, most=25)
    sides = [event.nodes for event in drawn(context)]
    assert sides[0] == (7, 7)
    bounds = [2.5 * max(row[0] for row in event.errors) for event in drawn(context)]
    assert all(bound > 0.05 for bound in bounds[:-1])
    assert bounds[-1] <= 0.05 or sides[-1] == (25, 25)
    coords = [event.coords for event in scored(context)]
    assert len(set(coords)) == len(coords)  # a finer grid scores no node again


def test_at_the_finest_grid_the_picture_is_the_grid_itself(build, context, exact):
    truth = exact(13)
    walk(build("ABC"), context, bound=1e-9, points=7, cells=13, most=13)
    assert np.array_equal(drawn(context)[-1].values, truth.astype(np.float32))


@pytest.mark.parametrize("after", [5, 49, 65, 66, 81, 90])
def test_an_interrupted_picture_goes_on_to_the_same_one(build, context, after):
    whole = walk(build("ABC"), context, points=7, bound=1e-6, most=13, cells=13).history
    wanted = drawn(context)[-1]
    context.events.clear()
    start = History(whole.coords[:after], whole.values[:after], traces=whole.traces[:after])
    again = walk(build("ABC"), context, history=start, points=7, bound=1e-6, most=13, cells=13).history
    assert np.array_equal(again.coords, whole.coords)
    assert np.array_equal(again.values, whole.values)
    found = drawn(context)[-1]
    assert found.errors == wanted.errors
    assert np.array_equal(found.values, wanted.values)


def test_nodes_without_a_number_leave_a_hole_and_spoil_nothing_else(build, context, exact):
    truth = exact(25)
    landscape = build("ABC")
    clean = landscape._materialiser.at

    def spoiled(numbers, out):
        clean(numbers, out)
        if numbers["alpha"] > 0.9 and numbers["beta"] > 0.9:
            out[:] = float("nan")

    landscape._materialiser.at = spoiled
    walk(landscape, context, points=13, cells=25)
    picture = drawn(context)[-1]
    alpha, beta = np.meshgrid(*picture.axes, indexing="ij")
    bad = (alpha > 0.9) & (beta > 0.9)
    unknown = np.isnan(picture.values).all(axis=0)
    assert unknown[bad].all()  # never filled
    step = alpha[2, 0] - alpha[0, 0], beta[0, 2] - beta[0, 0]
    far = (alpha < 0.9 - 2 * step[0]) | (beta < 0.9 - 2 * step[1])
    assert not unknown[far].any()  # only what is near is given up
    assert np.abs(picture.values[0] / truth[0] - 1)[~unknown].max() < 0.05


def test_a_task_that_gives_only_an_aggregate_has_its_log_loss_interpolated(build, context, exact, monkeypatch):
    truth = exact(25)
    landscape = build("ABC")
    monkeypatch.setattr("solera.landscapes.traces.MOST", 1)
    landscape.traces = type(landscape.traces)(landscape.measures)
    walk(landscape, context, points=13, cells=25)
    picture = drawn(context)[-1]
    assert picture.sampled == (False, False)
    assert np.abs(picture.values[0] / truth[0] - 1).max() < 0.05
    assert any("too many samples" in getattr(event, "text", "") for event in context.events)


def test_a_run_keeps_traces_and_pictures_and_survives_a_kill(build, context, tmp_path):
    landscape = build("ABC")
    header = RunHeader(
        kind="explore",
        title="nested",
        coords=tuple(coord.to_plain() for coord in landscape.family.coords),
        columns=tuple(column.to_plain() for column in landscape.columns),
        trace=landscape.traces.width,
        picture=(13, 13),
    )
    walk(landscape, context, points=7, cells=13)
    told = drawn(context)[-1]
    path = tmp_path / "run.h5"
    writer = RunWriter.create(path, header)
    for event in context.events:
        if isinstance(event, PointScored | PictureDrawn | Indicator):
            writer.append(event.__class__(**{k: getattr(event, k) for k in event.__slots__} | {"run": header.id}))
    writer.flush()
    live = RunReader(path)
    writer.close()
    recover(path)
    for reader in (live, RunReader(path)):
        picture = reader.picture()
        assert picture.nodes == (7, 7)
        assert picture.shape == (13, 13)
        assert np.allclose(picture.values, told.values, rtol=1e-6)
        assert picture.evaluated.sum() == 49 + _on_cells(told, picture)
        assert picture.largest[0] == max(row[0] for row in told.errors)
        assert reader.traces().shape == (len(scored(context)), landscape.traces.width)
        assert np.array_equal(reader.traces()[0], scored(context)[0].trace)


def _on_cells(told, picture):
    """Held-out points that lie on cells."""
    return sum(all(x in axis for x, axis in zip(at, picture.axes, strict=True)) for at in picture.held_out)


def test_an_even_number_of_nodes_is_a_sentence():
    with pytest.raises(InputError, match="an odd number, 3 or more, not 12"):
        NestedGrid(points=12)


def told(space):
    """All that the explorer asks for, scored by a bowl."""
    explorer, history = NestedGrid(), History.empty(space)
    while asks := explorer.ask(space, history, 100, Seed(0)):
        coords = np.array([ask.coords for ask in asks])
        history = History(np.vstack([history.coords, coords]), np.vstack([history.values, bowl(space, coords)]))
    return history


def test_what_it_says_depends_on_nothing_but_the_history_it_is_shown():
    space, seed = spaces()[0], Seed(0)
    whole = told(space)
    n = len(whole)
    late = whole.values.copy()
    late[-4:] = late[-4:][::-1] + 1.0  # held-out points alone
    others = [
        dataclasses.replace(whole, values=late),
        dataclasses.replace(whole, values=whole.values[::-1].copy()),
        dataclasses.replace(whole, traces=np.ones((n, 1), dtype=np.float32)),
        whole.until(n - 1),
        whole.until(40),
        whole.until(20),
    ]
    for other in others:
        one = NestedGrid()
        for shown in (whole.until(37), whole, other, whole):
            fresh = NestedGrid()
            assert one.ask(space, shown, 4, seed) == fresh.ask(space, shown, 4, seed)
            found, want = one.picture(space, shown, seed), NestedGrid().picture(space, shown, seed)
            assert (found is None) == (want is None)
            assert found is not None or shown is not whole
            assert found is None or len(shown) == n  # a shorter history has no picture yet
            if found is not None and want is not None:
                np.testing.assert_array_equal(found.values, want.values)
                np.testing.assert_array_equal(found.errors, want.errors)

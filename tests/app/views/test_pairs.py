"""Paired errors of a growing run, against the core's difference of two scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytestqt.qtbot import QtBot

from solera.events import PointScored
from solera.runs.header import RunHeader, run_path
from solera.runs.reader import RunReader
from solera.runs.writer import RunWriter
from solera.tasks.scores import Column, Score, aggregate, difference
from solera_app.views import pairs
from solera_app.views.facts import columns, noise_words, objectives
from solera_app.views.pairs import Pairs
from solera_app.views.reading import snapshot_of
from solera_app.views.snapshot import Snapshot
from solera_plugins.pictures.views.pareto import ParetoView
from solera_plugins.pictures.views.table import TableView, best_rows

COLUMNS = (Column("code", "loss", "selection", 50), Column("code", "perplexity", "selection", 50))


def header(columns: Sequence[Column] = COLUMNS, **more: object) -> RunHeader:
    plain = tuple(column.to_plain() for column in columns)
    return RunHeader(
        id="pairs", kind="explore", title="Pairs", coords=({"name": "t", "low": 0.0, "high": 1.0},), columns=plain,
        keep_samples=True, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def scored(seed: int, count: int, groups: NDArray[np.int64] | None = None) -> list[tuple[Score, ...]]:
    """Points that agree sample by sample up to a little; every fifth is a report on other samples."""
    rng = np.random.default_rng(seed)
    common = {False: rng.random(50), True: rng.random(40)}
    rows = []
    for index in range(count):
        samples = common[index % 5 == 4]
        samples = samples + 0.02 * rng.random(samples.size) + 0.001 * index
        kept = None if groups is None else groups[: samples.size]
        rows.append(tuple(aggregate(column, samples.astype(np.float32), kept) for column in COLUMNS))
    return rows


def write(folder: Path, rows: Sequence[Sequence[Score]], head: RunHeader) -> RunWriter:
    writer = RunWriter.create(run_path(folder, head.id), head)
    for index, row in enumerate(rows):
        append(writer, index, row)
    writer.flush()
    return writer


def append(writer: RunWriter, index: int, row: Sequence[Score]) -> None:
    writer.append(
        PointScored(
            run="pairs", index=index, coords=(index / 100,), values=tuple(s.value for s in row),
            stderrs=tuple(s.stderr for s in row), counts=tuple(s.count for s in row),
            phase="report" if index % 5 == 4 else "search", samples=tuple(s.samples for s in row),
        )
    )  # fmt: skip


def test_errors_are_those_of_the_core_while_the_run_grows(tmp_path: Path) -> None:
    rows = scored(0, 23)
    with write(tmp_path, rows[:9], header()) as writer:
        reader = RunReader(writer.path)
        found = Pairs(reader.header)
        first = found.grow(reader, reader.points())[0].copy()
        for index in range(9, 23):
            append(writer, index, rows[index])
        writer.flush()
        reader.refresh()
        errors = found.grow(reader, reader.points())
    np.testing.assert_array_equal(errors[0][:9, :9], first)
    for k in range(2):
        for i in range(23):
            for j in range(23):
                alike = (i % 5 == 4) == (j % 5 == 4)
                expected = difference(rows[i][k], rows[j][k]).stderr if alike else np.nan
                np.testing.assert_allclose(errors[k][i, j], expected, rtol=2e-3, atol=2e-7)


def test_pairing_clears_what_independent_errors_leave_in_doubt(tmp_path: Path) -> None:
    with write(tmp_path, scored(1, 20), header()) as writer:
        snapshot = snapshot_of(RunReader(writer.path))
    bare = Snapshot(snapshot.header, snapshot.points)
    facts = columns(snapshot.header)
    assert best_rows(snapshot, facts)[1].sum() < best_rows(bare, facts)[1].sum()
    assert noise_words(snapshot, facts) == ""
    assert noise_words(bare, facts) == " · noise unpaired"


def test_clustered_samples_are_left_unpaired(tmp_path: Path) -> None:
    with write(tmp_path, scored(2, 6, np.arange(50) // 10), header()) as writer:
        assert snapshot_of(RunReader(writer.path)).paired == {}


def test_a_grid_and_a_large_run_are_left_unpaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with write(tmp_path, scored(3, 6), header(shape=(6,))) as writer:
        assert snapshot_of(RunReader(writer.path)).paired == {}
    monkeypatch.setattr(pairs, "MOST_POINTS", 5)
    (tmp_path / "large").mkdir()
    with write(tmp_path / "large", scored(3, 6), header()) as writer:
        assert snapshot_of(RunReader(writer.path)).paired == {}


def test_points_ahead_of_the_file_take_independent_errors(tmp_path: Path) -> None:
    rows = scored(4, 8)
    with write(tmp_path, rows, header()) as writer:
        whole = snapshot_of(RunReader(writer.path))
    behind = Snapshot(whole.header, whole.points, paired={k: v[:4, :4] for k, v in whole.paired.items()})
    at = np.arange(8)
    errors, stderrs = behind.gap_errors(0, at, at), whole.points.stderrs[:, 0]
    np.testing.assert_allclose(errors[:4, :4], whole.paired[0][:4, :4])
    np.testing.assert_allclose(errors[5], np.hypot(stderrs[5], stderrs))


def test_three_objectives_show_the_projected_front_and_say_so(qtbot: QtBot, tmp_path: Path) -> None:
    three = tuple(Column(task, "cross_entropy", "selection", 9) for task in "abc")
    head = header(three)
    values = [(0.0, 0.0, 1.0), (1.0, 1.0, 0.0), (2.0, 2.0, 2.0)]
    events = [
        PointScored(run="pairs", index=i, coords=(i / 2,), values=v, stderrs=(0.0,) * 3, counts=(9,) * 3)
        for i, v in enumerate(values)
    ]
    with RunWriter.create(run_path(tmp_path, head.id), head) as writer:
        for event in events:
            writer.append(event)
        writer.flush()
        snapshot = snapshot_of(RunReader(writer.path))
    assert objectives(head) == (0, 1, 2)
    view = ParetoView()
    qtbot.addWidget(view)
    view.set_run(snapshot)
    assert view.plot._points.front.tolist() == [True, True, False]
    assert "front of 3 scores, projected" in view.plot.header.subtitle
    table = TableView()
    qtbot.addWidget(table)
    table.set_run(snapshot)
    assert "noise unpaired" in table.header.subtitle  # the points came without samples

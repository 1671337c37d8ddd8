import json
import math
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from typing import Any

import numpy as np
import pytest

from solera.errors import InputError, LockedError, NotFoundError, OutputError, RunError
from solera.events import ArtifactMade, Indicator, Logged, PointScored, Progress
from solera.locks import holder
from solera.runs import _h5, layout
from solera.runs.header import RunHeader, run_path
from solera.runs.reader import RunReader
from solera.runs.recover import recover
from solera.runs.writer import RunWriter

COLUMNS = (
    {"task": "plain", "metric": "accuracy", "split": "selection", "count": 5},
    {"task": "plain", "metric": "cross_entropy", "split": "selection", "count": 5},
    {"task": "rotated", "metric": "accuracy", "split": "selection", "count": 3},
)


def header(**changes):
    values: dict[str, Any] = {
        "id": "r1",
        "kind": "explore",
        "title": "A plane, with ünïcode",
        "coords": ({"name": "x", "low": 0.0, "high": 1.0}, {"name": "y", "low": -1.0, "high": 1.0}),
        "columns": COLUMNS,
        "shape": (4, 5),
        "labels": {"base": [0.0, 0.0]},
        "experiment": {"solera": 1, "seed": 3},
    }
    return RunHeader(**(values | changes))


def point(index, **changes):
    rng = np.random.default_rng(index)
    values: dict[str, Any] = {
        "run": "r1",
        "index": index,
        "coords": tuple(rng.normal(size=2)),
        "values": tuple(rng.normal(size=3)),
        "stderrs": (0.1, math.nan, 0.3),
        "counts": (5, 5, 3),
        "cell": (index // 5, index % 5),
        "seconds": 0.25,
        "time": 1000.0 + index,
    }
    return PointScored(**(values | changes))


def test_a_finished_run_reads_back_exactly(tmp_path):
    path = run_path(tmp_path / "deep" / "runs", "r1")
    sent = [point(i, phase="report" if i == 7 else "search", label="base" if i == 3 else "") for i in range(12)]
    with RunWriter.create(path, header()) as writer:
        for event in sent:
            writer.append(event)
            writer.append(Indicator(run="r1", name="hypervolume", index=event.index, value=event.index / 10))
            writer.append(Progress(done=event.index, total=12))
        writer.append(Logged(text="Schön.", level="warning"))
        writer.append(ArtifactMade(kind="picture", path="/tmp/a.png"))
        writer.close("done", "hypervolume 1.1")
    run = RunReader(path)
    assert run.header == header(created=run.header.created)
    assert (run.state, run.summary, run.count) == ("done", "hypervolume 1.1", 12)
    points = run.points()
    assert points.coords.tolist() == [list(event.coords) for event in sent]
    assert points.values.tolist() == [list(event.values) for event in sent]
    assert np.isnan(points.stderrs[:, 1]).all()
    assert points.stderrs[:, 0].tolist() == [0.1] * 12
    assert points.counts.tolist() == [[5, 5, 3]] * 12
    assert points.cells.tolist() == [list(event.cell) for event in sent]
    assert [str(phase) for phase in points.phase] == [event.phase for event in sent]
    assert [str(label) for label in points.labels] == [event.label for event in sent]
    assert points.times.tolist() == [event.time for event in sent]
    assert points.seconds.tolist() == [0.25] * 12
    index, value = run.indicator("hypervolume")
    assert index.tolist() == list(range(12))
    assert value.tolist() == [i / 10 for i in range(12)]
    assert [(said.level, said.text) for said in run.log()] == [("warning", "Schön.")]
    assert [said["event"] for said in run.events()] == ["log", "artifact", "run-ended"]
    tail = run.points(start=9)
    assert (tail.start, len(tail), tail.index.tolist()) == (9, 3, [9, 10, 11])
    with pytest.raises(ValueError, match="read-only"):
        points.values[0, 0] = 1.0
    assert not path.with_name("r1.h5.lock").exists()
    assert [item.name for item in path.parent.iterdir()] == ["r1.h5"]


def test_a_live_run_grows_for_its_reader(tmp_path):
    path = tmp_path / "r1.h5"
    writer = RunWriter.create(path, header())
    run = RunReader(path)
    assert (run.count, run.state, len(run.points())) == (0, "running", 0)
    writer.append(point(0))
    writer.append(point(1, label="new"))
    writer.flush()
    assert run.refresh() == 2
    assert run.points().labels.tolist() == ["", "new"]
    writer.append(point(2, label="a much longer name"))
    deadline = time.monotonic() + 5
    while run.refresh() == 0 and time.monotonic() < deadline:  # without flush: within half a second or so
        time.sleep(0.02)
    assert run.points().labels.tolist() == ["", "new", "a much longer name"]
    writer.close("cancelled")
    run.refresh()
    assert run.state == "cancelled"
    assert not _h5.was_killed(path)


def test_another_process_reads_a_live_run(tmp_path):
    path = tmp_path / "r1.h5"
    program = "import sys; from solera.runs.reader import RunReader as R; r = R(sys.argv[1]); print(r.count, r.state)"
    with RunWriter.create(path, header()) as writer:
        for i in range(300):
            writer.append(point(i, cell=()))
        writer.flush()
        seen = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert seen.stdout.split() == ["300", "running"]


def test_samples_are_kept_when_asked(tmp_path):
    path = tmp_path / "r1.h5"
    five = np.arange(5, dtype=np.float32)
    rows: list[np.ndarray] = [five, five / 2, np.arange(3, dtype=np.float32)]
    with RunWriter.create(path, header(keep_samples=True)) as writer:
        writer.append(point(0, samples=tuple(rows)))
        writer.append(point(1))
        writer.append(point(2, samples=(rows[0] + 1, None, rows[2][:2])))
    run = RunReader(path)
    first = run.samples("plain.accuracy")
    assert first.shape == (3, 5)
    assert first[0].tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(first[1]).all()
    assert first[2].tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(run.samples(2, [2, 0]), np.array([[0, 1, np.nan], [0, 1, 2]], dtype=np.float32))
    assert run.samples(1, [1]).shape == (1, 0)
    with pytest.raises(InputError, match="no column"):
        run.samples("plain.loss")
    with pytest.raises(InputError, match="points 0 to 2"):
        run.samples(0, [3])


def test_a_run_without_coordinates_or_columns(tmp_path):
    path = tmp_path / "m.h5"
    with RunWriter.create(path, RunHeader(id="m", kind="merge", title="Merge")) as writer:
        writer.append(Logged(text="Wrote 3 tensors."))
        writer.append(PointScored(run="m", index=0, coords=(), values=(), stderrs=(), counts=()))
    points = RunReader(path).points()
    assert points.coords.shape == (1, 0)
    assert points.values.shape == (1, 0)
    assert points.cells.shape == (1, 0)


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (point(1), "expects point 0"),
        (point(0, coords=(1.0,)), "1 coordinates; the run has 2"),
        (point(0, values=(1.0,)), "1 values"),
        (point(0, counts=()), "0 counts"),
        (point(0, cell=(1,)), "1 grid indices"),
        (point(0, run="other"), "run 'other'"),
        (point(0, phase="train"), "phase 'train'"),
    ],
)
def test_a_point_that_does_not_fit_is_refused_and_the_run_goes_on(tmp_path, event, sentence):
    with RunWriter.create(tmp_path / "r1.h5", header()) as writer:
        with pytest.raises(RunError, match=sentence):
            writer.append(event)
        writer.append(point(0))
    assert RunReader(tmp_path / "r1.h5").count == 1


def test_what_cannot_be_created_is_said(tmp_path):
    path = tmp_path / "r1.h5"
    writer = RunWriter.create(path, header())
    with pytest.raises(LockedError, match="in use by process"):
        RunWriter.create(path, header())
    with pytest.raises(LockedError):
        RunWriter.resume(path)
    with pytest.raises(LockedError):
        recover(path)
    writer.close()
    writer.close()
    with pytest.raises(RunError, match="closed"):
        writer.append(point(0))
    with pytest.raises(OutputError, match="already a run"):
        RunWriter.create(path, header())
    with pytest.raises(NotFoundError):
        RunWriter.resume(tmp_path / "none.h5")
    with pytest.raises(NotFoundError):
        RunReader(tmp_path / "none.h5")
    assert not list(tmp_path.glob("*.lock"))


def test_files_that_are_no_runs(tmp_path):
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "empty.h5").touch()
    for name in ("text.h5", "empty.h5"):
        with pytest.raises(RunError, match="cannot be opened as a run"):
            RunReader(tmp_path / name)
    file = _h5.create(tmp_path / "other.h5")
    file.close()
    with pytest.raises(RunError, match="not a run of Solera"):
        RunReader(tmp_path / "other.h5")
    newer = header().to_plain() | {"format": 99}
    with pytest.raises(RunError, match="format 99"):
        RunHeader.from_plain(newer)
    with pytest.raises(RunError, match="incomplete"):
        RunHeader.from_plain({"format": 1})


def test_nothing_is_added_after_the_first_reader_may_come(tmp_path):
    file = _h5.create(tmp_path / "f.h5")
    file.create("table", "f8", chunk=16)
    file.start_swmr()
    with pytest.raises(RunError, match="cannot be added"):
        file.create("late", "f8", chunk=16)
    with pytest.raises(RunError, match="cannot be added"):
        file.set_attributes(late=1)
    with pytest.raises(RunError, match="cannot be added"):
        file.create_fixed("late", ["a"])
    with pytest.raises(RunError, match="cannot be added"):
        file.link_dimensions({})
    file.close()


def test_resuming_a_finished_run_adds_to_it(tmp_path):
    path = tmp_path / "r1.h5"
    with RunWriter.create(path, header(keep_samples=True)) as writer:
        writer.append(point(0, label="base", samples=(np.ones(5), np.ones(5), np.ones(3))))
    writer = RunWriter.resume(path)
    assert writer.count == 1
    run = RunReader(path)
    assert (run.state, run.count) == ("running", 1)
    writer.append(point(1, label="base", samples=(np.zeros(5), np.ones(5), np.ones(3))))
    writer.close("interrupted")
    run.refresh()
    assert (run.state, run.count, run.points().labels.tolist()) == ("interrupted", 2, ["base", "base"])
    assert run.samples(0).tolist() == [[1.0] * 5, [0.0] * 5]


KILLED = textwrap.dedent(
    """
    import sys, time
    sys.path.insert(0, sys.argv[2])
    from test_store import header, point
    import numpy as np
    from solera.events import Indicator, Logged
    from solera.runs.writer import RunWriter

    writer = RunWriter.create(sys.argv[1], header(keep_samples=True, shape=()))
    for i in range(1_000_000):
        writer.append(point(i, cell=(), label=f"p{i}" if i % 7 == 0 else "", samples=(np.full(5, i), None, np.ones(3))))
        writer.append(Indicator(run="r1", name="hypervolume", index=i + 1, value=float(i)))
        writer.append(Logged(text=f"point {i}"))
        print(i, time.time(), flush=True)
        time.sleep(0.001)
    """
)


@pytest.mark.parametrize("after", [0.7, 1.3])
def test_kill_9_loses_at_most_a_second_and_the_run_goes_on(tmp_path, after):
    path = tmp_path / "r1.h5"
    here = os.path.dirname(__file__)
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path), here], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    sent = [process.stdout.readline().split()]
    time.sleep(after)
    killed = time.time()
    process.send_signal(signal.SIGKILL)
    sent += [line.split() for line in process.stdout if line.endswith("\n")]
    process.wait()
    must_be_there = sum(float(when) < killed - 1.0 for _, when in sent)

    dead = RunReader(path)
    assert dead.state == "interrupted"
    assert must_be_there <= dead.count <= len(sent) + 1
    check(dead, dead.count)
    with pytest.raises(RunError, match="cannot be opened"):
        _h5.open_to_append(path)

    writer = RunWriter.resume(path)
    assert writer.count == dead.count
    writer.append(point(dead.count, cell=(), samples=(np.full(5, dead.count), None, np.ones(3))))
    writer.append(Indicator(run="r1", name="hypervolume", index=dead.count + 1, value=float(dead.count)))
    writer.close("done")
    run = RunReader(path)
    assert (run.state, run.count) == ("done", dead.count + 1)
    check(run, dead.count)
    assert not _h5.was_killed(path)
    assert holder(path.with_name("r1.h5.lock")) is None


def check(run, labelled):
    points = run.points()
    for i in range(run.count):
        assert tuple(points.coords[i]) == point(i).coords
        assert tuple(points.values[i]) == point(i).values
    assert points.labels.tolist() == [f"p{i}" if i % 7 == 0 and i < labelled else "" for i in range(run.count)]
    np.testing.assert_array_equal(run.samples(0), np.repeat(np.arange(run.count, dtype=np.float32)[:, None], 5, axis=1))
    index, value = run.indicator("hypervolume")
    assert (index - 1).tolist() == value.tolist()
    assert set(range(run.count)) - set(value.tolist()) <= {labelled - 1}  # the last word may be lost
    assert len(set(value.tolist())) == len(value)


def test_recover_by_hand_and_twice(tmp_path):
    path = tmp_path / "r1.h5"
    with RunWriter.create(path, header()) as writer:
        writer.append(point(0))
    recover(path)
    recover(path)
    assert RunReader(path).count == 1
    assert [item.name for item in tmp_path.iterdir()] == ["r1.h5"]


def test_a_point_that_was_half_written_is_cut_off(tmp_path):
    path, left = tmp_path / "r1.h5", tmp_path / "left.h5"
    writer = RunWriter.create(path, header(keep_samples=True))
    writer.append(point(0, label="base", samples=(np.ones(5), None, np.ones(3))))
    writer.flush()
    tables = writer._store._tables  # what a writer that dies inside a write has done of the next point
    tables[layout.TEXT].append(np.frombuffer(b"ghost", dtype="u1"))
    tables[layout.SAMPLES].append(np.zeros(5, dtype="f4"))
    tables[layout.LABELS].append(np.array([(1, 4, 5)], dtype=layout.LABEL_ROW))
    tables[layout.INDICATORS].append(np.array([(2, 0.5, 4, 5)], dtype=layout.INDICATOR_ROW))
    tables[layout.SCORE].append(np.zeros((1, 3)))
    for table in tables.values():
        table.flush()
    shutil.copy(path, left)
    writer.close()
    watching = RunReader(left)  # a window that stays open meanwhile
    assert (watching.count, watching.indicators) == (1, ("ghost",))
    with RunWriter.resume(left) as writer:
        writer.append(point(1, samples=(np.full(5, 2), None, None)))
        writer.append(Indicator(run="r1", name="real", index=2, value=1.0))
    run = RunReader(left)
    assert run.points().labels.tolist() == ["base", ""]
    assert run.points().values.tolist() == [list(point(i).values) for i in range(2)]
    assert run.samples(0).tolist() == [[1.0] * 5, [2.0] * 5]
    assert run.indicators == ("real",)
    assert watching.refresh() == 1
    assert watching.indicators == ("real",)
    assert [item["event"] for item in watching.events()] == [item["event"] for item in run.events()]


def test_the_store_s_failure_reaches_whoever_appends(tmp_path):
    program = textwrap.dedent(
        """
        import resource, signal, sys
        sys.path.insert(0, sys.argv[2])
        from test_store import header, point
        from solera.errors import RunError
        from solera.runs.writer import RunWriter

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing past the limit fails, as on a full disk
        writer = RunWriter.create(sys.argv[1], header(shape=()))
        writer.append(point(0, cell=()))
        writer.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
        try:
            for i in range(1, 100_000):
                writer.append(point(i, cell=()))
        except RunError as error:
            print(error)
            sys.exit(7)
        """
    )
    path = tmp_path / "r1.h5"
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path), os.path.dirname(__file__)], capture_output=True, text=True
    )
    assert ended.returncode == 7, ended.stderr
    assert "cannot be written: File too large. What was written before is safe" in ended.stdout
    assert ended.stderr == ""
    assert RunReader(path).count >= 1
    with RunWriter.resume(path) as writer:
        writer.append(point(writer.count, cell=()))
    run = RunReader(path)
    assert run.points().coords.tolist() == [list(point(i).coords) for i in range(run.count)]


def test_a_header_survives_json():
    plain = json.loads(json.dumps(header().to_plain()))
    assert RunHeader.from_plain(plain | {"something_later": 1}) == RunHeader.from_plain(plain)
    assert RunHeader.from_plain(plain).to_plain() == plain


def test_files_stay_small(tmp_path):
    path = tmp_path / "r1.h5"
    with RunWriter.create(path, header(planned=20)) as writer:
        for i in range(20):
            writer.append(point(i))
    assert path.stat().st_size < 150_000

"""The run store against a list: append, flush, refresh, close, resume, die and recover, in any order."""

import math
import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from solera.events import Indicator, Logged, PointScored
from solera.runs import _h5
from solera.runs.header import RunHeader
from solera.runs.reader import RunReader
from solera.runs.recover import recover
from solera.runs.writer import RunWriter

numbers = st.floats(allow_nan=True, allow_infinity=True, width=64)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "r.h5"
        self.points: list[PointScored] = []
        self.said: list[str] = []
        self.indicators: list[tuple[str, int, float]] = []
        self.flushed = True
        self.writer: RunWriter | None = None

    @property
    def live(self) -> RunWriter:
        """The writer, in the steps that need one."""
        assert self.writer is not None
        return self.writer

    @initialize(
        d=st.integers(0, 2),
        m=st.integers(0, 2),
        rank=st.integers(0, 2),
        keep=st.booleans(),
        planned=st.sampled_from([None, 9]),
    )
    def create(self, d, m, rank, keep, planned):
        self.header = RunHeader(
            id="r",
            kind="explore",
            title="T",
            coords=tuple({"name": f"x{i}"} for i in range(d)),
            columns=tuple({"task": f"t{i}", "metric": "m", "split": "report"} for i in range(m)),
            shape=(3,) * rank,
            keep_samples=keep,
            planned=planned,
        )
        self.writer = RunWriter.create(self.path, self.header)
        self.reader = RunReader(self.path)

    def teardown(self):
        if self.writer is not None:
            self.writer.close()
        shutil.rmtree(self.folder)

    @precondition(lambda self: self.writer)
    @rule(
        data=st.data(),
        label=texts,
        phase=st.sampled_from(["search", "report"]),
        cell=st.booleans(),
        samples=st.booleans(),
    )
    def append_point(self, data, label, phase, cell, samples):
        m = len(self.header.columns)

        def draw(n):
            return tuple(data.draw(numbers) for _ in range(n))

        point = PointScored(
            run="r",
            index=len(self.points),
            coords=draw(len(self.header.coords)),
            values=draw(m),
            stderrs=draw(m),
            counts=tuple(range(m)),
            cell=tuple(range(len(self.header.shape))) if cell else (),
            label=label,
            phase=phase,
            samples=tuple(np.full(len(self.points) % 4, len(self.points)) for _ in range(m)) if samples else None,
        )
        self.live.append(point)
        self.points.append(point)
        self.flushed = False

    @precondition(lambda self: self.writer)
    @rule(name=texts, value=numbers)
    def append_indicator(self, name, value):
        self.live.append(Indicator(run="r", name=name, index=len(self.points), value=value))
        self.indicators.append((name, len(self.points), value))
        self.flushed = False

    @precondition(lambda self: self.writer)
    @rule(text=texts)
    def log(self, text):
        self.live.append(Logged(text=text))
        self.said.append(text)
        self.flushed = False

    @precondition(lambda self: self.writer)
    @rule()
    def flush(self):
        self.live.flush()
        self.flushed = True

    @precondition(lambda self: self.writer)
    @rule(state=st.sampled_from(["done", "failed", "cancelled", "interrupted"]), summary=texts)
    def close(self, state, summary):
        self.live.close(state, summary)
        self.writer, self.flushed = None, True
        self.reader.refresh()
        assert (self.reader.state, self.reader.summary) == (state, summary)

    @precondition(lambda self: not self.writer)
    @rule()
    def resume(self):
        self.writer = RunWriter.resume(self.path)
        assert self.writer.count == len(self.points)

    @precondition(lambda self: not self.writer)
    @rule()
    def recover(self):
        recover(self.path)

    @precondition(lambda self: self.writer)
    @rule()
    def die(self):
        """A copy of the growing file is what a killed writer would leave; go on with that."""
        self.live.flush()
        left = self.folder / "left.h5"
        shutil.copy(self.path, left)
        self.live.close("failed")
        left.replace(self.path)
        assert _h5.was_killed(self.path)
        assert RunReader(self.path).state == "interrupted"
        self.writer, self.flushed = None, True
        if len(self.points) % 2:
            self.writer = RunWriter.resume(self.path)
        else:
            recover(self.path)
        self.reader = RunReader(self.path)

    @invariant()
    def same_as_the_list(self):
        if not self.path.exists():
            return
        self.reader.refresh()
        self.compare(self.reader)
        if self.flushed:
            assert self.reader.count == len(self.points)
            assert [said.text for said in self.reader.log()] == self.said
            fresh = RunReader(self.path)
            self.compare(fresh)
            assert fresh.count == len(self.points)

    def compare(self, reader):
        points, n = reader.points(), reader.count
        sent = self.points[:n]
        d, m, k = len(self.header.coords), len(self.header.columns), len(self.header.shape)
        np.testing.assert_array_equal(points.coords, np.array([p.coords for p in sent]).reshape(n, d))
        np.testing.assert_array_equal(points.values, np.array([p.values for p in sent]).reshape(n, m))
        np.testing.assert_array_equal(points.stderrs, np.array([p.stderrs for p in sent]).reshape(n, m))
        assert points.cells.tolist() == [list(p.cell) if p.cell else [-1] * k for p in sent]
        assert points.labels.tolist() == [p.label for p in sent]
        assert points.phase.tolist() == [p.phase for p in sent]
        assert [said.text for said in reader.log()] == self.said[: len(reader.log())]
        for name in reader.indicators:
            index, value = reader.indicator(name)
            wanted = [(at, x) for said, at, x in self.indicators if said == name][: len(index)]
            assert index.tolist() == [at for at, _ in wanted]
            np.testing.assert_array_equal(value, [x for _, x in wanted])
        for column in range(m if self.header.keep_samples else 0):
            rows = reader.samples(column)
            for row, p in zip(rows, sent, strict=True):
                wanted = [] if p.samples is None else p.samples[column].tolist()
                assert row[: len(wanted)].tolist() == wanted
                assert all(math.isnan(x) for x in row[len(wanted) :])


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)

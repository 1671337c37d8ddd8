"""Results: rows of a run as arrays, and declarations that do not hang together."""

import numpy as np
import pytest

from solera.context import QuietContext
from solera.errors import InputError
from solera.events import Indicator, PartKept, PointScored
from solera.probes.measuring import check_subject, measured
from solera.probes.spec import probe
from solera.probes.subject import Subject
from solera.runs.header import RunHeader, run_path
from solera.runs.reader import RunReader
from solera.runs.results import Axis, Estimate, Finding, Measure, Row
from solera.runs.writer import RunWriter
from solera.testing.conformance_probes import probe_complaints, tiny_subject

SIDE = ("one", "two")
WAY = Axis("way", "choice", labels=SIDE)


def _recorded(tmp_path, axes, measures, rows, kind="curve"):
    header = RunHeader(
        kind="probe", title="tried", coords=tuple(a.to_plain() for a in axes),
        columns=tuple(m.to_plain() for m in measures), experiment={"probe": {"name": "tried"}},
        provenance={"result": kind},
    )  # fmt: skip
    with RunWriter.create(run_path(tmp_path, header.id), header) as writer:
        for index, (at, values, errors) in enumerate(rows):
            event = PointScored(
                run=header.id, index=index, coords=at, values=values, stderrs=errors, counts=(0,) * len(values)
            )
            writer.append(event)
        writer.append(Indicator(run=header.id, name="top", index=1, value=2.5))
        writer.append(PartKept(run=header.id, name="a/1", values=(0.1, float("nan"))))
    return RunReader(run_path(tmp_path, header.id))


def test_a_curve_comes_back_as_sorted_lines(tmp_path):
    rows = [((0, 2.0), (5.0,), (0.5,)), ((0, 1.0), (4.0,), (np.nan,)), ((1, 1.0), (3.0,), (np.nan,))]
    run = _recorded(tmp_path, (WAY, Axis("t")), (Measure("loss", log=True, low=0),), rows)
    found = run.result()
    assert (found.probe, found.kind, len(found)) == ("tried", "curve", 3)
    assert found.axes[0].labels == SIDE
    assert found.measures == (Measure("loss", "loss", log=True, low=0),)
    lines = found.lines("loss")
    assert {key: (x.tolist(), y.tolist()) for key, (x, y) in lines.items()} == {
        ("one",): ([1, 2], [4, 5]), ("two",): ([1], [3]),
    }  # fmt: skip
    assert found.records()[0] == {"way": "one", "t": 2.0, "loss": 5.0, "loss stderr": 0.5}
    with pytest.raises(InputError, match="numbers"):
        found.grid("loss")
    assert run.events()[-2]["values"][0] == 0.1


def test_a_matrix_comes_back_as_a_square_with_holes(tmp_path):
    rows = [((0, 1), (0.25, 1.0), (np.nan, np.nan)), ((1, 1), (1.0, 1.0), (0.1, np.nan))]
    axes = (Axis("model", "model", labels=SIDE), Axis("other", "model", labels=SIDE))
    found = _recorded(tmp_path, axes, (Measure("cosine"), Measure("same")), rows, "matrix").result()
    np.testing.assert_array_equal(found.grid("cosine"), [[np.nan, 0.25], [np.nan, 1]])
    np.testing.assert_array_equal(found.grid("cosine", errors=True), [[np.nan, np.nan], [np.nan, 0.1]])
    with pytest.raises(InputError, match="measures cosine, same, not 'angle'"):
        found.grid("angle")
    with pytest.raises(InputError, match="has 0"):
        found.lines("cosine")


def test_a_run_of_another_kind_has_no_result(tmp_path):
    header = RunHeader(kind="merge", title="merged")
    RunWriter.create(run_path(tmp_path, header.id), header).close()
    with pytest.raises(InputError, match="kind 'merge'"):
        RunReader(run_path(tmp_path, header.id)).result()


@pytest.mark.parametrize(
    ("said", "how"),
    [
        ("exactly one axis of numbers", {"kind": "curve", "axes": (Axis("model", "model"),)}),
        ("two labelled axes", {"kind": "matrix", "axes": (Axis("model", "model"), Axis("t"))}),
        ("has the axes model", {"kind": "scalars", "axes": (Axis("t"),)}),
        ("needs 'layers'", {"kind": "layers"}),
        ("a name of its own", {"kind": "scalars", "measures": (Measure("x"), Measure("x"))}),
        ("needs their labels", {"kind": "matrix", "axes": (Axis("a", "choice"), WAY)}),
    ],
)
def test_a_declaration_that_does_not_hang_together_is_refused(said, how):
    with pytest.raises(InputError, match=said):
        probe("tried", **{"measures": (Measure("x"),), **how})(_documented)


def _documented(subject):
    """Something."""
    yield Row((0,), {"x": 1.0})


def test_a_row_that_was_not_declared_is_refused():
    spec = probe("tried", kind="scalars", measures=(Measure("y"),))(_documented)
    with pytest.raises(InputError, match="the measure x"):
        measured(spec, tiny_subject(spec))


def test_what_is_wrong_with_a_subject_is_said():
    spec = probe("tried", kind="scalars", measures=(Measure("x"),), models=(2, 2), base="required")(_documented)
    whole = tiny_subject(spec)
    with pytest.raises(InputError, match="takes 2 models, not 1"):
        check_subject(spec, Subject(whole.models[:1], QuietContext(), base=whole.base))
    with pytest.raises(InputError, match="needs the base"):
        check_subject(spec, Subject(whole.models, QuietContext()))
    with pytest.raises(InputError, match="names that differ"):
        check_subject(spec, Subject([whole.models[0]] * 2, QuietContext(), base=whole.base))


def test_the_suite_notices_what_a_probe_does_wrong():
    state = iter(range(1000))

    def forgetful(subject):
        """Something else each time."""
        for i in range(len(subject.models)):
            yield Row((i,), {"x": Estimate(float(next(state)), 0.1, 3)})
        yield Finding("done", 1.0)

    spec = probe("tried", kind="scalars", measures=(Measure("x", high=0.5),))(forgetful)
    said = " ".join(probe_complaints(spec))
    assert "other numbers" in said
    assert "leaves the range" in said

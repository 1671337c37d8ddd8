import csv
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest

from solera.errors import OutputError
from solera.events import PointScored
from solera.runs.export import to_csv, to_xarray
from solera.runs.header import RunHeader
from solera.runs.reader import RunReader
from solera.runs.writer import RunWriter

needs_xarray = pytest.mark.skipif(importlib.util.find_spec("h5netcdf") is None, reason="needs solera[analysis]")


@pytest.fixture
def path(tmp_path):
    header = RunHeader(
        id="plane",
        kind="explore",
        title="Plane",
        coords=({"name": "x"}, {"name": "y"}),
        columns=(
            {"task": "plain", "metric": "accuracy", "split": "selection"},
            {"task": "plain", "metric": "cross_entropy", "split": "selection"},
        ),
        shape=(2, 3),
        keep_samples=True,
    )
    with RunWriter.create(tmp_path / "plane.h5", header) as writer:
        for i in range(6):
            writer.append(
                PointScored(
                    run="plane",
                    index=i,
                    coords=(i / 10, i + 0.25),
                    values=(i / 6, math.nan),
                    stderrs=(0.5, math.nan),
                    counts=(9, 0),
                    cell=(i // 3, i % 3),
                    label="a" if i == 4 else "",
                    phase="report" if i == 5 else "search",
                    samples=(np.ones(9), None),
                )
            )
    return tmp_path / "plane.h5"


@needs_xarray
def test_a_finished_run_opens_in_xarray_as_it_is(path):
    import xarray

    with xarray.open_dataset(path, engine="h5netcdf") as data:
        assert dict(data.sizes) == {"point": 6, "coord": 2, "column": 2, "axis": 2}
        assert data["point"].values.tolist() == [0, 1, 2, 3, 4, 5]
        assert data["coord"].values.tolist() == ["x", "y"]
        assert data["position"].sel(coord="y").values.tolist() == [i + 0.25 for i in range(6)]
        score = data["score"].sel(column="plain.accuracy")
        assert score.values.tolist() == [i / 6 for i in range(6)]
        assert (str(score.task.item()), str(score.metric.item()), str(score.split.item())) == (
            "plain",
            "accuracy",
            "selection",
        )
        assert data["cell"].values.tolist() == [[i // 3, i % 3] for i in range(6)]
        assert data["phase"].values.tolist() == [0, 0, 0, 0, 0, 1]
        assert data.attrs["title"] == "Plane"
        assert data["time"].dtype.kind == "M"


@needs_xarray
def test_to_xarray_gives_coordinates_by_name(path):
    data = to_xarray(RunReader(path))
    assert data["score"].dims == ("point", "column")
    assert data["x"].values.tolist() == [i / 10 for i in range(6)]
    assert data["label"].values.tolist() == ["", "", "", "", "a", ""]
    assert data.attrs["state"] == "done"
    assert json.loads(data.attrs["header"])["shape"] == [2, 3]
    assert float(data["score"].sel(column="plain.accuracy").where(data["phase"] == "search").max()) == 4 / 6


def test_to_csv_reads_back_to_the_same_floats(path, tmp_path):
    with open(to_csv(RunReader(path), tmp_path / "t.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["x"]) for row in rows] == [i / 10 for i in range(6)]
    assert [float(row["plain.accuracy"]) for row in rows] == [i / 6 for i in range(6)]
    assert {row["plain.cross_entropy"] for row in rows} == {""}
    assert [row["label"] for row in rows][4] == "a"
    with pytest.raises(OutputError, match="cannot be written"):
        to_csv(RunReader(path), Path(tmp_path / "none" / "t.csv"))

"""The window's benchmark runs and tells whole rows; how fast it was is for `solera bench window` to say."""

import importlib.util
import json
from typing import Any

import pytest

pytest.importorskip("PySide6")

from solera.testing.bench import report
from solera_app import bench_window

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="needs the extra demo"),
]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_window, "STARTS", 1)
    monkeypatch.setattr(bench_window, "SECONDS", 0.5)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setenv("DISPLAY", ":none")  # nobody asks for it without a screen


def rows(part: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        json.dumps(report("window", bench_window.window(lambda line: None, [part])))
    )["rows"]
    return found


def test_a_start_has_its_floor() -> None:
    start, cpu = rows("start")
    assert (start["unit"], start["target"]) == ("s", 1.5)
    assert start["ours"] > start["floor"] > 0
    assert cpu["ours"] > cpu["floor"] > 0


def test_a_short_look_gives_whole_rows() -> None:
    late = rows("late")
    assert len(late) == 4 * 5
    assert [row["target"] for row in late if row["metric"].endswith("p99") and "late" in row["metric"]] == [
        None, None, 30.0, 30.0, 75.0,
    ]  # fmt: skip
    assert [row["target"] for row in late if row["metric"].endswith("longest")] == [250.0, *[100.0] * 4]
    assert all("points)" in row["case"] for row in late[8:])


def test_what_is_drawn_took_time() -> None:
    drawn = rows("draw")
    assert len(drawn) == 14
    assert all(row["ours"] > 0 for row in drawn)


def test_jobs_end_when_they_are_cancelled() -> None:
    assert [row["case"] for row in rows("cancel")] == [
        f"{sort} is cancelled" for sort in ("a merge", "a surface", "a Pareto search")
    ]


def test_memory_is_looked_at_after_each_job() -> None:
    slope, end = rows("memory")
    assert slope["unit"] == "MB/job"
    assert end["ours"] > 50

"""The window's benchmark runs and tells whole rows; how fast it was is for `solera bench window` to say."""

import importlib.util
import json

import pytest

pytest.importorskip("PySide6")

from solera.testing.bench import report
from solera_app import bench_window


@pytest.mark.heavy
@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="needs the extra demo")
def test_a_short_look_gives_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_window, "STARTS", 1)
    monkeypatch.setattr(bench_window, "SECONDS", 0.5)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setenv("DISPLAY", ":none")  # nobody asks for it without a screen
    found = json.loads(json.dumps(report("window", bench_window.window(lambda line: None))))
    assert found["bench"] == "window"
    start, cpu, *late = found["rows"]
    assert (start["unit"], start["target"]) == ("s", 1.5)
    assert start["ours"] > start["floor"] > 0
    assert cpu["ours"] > cpu["floor"] > 0
    assert len(late) == 12
    targets = [row["target"] for row in late if row["metric"] == "event loop late, p99"]
    assert targets == [None, 30.0, 30.0]
    assert all("points)" in row["case"] for row in late[4:])

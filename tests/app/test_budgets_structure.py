"""What the budgets rest on: what is loaded when, and what waits. How fast it is is for `solera bench window` to say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from solera.errors import InputError
from solera.testing.bench import Row, report
from solera_app import bench_window
from solera_app.bench_window_page import write_page
from solera_app.commands import PACKAGES, DisplayError, probe_display
from solera_app.first_paint import FirstPaint

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "h5py", "optuna", "transformers", "pydantic", "scipy", "sklearn", "pyqtgraph")

_OPEN = """
import sys
from solera_app.first_paint import FirstPaint
from solera_app.main import Application
application = Application()
def tell():
    print(*sorted(set(sys.argv[1:]) & set(sys.modules)))
    application.qt.quit()
FirstPaint(application.window, tell)
application.open()
application.qt.exec()
"""


def python(tmp_path: Path, *words: str, **more: str) -> str:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(tmp_path), **more}
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_heavy_is_loaded_at_the_first_paint(tmp_path: Path) -> None:
    assert python(tmp_path, "-c", _OPEN, *HEAVY).split() == []


def test_nor_on_the_whole_way_of_the_command(tmp_path: Path) -> None:
    found = json.loads(python(tmp_path, "-m", "solera_app.bench_subject", "paint"))
    assert not found["loaded"]
    assert found["size"] == [1280, 800]


def test_help_loads_neither_qt_nor_anything_heavy(tmp_path: Path) -> None:
    code = "import sys; from solera.cli.main import main; main(['--help']); sys.stderr.write(' '.join(sys.modules))"
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert "bench" in done.stdout
    assert not {"PySide6", "numpy", *HEAVY} & set(done.stderr.split())


def test_the_first_paint_is_told_once_and_not_before(qtbot: QtBot) -> None:
    window, told = QWidget(), list[bool]()
    qtbot.addWidget(window)
    FirstPaint(window, lambda: told.append(window.isVisible()))
    qtbot.wait(20)
    assert told == []
    window.show()
    qtbot.waitUntil(lambda: bool(told))
    window.repaint()
    qtbot.wait(20)
    assert told == [True]


def test_what_fails_after_the_first_paint_is_told_not_thrown(qtbot: QtBot) -> None:
    from solera_app.bridge.slots import notices

    window = QWidget()
    qtbot.addWidget(window)

    def fail() -> None:
        raise InputError("No such project.")

    FirstPaint(window, fail)
    with qtbot.waitSignal(notices().raised) as raised:
        window.show()
    assert raised.args is not None
    assert raised.args[:2] == ["error", "No such project."]


def test_without_a_display_the_benchmark_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(InputError, match="install the package xvfb"):
        bench_window.window(lambda line: None)


def test_a_window_that_cannot_open_names_cause_and_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solera_app.commands._PROBE", "import ctypes; ctypes.CDLL('libxcb-none.so.9')")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    with pytest.raises(DisplayError, match=r"libxcb-none\.so\.9: cannot open.*libxcb-icccm4"):
        probe_display()


def test_a_server_that_does_not_answer_is_told_and_nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":4711")
    for name in ("WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    loaded: list[bool] = []
    with pytest.raises(DisplayError, match="could not connect to display :4711"):
        probe_display(load=lambda: loaded.append(True))
    assert loaded == []


def test_an_import_that_fails_is_left_to_the_subprocess(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ImportError("libGL.so.1: cannot open shared object file")

    monkeypatch.setattr("solera_app.commands._x_answers", lambda: True)
    monkeypatch.setattr("solera_app.commands._PROBE", "import ctypes; ctypes.CDLL('libGL-none.so.1')")
    monkeypatch.setenv("DISPLAY", ":4711")
    with pytest.raises(DisplayError, match=r"libGL-none\.so\.1: cannot open"):
        probe_display(load=fail)


def test_the_readme_names_the_same_packages() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [package for package in PACKAGES.split() if package not in readme] == []


def test_rows_of_a_state_are_judged_by_their_99th_percentile() -> None:
    late, busy = [0.1] * 98 + [40.0, 50.0], [0.2] * 100
    found, floor = {"late": late, "busy": busy, "points": 7}, {"late": [0.0] * 9, "busy": [0.1] * 9}
    rows = bench_window.lateness_rows("busy", found, floor, 30.0)
    assert all(isinstance(row, Row) and row.case == "busy (7 points)" and row.unit == "ms" for row in rows)
    judged = [row for row in rows if row.met is not None]
    assert [(row.metric, row.met) for row in judged] == [("event loop late, p99", False)]
    assert rows[2].ours == 50.0
    assert not any(row.met is not None for row in bench_window.lateness_rows("idle", found, floor, None))
    stalls = bench_window.lateness_rows("idle", found, floor, None, longest=49.0)
    assert [row.metric for row in stalls if row.met is False] == ["event loop late, longest"]


def test_memory_that_grows_is_told_from_memory_that_only_shakes() -> None:
    shaken = [300_000_000 + 2_000_000 * (job % 3) for job in range(50)]
    filling = [100_000_000 + 20_000_000 * min(job, 9) for job in range(50)]
    grown = [each + 400_000 * job for job, each in enumerate(shaken)]
    assert [bench_window.memory_rows(each)[0].met for each in (shaken, filling, grown)] == [True, True, False]
    assert bench_window.memory_rows(grown)[0].ours == pytest.approx(0.4, abs=0.05)


def test_rows_of_what_is_drawn_are_judged_by_wall_time() -> None:
    paints = {"wall": [10.0] * 95 + [40.0] * 5, "cpu": [1.0] * 100}
    rows = bench_window.drawing_rows({**dict.fromkeys(bench_window._DRAWN, paints), "floor": paints})
    assert len(rows) == 2 * len(bench_window._DRAWN)
    assert {row.met for row in rows if "CPU" in row.metric} == {None}
    assert {(row.target, row.met) for row in rows if row.met is not None} == {(50.0, True), (16.0, True), (500.0, True)}


def test_a_part_that_is_none_is_refused_and_named() -> None:
    with pytest.raises(InputError, match="no part 'speed'; it has start, late, draw, memory, cancel"):
        bench_window.window(lambda line: None, ["speed"])


def test_the_page_keeps_what_a_person_wrote(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("old\n\n## What is missed, and why\n\nA reason.\n")
    write_page(report("window", [Row("a case", "late", "ms", 40.0, floor=1.0, target=30.0, met=False)]), page)
    text = page.read_text()
    assert "| a case | late | 40 ms | 1 ms | 30 ms | **no** |" in text
    assert "old" not in text
    assert text.endswith("## What is missed, and why\n\nA reason.\n")

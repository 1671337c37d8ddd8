"""A surface drawn by OpenGL looks as the painted one does; without OpenGL it is painted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSize

from solera_app.plots.gl_surface import GlSurface, _vertices, probe
from solera_app.plots.relief import ReliefPlot

#: Draws a surface of so many lines both ways; says how far apart the two are, and how far they are from an empty box.
SCRIPT = """
import sys
import numpy as np
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from solera_app.plots.relief import ReliefPlot
from solera_app.theme import themes

application = QApplication(sys.argv[:1])
themes().apply("light")
side, plot = int(sys.argv[1]), ReliefPlot()
x = np.linspace(-1, 1, side)
values = np.sin(4 * x)[None] ** 2 * (1 + x[:, None]) + x[:, None] ** 2
values[side // 2, side // 2] = np.nan
known, index = np.ones(values.shape, bool), np.arange(side * side).reshape(side, side)
plot.set_surface(x, x, values, known, index, values * 0.01)
plot.resize(900, 640)
plot.show()
plot._use_gl(True)
assert plot._gl.works, "no OpenGL"

def pixels(name):
    image = plot.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    image.save(f"{sys.argv[2]}/{name}.png")
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)[..., :3].astype(float)

drawn = pixels("drawn")
plot._gl, gl = None, plot._gl
painted = pixels("painted")
plot._paint_cells = lambda painter: 1
empty = pixels("empty")
print(np.abs(drawn - painted).mean(), np.abs(drawn - empty).mean(), np.abs(painted - empty).mean())
"""


def on_a_screen(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    if not os.environ.get("DISPLAY"):
        if shutil.which("xvfb-run") is None:
            pytest.skip("needs an X display")
        command = ["xvfb-run", "-a", *command]
    screen = {**os.environ, "QT_QPA_PLATFORM": "xcb"}
    return subprocess.run(command, env=screen, capture_output=True, text=True, timeout=120)


def compared(side: int, folder: Path) -> tuple[float, float, float]:
    done = on_a_screen("-c", SCRIPT, str(side), str(folder))
    assert done.returncode == 0, done.stderr
    apart, drawn, painted = (float(each) for each in done.stdout.split())
    return apart, drawn, painted


@pytest.mark.gl
@pytest.mark.parametrize("side", [21, 72])
def test_it_looks_as_the_painted_one(side: int, tmp_path: Path) -> None:
    apart, drawn, painted = compared(side, tmp_path)
    assert drawn == pytest.approx(painted, rel=0.15)
    assert apart < 0.2 * painted


@pytest.mark.gl
def test_a_fine_grid_is_drawn_whole(tmp_path: Path) -> None:
    apart, drawn, painted = compared(300, tmp_path)  # the painted one takes every fifth line, and outlines it
    assert drawn == pytest.approx(painted, rel=0.25)
    assert apart < 0.3 * painted


@pytest.mark.gl
def test_the_probe_draws_and_tells_a_card_from_the_processor() -> None:
    done = on_a_screen("-m", "solera_app.plots.gl_surface")
    assert done.returncode in {0, 3}, done.stderr


def test_a_screen_without_it_is_not_asked(qtbot) -> None:
    assert not probe()
    plot = ReliefPlot()
    qtbot.addWidget(plot)
    assert plot._gl is None


def test_what_does_not_work_gives_no_image(qtbot, monkeypatch) -> None:
    surface = GlSurface.__new__(GlSurface)
    surface.works = False
    cells = np.zeros((1, 4, 3))
    assert surface.image(cells, np.zeros((1, 3), np.uint8), np.ones(1, bool), QSize(4, 4)).isNull()


def test_cells_become_triangles_and_outlines_before_them() -> None:
    cells = np.array([[[0, 0, 0], [10, 0, 0], [10, 20, 2], [0, 20, 2]]] * 2, dtype=float)
    faces, edges = _vertices(cells, np.array([[255, 0, 0]] * 2, np.uint8), np.array([True, False]), QSize(10, 20))
    assert faces.shape == (12, 7)
    assert edges.shape == (8, 7)  # one of the two has an outline
    np.testing.assert_allclose(faces[0], [-1, 1, 0.9, 1, 0, 0, 1], rtol=1e-6)
    np.testing.assert_allclose(faces[2, :3], [1, -1, -0.9], rtol=1e-6)  # nearer is smaller
    assert edges[0, 2] < faces[0, 2]
    assert (edges[0, :2] == faces[0, :2]).all()

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtGui import QImage


def rendered(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "QT_QPA_PLATFORM")}
    command = [sys.executable, "-m", "solera_app.pictures", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_run_becomes_pictures_without_a_display(run_file: Callable[[str], Path], tmp_path: Path) -> None:
    done = rendered(str(run_file("plane")), str(tmp_path / "out"), "--theme", "dark", "--size", "800x500")
    assert done.returncode == 0, done.stderr
    paths = [Path(line) for line in done.stdout.splitlines()]
    assert [path.name for path in paths] == [
        "plane-surface.png",
        "plane-surface.svg",
        "plane-relief.png",
        "plane-relief.svg",
        "plane.csv",
    ]
    assert all(path.is_absolute() and path.stat().st_size > 1000 for path in paths)
    image = QImage(str(paths[0]))
    assert (image.width(), image.height()) == (1600, 1000)
    assert image.pixelColor(3, 997).lightness() < 60


def test_a_run_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    done = rendered(str(tmp_path / "none.h5"), str(tmp_path))
    assert done.returncode == 1
    assert "none.h5" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_size_is_wrong_usage(tmp_path: Path) -> None:
    assert rendered("a.h5", str(tmp_path), "--size", "big").returncode == 2

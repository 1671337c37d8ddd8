"""Figures of runs for scripts, notebooks and the command line: the views' own drawing, without a display."""

import csv
import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from solera.cli.main import main
from solera.errors import InputError
from solera.runs.figure import Figure
from solera.runs.reader import RunReader
from solera_app.pictures import draw_view, registered
from solera_app.views.snapshot import Snapshot

VIEWS = registered()


def fonts(pdf: bytes) -> tuple[int, int]:
    """How many fonts a page names, and how many are in the file."""
    return len(re.findall(rb"/Type\s*/FontDescriptor", pdf)), len(re.findall(rb"/FontFile[23]?\s", pdf))


def test_a_figure_is_saved_with_its_data_and_the_script_that_makes_it_again(
    run_file: Callable[[str], Path], tmp_path: Path
) -> None:
    run = RunReader(run_file("line"))
    figure = run.figure("curve", theme="dark", size=(640, 400), score="rotated.accuracy")
    path = figure.save(tmp_path / "loss.png")
    image = QImage(str(path))
    assert (image.width(), image.height()) == (1280, 800)
    assert image.pixelColor(3, 797).lightness() < 60
    with (tmp_path / "loss.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert any("accuracy" in cell for cell in rows[0])
    assert len(rows) > 11
    before = path.read_bytes()
    path.unlink()
    runpy.run_path(str(tmp_path / "loss.py"))
    assert path.read_bytes() == before


def test_a_page_has_its_size_and_all_its_fonts(run_file: Callable[[str], Path]) -> None:
    pdf = RunReader(run_file("plane")).figure("surface", size=(960, 480)).content("pdf")
    assert pdf.startswith(b"%PDF-")
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert box is not None
    assert [float(side) for side in box.groups()] == pytest.approx([720, 360], abs=1)
    named, embedded = fonts(pdf)
    assert named == embedded > 0


@pytest.mark.heavy
def test_a_notebook_shows_the_picture_at_its_size_and_the_facts_of_a_run(
    run_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunReader(run_file("search"))
    figure = run.figure("table", size=(500, 300))
    monkeypatch.setattr(Figure, "content", lambda self, kind="png": b"\x89PNG")
    assert figure._repr_png_() == (b"\x89PNG", {"width": 500, "height": 300})
    monkeypatch.undo()
    html = run._repr_html_()
    for words in ("Rotated against inverted", "rotated.accuracy", "31", "data:image/png;base64,"):
        assert words in html
    assert "<Run search" in repr(run)


def test_what_cannot_be_drawn_is_a_sentence(run_file: Callable[[str], Path], tmp_path: Path, qtbot: QtBot) -> None:
    run = RunReader(run_file("line"))
    with pytest.raises(InputError, match=r"No view 'surface' shows run line; those that do: .*curve"):
        draw_view(run.path, "surface", [tmp_path / "a.png"])
    with pytest.raises(InputError, match=r"'score' is one of .*rotated\.accuracy.*, not 'bleu'"):
        draw_view(run.path, "curve", [tmp_path / "a.png"], choices={"score": "bleu"})
    with pytest.raises(InputError, match=r"\.png, \.svg, \.pdf or \.csv, not 'a\.gif'"):
        run.figure().save(tmp_path / "a.gif")
    with pytest.raises(InputError, match="'light' or 'dark'"):
        run.figure(theme="sepia")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="320 x 200"):
        run.figure(size=(10, 10))
    assert not [*tmp_path.glob("a.*")]


@pytest.mark.heavy
def test_the_command_line_exports_a_view(
    run_file: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run_file("plane")
    out = tmp_path / "plane.svg"
    words = ["runs", "export", str(path), str(out), "--view", "surface", "--choose", "score=inverted.accuracy"]
    assert main(words) == 0
    assert "plane.csv and plane.py" in capsys.readouterr().out
    assert "Inverted accuracy (%), higher is better" in out.read_text()
    assert main(["runs", "export", str(path), str(out), "--view", "curve"]) == 2
    assert "those that do" in capsys.readouterr().err


def test_a_choice_is_made_by_key_text_or_column(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = VIEWS["surface"]()
    qtbot.addWidget(view)
    view.set_run(snapshots["plane"])
    assert set(view.choosers()) == {"score"}
    for said in ("3", "Inverted accuracy", "inverted.accuracy"):
        view.choose({"score": "0"})
        view.choose({"score": said})
        assert view.choosers()["score"].key == "3"
    with pytest.raises(InputError, match="one chooses score, not 'colour'"):
        view.choose({"colour": "red"})

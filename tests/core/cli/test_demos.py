import sys

import pytest

from solera.cli import demos
from solera.cli.main import main


@pytest.fixture
def made(monkeypatch):
    """The folders that were made without a window."""
    folders: list[str] = []
    monkeypatch.setattr(demos, "_headless", lambda folder, examples: folders.append(folder.name))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return folders


@pytest.mark.skipif(sys.platform != "linux", reason="others have a display of their own")
def test_without_a_display_it_says_that_it_opens_no_window(made, capsys):
    assert main(["demo", "here"]) == 0
    assert made == ["here"]
    assert capsys.readouterr().err.startswith("There is no display: all is made without it")


def test_without_the_window_it_says_so(made, monkeypatch, capsys):
    monkeypatch.setenv("DISPLAY", ":1")
    monkeypatch.setattr(demos, "_offering", lambda name: None)
    assert main(["demo", "here"]) == 0
    assert capsys.readouterr().err.startswith("The window is not installed: all is made without it")


def test_who_asks_for_no_window_is_told_nothing(made, capsys):
    assert main(["demo", "here", "--headless"]) == 0
    assert made == ["here"]
    assert not capsys.readouterr().err

"""Small files are there whole or not at all."""

import os
from pathlib import Path
from typing import Any

import pytest

from solera.files import replace_text


@pytest.mark.parametrize("sync", [False, True])
def test_the_new_text_takes_the_place_of_the_old(tmp_path: Path, sync: bool) -> None:
    file = tmp_path / "a.json"
    replace_text(file, "one")
    replace_text(file, "zwei ä", sync=sync)
    assert file.read_bytes() == "zwei ä".encode()
    assert list(tmp_path.iterdir()) == [file]


def test_what_fails_leaves_the_old_text_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    replace_text(file, "one")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        replace_text(file, "two")
    assert file.read_text() == "one"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        replace_text(tmp_path / "no" / "a.json", "one")

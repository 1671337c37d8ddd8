"""What is remembered between two starts; a broken file is an empty one."""

import json
from pathlib import Path

import pytest

from solera_app.session.store import LAYOUT, SessionStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "session.json"


def test_recent_projects_latest_first_each_once_at_most_twelve(file: Path) -> None:
    store = SessionStore(file)
    for number in (*range(15), 9):
        store.remember_project(Path(f"/p/{number}"))
    again = SessionStore(file)
    assert again.recent[:3] == [Path("/p/9"), Path("/p/14"), Path("/p/13")]
    assert len(again.recent) == len(set(again.recent)) == 12
    again.clear_recent()
    assert SessionStore(file).recent == []


def test_layout_and_tabs_come_back(file: Path) -> None:
    store = SessionStore(file)
    store.keep_layout(b"\x00geometry\xff", b"state")
    store.keep_tabs(Path("/p"), ["/p/recipes/a.yaml"])
    again = SessionStore(file)
    assert again.layout() == (b"\x00geometry\xff", b"state")
    assert again.tabs(Path("/p")) == ["/p/recipes/a.yaml"]
    assert again.tabs(Path("/q")) == []


def test_an_older_layout_is_not_restored(file: Path) -> None:
    store = SessionStore(file)
    store.keep_layout(b"g", b"s")
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "layout": LAYOUT - 1}))
    assert SessionStore(file).layout() is None


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[1, 2]", "null", "\x00\xff",
        '{"recent": "x", "tabs": [], "layout": 1, "geometry": 5}',
        '{"recent": {"a": 1}, "tabs": {"/p": 3}, "layout": 1, "geometry": "no base64!", "state": "x"}',
        '{"recent": [1, null, "/p"], "tabs": {"/p": [1, "/a"]}}',
        '{"recent": 7, "tabs": "x"}',
    ],
)  # fmt: skip
def test_a_broken_file_is_an_empty_one_and_is_written_anew(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    store = SessionStore(file)
    assert all(isinstance(path, Path) for path in store.recent)
    assert store.layout() is None
    assert all(isinstance(tab, str) for tab in store.tabs(Path("/p")))
    store.remember_project(Path("/new"))
    store.keep_tabs(Path("/p"), ["/b"])
    assert SessionStore(file).recent[0] == Path("/new")
    assert SessionStore(file).tabs(Path("/p")) == ["/b"]


def test_bytes_that_are_no_text_are_a_broken_file(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"\xff\xfe\x00")
    assert SessionStore(file).recent == []


def test_an_unwritable_place_is_not_worth_stopping_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = SessionStore(tmp_path / "file" / "session.json")
    store.remember_project(Path("/p"))
    assert store.recent == [Path("/p")]

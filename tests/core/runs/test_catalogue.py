import json
import os
import sqlite3
import time

import pytest

from solera.errors import LockedError, NotFoundError, OutputError, RunError
from solera.events import PointScored
from solera.runs import peek
from solera.runs.catalogue import Catalogue
from solera.runs.header import RunHeader, new_run_id, run_path
from solera.runs.writer import RunWriter


def record(folder, name, points=1, created=0.0, state="done", **header):
    writer = RunWriter.create(
        run_path(folder, name),
        RunHeader(id=name, kind="explore", title=f"Run {name}", created=created, planned=9, **header),
    )
    for i in range(points):
        writer.append(PointScored(run=name, index=i, coords=(), values=(), stderrs=(), counts=()))
    writer.close(state, f"{points} points")


def test_runs_are_listed_newest_first(tmp_path):
    catalogue = Catalogue(tmp_path)
    record(tmp_path, "a", 1, created=10.0)
    record(tmp_path, "b", 3, created=30.0, state="failed")
    record(tmp_path, "c", 2, created=20.0)
    assert catalogue.list() == []
    assert catalogue.refresh() == 3
    assert [(run.id, run.state, run.count, run.planned, run.summary) for run in catalogue.list()] == [
        ("b", "failed", 3, 9, "3 points"),
        ("c", "done", 2, 9, "2 points"),
        ("a", "done", 1, 9, "1 points"),
    ]
    assert catalogue.refresh() == 0
    assert catalogue.open("c").count == 2
    with pytest.raises(NotFoundError, match="no run 'x'"):
        catalogue.get("x")


def test_files_that_have_not_changed_are_not_opened(tmp_path, monkeypatch):
    record(tmp_path, "a")
    record(tmp_path, "b")
    Catalogue(tmp_path).refresh()
    opened = []
    real = peek.peek

    def noted(path):
        opened.append(path.name)
        return real(path)

    monkeypatch.setattr(peek, "peek", noted)
    catalogue = Catalogue(tmp_path)
    catalogue.refresh()
    assert [run.id for run in catalogue.list()] == ["b", "a"]
    assert opened == []
    RunWriter.resume(run_path(tmp_path, "b")).close("cancelled")
    (tmp_path / "a.h5").unlink()
    assert catalogue.refresh() == 2
    assert opened == ["b.h5"]
    assert [(run.id, run.state) for run in catalogue.list()] == [("b", "cancelled")]


def test_a_growing_run_that_dies_is_noticed(tmp_path):
    writer = RunWriter.create(run_path(tmp_path, "a"), RunHeader(id="a", kind="merge", title="A"))
    catalogue = Catalogue(tmp_path)
    assert catalogue.get("a").state == "running"
    with pytest.raises(LockedError, match="being written"):
        catalogue.trash("a")
    writer._lock.release()  # what the kernel does for a process that is killed
    assert catalogue.refresh() == 1
    assert catalogue.get("a").state == "interrupted"
    writer.close()


def test_tags_and_notes_outlive_the_table(tmp_path):
    record(tmp_path, "a")
    catalogue = Catalogue(tmp_path)
    catalogue.set_tags("a", ["b", " a ", "b", ""])
    catalogue.set_note("a", "Schön.")
    catalogue.close()
    (tmp_path / ".catalogue.sqlite").unlink()
    again = Catalogue(tmp_path)
    again.refresh()
    assert [(run.tags, run.note) for run in again.list()] == [(("a", "b"), "Schön.")]
    again.set_tags("a", [])
    again.set_note("a", "")
    assert [item.name for item in tmp_path.iterdir() if item.suffix == ".json"] == []


@pytest.mark.parametrize("damage", [b"not a database at all, sorry" * 100, b""])
def test_a_damaged_table_is_made_anew(tmp_path, damage):
    record(tmp_path, "a")
    (tmp_path / ".catalogue.sqlite").write_bytes(damage)
    catalogue = Catalogue(tmp_path)
    catalogue.refresh()
    assert [run.id for run in catalogue.list()] == ["a"]


def test_a_damaged_run_is_listed_as_such(tmp_path):
    record(tmp_path, "good")
    (tmp_path / "bad.h5").write_bytes(b"hello")
    (tmp_path / "bad.remarks.json").write_text("{")
    catalogue = Catalogue(tmp_path)
    catalogue.refresh()
    states = {run.id: run for run in catalogue.list()}
    assert (states["good"].state, states["bad"].state) == ("done", "damaged")
    assert "cannot be opened as a run" in states["bad"].summary


def test_a_folder_that_is_not_there_or_cannot_be_written(tmp_path, monkeypatch):
    assert Catalogue(tmp_path / "none").refresh() == 0
    assert Catalogue(tmp_path / "none").list() == []
    record(tmp_path, "a")
    (tmp_path / ".catalogue.sqlite").mkdir()  # as good as a folder that cannot be written, also for root
    catalogue = Catalogue(tmp_path)
    catalogue.refresh()
    assert [run.id for run in catalogue.list()] == ["a"]


def test_trash_and_back(tmp_path):
    record(tmp_path, "a")
    catalogue = Catalogue(tmp_path)
    catalogue.set_note("a", "keep")
    moved = catalogue.trash("a")
    assert moved.exists()
    assert (catalogue.list(), catalogue.trashed()) == ([], ("a",))
    with pytest.raises(NotFoundError):
        catalogue.trash("a")
    catalogue.restore("a")
    assert [(run.id, run.note) for run in catalogue.list()] == [("a", "keep")]
    catalogue.trash("a")
    record(tmp_path, "a")
    with pytest.raises(OutputError, match="again"):
        catalogue.restore("a")
    assert catalogue.empty_trash() == 1
    with pytest.raises(NotFoundError):
        catalogue.restore("a")
    assert list((tmp_path / ".trash").iterdir()) == []


def test_ten_thousand_runs_are_listed_without_opening_them(tmp_path, monkeypatch):
    catalogue = Catalogue(tmp_path)
    with catalogue._rows() as database:
        for i in range(10_000):
            path = tmp_path / f"run{i:05}.h5"
            path.touch()
            stat = os.stat(path)
            row = (path.name, f"{stat.st_mtime_ns}:0:{stat.st_ino}", "", f"run{i:05}", "explore", f"Run {i}", "done",
                   float(i), 100, 100, "fine", json.dumps(["tag"] if i % 3 == 0 else []), "", str(path))  # fmt: skip
            database.execute(f"INSERT INTO runs VALUES ({', '.join('?' * len(row))})", row)
    catalogue.close()
    monkeypatch.setattr(peek, "peek", lambda path: pytest.fail(f"{path} was opened"))
    catalogue = Catalogue(tmp_path)
    start = time.process_time()
    assert catalogue.refresh() == 0
    runs = catalogue.list()
    assert time.process_time() - start < 3.0  # about 0.1 s; the bound only tells it from opening 10,000 files
    assert len(runs) == 10_000
    assert (runs[0].id, runs[-1].tags) == ("run09999", ("tag",))


def test_run_ids_sort_by_time():
    assert new_run_id(1.0).startswith("19700101-000001-")
    assert new_run_id() != new_run_id()
    assert new_run_id(1e9) < new_run_id(1e9 + 1)


def test_others_may_write_while_new_runs_are_looked_into(tmp_path, monkeypatch):
    for name in ("r1", "r2"):
        record(tmp_path, name)
    catalogue, seen, real = Catalogue(tmp_path), [], peek.peek

    def look(path):
        other = sqlite3.connect(tmp_path / ".catalogue.sqlite", timeout=0.1)
        other.execute("BEGIN IMMEDIATE")  # refused while another holds the table
        other.rollback()
        other.close()
        seen.append(path)
        return real(path)

    monkeypatch.setattr(peek, "peek", look)
    assert catalogue.refresh() == len(seen) == 2


def test_a_table_that_another_program_holds_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("solera.runs.catalogue._PATIENCE", 0.1)
    record(tmp_path, "r1")
    catalogue = Catalogue(tmp_path)
    assert catalogue.list() == []
    other = sqlite3.connect(tmp_path / ".catalogue.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RunError, match="try again"):
        catalogue.refresh()
    other.rollback()
    other.close()
    assert catalogue.refresh() == 1

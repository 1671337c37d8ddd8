"""Results appear at once, survive kill -9 cleanly, and never take a stranger's folder away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from solera.errors import LockedError, OutputError
from solera.execution import output as output_module
from solera.execution.output import Output


def test_the_folder_appears_when_it_is_complete(tmp_path):
    out = tmp_path / "deep" / "out"
    with Output(out) as folder:
        (folder / "a.json").write_text("{}")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["a.json"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_failure_leaves_nothing_and_the_old_result_stays(tmp_path):
    out = tmp_path / "out"
    with Output(out) as folder:
        (folder / "a.json").write_text("old")

    def fail():
        with Output(out, force=True) as folder:
            (folder / "a.json").write_text("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (out / "a.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("exchange", [True, False])
def test_force_replaces_a_checkpoint(tmp_path, exchange, monkeypatch):
    if not exchange:
        monkeypatch.setattr(output_module, "_exchange", lambda one, other: False)
    out = tmp_path / "out"
    for text in ("old", "new"):
        with Output(out, force=True) as folder:
            (folder / "README.md").write_text(text)
    assert (out / "README.md").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_force_does_not_take_a_strangers_folder(tmp_path):
    (tmp_path / "thesis" / "chapters").mkdir(parents=True)
    (tmp_path / "thesis" / "main.tex").write_text("years of work")
    with pytest.raises(OutputError, match="holds more than a checkpoint"), Output(tmp_path / "thesis", force=True):
        pass
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError), Output(tmp_path / "file", force=True):
        pass
    assert (tmp_path / "thesis" / "main.tex").exists()


def test_the_root_of_a_disk_is_no_result():
    with pytest.raises(OutputError, match="name a folder in it"):
        Output(Path("/"))


def test_one_at_a_time(tmp_path):
    with Output(tmp_path / "out"), pytest.raises(LockedError), Output(tmp_path / "out"):
        pass


def test_a_result_that_appears_meanwhile_is_kept(tmp_path):
    out = tmp_path / "out"

    def late():
        with Output(out) as folder:
            (folder / "a.json").write_text("ours")
            out.mkdir()
            (out / "a.json").write_text("theirs")

    with pytest.raises(OutputError, match="exists"):
        late()
    assert (out / "a.json").read_text() == "theirs"


def test_a_half_done_replacement_is_undone(tmp_path):
    (tmp_path / ".out.solera-old").mkdir()
    (tmp_path / ".out.solera-old" / "README.md").write_text("old")
    with pytest.raises(OutputError, match="exists"), Output(tmp_path / "out"):
        pass
    assert (tmp_path / "out" / "README.md").read_text() == "old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_place_is_a_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match=r"cannot be (written|made)"), Output(tmp_path / "out"):
        pass


def test_what_kill_9_leaves_does_not_stand_in_the_way(tmp_path):
    script = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from solera.execution.output import Output
        with Output(Path({str(tmp_path / "out")!r})) as folder:
            (folder / "half.safetensors").write_bytes(b"x" * 1000)
            print("ready", flush=True)
            time.sleep(60)
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    timer = threading.Timer(60, process.kill)
    timer.start()
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    with pytest.raises(LockedError), Output(tmp_path / "out"):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    timer.cancel()
    assert (tmp_path / ".out.solera" / "half.safetensors").exists()
    with Output(tmp_path / "out") as folder:
        assert list(folder.iterdir()) == []
        (folder / "model.safetensors").write_bytes(b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]

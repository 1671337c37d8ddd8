import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from solera import locks
from solera.errors import LockedError, OutputError
from solera.locks import FileLock, Owner, holder, read_owner

HOLD = """
import sys, time
from solera.locks import FileLock
with FileLock(sys.argv[1], "project"):
    print("held", flush=True)
    time.sleep(60)
"""

LEASES = """
import errno, fcntl
def flock(file, how):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""

CONTEND = """
import os, sys, time
from solera.errors import LockedError
from solera.locks import FileLock
path, witness = sys.argv[1:]
won, end = 0, time.monotonic() + 1.5
while time.monotonic() < end:
    try:
        with FileLock(path):
            os.close(os.open(witness, os.O_CREAT | os.O_EXCL))  # fails if another is inside
            os.unlink(witness)
            won += 1
    except LockedError:
        pass
print(won)
"""


def some(owner: Owner | None) -> Owner:
    """The owner, which must be there."""
    assert owner is not None
    return owner


@pytest.fixture(params=["kernel", "lease"])
def kind(request, monkeypatch):
    """A file system with locks, and one without."""
    if request.param == "kernel":
        return ""

    def flock(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "fcntl", SimpleNamespace(flock=flock, LOCK_EX=2, LOCK_NB=4))
    return LEASES


@pytest.fixture
def other(tmp_path, kind):
    command = [sys.executable, "-c", kind + HOLD, str(tmp_path / "lock")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_holds_it(tmp_path, other):
    with pytest.raises(LockedError, match=f"This project is in use by process {other.pid} on ") as caught:
        FileLock(tmp_path / "lock", "project").acquire()
    assert caught.value.fields["pid"] == other.pid
    assert some(holder(tmp_path / "lock")).pid == other.pid


def test_a_lock_left_by_kill_9_is_taken_over(tmp_path, other):
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert some(read_owner(tmp_path / "lock")).pid == other.pid
    assert holder(tmp_path / "lock") is None
    with FileLock(tmp_path / "lock") as lock:
        assert lock.held
        assert some(holder(tmp_path / "lock")).pid == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_two_processes_are_never_inside_together(tmp_path, kind):
    command = [sys.executable, "-c", kind + CONTEND, str(tmp_path / "lock"), str(tmp_path / "witness")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in "abc"]
    ended = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], [err for _, err in ended]
    assert sum(int(out) for out, _ in ended) > 10


def test_one_process_holds_it_once(tmp_path, kind):
    lock = FileLock(tmp_path / "lock").acquire()
    with pytest.raises(LockedError, match="already held here"):
        lock.acquire()
    with pytest.raises(LockedError):
        FileLock(tmp_path / "lock").acquire()
    lock.release()
    lock.release()
    FileLock(tmp_path / "lock").acquire().release()


def test_probing_does_not_disturb(tmp_path):
    FileLock(tmp_path / "lock").acquire().release()
    (tmp_path / "lock").touch()
    stop = threading.Event()

    def probe():
        while not stop.is_set():
            holder(tmp_path / "lock")

    prober = threading.Thread(target=probe)
    prober.start()
    try:
        for _ in range(200):
            FileLock(tmp_path / "lock").acquire().release()
    finally:
        stop.set()
        prober.join()


def test_another_machine_s_lock_counts_while_it_beats(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "since": 0.0}))
    with pytest.raises(LockedError, match="on elsewhere"):
        FileLock(path).acquire()
    assert some(holder(path)).host == "elsewhere"
    old = time.time() - locks.STALE_SECONDS - 1
    os.utime(path, (old, old))
    assert holder(path) is None
    FileLock(path).acquire().release()


def test_the_heart_beats(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.02)
    with FileLock(tmp_path / "lock"):
        os.utime(tmp_path / "lock", (1.0, 1.0))
        end = time.monotonic() + 5
        while os.stat(tmp_path / "lock").st_mtime < 2.0:
            assert time.monotonic() < end
            time.sleep(0.01)


def test_a_lease_counts_while_its_heart_beats(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)  # as on Windows
    lease = tmp_path / "lock.lease"
    lease.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    (tmp_path / "lock").write_text(json.dumps({"host": "elsewhere", "pid": 1, "since": 0.0}))
    with pytest.raises(LockedError, match="on elsewhere"):
        FileLock(tmp_path / "lock").acquire()
    assert some(holder(tmp_path / "lock")).host == "elsewhere"
    old = time.time() - locks.STALE_SECONDS - 1
    os.utime(lease, (old, old))
    assert holder(tmp_path / "lock") is None
    with FileLock(tmp_path / "lock"):
        pass
    monkeypatch.setattr(locks, "BEAT_SECONDS", 0.02)
    with FileLock(tmp_path / "lock"):
        os.utime(lease, (1.0, 1.0))
        end = time.monotonic() + 5
        while os.stat(lease).st_mtime < 2.0:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []


def test_a_fresh_lease_is_put_back(tmp_path, monkeypatch):
    """Another took over what was left behind, between our look and our hand."""
    lease, real = tmp_path / "lock.lease", locks._lease_alive
    lease.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    looks = iter([False])
    monkeypatch.setattr(locks, "_lease_alive", lambda path: next(looks, None) is not False and real(path))
    assert not locks._take_lease(tmp_path / "lock")
    assert json.loads(lease.read_text())["host"] == "elsewhere"
    assert [path.name for path in tmp_path.iterdir()] == ["lock.lease"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        FileLock(tmp_path / "none" / "lock", "project").acquire()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 1}'])
def test_a_damaged_lock_file_is_taken_over(tmp_path, text):
    (tmp_path / "lock").write_text(text)
    assert holder(tmp_path / "lock") is None
    FileLock(tmp_path / "lock").acquire().release()


def test_a_file_that_its_holder_just_removed_does_not_count(tmp_path, monkeypatch):
    first, second, real = FileLock(tmp_path / "lock").acquire(), FileLock(tmp_path / "lock"), locks._lock

    def release_in_between(file):
        first.release()  # after the second has opened the file, before it locks it
        return real(file)

    monkeypatch.setattr(locks, "_lock", release_in_between)
    second.acquire()
    monkeypatch.undo()
    assert holder(tmp_path / "lock") is not None
    with pytest.raises(LockedError):
        FileLock(tmp_path / "lock").acquire()
    second.release()

"""When is a file still the one that was opened."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from solera.checkpoints.source import SourceFile
from solera.errors import ChangedError


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "w"
    file.write_bytes(b"0123456789")
    return file


@pytest.mark.parametrize("opened", [False, True])
def test_a_file_that_was_replaced_or_touched_is_another(path, opened):
    for change in ("touch", "replace"):
        source = SourceFile(path)
        if opened:
            source.read(0, 4)
        if change == "touch":
            os.utime(path, ns=(1, 1))
        else:
            other = path.with_name("other")
            other.write_bytes(b"abcdefghij")
            status = path.stat()
            os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
            os.replace(other, path)
        with pytest.raises(ChangedError):
            source.verify()
        source.close()
        os.utime(path)


def test_where_inodes_are_made_up_size_and_time_tell(path, monkeypatch):
    """As on user-space file systems that number a file anew whenever one asks."""
    numbers = iter(range(10**6, 10**7))
    real = os.fstat

    def odd(status):
        return SimpleNamespace(
            st_ino=next(numbers), st_size=status.st_size, st_mtime_ns=status.st_mtime_ns, st_mode=status.st_mode
        )

    source = SourceFile(path)
    monkeypatch.setattr("os.fstat", lambda file: odd(real(file)))
    monkeypatch.setattr(type(path), "stat", lambda self, **_: odd(os.stat(str(self))))
    assert source.read(2, 3) == b"234"
    source.verify()
    source.rest()
    assert source.read(2, 3) == b"234"
    os.utime(str(path), ns=(1, 1))
    with pytest.raises(ChangedError):
        source.read(0, 1)
    source.close()

"""Where compiled loops are kept, and what happens when they cannot be had."""

import logging
import subprocess
import sys

import pytest

from solera.errors import Cancelled
from solera.kernels import library
from solera.patience import asking


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A cache of our own, in which nothing is yet; what was loaded before comes back after the test."""
    monkeypatch.setattr(library, "_files", lambda key, name: (tmp_path / f"{name}-{key}.o",))
    library.loop.cache_clear()
    yield tmp_path
    library.loop.cache_clear()


def test_a_loop_is_compiled_once_and_kept(fresh, monkeypatch):
    assert library.loop("dot") is not None
    (file,) = fresh.glob("dot-*.o")
    library.loop.cache_clear()
    monkeypatch.setattr(library, "_compiled", None)  # would fail if it were called
    assert library.loop("dot") is not None
    assert file.exists()


def test_a_damaged_file_is_compiled_anew(fresh):
    library.loop("dot")
    (file,) = fresh.glob("dot-*.o")
    whole = file.read_bytes()
    for broken in (b"rubbish", whole[:-100]):
        file.write_bytes(broken)
        library.loop.cache_clear()
        assert library.loop("dot") is not None
        assert file.read_bytes() == whole


def test_without_a_compiler_merges_go_on(fresh, monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with caplog.at_level(logging.WARNING):
        assert library.loop("dot") is None
        assert library.loop("dot") is None
    assert len([record for record in caplog.records if "more slowly" in record.message]) == 1


def test_whoever_waits_for_the_compiler_can_be_stopped(fresh, monkeypatch):
    begun: list[subprocess.Popen[bytes]] = []

    class Watched(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            begun.append(self)

    def stop() -> None:
        raise Cancelled("Stopped.")

    monkeypatch.setattr(subprocess, "Popen", Watched)
    with asking(stop), pytest.raises(Cancelled):
        library.loop("dot")
    (compiler,) = begun
    assert compiler.returncode not in (0, None)
    assert not list(fresh.glob("*.o"))
    assert library.loop("dot") is not None  # nobody asks any more, and nothing is held


def test_whoever_waits_for_another_ones_compiler_can_be_stopped(fresh):
    def stop() -> None:
        raise Cancelled("Stopped.")

    with library._LOCK, asking(stop), pytest.raises(Cancelled):
        library.loop("dot")

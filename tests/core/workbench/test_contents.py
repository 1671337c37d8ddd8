"""Digests of what paths lead to."""

import os
from pathlib import Path

import pytest

from solera.extend.registry import Registry
from solera.params import specs_from_signature
from solera.workbench.contents import contents, digest


def test_a_folder_is_known_by_its_files_and_their_names(tmp_path: Path) -> None:
    (tmp_path / "texts" / "train").mkdir(parents=True)
    told = [digest(tmp_path / "texts")]
    for name, text in (("a.txt", "one"), ("train/b.txt", "two"), ("train/b.txt", "three")):
        (tmp_path / "texts" / name).write_text(text)
        told.append(digest(tmp_path / "texts"))
    (tmp_path / "texts" / "a.txt").rename(tmp_path / "texts" / "c.txt")
    told.append(digest(tmp_path / "texts"))
    assert len(set(told)) == 5
    (tmp_path / "texts").rename(tmp_path / "elsewhere")
    assert digest(tmp_path / "elsewhere") == told[-1]
    assert digest(tmp_path / "texts") == ""


def test_a_large_file_is_known_by_its_size_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.npz"
    path.write_bytes(b"12345")
    read = digest(path)
    monkeypatch.setattr("solera.workbench.contents.READ_BYTES", 4)
    os.utime(path, ns=(1, 1))
    first = digest(path)
    os.utime(path, ns=(2, 2))
    assert len({read, first, digest(path)}) == 3


def test_what_an_explorer_reads_is_told_by_the_parameter(tmp_path: Path) -> None:
    specs = specs_from_signature(Registry.discover().explorers["mixtures"])
    truths = tmp_path / "truths.json"
    truths.write_text("[]")
    before = contents({"truths": str(truths), "sizes": "2"}, specs, None)
    truths.write_text("[{}]")
    after = contents({"truths": str(truths), "sizes": "2"}, specs, None)
    assert list(before) == list(after) == ["truths"]
    assert before != after
    assert contents({"sizes": "2"}, specs, None) == {}

"""``solera probe``: what it prints, records, finds again and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from solera.cli.main import main
from solera.execution.writer import write_checkpoint
from solera.runs.reader import RunReader


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two checkpoints with a base, and no project."""
    generator = torch.Generator().manual_seed(0)
    base = {name: torch.randn(6, 4, generator=generator) for name in ("one.weight", "two.weight")}
    for name, scale in (("base", 0.0), ("a", 0.5), ("b", -0.5)):
        write_checkpoint({key: value + scale for key, value in base.items()}, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(text: str) -> dict[str, object]:
    """The last line of a program's answer."""
    found: dict[str, object] = json.loads(text.strip().splitlines()[-1])
    return found


def test_it_prints_a_table_and_where_the_run_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "norms", "a", "b", "--base", "base", "-q"]) == 0
    said = capsys.readouterr().out
    assert "one.weight" in said
    assert "run " in said


def test_a_program_reads_the_rows_and_an_equal_probe_is_found_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "project"]) == 0
    capsys.readouterr()
    words = ["probe", "task_vectors", "a", "b", "--base", "base", "--project", "project", "--json"]
    assert main(words) == 0
    first = told(capsys.readouterr().out)
    assert (first["probe"], first["result"], first["reused"]) == ("task_vectors", "matrix", False)
    rows = first["rows"]
    assert isinstance(rows, list)
    assert min(row["cosine"] for row in rows) == pytest.approx(-1.0, abs=1e-6)  # one goes the other's opposite way
    assert RunReader(Path(str(first["path"]))).state == "done"
    assert main(words) == 0
    assert told(capsys.readouterr().out)["reused"] is True
    assert main([*words, "--fresh"]) == 0
    assert told(capsys.readouterr().out)["run"] != first["run"]


def test_what_cannot_be_measured_is_wrong_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["probe", "nothing", "a"], "nothing"),
        (["probe", "task_vectors", "a", "b"], "base"),
        (["probe", "hessian_trace", "a"], "task"),
        (["probe", "norms", "missing"], "missing"),
        (["probe", "norms", "a", "-p", "x=1"], "x"),
    ):
        assert main(words) in (1, 2)
        assert said in capsys.readouterr().err

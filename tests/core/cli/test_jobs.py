"""Commands that run jobs: events as JSON, requirements on scores, progress as a person reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from solera.cli import work
from solera.cli.main import main
from solera.cli.requirements import parse_requirements
from solera.errors import InputError
from solera.events import Progress
from solera.execution.writer import write_checkpoint

RECIPE = (
    "solera: 1\nnodes:\n  a: {checkpoint: a}\n  b: {checkpoint: b}\n  o: {method: linear, inputs: [a, b]}\noutput: o\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two checkpoints and a recipe of them, in the current folder."""
    for i, name in enumerate("ab"):
        write_checkpoint({"w": torch.full((300, 20), float(i)), "n": torch.tensor([2])}, tmp_path / name)
    (tmp_path / "o.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[dict[str, Any]], str]:
    code = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def test_events_come_as_lines_and_the_result_last(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines, err = run(capsys, "merge", "o.yaml", "out", "--json", "--shard-size", "10K")
    assert (code, err) == (0, "")
    assert all(line["v"] == 1 for line in lines)
    assert {"job", "progress", "run-started", "artifact", "run-ended"} <= {line["event"] for line in lines}
    result = lines[-1]
    assert (result["event"], result["out"], result["reused"]) == ("result", str(folder / "out"), False)
    assert set(result["fingerprints"]) == {"a", "b"}
    assert result["plan"]["casts"] == {}
    code, lines, _ = run(capsys, "merge", "o.yaml", "two", "--json", "-q", "--dtype", "float16")
    assert (code, [line["event"] for line in lines]) == (0, ["result"])
    assert lines[0]["plan"]["casts"] == {"float32 to float16": 1}


def test_errors_come_with_code_and_fields(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "merge", "o.yaml", "out", "-q")[0] == 0
    code, lines, err = run(capsys, "merge", "o.yaml", "out", "--json")
    assert code == 1
    assert lines[-1]["event"] == "error"
    assert (lines[-1]["code"], lines[-1]["fields"]["path"]) == ("output", str(folder / "out"))
    assert lines[-1]["message"] in err
    code, lines, _ = run(capsys, "merge", "none.yaml", "out", "--json")
    assert (code, [line["code"] for line in lines]) == (2, ["not-found"])
    code, lines, _ = run(capsys, "merge", "--json")
    assert (code, [line["code"] for line in lines]) == (2, ["usage"])
    code, lines, _ = run(capsys, "inspect", "none", "--json")
    assert (code, [line["event"] for line in lines]) == (2, ["error"])


def test_what_is_not_a_number_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    from solera.cli.screen import show_line

    show_line("x", {"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": -float("inf")}})
    said = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert said == {"event": "x", "v": 1, "a": None, "b": [None, 1.5], "c": {"d": None}}


def test_the_cost_is_told_beforehand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "o.yaml", "--dtype", "bfloat16"]) == 0
    out = capsys.readouterr().out
    assert "Reads 48" in out
    assert "Takes about" in out
    assert "making 12 kB of it" in out or "by making 0.012 MB of it just now" in out
    assert "Cast from float32 to bfloat16: 1 tensors." in out
    assert "Copied from 'a', for they hold integers: n." in out
    code, (cost,), _ = run(capsys, "merge", "o.yaml", "out", "--dry-run", "--json")
    assert (code, cost["event"]) == (0, "result")
    assert cost["plan"]["reads"] > 0
    assert cost["expected"]["seconds"] > 0
    assert not (folder / "out").exists()
    (folder / "out").mkdir()
    code, lines, _ = run(capsys, "merge", "o.yaml", "out", "--dry-run", "--json")
    assert (code, lines[-1]["code"]) == (1, "output")


@pytest.mark.parametrize(
    ("text", "value", "met"),
    [
        ("code.loss<=1.80", 1.8, True),
        ("code.loss <= 1.80", 1.81, False),
        ("code.loss<1.8", 1.8, False),
        ("code.accuracy>=0.5", 0.5, True),
        ("code.accuracy>0.5", 0.5, False),
        ("code.accuracy==1e-3", 0.001, True),
        ("code.loss<=1.80", float("nan"), False),
    ],
)
def test_a_requirement_holds_or_not(text: str, value: float, met: bool) -> None:
    (requirement,) = parse_requirements([text])
    requirement.check(["code.loss", "code.accuracy"])
    assert requirement.judge({requirement.column: value})["met"] is met


@pytest.mark.parametrize("text", ["", "code.loss", "code.loss<=", "<=1", "code.loss<=much", "code.loss=<1", "a<b<1"])
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"as in 'code\.loss<=1\.80'"):
        parse_requirements([text])


def test_a_requirement_on_a_score_there_is_not_names_those_there_are() -> None:
    (requirement,) = parse_requirements(["code.los<=1"])
    with pytest.raises(InputError, match=r"there are: code\.loss, prose\.loss"):
        requirement.check(["code.loss", "prose.loss"])


def test_progress_is_in_bytes_with_rate_and_time_left() -> None:
    event = Progress(done=1.5e9, total=6e9, unit="B", text="w", rate=5e8, left=9.0)
    assert work._progress_text(event) == "w 1.5 GB of 6 GB, 500 MB/s, 9.0 s left"
    assert work._progress_text(Progress(done=3, total=10, unit="points", rate=1.0, left=7.0)) == (
        "3 of 10 points, 7.0 s left"
    )


def test_without_a_terminal_lines_come_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_LINE_SECONDS", 0.0)
    with work._display(quiet=False, json=False) as display:
        display.progress(Progress(done=1e6, total=2e6, unit="B", text="w"))
        display.note("warning", "Careful.")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "  w 1 MB of 2 MB\nwarning: Careful.\n")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal to pretend")
def test_on_a_terminal_a_bar_is_drawn(folder: Path) -> None:
    master, slave = os.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    command = [sys.executable, "-m", "solera.cli", "merge", "o.yaml", "out"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=environment, cwd=folder, text=True)
    os.close(slave)
    drawn = b""
    try:
        while piece := os.read(master, 65536):
            drawn += piece
    except OSError:
        pass  # the other end was closed
    os.close(master)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 0, drawn
    assert out.startswith("Wrote ")
    assert "\x1b[" in drawn.decode(errors="replace"), "a bar is drawn with the terminal's own signs"


def test_the_display_fits_the_way_it_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(work._display(quiet=True, json=True)) is work._Display
    assert type(work._display(quiet=False, json=True)) is work._Json
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: False, write=len, flush=lambda: None))
    assert type(work._display(quiet=False, json=False)) is work._Lines

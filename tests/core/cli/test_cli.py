import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from solera.cli.main import main
from solera.execution.writer import write_checkpoint
from solera.projects.project import Project

RECIPE = """\
solera: 1
name: blend
nodes:
  a: {checkpoint: a}
  b: {checkpoint: b}
  blend: {sum: [{node: a}, {times: {var: t, low: 0, high: 1, init: 0.5}, node: step}]}
  step: {sum: [{node: b}, {times: -1, node: a}]}
output: blend
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two checkpoints and a recipe of them, in the current folder."""
    for name, value in (("a", 0.0), ("b", 1.0)):
        write_checkpoint({"w": torch.full((3, 2), value), "n": torch.tensor([2])}, tmp_path / name, config=None)
    (tmp_path / "blend.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    try:
        code = main([str(word) for word in words])
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom solera.cli.main import main\ntry:\n    main(['--help'])\nexcept SystemExit: pass\n"
        "bad = {'torch', 'h5py', 'pydantic', 'optuna', 'transformers', 'PySide6', 'numpy', 'scipy', 'sklearn'}\n"
        "print('LOADED', sorted(bad & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("LOADED []")
    for command in (
        "demo",
        "new",
        "inspect",
        "check",
        "merge",
        "evaluate",
        "explore",
        "runs",
        "plugin",
        "verify",
        "bench",
    ):
        assert f" {command} " in done.stdout


def test_inspecting_a_checkpoint(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "inspect", "b", "--stats", "--json")
    facts = json.loads(out)
    assert (code, facts["parameters"], facts["dtypes"]) == (0, 7, {"float32": 6, "int64": 1})
    w = next(item for item in facts["tensors"] if item["name"] == "w")
    assert (w["min"], w["mean"], w["not_finite"]) == (1.0, 1.0, 0)
    code, out, _ = run(capsys, "inspect", "b", "--tensors")
    assert code == 0
    assert "safetensors" in out
    assert "3x2" in out


def test_a_merge_with_a_variable(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "merge", "blend.yaml", "made", "--set", "t=0.25", "--json", "-q")
    assert code == 0
    assert json.loads(out)["out"] == str(folder / "made")
    code, out, _ = run(capsys, "inspect", "made", "--stats", "--json")
    assert next(item for item in json.loads(out)["tensors"] if item["name"] == "w")["mean"] == 0.25
    code, _, err = run(capsys, "merge", "blend.yaml", "made", "-q")
    assert code == 1
    assert "--force" in err
    assert run(capsys, "merge", "blend.yaml", "made", "--force", "-q", "--dtype", "bfloat16")[0] == 0


def test_checking_a_recipe(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "blend.yaml")
    assert code == 0
    assert "Reads" in out
    code, out, _ = run(capsys, "merge", "blend.yaml", "made", "--dry-run", "--json")
    assert code == 0
    assert json.loads(out)["plan"]["tensors"] == 2
    assert not (folder / "made").exists()
    (folder / "bad.yaml").write_text(RECIPE.replace("output: blend", "output: blnd").replace("node: b}", "node: c}"))
    code, out, err = run(capsys, "check", "bad.yaml")
    assert code == 2
    assert "line 8" in err
    assert "blnd" in err
    code, out, _ = run(capsys, "check", "bad.yaml", "--json")
    assert code == 2
    assert {fault["code"] for fault in json.loads(out)["faults"]} == {"recipe.unknown-node"}


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["inspect", "nothing"], 2, "There is no file or folder"),
        (["merge", "missing.yaml", "out"], 2, "There is no recipe"),
        (["merge", "blend.yaml", "out", "--set", "u=1"], 2, "no variable 'u'"),
        (["merge", "blend.yaml", "out", "--set", "t"], 2, "NAME=NUMBER"),
        (["merge", "blend.yaml", "out", "--memory-budget", "much"], 2, "512M"),
        (["merge", "blend.yaml", "out", "--device", "cuda:9"], 2, "no device"),
        (["merge"], 2, "Missing argument"),
        (["nonsense"], 2, "nonsense"),
        (["explore"], 2, "Name one of"),
        (["explore", "--plane", "a", "b", "--task", "t"], 2, "--plane takes 3 models; '--task' stands"),
        (["methods", "teis"], 2, "Did you mean 'ties'?"),
        (["runs", "list"], 2, "no project"),
        (["methods", "nonsense"], 2, "No method"),
        (["plugin", "disable", "nonsense"], 1, "No plugin"),
        (["verify", "."], 2, "no fixtures"),
        (["demo", "--example", "nonsense"], 2, "An example is"),
    ],
)
def test_wrong_input_is_a_sentence_and_a_code(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, sentence: str
) -> None:
    got, _, err = run(capsys, *words)
    assert (got, sentence in err) == (code, True), err
    assert "Traceback" not in err


def test_what_is_registered(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "methods", "--json")
    methods = {item["name"]: item for item in json.loads(out)}
    assert code == 0
    assert {"linear", "task_arithmetic", "ties", "slerp"} <= set(methods)
    assert methods["ties"]["schema"]["additionalProperties"] is False
    for command in ("formats", "tasks", "explorers", "views", "architectures"):
        code, out, _ = run(capsys, command)
        assert code == 0
        assert len(out.splitlines()) > 1
    code, out, _ = run(capsys, "methods", "ties")
    assert code == 0
    assert "density" in out


def test_methods_are_found_by_other_names(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "methods", "uniform soup")
    assert code == 0
    assert out.splitlines()[1].split()[0] == "linear"
    code, out, _ = run(capsys, "methods", "fedavg", "--json")
    assert code == 0
    assert [item["name"] for item in json.loads(out)] == ["linear"]
    code, out, _ = run(capsys, "methods", "task_arithmetic")
    assert "also Task negation: scale below 0 forgets" in out


def test_plugins_are_made_checked_and_switched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "plugin", "new", "cli_made", tmp_path)[0] == 0
    assert run(capsys, "plugin", "build", tmp_path / "cli_made", "--check")[0] == 0
    code, out, _ = run(capsys, "plugin", "check", tmp_path / "cli_made")
    assert (code, out.strip()) == (0, "The plugin conforms.")
    manifest = tmp_path / "cli_made" / "cli_made" / "plugin.toml"
    manifest.write_text(manifest.read_text().replace("default = 1.0", "default = 2.0"))
    assert run(capsys, "plugin", "build", tmp_path / "cli_made", "--check")[0] == 1
    code, out, _ = run(capsys, "plugin", "check", tmp_path / "cli_made", "--json")
    assert (code, [fault["code"] for fault in json.loads(out)]) == (1, ["plugin.params"])
    assert "To mend it: run solera plugin build." in run(capsys, "plugin", "check", tmp_path / "cli_made")[1]
    assert run(capsys, "plugin", "build", tmp_path / "cli_made")[0] == 0
    assert run(capsys, "plugin", "check", tmp_path / "cli_made")[0] == 0
    run(capsys, "plugin", "disable", "merging")
    code, out, _ = run(capsys, "methods", "--json")
    assert "ties" not in [item["name"] for item in json.loads(out)]
    run(capsys, "plugin", "enable", "merging")
    code, out, _ = run(capsys, "plugin", "list", "--json")
    states = {item["name"]: item["state"] for item in json.loads(out)}
    assert states["merging"] == "discovered"


def test_a_project_from_empty_to_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "p"
    assert run(capsys, "new", folder, "--name", "Mine")[0] == 0
    assert run(capsys, "new", folder)[0] == 1
    code, out, _ = run(capsys, "runs", "list", "--project", folder, "--json")
    assert (code, json.loads(out)) == (0, [])
    with Project.open(folder) as project:
        assert project.name == "Mine"


def test_the_debug_variable_lets_errors_through(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOLERA_DEBUG", "1")
    with pytest.raises(FileNotFoundError):
        main(["inspect", "nothing"])

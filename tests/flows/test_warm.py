"""A forked process answers as one that a test starts itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.warm import Warm

_SAYS = """
import os, sys
print(os.getcwd(), sys.argv[1:], os.environ["WORD"])
print("aside", file=sys.stderr)
{end}
"""


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "sys.exit('a sentence')", "1 / 0", "os.kill(os.getpid(), 9)"])
def test_it_is_a_process_like_any_other(warm: Warm, tmp_path: Path, end: str) -> None:
    words, variables = ["-c", _SAYS.format(end=end), "one", "two words"], {**os.environ, "WORD": "said"}
    usual = subprocess.run([sys.executable, *words], cwd=tmp_path, env=variables, capture_output=True, text=True)
    forked = warm.run(words, cwd=tmp_path, env=variables)
    assert forked.returncode == usual.returncode
    if usual.returncode >= 0:  # what a killed process has not handed over yet is lost
        assert forked.stdout == usual.stdout
        assert forked.stderr.splitlines()[:1] == usual.stderr.splitlines()[:1]
        assert forked.stderr.splitlines()[-1:] == usual.stderr.splitlines()[-1:]


def test_what_takes_too_long_is_ended(warm: Warm) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run(["-c", "import time; time.sleep(60)"], timeout=0.2)


def test_in_a_shell_it_is_the_command(warm: Warm, tmp_path: Path) -> None:
    folder = warm.shim(tmp_path / "bin")
    script = "solera formats | head -1; solera check nowhere.yaml || echo $?"
    variables = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=variables, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "2"
    assert "There is no recipe at" in done.stderr

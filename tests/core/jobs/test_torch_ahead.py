import os
import subprocess
import sys

import pytest

from solera.cli.main import _COMPUTING, build_app


def _printed(program: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only there")
def test_libraries_are_there_before_python_knows_of_torch():
    program = (
        "import sys, threading; from pathlib import Path\n"
        "from solera.jobs.torch_ahead import load_torch_ahead\n"
        "load_torch_ahead(); load_torch_ahead()\n"
        "[thread.join() for thread in threading.enumerate() if thread.name == 'torch-ahead']\n"
        "print('libtorch_cpu' in Path('/proc/self/maps').read_text(), 'torch' in sys.modules)\n"
        "import torch; print(float(torch.ones(3).sum()))"
    )
    assert _printed(program) == "True False\n3.0\n"


def test_torch_has_the_number_of_threads_that_was_granted_when_it_was_loaded_ahead():
    program = (
        "from solera.jobs.threads import ThreadOwner; from solera.jobs.torch_ahead import load_torch_ahead\n"
        "load_torch_ahead()\n"
        "with ThreadOwner(1).share():\n"
        "    import torch; print(torch.get_num_threads())"
    )
    assert _printed(program) == "1\n"


def test_a_command_that_does_not_compute_loads_nothing_ahead():
    program = (
        "import sys; from solera.cli.main import main\n"
        "main(['methods']); print('solera.jobs.torch_ahead' in sys.modules)"
    )
    assert _printed(program).endswith("\nFalse\n")


def test_what_computes_are_commands():
    assert {str(command.name) for command in build_app().registered_commands} >= _COMPUTING

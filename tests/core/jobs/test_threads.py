import os
import subprocess
import sys

import pytest

from solera.errors import InputError
from solera.jobs.lanes import detect_lanes, device_of, devices_of, lanes_of
from solera.jobs.threads import ThreadOwner, available_cores


def test_cores_are_shared_among_the_jobs_that_run():
    import torch

    before = torch.get_num_threads()
    owner = ThreadOwner(6)
    try:
        with owner.share() as first:
            assert (first, torch.get_num_threads()) == (6, 6)
            with owner.share() as second:
                assert (second, torch.get_num_threads()) == (3, 3)
        with owner.share() as third:
            assert third == 6
    finally:
        torch.set_num_threads(before)


def test_torch_starts_with_the_number_it_was_granted_before_it_was_loaded():
    program = (
        "import sys; from solera.jobs.threads import ThreadOwner\n"
        "with ThreadOwner(1).share():\n"
        "    assert 'torch' not in sys.modules\n"
        "    import torch; print(torch.get_num_threads())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    out = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout == "1\n"


def test_the_queue_loads_nothing_heavy():
    program = (
        "import sys, solera.jobs.queue, solera.jobs.signals, solera.jobs.lanes, solera.runs.catalogue\n"
        "solera.jobs.lanes.detect_lanes(); solera.jobs.queue.JobQueue({})\n"
        "print([m for m in ('torch', 'h5py', 'xarray', 'pydantic', 'scipy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout == "[]\n"


def test_defaults():
    assert ThreadOwner().total >= 1
    assert available_cores() >= 1
    assert detect_lanes()[0] == "cpu"
    assert device_of(("cpu",)) == "cpu"
    assert device_of(("cpu", "cuda:1")) == "cuda:1"


def test_what_a_device_option_means():
    there = ("cpu", "cuda:0", "cuda:1")
    assert lanes_of("auto", there) == ("cuda:0",)
    assert lanes_of("all", there) == ("cuda:0", "cuda:1")
    assert lanes_of("cuda:1, cuda", there) == ("cuda:1", "cuda:0")
    assert lanes_of("cuda:1,cuda:1", there) == ("cuda:1",)
    assert lanes_of("auto", ("cpu",)) == lanes_of("all", ("cpu",)) == ("cpu",)
    with pytest.raises(InputError, match="no device 'cuda:7'; there are cpu, cuda:0, cuda:1"):
        lanes_of("cuda:0,cuda:7", there)
    assert devices_of(("cpu", "cuda:1")) == ("cuda:1",)
    assert devices_of(("cpu",)) == ("cpu",)

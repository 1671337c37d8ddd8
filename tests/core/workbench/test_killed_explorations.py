"""Explorations killed by SIGKILL, gone on with, and compared with whole ones bit for bit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from solera.errors import NotFoundError
from solera.extend.registry import Registry
from solera.runs.reader import RunReader
from solera.workbench import Workbench
from solera.workbench.outcome import result_of

pytestmark = pytest.mark.heavy

#: What both processes work with: four models of two layers, and tasks that may kill who asks them.
BENCH = """
import os, signal, time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from solera.execution.writer import write_checkpoint
from solera.tasks.classification import ClassificationTask


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.up_proj, self.down_proj = nn.RMSNorm(8), nn.Linear(8, 12), nn.Linear(12, 8)

    def forward(self, x):
        return x + self.down_proj(torch.relu(self.up_proj(self.norm(x))))


class Net(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.embed, self.head = nn.Linear(6, 8), nn.Linear(8, 3)
        self.layers, self.norm = nn.ModuleList(Block() for _ in range(layers)), nn.RMSNorm(8)

    def forward(self, x):
        x = self.embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


def make(config):
    return Net(config["num_hidden_layers"])


def write(folder):
    for i in range(4):
        torch.manual_seed(i)
        state = {name: tensor.detach().clone() for name, tensor in Net(2).state_dict().items()}
        write_checkpoint(state, Path(folder) / f"model_{i}", config={"num_hidden_layers": 2})


class Counted:
    calls = 0

    def __init__(self, evaluator):
        self.columns, self.count, self.examples = evaluator.columns, evaluator.count, evaluator.examples
        self._evaluator = evaluator

    def __call__(self, network, context):
        Counted.calls += 1
        if "DIE_AFTER" in os.environ:
            time.sleep(0.2)
            if Counted.calls > int(os.environ["DIE_AFTER"]):
                os.kill(os.getpid(), signal.SIGKILL)
        return self._evaluator(network, context)


class Deadly(ClassificationTask):
    def prepare(self, split, **options):
        return Counted(super().prepare(split, **options))


def tasks():
    def data(shift):
        def part(split):
            rng = np.random.default_rng(["train", "selection", "report"].index(split))
            x = rng.normal(size=(80, 6)).astype(np.float32)
            return x, (x[:, shift] > 0).astype(np.int64) + (x[:, 2] > 0.5)
        return part
    return {name: Deadly(name, data(shift)) for shift, name in enumerate(("one", "two"))}
"""

RUN = """
import json, sys
from pathlib import Path

import deadly
from solera.extend.registry import Registry
from solera.workbench import Workbench

with Workbench(registry=Registry.discover(), runs_folder=Path(sys.argv[1])) as bench:
    bench.inputs.tasks.update(deadly.tasks())
    job = bench.submit(json.loads(sys.argv[2]))
    bench.jobs.wait(job.id, 120)
"""

CASES = {
    "greedy_soup": ("subset", 4, {}, 7, ["one"]),
    "exhaustive_soup": ("subset", 4, {}, 9, ["one"]),
    "learned_soup": ("shares", 4, {"steps": 12, "samples": 16}, 8, ["one"]),
    "evolution": ("genome", 3, {"points": 24}, 15, ["one"]),
    "adaptive_blocks": ("blocks", 2, {"means": 2, "steps": 6, "samples": 16}, 20, ["one", "two"]),
    "layer_evolution": ("stack", 2, {"points": 24, "population": 8}, 14, ["one"]),
    "pareto": ("subset", 3, {"points": 24, "population": 6}, 14, ["one", "two"]),
    "mixtures": ("shares", 4, {"sizes": "2-3"}, 8, ["one"]),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deadly")
    (folder / "deadly.py").write_text(BENCH)
    (folder / "run.py").write_text(RUN)
    sys.path.insert(0, str(folder))
    import deadly  # type: ignore[import-not-found]

    deadly.write(folder)
    yield folder
    sys.path.remove(str(folder))


def experiment(name, place):
    form, models, params, _, tasks = CASES[name]
    extra = {"count": 2} if form == "blocks" else {"granularity": 1} if form == "genome" else {}
    return {
        "solera": 1, "kind": "explore", "tasks": tasks, "seed": 4, "factory": "deadly:make",
        "family": {form: [str(place / f"model_{i}") for i in range(models)], **extra},
        "explorer": {"name": name, "params": params},
    }  # fmt: skip


def whole(place, runs, plain, **options):
    import deadly  # type: ignore[import-not-found]

    with Workbench(registry=Registry.discover(), runs_folder=runs) as bench:
        bench.inputs.tasks.update(deadly.tasks())
        job = bench.submit(plain, **options)
        bench.jobs.wait(job.id, 120)
        return RunReader(Path(result_of(job)["path"]))


@pytest.mark.parametrize("name", CASES)
def test_a_killed_exploration_goes_on_bit_for_bit(name, place, tmp_path):
    import json

    plain = experiment(name, place)
    environment = {**os.environ, "DIE_AFTER": str(CASES[name][3]), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(place / "run.py"), str(tmp_path / "killed"), json.dumps(plain)]
    died = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    (file,) = (tmp_path / "killed").glob("*.h5")
    half = RunReader(file)
    assert half.state == "interrupted"
    again = whole(place, tmp_path / "killed", plain, resume=True)
    assert again.header.id == half.header.id
    wanted = whole(place, tmp_path / "whole", plain)
    assert 0 < half.count < wanted.count
    for field in ("coords", "values", "stderrs", "counts", "phase", "labels"):
        np.testing.assert_array_equal(getattr(again.points(), field), getattr(wanted.points(), field), err_msg=field)
    assert set(again.indicators) == set(wanted.indicators)
    for indicator in wanted.indicators:
        found, known = (dict(zip(*run.indicator(indicator), strict=True)) for run in (again, wanted))
        assert found == known, indicator
    assert again.summary == wanted.summary


def test_a_time_limit_stops_resumably_and_resume_refuses_to_begin(place, tmp_path):
    plain = experiment("exhaustive_soup", place)
    with pytest.raises(NotFoundError, match="No run of this experiment was stopped"):
        whole(place, tmp_path / "runs", plain, resume=True)
    from solera.errors import Interrupted

    with pytest.raises(Interrupted):
        whole(place, tmp_path / "runs", plain, time_limit=1e-6)
    again = whole(place, tmp_path / "runs", plain, resume=True)
    assert again.state == "done"
    assert (again.points().phase == "search").sum() == 15

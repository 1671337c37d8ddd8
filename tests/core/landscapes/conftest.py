"""A small landscape that is all real: three trained networks, their digits, lines and planes between them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.execution.memory import Materialiser
from solera.families.frames import line, plane
from solera.landscapes.landscape import Landscape
from solera.models.network import Network
from solera.recipes.nodes import CheckpointNode, Recipe
from solera.tasks.classification import ClassificationTask

FOLDER = Path(__file__).parent / "golden"


class MLP(nn.Module):
    """The network of the golden."""

    def __init__(self) -> None:
        super().__init__()
        self.l0, self.l1, self.l2 = nn.Linear(64, 24), nn.Linear(24, 24), nn.Linear(24, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.l2(F.relu(self.l1(F.relu(self.l0(x)))))


@pytest.fixture(scope="session")
def trained():
    """The models A, B and C of the golden, by name."""
    from safetensors.torch import load_file

    tensors = load_file(FOLDER / "interp1d_mlp.safetensors")
    return {
        model: MemoryCheckpoint.from_state_dict({k[2:]: v for k, v in tensors.items() if k[0] == model}, model)
        for model in "ABC"
    }


@pytest.fixture(scope="session")
def arrays():
    return dict(np.load(FOLDER / "interp1d_mlp.npz"))


def model(name: str) -> Any:
    return Recipe((CheckpointNode(name, f"memory:{name}"),), name)


@pytest.fixture
def build(trained, arrays):
    """Makes a landscape: of the line A B, or of the plane A B C; on two tasks if asked."""

    def make(models: str = "AB", split: Any = "selection", tasks: int = 1, shared=None) -> Landscape:
        x, y = arrays["x"], arrays["y"]
        halves = {"selection": slice(None), "report": slice(0, 200), "train": slice(0, 10)}

        def data(name):
            return lambda part: (
                x[halves[part]] if name == "as-is" else x[halves[part]][:, ::-1].copy(),
                y[halves[part]],
            )

        a, b, *c = (model(name) for name in models)
        family = plane(a, b, c[0], trained) if c else line(a, b, trained)
        network = shared or Network(MLP())
        ready = [ClassificationTask(name, data(name)) for name in ("as-is", "reversed")[:tasks]]
        measures = [(task, split, task.prepare(split, device="cpu")) for task in ready]
        return Landscape(family, network, Materialiser(family.recipe, trained, {}, network.layout), measures)

    return make


@pytest.fixture
def context():
    return QuietContext()

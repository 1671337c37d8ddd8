"""Three small models in memory."""

import pytest
import torch

from solera.checkpoints.memory import MemoryCheckpoint
from solera.recipes.nodes import CheckpointNode, Recipe


@pytest.fixture
def states():
    generator = torch.Generator().manual_seed(3)
    return {
        name: {
            "w": torch.randn(7, 5, generator=generator),
            "b": torch.randn(7, generator=generator),
            "bn.running_mean": torch.randn(7, generator=generator),
            "bn.num_batches_tracked": torch.tensor(4),
        }
        for name in ("a", "b", "c")
    }


@pytest.fixture
def checkpoints(states):
    return {name: MemoryCheckpoint.from_state_dict(state, name) for name, state in states.items()}


def model(name: str, source: str = "") -> Recipe:
    return Recipe((CheckpointNode(name, source or f"memory:{name}"),), name)

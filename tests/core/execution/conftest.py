"""Small models on disk, and a context that can stop work."""

from __future__ import annotations

import pytest
import torch

from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.errors import Cancelled
from solera.execution.writer import write_checkpoint
from solera.extend.registry import Registry
from solera.recipes.nodes import CheckpointNode


class StoppingContext(QuietContext):
    """Stops at the n-th time it is asked."""

    def __init__(self, after: int = 10**9) -> None:
        super().__init__()
        self.left = after
        self.seen: list[tuple[float, float | None, str]] = []

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cancelled("stopped by the test")

    def progress(self, done, total, unit="", text="") -> None:
        self.seen.append((done, total, unit))


def state(seed: int, *, scale: float = 1.0, dtype=torch.float32) -> dict[str, torch.Tensor]:
    """Weights of several shapes and kinds; two names share one tensor."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * scale

    made = {
        "model.embed.weight": normal(90, 40).to(dtype),
        "model.layers.0.w": normal(33, 65).to(dtype),
        "model.layers.0.running_mean": normal(7),
        "model.layers.1.w": normal(33, 65).to(dtype),
        "model.norm.weight": normal().to(dtype),
        "model.empty": torch.zeros(0, 4, dtype=dtype),
        "position_ids": torch.arange(12) + seed,
        "model.layers.0.num_batches_tracked": torch.tensor(seed),
    }
    made["head.weight"] = made["model.embed.weight"]
    return made


@pytest.fixture(scope="session")
def methods():
    return Registry.discover().methods


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folders base, math, code: one float32, one sharded, one bfloat16."""
    root = tmp_path_factory.mktemp("models")
    config = {"architectures": ["Toy"], "torch_dtype": "float32", "tie_word_embeddings": True}
    write_checkpoint(state(0), root / "base", config=config)
    write_checkpoint(state(1), root / "math", config=config, shard_bytes=9000)
    write_checkpoint(state(2, dtype=torch.bfloat16), root / "code", config=config)
    (root / "base" / "tokenizer.json").write_text('{"toy": true}')
    (root / "base" / "modeling_toy.py").write_text("raise SystemExit('code must not travel')")
    return root


@pytest.fixture
def opened(models):
    found = {name: open_checkpoint(models / name) for name in ("base", "math", "code")}
    yield found
    for checkpoint in found.values():
        checkpoint.close()


@pytest.fixture
def leaves(models):
    return tuple(CheckpointNode(name, str(models / name)) for name in ("base", "math", "code"))


@pytest.fixture
def stopping():
    return StoppingContext


@pytest.fixture(scope="session")
def toy_state():
    return state

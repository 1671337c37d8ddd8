"""Methods on tapes against their plain formulas: the same bytes, with every choice that has a tape."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.execution.memory import materialise
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.extend.registry import Registry
from solera.kernels import library
from solera.params import PerModel
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.tensors.hashing import normal

METHODS = Registry.discover().methods

#: Long enough for several pieces and for thresholds guessed from samples; a short matrix, a vector, and nothing.
SHAPES = {"long.weight": (600, 1000), "short.weight": (40, 24), "bias": (7,), "empty": (0, 3)}

FORMS: list[tuple[str, dict[str, Any]]] = [
    ("linear", {}),
    ("linear", {"weight": PerModel((0.5, -0.3, 0.2)), "normalize": False}),
    ("task_arithmetic", {"scale": 0.7, "weight": PerModel((0.5, 1.0, -0.2))}),
    ("task_arithmetic", {"normalize": True}),
    ("slerp", {"t": 0.3, "colinear": 0.0}),
    ("karcher", {}),
    ("model_stock", {}),
    ("model_stock", {"compat": "mergekit"}),
    ("model_stock", {"compat": "fusion_bench"}),
    *[("ties", {"zero_sign": sign, "density": 0.4}) for sign in ("majority", "plus", "drop")],
    ("ties", {"merge": "sum", "elect": "count", "weight": PerModel((0.5, 0.3, 0.2))}),
    ("ties", {"compat": "authors", "scope": "model"}),
    ("ties", {"rescale": "l1", "density": PerModel((0.0, 0.5, 1.0))}),
    ("ties", {"share": "energy"}),
    ("ties", {"elect": "normfrac"}),  # without a tape
    ("dare", {"combine_by": "sum", "rescale": "inverse"}),
    ("dare", {"combine_by": "ties_sum", "rescale": "l1"}),
    ("dare", {"combine_by": "ties", "rescale": "none"}),
    ("dare", {"strategy": "magnitude", "combine_by": "mean", "density": 0.3}),
    *[("breadcrumbs", {"combine_by": how, "density": 0.5}) for how in ("sum", "ties")],
    ("breadcrumbs", {"rescale": "l1", "gamma": 0.01, "density": 0.3}),
    *[("sce", {"density": share, "compat": compat}) for share in (1.0, 0.3) for compat in ("none", "mergekit")],
    *[("della", {"rescale": rescale, "density": 0.5, "window": 0.3}) for rescale in ("l1", "inverse", "none")],
]  # fmt: skip


def models(count: int, dtype: torch.dtype) -> dict[str, MemoryCheckpoint]:
    """A base and tunes of it, coarse enough that votes are even and magnitudes equal here and there."""
    made = {}
    for index in range(count):
        tensors = {}
        for name, shape in SHAPES.items():
            size = torch.Size(shape).numel()
            own = (normal(1, name, index, 0, size) * 8).round() / 64 if index else 0.0
            tensors[name] = ((normal(0, name, 0, 0, size) * 4).round() / 4 + own).view(shape).to(dtype)
        made[f"m{index}"] = MemoryCheckpoint.from_state_dict(tensors, f"m{index}")
    return made


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """Switches loops off while something is called."""

    def call(function: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(library, "ENABLED", False)
            library.loop.cache_clear()
            found = function()
        library.loop.cache_clear()
        return found

    return call


def recipe_of(name: str, params: dict[str, Any]) -> Recipe:
    spec = METHODS[name]
    base = "m0" if spec.base != "none" else ""
    count = min(3, spec.max_inputs or 3)
    ids = [f"m{i}" for i in range(count + bool(base))]
    nodes = tuple(CheckpointNode(id_, f"memory:{id_}") for id_ in ids)
    return Recipe((*nodes, MethodNode("o", name, tuple(ids[bool(base) :]), base, params)), "o")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=["bfloat16", "float32"])
@pytest.mark.parametrize(("name", "params"), FORMS, ids=[f"{n}-{'-'.join(map(str, p.values()))}" for n, p in FORMS])
def test_a_tape_gives_the_formulas_bytes(name, params, dtype, tmp_path, plain):
    recipe = recipe_of(name, params)
    opened = {node.id: models(4, dtype)[node.id] for node in recipe.checkpoints}
    wanted = plain(lambda: materialise(recipe, opened, METHODS))
    prints = dict.fromkeys(opened, "sha256:0")
    out = execute(plan(recipe, opened, METHODS, threads=1), tmp_path / "out", QuietContext(), fingerprints=prints)
    from safetensors.torch import load_file

    made = load_file(out / "model.safetensors")
    for tensor in SHAPES:
        assert made[tensor].dtype == dtype
        assert torch.equal(made[tensor].view(torch.uint8), wanted[tensor].view(torch.uint8)), tensor


def test_the_usual_methods_have_tapes():
    named = {name for name, spec in METHODS.items() if spec.tape is not None}
    assert named >= {
        "linear", "task_arithmetic", "slerp", "karcher", "model_stock", "ties", "dare", "della", "sce", "breadcrumbs",
    }  # fmt: skip

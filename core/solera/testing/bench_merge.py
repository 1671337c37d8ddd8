"""Merging models from disk to disk, beside the bare reading and writing of as many bytes."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from solera.context import QuietContext
from solera.execution.writer import write_checkpoint
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe
from solera.testing.bench import Row, Say

#: A Llama of about 70 million parameters: large enough that files, not start-up, are measured.
LAYERS, WIDTH, INNER, VOCABULARY = 8, 640, 1792, 16000

#: What is measured: name -> method, its parameters, and whether it takes a base.
CASES: dict[str, tuple[str, dict[str, Any], bool]] = {
    "linear, 3 models": ("linear", {}, False),
    "SLERP, 2 models": ("slerp", {"t": 0.4}, False),
    "task arithmetic, base and 3": ("task_arithmetic", {"scale": 0.5}, True),
    "TIES, base and 3": ("ties", {"density": 0.5}, True),
}


def merge(say: Say) -> tuple[Row, ...]:
    """Merge by each method; the floor is reading the inputs once and writing one of them."""
    from solera.extend.registry import Registry

    methods = Registry.discover().methods
    rows = []
    with tempfile.TemporaryDirectory(prefix="solera-bench-") as name:
        folder = Path(name)
        say("writing four models")
        paths = [_write(folder / f"m{i}", i) for i in range(4)]
        for case, (method, params, base) in CASES.items():
            say(case)
            count = 2 if method == "slerp" else 3
            recipe = _recipe(method, params, paths, count, base)
            wall, cpu = _merge(recipe, methods, folder / "out")
            floor = _copy(paths[: count + base], folder / "copy")
            rows.append(Row.of(case, "wall time", "s", wall, floor=floor))
            rows.append(Row.of(case, "CPU time", "s", cpu))
    return tuple(rows)


def _write(path: Path, seed: int) -> Path:
    generator = torch.Generator().manual_seed(seed)
    shapes = {"model.embed_tokens.weight": (VOCABULARY, WIDTH), "model.norm.weight": (WIDTH,)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.self_attn.{part}_proj.weight": (WIDTH, WIDTH) for part in "qkvo"}
        shapes |= {f"{at}.mlp.{part}_proj.weight": (INNER, WIDTH) for part in ("gate", "up")}
        shapes |= {f"{at}.mlp.down_proj.weight": (WIDTH, INNER), f"{at}.input_layernorm.weight": (WIDTH,)}
    tensors = {key: torch.randn(shape, generator=generator).mul_(0.02).bfloat16() for key, shape in shapes.items()}
    return write_checkpoint(tensors, path, config={"architectures": ["LlamaForCausalLM"]}, shard_bytes=50_000_000)


def _recipe(method: str, params: dict[str, Any], paths: list[Path], count: int, base: bool) -> Recipe:
    ids = [f"m{i}" for i in range(count + base)]
    nodes = tuple(CheckpointNode(id_, str(path)) for id_, path in zip(ids, paths, strict=False))
    inputs = tuple(ids[1:] if base else ids)
    merged = MethodNode("merged", method, inputs, "m0" if base else "", params)
    return Recipe((*nodes, merged), "merged", name="bench")


def _merge(recipe: Recipe, methods: Any, out: Path) -> tuple[float, float]:
    from solera.checkpoints.opening import open_checkpoint
    from solera.execution.plan import plan
    from solera.execution.stream import execute

    known = {node.id: "sha256-tree:" + "0" * 64 for node in recipe.checkpoints}
    checkpoints = {node.id: open_checkpoint(node.source) for node in recipe.checkpoints}
    wall, cpu = time.perf_counter(), time.process_time()
    execute(plan(recipe, checkpoints, methods), out, QuietContext(), force=True, fingerprints=known)
    spent = time.perf_counter() - wall, time.process_time() - cpu
    for checkpoint in checkpoints.values():
        checkpoint.close()
    return spent


def _copy(paths: list[Path], out: Path) -> float:
    began = time.perf_counter()
    for path in paths[1:]:
        for file in path.glob("*.safetensors"):
            with open(file, "rb", buffering=0) as source:
                while source.read(1 << 22):
                    pass
    shutil.copytree(paths[0], out, dirs_exist_ok=True)
    return time.perf_counter() - began

"""Records what mergekit 0.1.5 makes of small models, for ``test_mergekit.py``: run with a Python that has mergekit.

``python tests/golden/record_mergekit.py`` writes ``data/mergekit/0.1.5.safetensors`` anew. Each case is one call of its
public ``merge_tensors`` per tensor, in float32.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

SHAPES = {"matrix": (24, 16), "kernel": (6, 4, 3, 3), "vector": (33,), "column": (12, 1)}

#: Case -> mergekit's method, its parameters, whether the base is named.
CASES: dict[str, tuple[str, dict[str, Any], bool]] = {
    "linear": ("linear", {"weight": [0.5, 0.3, 0.4]}, False),
    "linear_plain": ("linear", {"weight": [0.5, 0.3, 0.4], "normalize": False}, False),
    "slerp": ("slerp", {"t": 0.3}, True),
    "nuslerp": ("nuslerp", {"weight": [0.7, 0.5]}, False),
    "nuslerp_base": ("nuslerp", {"weight": [0.7, 0.5]}, True),
    "nuslerp_rows": ("nuslerp", {"weight": [0.7, 0.5], "nuslerp_flatten": False}, False),
    "nuslerp_columns": (
        "nuslerp", {"weight": [0.7, 0.5], "nuslerp_flatten": False, "nuslerp_row_wise": True}, False,
    ),
    "multislerp": ("multislerp", {"weight": [0.7, 0.5, 0.2]}, False),
    "multislerp_base": ("multislerp", {"weight": [0.7, 0.5, 0.2]}, True),
    "multislerp_plain": ("multislerp", {"weight": [0.7, 0.5, 0.2], "normalize_weights": False}, False),
    "karcher": ("karcher", {}, False),
    "task_arithmetic": ("task_arithmetic", {"weight": [0.5, -0.3, 0.4], "lambda": 0.9}, True),
    "task_arithmetic_shares": ("task_arithmetic", {"weight": [0.5, 0.3, 0.4], "normalize": True}, True),
    "ties": ("ties", {"weight": [0.5, 0.3, 0.4], "density": 0.5}, True),
    "ties_negative": ("ties", {"weight": [0.5, -0.3, 0.4], "density": [0.2, 0.7, 1.0], "lambda": 1.1}, True),
    "ties_rescaled_sum": (
        "ties", {"weight": [0.5, 0.3, 0.4], "density": 0.4, "normalize": False, "rescale": True}, True,
    ),
    "breadcrumbs": ("breadcrumbs", {"weight": [0.5, 0.3, 0.4], "density": 0.5, "gamma": 0.05}, True),
    "breadcrumbs_ties": ("breadcrumbs_ties", {"weight": [0.5, 0.3, 0.4], "density": 0.5, "gamma": 0.05}, True),
    "breadcrumbs_rescaled": (
        "breadcrumbs", {"weight": [0.5, 0.3, 0.4], "density": 0.5, "gamma": 0.05, "rescale": True}, True,
    ),
    "model_stock": ("model_stock", {}, True),
    "model_stock_rows": ("model_stock", {"filter_wise": True}, True),
    "sce": ("sce", {}, True),
    "sce_half": ("sce", {"select_topk": 0.5}, True),
    "ram": ("ram", {"epsilon": 5e-4}, True),
    "ramplus_tl": ("ramplus_tl", {"epsilon": 1e-3, "r": 0.3, "alpha": 0.5}, True),
    "nearswap": ("nearswap", {"t": 3e-4}, True),
    "arcee_fusion": ("arcee_fusion", {}, True),
    "passthrough": ("passthrough", {"scale": 0.5}, False),
}  # fmt: skip

#: How many models a method is given, the base not counted; three if it is not here.
COUNTS = {"slerp": 1, "nuslerp": 2, "nearswap": 1, "arcee_fusion": 1, "passthrough": 1}


def models() -> list[dict[str, torch.Tensor]]:
    """A base and three models near it, with a common part in what they changed."""
    generator = torch.Generator().manual_seed(0)
    draw = {name: torch.randn((5, *shape), generator=generator) for name, shape in SHAPES.items()}
    made: list[dict[str, torch.Tensor]] = [{name: 0.02 * noise[0] for name, noise in draw.items()}]
    for i in (2, 3, 4):
        made.append({n: 0.02 * x[0] + 6e-4 * x[1] + 8e-4 * x[i] for n, x in draw.items()})
    return made


def main() -> None:
    """Run every case and write what came out."""
    from mergekit.merge_methods import merge_tensors  # type: ignore[import-not-found]  # has an environment of its own

    whole = models()
    tensors = {f"in.m{i}/{name}": tensor for i, model in enumerate(whole) for name, tensor in model.items()}
    for case, (method, parameters, based) in CASES.items():
        count = COUNTS.get(method, 3)
        for name in SHAPES:
            given = [model[name] for model in (whole[: count + 1] if based else whole[1 : count + 1])]
            made = merge_tensors(given, method, parameters=parameters, base_index=0 if based else None)
            tensors[f"out.{case}/{name}"] = made.contiguous()
    folder = Path(__file__).parent / "data" / "mergekit"
    save_file(tensors, folder / "0.1.5.safetensors")
    (folder / "0.1.5.json").write_text(json.dumps(CASES, indent=1) + "\n")


if __name__ == "__main__":
    main()

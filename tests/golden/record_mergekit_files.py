"""Records what mergekit 0.1.5 makes of whole configurations, for ``test_mergekit_files.py``.

``python tests/golden/record_mergekit_files.py`` writes ``data/mergekit/files-DTYPE.safetensors`` anew: the small models
of :mod:`solera.testing.mergekit_cases` as they were given to it, and its results. mergekit runs in an environment of
its own (:mod:`solera.testing.mergekit_peer`).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from solera.testing.mergekit_cases import CASES, OPEN_IN_BF16, tensors_of, write_configurations, write_models
from solera.testing.mergekit_peer import run_mergekit

DATA = Path(__file__).parent / "data" / "mergekit"


def record(dtype: str) -> None:
    """Run every case and write what came out."""
    names = [name for name in CASES if dtype == "float32" or name not in OPEN_IN_BF16]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_models(folder, dtype)
        write_configurations(folder, dtype)
        refused = run_mergekit(folder, names)
        if refused:
            raise SystemExit(f"mergekit refuses: {refused}")
        tensors: dict[str, Tensor] = {}
        for model in ("base", "a", "b", "c", "wordy", "other"):
            given = load_file(folder / model / "model.safetensors")
            tensors |= {f"in.{model}/{key}": tensor for key, tensor in given.items()}
        for name in names:
            made = tensors_of(folder / f"mergekit-{name}", name)
            tensors |= {f"out.{name}/{key}": tensor.contiguous() for key, tensor in made.items()}
        save_file(tensors, DATA / f"files-{dtype}.safetensors")


if __name__ == "__main__":
    for each in ("float32", "bfloat16"):
        record(each)

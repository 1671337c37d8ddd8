"""Runs mergekit on configurations in the current folder: started by a Python that has mergekit, and not Solera.

``python mergekit_runner.py NAME ...`` merges ``NAME.yml`` to ``mergekit-NAME``; what it refuses is told on stdout as
``NAME: REASON``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import torch


def main(names: list[str]) -> None:
    """Merge every configuration."""
    torch.set_num_threads(1)
    read = import_module("mergekit.config").MergeConfiguration.model_validate
    load = import_module("yaml").safe_load
    run_merge = import_module("mergekit.merge").run_merge
    options = import_module("mergekit.options").MergeOptions(
        quiet=True, write_model_card=False, clone_tensors=True, random_seed=0
    )
    for name in names:
        plain = load(Path(f"{name}.yml").read_text("utf-8"))
        try:
            run_merge(read(plain), f"mergekit-{name}", options)
        except (RuntimeError, ValueError, TypeError) as error:
            sys.stdout.write(f"{name}: {error}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Runs of a workbench: started, gone on with, or found done already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import NotFoundError, RunError
from solera.recipes.nodes import Recipe
from solera.workbench.bench import Bench

if TYPE_CHECKING:
    from solera.context import Context
    from solera.runs.reader import RunReader


def run_file(bench: Bench, run: str) -> Path:
    """The file of a run.

    Raises:
        NotFoundError: There is none.
    """
    from solera.runs.header import run_path

    path = run_path(bench.runs_folder, run)
    if not path.is_file():
        raise NotFoundError(f"There is no run '{run}' in {bench.runs_folder}.", run=run)
    return path


def earlier_run(bench: Bench, key: str, *, provenance: bool = True) -> RunReader | None:
    """The run of this key, done or to be gone on with; None if there is none, or another process is writing it.

    Args:
        bench: What jobs share.
        key: What the memory of runs knows it by.
        provenance: Whether it must have been recorded under exactly this key.
    """
    from solera.runs.reader import RunReader

    run = bench.memo.find(key)
    if not run:
        return None
    try:
        reader = RunReader(run_file(bench, run))
    except (NotFoundError, RunError):
        return None  # removed or damaged: recorded anew
    if reader.state == "running" or (provenance and reader.header.provenance.get("key") != key):
        return None
    return reader


def reused(reader: RunReader, context: Context) -> dict[str, Any]:
    """The result of a job whose run was there already."""
    from solera.events import Logged

    title = reader.header.title
    context.emit(Logged(text=f"'{title}' is recorded already (run {reader.header.id}); nothing was computed again."))
    return {
        "run": reader.header.id,
        "path": str(reader.path),
        "summary": reader.summary,
        "reused": True,
    }


def recipe_facts(bench: Bench, recipe: Recipe, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """What a run's provenance says of a recipe; without the semantic hash where a fingerprint is not known yet."""
    from solera.recipes.hashes import semantic_hash, textual_hash
    from solera.recipes.yaml import dump_recipe

    checkpoints = bench.inputs.checkpoints(recipe)
    sources = {node.id: node.source for node in recipe.checkpoints}
    return {
        "recipe": dump_recipe(recipe),
        "textual_hash": textual_hash(recipe),
        "semantic_hash": semantic_hash(recipe, bench.registry.methods, fingerprints)
        if set(checkpoints) <= set(fingerprints)
        else "",
        "inputs": {
            id_: {"name": checkpoint.name, "source": sources[id_], "fingerprint": fingerprints.get(id_, "")}
            for id_, checkpoint in checkpoints.items()
        },
    }

"""The files beside the weights: config, tokenizer, and a model card that says how they were made.

Nothing that varies from run to run or machine to machine is written: no time, host, thread count or absolute path.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath

from solera.checkpoints.chat_templates import APART, CONFIG, choose_template, with_template
from solera.checkpoints.references import HUB
from solera.errors import OutputError
from solera.execution.model_config import result_config
from solera.execution.plan import Plan
from solera.execution.writer import output_error, write_text
from solera.recipes.nodes import CheckpointNode, Recipe
from solera.recipes.yaml import dump_recipe

#: Where the metadata of a weights file has the recipe.
RECIPE_KEY = "solera.recipe"


def write_companions(plan: Plan, folder: Path, fingerprints: Mapping[str, str], recipe_text: str = "") -> None:
    """Write config, tokenizer files and README.md.

    Args:
        plan: The merge.
        folder: The result.
        fingerprints: Content hash of each input, by node id.
        recipe_text: The recipe as a person wrote it. Taken when it names checkpoints by bare names; canonical YAML
            without paths otherwise.

    Raises:
        OutputError: The disk is full, or refuses.
        CheckpointError: The reference's config is no JSON.
    """
    config = result_config(plan)
    generated = plan.reference.generated
    for file in plan.reference.extra_files():
        if file.name != "config.json" and file.name not in generated:
            _copy(file, folder / file.name)
    for name, content in generated.items():
        if isinstance(content, str):
            write_text(folder / name, content)
        elif content is not None:
            _copy(content, folder / name)
    if plan.program.recipe.chat_template:
        _write_template(plan, folder)
    if config:
        write_text(folder / "config.json", json.dumps(config, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / "README.md", model_card(plan, folder_name(folder), fingerprints, recipe_text))


def _write_template(plan: Plan, folder: Path) -> None:
    """Put the chat template that the recipe asks for into the tokenizer's config, if there is a tokenizer."""
    models = [found for id_, found in plan.checkpoints.items() if id_ not in plan.program.statistics]
    template = choose_template(plan.program.recipe.chat_template, models)
    plain = with_template(folder, template) if template else None
    if plain is not None:
        write_text(folder / CONFIG, json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
        for name in APART:  # they go before the config
            (folder / name).unlink(missing_ok=True)


def model_card(plan: Plan, title: str, fingerprints: Mapping[str, str], recipe_text: str = "") -> str:
    """The README.md of a result: its recipe, its inputs and their fingerprints."""
    bare = all(PurePath(node.source).name == node.source for node in plan.program.recipe.checkpoints)
    written = recipe_text.strip() if bare else ""
    recipe = written or dump_recipe(portable(plan.program.recipe, fingerprints, plan)).strip()
    rows = "\n".join(
        f"| {id_} | {checkpoint.name} | {fingerprints.get(id_, '')} |" for id_, checkpoint in plan.checkpoints.items()
    )
    numbers = plan.program.numbers
    values = "".join(f"\n- {name} = {value:.17g}" for name, value in sorted(numbers.items()))
    models = len(set(plan.checkpoints) - set(plan.program.statistics))
    return (
        f"---\ntags:\n- merge\n- solera\n---\n# {title}\n\nMade with Solera from {models} "
        f"checkpoint{'' if models == 1 else 's'}.\n\n"
        f"## Recipe\n\n```yaml\n{recipe}\n```\n"
        + (f"\nFree variables stood at:\n{values}\n" if values else "")
        + f"\n## Inputs\n\n| node | name | fingerprint |\n| --- | --- | --- |\n{rows}\n"
    )


def recipe_metadata(plan: Plan, fingerprints: Mapping[str, str]) -> dict[str, str]:
    """What every weights file of a result says of its origin: the recipe, its variables replaced by their numbers."""
    recipe = portable(plan.program.recipe.with_values(plan.program.numbers), fingerprints, plan)
    return {RECIPE_KEY: dump_recipe(recipe)}


def portable(recipe: Recipe, fingerprints: Mapping[str, str], plan: Plan) -> Recipe:
    """The recipe with its checkpoints named by folder and fingerprint instead of by path."""
    nodes = tuple(
        replace(
            node,
            source=_bare_source(node, plan),
            fingerprint=fingerprints.get(node.id, node.fingerprint),
        )
        if isinstance(node, CheckpointNode)
        else node
        for node in recipe.nodes
    )
    return replace(recipe, nodes=nodes)


def _bare_source(node: CheckpointNode, plan: Plan) -> str:
    """Where a checkpoint is from, without a path of this machine."""
    if node.source.startswith(HUB):
        return node.source
    return plan.checkpoints[node.id].name if node.id in plan.checkpoints else PurePath(node.source).name


def folder_name(folder: Path) -> str:
    """The name of the result, told from its unfinished folder ``.NAME.solera``."""
    return folder.name.removeprefix(".").removesuffix(".solera")


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise output_error(error, target) from error

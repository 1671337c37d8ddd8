"""The demo's numbers over several seeds: both examples trained anew, merges tuned on selection, scored on report."""

from __future__ import annotations

import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from solera.context import Context, QuietContext
from solera.errors import InputError
from solera.landscapes.compare import Comparison, Row
from solera.tasks.scores import metric

#: Example -> its comparison.
EXAMPLES: dict[str, str] = {"digits": "digits-compare.yaml", "prose_code": "text-compare.yaml"}


@dataclass(frozen=True, slots=True)
class DemoResult:
    """One example over all seeds.

    Attributes:
        example: ``"digits"`` or ``"prose_code"``.
        tables: One comparison per seed.
        seconds: Training time per seed, wall.
    """

    example: str
    tables: tuple[Comparison, ...]
    seconds: tuple[float, ...]


def bench_demo(
    seeds: int = 3,
    examples: Sequence[str] = tuple(EXAMPLES),
    *,
    context: Context | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[DemoResult, ...]:
    """Train every example with seeds 0, 1, ... and compare its base, experts and merges.

    Args:
        seeds: How many.
        examples: Which.
        context: Where it runs.
        say: Told a line after every step.

    Raises:
        InputError: An example is unknown.
    """
    context = context or QuietContext()
    unknown = sorted(set(examples) - set(EXAMPLES))
    if unknown:
        raise InputError(f"No demo is called {', '.join(unknown)}; known: {', '.join(EXAMPLES)}.")
    results = []
    for example in examples:
        tables, seconds = [], []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory(prefix="solera-bench-") as folder:
                table, spent = _one(example, seed, Path(folder), context)
            tables.append(table)
            seconds.append(spent)
            say(f"{example}, seed {seed}: trained in {spent:.0f} s")
        results.append(DemoResult(example, tuple(tables), tuple(seconds)))
    return tuple(results)


def _one(example: str, seed: int, folder: Path, context: Context) -> tuple[Comparison, float]:
    from solera.extend.registry import Registry

    registry = Registry.discover()
    start = time.perf_counter()
    made = registry.examples[example](seed=seed, retrain=True).make(folder, context)
    seconds = time.perf_counter() - start
    return compare_in(folder, f"experiments/{EXAMPLES[example]}", made["tasks"], registry, context), seconds


def compare_in(
    folder: Path, experiment: str, tasks: Mapping[str, Mapping[str, Any]], registry: Any, context: Context
) -> Comparison:
    """Run a comparison file of a project's folder, without a project, jobs or a store.

    Args:
        folder: What the experiment's paths are relative to.
        experiment: The file, relative to ``folder``.
        tasks: ``{name: {"task": kind, **params}}``.
        registry: Methods, tasks, architectures and formats.
        context: Where it runs.
    """
    from ruamel.yaml import YAML

    from solera.checkpoints.opening import open_checkpoint
    from solera.execution.memory import Materialiser
    from solera.landscapes.compare import compare
    from solera.landscapes.entries import entries_from_plain
    from solera.models.architecture import build_network
    from solera.recipes.nodes import CheckpointNode, Recipe
    from solera.recipes.yaml import load_recipe

    plain = YAML(typ="safe", pure=True).load((folder / experiment).read_text(encoding="utf-8"))

    def load(path: str) -> Recipe:
        recipe = load_recipe(folder / path, registry.methods)
        home = (folder / path).parent.resolve()
        nodes = (replace(n, source=str(home / n.source)) if isinstance(n, CheckpointNode) else n for n in recipe.nodes)
        return replace(recipe, nodes=tuple(nodes))

    def writer(recipe: Recipe) -> Materialiser:
        sources = {node.id: open_checkpoint(folder / node.source) for node in recipe.checkpoints}
        return Materialiser(recipe, sources, registry.methods, network.layout, network.device, context)

    entries = entries_from_plain(plain["entries"], load)
    reference = open_checkpoint(folder / entries[0].recipe.checkpoints[0].source)
    network = build_network(reference, registry.architectures, device=context.device)
    scored = [_task(name, tasks[name], folder, registry) for name in plain["tasks"]]
    return compare(entries, scored, network, writer, context, measure=plain["metric"])


def _task(name: str, plain: Mapping[str, Any], folder: Path, registry: Any) -> Any:
    kind = plain["task"]
    paths = {spec.name for spec in registry.tasks.describe(kind).params if spec.kind == "path"}
    params = {key: folder / value if key in paths else value for key, value in plain.items() if key != "task"}
    return registry.tasks[kind](name, **params)


# --- the table ------------------------------------------------------------------------------------------------------


def markdown(results: Sequence[DemoResult]) -> str:
    """Mean and standard deviation over seeds, one table per example, with how it was made."""
    return "\n".join(_section(result) for result in results)


def _section(result: DemoResult) -> str:
    first = result.tables[0]
    tasks = [column.task for column in first.columns if column.metric == first.metric]
    head = ["model", *tasks, "mean", "gain over best single", "seeds beyond noise"]
    rule = ["---", *("---:" for _ in head[1:])]
    lines = [_line(result, position) for position in range(len(first.rows))]
    table = "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))
    kind = metric(first.metric)
    unit = "%" if kind.display == "percent" else kind.unit
    return (
        f"## {result.example}\n\n{kind.title} ({unit}), {kind.better} is better, on the report split; mean ± standard "
        f"deviation over {len(result.tables)} seeds. Training took {_spread(result.seconds, 1, 0)} s "
        f"per seed.\n\n{table}\n"
    )


def _line(result: DemoResult, position: int) -> list[str]:
    rows = [table.rows[position] for table in result.tables]
    percent = metric(result.tables[0].metric).display == "percent"
    factor, digits = (100.0, 1) if percent else (1.0, 3)
    measured = [[s.value for s in row.scores if s.column.metric == result.tables[0].metric] for row in rows]
    cells = [_spread(values, factor, digits) for values in zip(*measured, strict=True)]
    mean = _spread([row.mean.value for row in rows], factor, digits)
    return [rows[0].name, *cells, mean, _gain(rows, factor, digits), _beyond(rows)]


def _gain(rows: Sequence[Row], factor: float, digits: int) -> str:
    if rows[0].single:
        return ""
    return _spread([row.gain.value for row in rows if row.gain], factor, digits, signed=True)


def _beyond(rows: Sequence[Row]) -> str:
    if rows[0].single:
        return ""
    return f"{sum(row.gain is not None and not row.gain.within_noise for row in rows)} of {len(rows)}"


def _spread(values: Sequence[float], factor: float, digits: int, *, signed: bool = False) -> str:
    mean = factor * statistics.fmean(values)
    text = f"{mean:{'+' if signed else ''}.{digits}f}"
    return text if len(values) < 2 else f"{text} ± {factor * statistics.stdev(values):.{digits}f}"


def document(results: Sequence[DemoResult]) -> str:
    """The page of the reference: the tables, one seed in full, and how they were made."""
    import torch

    from solera.landscapes.compare_table import markdown as one_table

    parts = [
        "# What the demo shows\n",
        "Both examples trained from nothing with several seeds; what has variables was tuned on the selection split, "
        "everything was scored on the report split, which nothing was chosen on.\n",
        markdown(results),
        "## One seed in full\n",
        *(f"### {result.example}, seed 0\n\n{one_table(result.tables[0])}" for result in results),
        "## How it was made\n",
        f"`make bench`, or `python -m solera.testing.bench_demo {len(results[0].tables)}`, with Python "
        f"{platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads. Training is "
        "reproducible to the byte on one machine type and thread count; elsewhere figures differ a little. The texts "
        "of the prose and code example come with Python and change with its version.\n",
    ]
    return "\n".join(parts)


def main() -> None:
    """``python -m solera.testing.bench_demo [SEEDS] [OUT.md]``."""
    import sys

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    text = document(bench_demo(seeds, say=say))
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

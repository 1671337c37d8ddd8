"""The demo's numbers over several seeds: both examples trained anew, merges tuned on selection, scored on report."""

from __future__ import annotations

import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solera.errors import InputError, SoleraError
from solera.tasks.scores import metric

#: Example -> its comparison.
EXAMPLES: dict[str, str] = {"digits": "digits-compare.yaml", "prose_code": "text-compare.yaml"}


@dataclass(frozen=True, slots=True)
class DemoResult:
    """One example over all seeds.

    Attributes:
        example: ``"digits"`` or ``"prose_code"``.
        comparisons: ``Comparison.to_plain()`` per seed.
        table: The table of the first seed, Markdown.
        seconds: Training time per seed, wall.
    """

    example: str
    comparisons: tuple[Mapping[str, Any], ...]
    table: str
    seconds: tuple[float, ...]


def bench_demo(
    seeds: int = 3, examples: Sequence[str] = tuple(EXAMPLES), *, say: Callable[[str], None] = lambda text: None
) -> tuple[DemoResult, ...]:
    """Train every example with seeds 0, 1, ... and compare its base, experts and merges, each in a project of its own.

    Args:
        seeds: How many.
        examples: Which.
        say: Told a line after every step.

    Raises:
        InputError: An example is unknown.
        SoleraError: A job failed.
    """
    unknown = sorted(set(examples) - set(EXAMPLES))
    if unknown:
        raise InputError(f"No demo is called {', '.join(unknown)}; known: {', '.join(EXAMPLES)}.")
    return tuple(_over_seeds(example, seeds, say) for example in examples)


def _over_seeds(example: str, seeds: int, say: Callable[[str], None]) -> DemoResult:
    found, seconds = [], []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory(prefix="solera-bench-") as folder:
            result, spent = _one(example, seed, Path(folder) / "project")
        found.append(result)
        seconds.append(spent)
        say(f"{example}, seed {seed}: trained in {spent:.0f} s; {result['summary']}")
    return DemoResult(example, tuple(item["comparison"] for item in found), found[0]["table"], tuple(seconds))


def _one(example: str, seed: int, folder: Path) -> tuple[dict[str, Any], float]:
    from solera.projects.project import Project
    from solera.workbench import Workbench

    with Project.create(folder) as project, Workbench(project) as bench:
        start = time.perf_counter()
        _finished(bench, bench.submit_demo(example, seed=seed, retrain=True).id)
        seconds = time.perf_counter() - start
        experiment = project.experiments_folder / EXAMPLES[example]
        return _finished(bench, bench.submit_compare(experiment).id), seconds


def _finished(bench: Any, job: str) -> dict[str, Any]:
    done = bench.jobs.wait(job, None)
    if done.state != "done":
        said = done.error["message"] if done.error else f"it ended as {done.state}"
        raise SoleraError(f"The job '{done.spec.title}' failed: {said}", job=job)
    return dict(done.result)


# --- the page -------------------------------------------------------------------------------------------------------


def markdown(result: DemoResult) -> str:
    """Mean and standard deviation over seeds, a row per model."""
    first = result.comparisons[0]
    tasks = [name.rpartition(".")[0] for name in first["rows"][0]["scores"] if name.endswith(f".{first['metric']}")]
    head = ["model", *tasks, "mean", "gain over best single", "seeds beyond noise"]
    rule = ["---", *("---:" for _ in head[1:])]
    lines = [_line(result, tasks, position) for position in range(len(first["rows"]))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))


def _line(result: DemoResult, tasks: Sequence[str], position: int) -> list[str]:
    measure = result.comparisons[0]["metric"]
    rows = [comparison["rows"][position] for comparison in result.comparisons]
    cells = [_spread([row["scores"][f"{task}.{measure}"]["value"] for row in rows], measure) for task in tasks]
    cells.append(_spread([row["mean"]["value"] for row in rows], measure))
    if rows[0]["single"]:
        return [rows[0]["name"], *cells, "", ""]
    beyond = sum(not row["gain"]["within_noise"] for row in rows)
    gain = _spread([row["gain"]["value"] for row in rows], measure, signed=True)
    return [rows[0]["name"], *cells, gain, f"{beyond} of {len(rows)}"]


def _spread(values: Sequence[float], measure: str, *, signed: bool = False) -> str:
    factor, digits = (100.0, 1) if metric(measure).display == "percent" else (1.0, 3)
    text = f"{factor * statistics.fmean(values):{'+' if signed else ''}.{digits}f}"
    return text if len(values) < 2 else f"{text} ± {factor * statistics.stdev(values):.{digits}f}"


def document(results: Sequence[DemoResult], threads: int) -> str:
    """The page of the reference: the tables, the first seed in full, and how they were made.

    Args:
        results: What :func:`bench_demo` found.
        threads: CPU threads the training had.
    """
    import torch

    parts = [
        "# What the demo shows",
        "Both examples, trained from nothing with several seeds. What has variables was tuned on the selection split; "
        "everything was scored on the report split, on which nothing was chosen.",
    ]
    for result in results:
        kind = metric(result.comparisons[0]["metric"])
        unit = "%" if kind.display == "percent" else kind.unit
        seconds = " / ".join(f"{value:.0f}" for value in result.seconds)
        parts += [
            f"## {result.example}",
            f"{kind.title} ({unit}), {kind.better} is better; mean ± standard deviation over "
            f"{len(result.comparisons)} seeds. The gain is how much better the mean is than that of the best "
            f"single model on the report split; the last column counts the seeds where it exceeds two paired standard "
            f"errors. Training took {seconds} s (base and experts, wall time).",
            markdown(result),
            "### Seed 0 in full",
            result.table.strip(),
        ]
    seeds = len(results[0].comparisons)
    parts += [
        "## How it was made",
        f"`python -m solera.testing.bench_demo {seeds} docs/reference/demo-results.md`, with Python "
        f"{platform.python_version()}, torch {torch.__version__} and {threads} CPU threads on {platform.machine()}. "
        "Times are wall time beside whatever else the machine did. Training is reproducible on one machine type and "
        "thread count; elsewhere figures differ a little. The texts of the prose and code example come with Python and "
        "change with its version.",
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """``python -m solera.testing.bench_demo [SEEDS] [OUT.md]``."""
    import os
    import sys

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    text = document(bench_demo(seeds, say=say), os.cpu_count() or 1)
    if len(sys.argv) > 2:
        Path(sys.argv[2]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()

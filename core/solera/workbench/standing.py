"""What runs say of checkpoints (their scores) and of themselves (whether what they came from changed since)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.errors import SoleraError
from solera.recipes.nodes import MethodNode, Recipe, TokensNode
from solera.workbench.bench import Bench

if TYPE_CHECKING:
    from solera.projects.library import Entry
    from solera.runs.catalogue import RunInfo
    from solera.runs.header import RunHeader


@dataclass(frozen=True, slots=True)
class Standing:
    """A score that a run measured of a checkpoint.

    Attributes:
        column: ``"rotated.accuracy"``. split: On which data.
        value: In the metric's unit. stderr: Its standard error. count: Samples.
        run: Id of the run. created: When it began, seconds since the epoch.
    """

    column: str
    split: str
    value: float
    stderr: float
    count: int
    run: str
    created: float


def standings(
    bench: Bench,
    runs: Iterable[RunInfo],
    entries: Iterable[Entry],
    known: dict[str, list[tuple[str, list[Standing]]]] | None = None,
) -> dict[str, tuple[Standing, ...]]:
    """The latest score of each checkpoint of the library on each task, metric and split, by its id.

    A score counts for a checkpoint if the run scored these very weights: of equal fingerprint, or made by a recipe of
    equal meaning. Only evaluations and comparisons are looked at.

    Args:
        bench: What jobs share.
        runs: The list of runs, newest first; those that are not done are passed over.
        entries: The library.
        known: What finished runs said when they were read before, by id; filled.
    """
    known = {} if known is None else known
    wanted: dict[str, set[str]] = {}
    for entry in entries:
        for mark in (entry.fingerprint, str(entry.lineage.get("semantic_hash", ""))):
            if mark:
                wanted.setdefault(mark, set()).add(entry.id)
    found: dict[str, dict[tuple[str, str], Standing]] = {}
    for info in runs:
        if info.state != "done" or info.kind not in {"evaluate", "compare"} or not wanted:
            continue
        if info.id not in known:
            known[info.id] = _measured(bench, info)
        for mark, scores in known[info.id]:
            for id_ in wanted.get(mark, ()):
                for score in scores:
                    found.setdefault(id_, {}).setdefault((score.column, score.split), score)
    return {id_: tuple(scores.values()) for id_, scores in found.items()}


def _measured(bench: Bench, info: RunInfo) -> list[tuple[str, list[Standing]]]:
    """What a run measured, by what tells the weights."""
    from solera.workbench.comparing import kept_table

    kept = kept_table(bench, info.id)
    header = read_header(info.path)
    if kept is None or header is None:
        return []
    table, models = kept["comparison"], header.provenance.get("models", {})
    result = []
    for row in table["rows"]:
        facts = models.get(row["name"], {})
        if row["numbers"]:
            continue  # variables were tuned: the recipe alone does not tell these weights
        marks = {str(facts.get("semantic_hash", ""))}
        if len(facts.get("inputs", {})) == 1 and _is_plain(facts.get("recipe", "")):
            marks |= {str(item["fingerprint"]) for item in facts["inputs"].values()}
        scores = [
            Standing(column, table["split"], score["value"], score["stderr"], score["count"], info.id, info.created)
            for column, score in row["scores"].items()
        ]
        result += [(mark, scores) for mark in marks - {""}]
    return result


def _is_plain(text: str) -> bool:
    """Whether a recipe is one checkpoint as it is."""
    from solera.recipes.nodes import CheckpointNode
    from solera.recipes.yaml import parse_recipe

    recipe, _ = parse_recipe(text, {})
    return len(recipe.nodes) == 1 and type(recipe.nodes[0]) is CheckpointNode and not recipe.dtype


def read_header(path: Path) -> RunHeader | None:
    """What a run says of itself; None if it cannot be read."""
    from solera.runs.reader import RunReader

    try:
        return RunReader(path).header
    except SoleraError:
        return None


class Staleness:
    """Tells which runs show what would come out otherwise now. Thread rule: any thread, one at a time.

    A run is stale when a checkpoint it read holds other weights now (by its fingerprint, where that is known without
    reading), or when a method it used has another version or code. What cannot be told counts as current.

    Args:
        bench: What jobs share.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._answers: dict[tuple[Any, ...], str] = {}

    def reason(self, header: RunHeader) -> str:
        """Why a run is stale, a sentence; empty if it is not."""
        origin = self._lineage(header) or header.provenance
        several = origin.get("models")
        facts = list(several.values()) if isinstance(several, Mapping) else [origin]
        reasons = (self._of(item) for item in facts if isinstance(item, Mapping) and item.get("recipe"))
        return next((reason for reason in reasons if reason), "")

    def _lineage(self, header: RunHeader) -> Mapping[str, Any]:
        """What the project kept of a merge: fingerprints that were not known before it are there, not in its run."""
        project = self._bench.project
        if header.kind != "merge" or project is None:
            return {}
        try:
            entry = project.library.get(f"outputs/{Path(str(header.experiment.get('out', ''))).name}")
        except SoleraError:
            return {}
        return entry.lineage if entry.lineage.get("run") == header.id else {}

    def _of(self, facts: Mapping[str, Any]) -> str:
        inputs = facts.get("inputs", {})
        key = (facts.get("semantic_hash", ""), facts["recipe"], *(item["fingerprint"] for item in inputs.values()))
        if key not in self._answers:
            self._answers[key] = self._inputs(inputs) or self._methods(facts, inputs)
        return self._answers[key]

    def _inputs(self, inputs: Mapping[str, Any]) -> str:
        from solera.checkpoints.fingerprint import known_fingerprint

        for item in inputs.values():
            then, source = str(item.get("fingerprint", "")), str(item.get("source", ""))
            if not then or not source or source.startswith("memory:"):
                continue
            try:
                now = known_fingerprint(self._bench.inputs.open(source), self._bench.inputs.cache)
            except (SoleraError, OSError):
                continue  # it is gone, or cannot be told now: that makes no result wrong
            if now and now != then:
                return f"'{item.get('name') or source}' holds other weights now."
        return ""

    def _methods(self, facts: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
        from solera.recipes.hashes import semantic_hash
        from solera.recipes.yaml import parse_recipe

        then = str(facts.get("semantic_hash", ""))
        prints = {id_: str(item["fingerprint"]) for id_, item in inputs.items()}
        if not then or not all(prints.values()):
            return ""
        methods = self._bench.registry.methods
        recipe, faults = parse_recipe(str(facts["recipe"]), methods)
        gone = [node.method for node in recipe.nodes if isinstance(node, MethodNode) and node.method not in methods]
        if gone:
            return f"The method '{gone[0]}' it used is not there now."
        if faults or any(isinstance(node, TokensNode) for node in recipe.nodes):
            return ""
        try:
            same = semantic_hash(recipe, methods, prints) == then
        except SoleraError:
            return ""
        return "" if same else f"{_named(recipe)} changed since."


def _named(recipe: Recipe) -> str:
    names: Sequence[str] = sorted({node.method for node in recipe.nodes if isinstance(node, MethodNode)})
    if not names:
        return "What it was made by"
    listed = ", ".join(f"'{name}'" for name in names)
    return f"The method {listed} it used" if len(names) == 1 else f"A method it used ({listed})"

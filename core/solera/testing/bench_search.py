"""Searches for trade-offs: hypervolume against evaluations, over seeds, on synthetic problems and merges of the demo.

Merges are scored by real networks, and every score is kept by its coordinates, so that a point which several searches
or seeds ask for is scored once; a search is charged for it all the same. Base and experts count as evaluations. The
hypervolume is that of the raw objectives. Its reference is the nadir of the best front known plus a tenth of its range;
the best front is that of all points that any search met, and of a longer search by MAP.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from solera.families.coords import Coord
from solera.landscapes.explorer import Explorer, History, Space
from solera.landscapes.pareto import hypervolume, nondominated
from solera.seeds import Seed
from solera.tasks.scores import Column, Split
from solera.testing.bench import Row, Say

if TYPE_CHECKING:
    from solera.extend.registry import Registry
    from solera.projects.project import Project

Floats = NDArray[np.float64]

#: Searches start from this many seeds; intervals are those of the middle half.
SEEDS = 5
#: Validation pictures, and windows of text, that a merge is scored on.
PICTURES, WINDOWS = 150, 16
#: Numbers that differ from the demo's own: a smaller language model, so that thousands of merges can be scored.
TRAINING: dict[str, dict[str, Any]] = {
    "prose_code": {"hidden": 64, "base_steps": 300, "expert_steps": 120, "batch": 8},
}
#: Shares of the best hypervolume that evaluations are counted to.
SHARES = (0.97, 0.99)


@dataclass(frozen=True, slots=True)
class Method:
    """A way to search.

    Attributes:
        name: What the table calls it.
        explorer: Registered name.
        params: Its parameters.
        points: Evaluations for d coordinates; None leaves it out of a problem.
    """

    name: str
    explorer: str
    params: Mapping[str, Any]
    points: Callable[[int], int]


def coefficients(d: int) -> int:
    """Coefficients of a quadratic of d coordinates."""
    return (d + 1) * (d + 2) // 2


METHODS: tuple[Method, ...] = (
    Method("MAP", "map", {}, lambda d: 2 * coefficients(d) + 50),
    Method("MAP as published", "map", {"variant": "plain"}, lambda d: 2 * coefficients(d) + 50),
    Method("GP", "pareto", {"sampler": "gp"}, lambda d: 24 if d <= 3 else 0),
    Method("TPE", "pareto", {"sampler": "tpe"}, lambda d: 80),
    Method("NSGA-II", "pareto", {"sampler": "nsga2"}, lambda d: 120 if d <= 2 else 200),
    Method("NSGA-III", "pareto", {"sampler": "nsga3"}, lambda d: 80),
    Method("random", "pareto", {"sampler": "random"}, lambda d: 80),
)


@dataclass(slots=True, eq=False)
class Problem:
    """What is searched.

    Attributes:
        name: ``"digits, 4 coordinates"``.
        space: Its coordinates and columns; the objectives are all columns.
        score: Coordinates (d,) to objectives (m,).
        promised: Whether MAP's promises are for it.
        true: What a noisy score is around, for judging; ``score`` if None.
        known: Scores by coordinates.
    """

    name: str
    space: Space
    score: Callable[[tuple[float, ...]], Sequence[float]]
    promised: bool
    true: Callable[[tuple[float, ...]], Sequence[float]] | None = None
    known: dict[tuple[float, ...], tuple[float, ...]] = field(default_factory=dict)

    def at(self, coords: tuple[float, ...]) -> tuple[float, ...]:
        """The objectives of a point, scored once."""
        if coords not in self.known:
            self.known[coords] = tuple(map(float, self.score(coords)))
        return self.known[coords]


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """One search.

    Attributes:
        coords: Shape (n, d).
        values: Shape (n, m), without noise.
        thought: CPU seconds a suggestion.
    """

    coords: Floats
    values: Floats
    thought: float


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A method on a problem, over seeds.

    Attributes:
        problem, method: Names.
        shares: Of the best hypervolume after each evaluation, shape (seeds, n).
        needed: By share: evaluations to reach it per seed; infinite where it was not reached.
        thought: Most CPU seconds a suggestion, over seeds.
    """

    problem: str
    method: str
    shares: Floats
    needed: Mapping[float, tuple[float, ...]]
    thought: float

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready: the middle half of the shares over seeds, after every evaluation."""
        low, middle, high = np.quantile(self.shares, [0.25, 0.5, 0.75], axis=0).round(5).tolist()
        needed = {f"{share:g}": [x if math.isfinite(x) else None for x in each] for share, each in self.needed.items()}
        return {
            "problem": self.problem, "method": self.method, "low": low, "median": middle, "high": high,
            "needed": needed, "thought": self.thought,
        }  # fmt: skip

    def median(self, share: float) -> float:
        """Median evaluations to a share; infinite where half of the seeds did not reach it."""
        return float(np.median(self.needed[share]))


def search(
    say: Say, *, folder: Path | None = None, seeds: int = SEEDS, only: Sequence[str] = (), gp: bool = True
) -> tuple[Curve, ...]:
    """Walk every problem by every method.

    Args:
        say: Told a line at every step.
        folder: Where the demo's checkpoints and all scores are kept for the next run; a temporary one if None.
        seeds: How many of each.
        only: Names of problems begin with one of these; all if empty.
        gp: Whether the Gaussian processes of Optuna take part, by far the slowest.

    Raises:
        TaskError: The demo's extra is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="solera-bench-") as spare:
        place = folder or Path(spare)
        place.mkdir(parents=True, exist_ok=True)
        curves: list[Curve] = []
        for make in _problems(place, say):
            name, build = make
            if only and not any(name == start for start in only):
                continue
            problem = build()
            _recall(problem, place)
            curves += _walked(problem, seeds, say, lambda problem=problem: _keep(problem, place), gp=gp)  # type: ignore[misc]
        return tuple(curves)


def figures(say: Say) -> tuple[Row, ...]:
    """The figures of the whole benchmark."""
    return rows(search(say))


def rows(curves: Sequence[Curve]) -> tuple[Row, ...]:
    """The figures: evaluations to each share for every method, and MAP's promises."""
    found: list[Row] = []
    by_problem: dict[str, dict[str, Curve]] = {}
    for curve in curves:
        by_problem.setdefault(curve.problem, {})[curve.method] = curve
    for problem, methods in by_problem.items():
        ours, promised, d = methods["MAP"], _promised(problem), _dimension(problem)
        p = coefficients(d)
        limits = {0.97: round(1.35 * p + 28), 0.99: 2 * p + 50}
        genetic = methods["NSGA-II"]
        for share in SHARES:
            row = Row.of(problem, f"evaluations to {share:.0%}", "", _finite(ours.median(share)),
                         target=limits[share] if promised else None)  # fmt: skip
            found.append(row)
        if promised and (d >= 4 or problem.startswith("text")):
            reached = _finite(genetic.median(0.97), genetic.shares.shape[1])
            found.append(Row.of(problem, "evaluations to 97%, beside NSGA-II", "", _finite(ours.median(0.97)),
                                peer=reached, target=0.25))  # fmt: skip
        found.append(Row.of(problem, "CPU time a suggestion", "ms", 1e3 * ours.thought, target=50.0))
        if problem.endswith("error rates"):
            n = min(ours.shares.shape[1], genetic.shares.shape[1]) - 1
            short = float(np.median(genetic.shares[:, n]) - np.median(ours.shares[:, n]))
            found.append(Row.of(problem, f"share at {n + 1} evaluations below NSGA-II's", "", short, target=0.0))
    return tuple(found)


def _finite(value: float, instead: float = 1e9) -> float:
    return value if math.isfinite(value) else instead


def _promised(problem: str) -> bool:
    return problem.startswith(("digits", "text")) and not problem.endswith("error rates")


def _dimension(problem: str) -> int:
    return int(problem.partition(" coordinates")[0].rpartition(" ")[2])


# --- walking ----------------------------------------------------------------------------------------------------------


def _walked(problem: Problem, seeds: int, say: Say, keep: Callable[[], None], *, gp: bool) -> list[Curve]:
    from solera.extend.registry import Registry

    registry = Registry.discover()
    d = len(problem.space.coords)
    walks: dict[str, list[Walk]] = {}
    for method in METHODS:
        points = method.points(d)
        if not points or (method.name == "GP" and not gp):
            continue
        walks[method.name] = [_walk(problem, registry, method, points, seed) for seed in range(seeds)]
        keep()
        say(f"{problem.name}: {method.name}, {seeds} seeds of {points} evaluations; {len(problem.known)} points in all")
    longer = Method("MAP", "map", {}, lambda d: 0)
    best = _walk(problem, registry, longer, 2 * coefficients(d) + 120, 1000)
    keep()
    met = np.vstack([best.values, *(walk.values for each in walks.values() for walk in each)])
    front = met[nondominated(met)]
    reference = front.max(axis=0) + 0.1 * np.ptp(front, axis=0)
    whole = hypervolume(front, reference)
    return [_curve(problem.name, name, each, reference, whole) for name, each in walks.items()]


def _walk(problem: Problem, registry: Registry, method: Method, points: int, seed: int) -> Walk:
    explorer: Explorer = registry.explorers[method.explorer](**{**method.params, "points": points})
    space, root, thought = problem.space, Seed(seed), 0.0
    extent = explorer.plan(space)
    coords, values = np.empty((0, len(space.coords))), np.empty((0, len(space.columns)))
    while len(coords) < points:
        n = min(extent.round_at(len(coords))[1], points - len(coords))
        began = time.process_time()
        asks = explorer.ask(space, History(coords, values), n, root)
        thought += time.process_time() - began
        coords = np.vstack([coords, *(np.array([ask.coords]) for ask in asks)])
        values = np.vstack([values, *(np.array([problem.at(ask.coords)]) for ask in asks)])
        if len(asks) < n:
            break
    true = problem.true
    judged = space.minimised(values if true is None else np.array([true(tuple(at)) for at in coords.tolist()]))
    return Walk(coords, judged, thought / max(len(coords), 1))


def _curve(problem: str, method: str, walks: Sequence[Walk], reference: Floats, whole: float) -> Curve:
    shares = np.array([_growing(walk.values, reference) for walk in walks]) / whole
    needed = {
        share: tuple(float(np.argmax(row >= share) + 1) if (row >= share).any() else math.inf for row in shares)
        for share in SHARES
    }
    return Curve(problem, method, shares, needed, max(walk.thought for walk in walks))


def _growing(values: Floats, reference: Floats) -> list[float]:
    front, found = np.empty((0, values.shape[1])), []
    for value in values:
        front = np.vstack([front, value])
        front = front[nondominated(front)]
        found.append(hypervolume(front, reference))
    return found


# --- problems ---------------------------------------------------------------------------------------------------------


def _problems(folder: Path, say: Say) -> list[tuple[str, Callable[[], Problem]]]:
    named = [("waves, 3 coordinates, not quadratic", lambda name: _synthetic(name, noisy=False))]
    named += [("noise, 3 coordinates, noisy", lambda name: _synthetic(name, noisy=True))]
    for d, groups in ((2, ""), (4, ""), (6, "three groups of layers")):
        name = f"digits, {d} coordinates{', ' if groups else ''}{groups}"
        named.append((name, lambda name, d=d: _digits(name, d, folder, say)))  # type: ignore[misc]
    named += [("text, 2 coordinates", lambda name: _text(name, 2, folder, say))]
    named += [("text, 4 coordinates, attention and the rest", lambda name: _text(name, 4, folder, say))]
    named += [("digits, 2 coordinates, error rates", lambda name: _digits(name, 2, folder, say, "accuracy"))]
    return [(name, lambda name=name, make=make: make(name)) for name, make in named]  # type: ignore[misc]


def _synthetic(name: str, *, noisy: bool) -> Problem:
    """Two losses of three coordinates: smooth under noise of a twentieth of their range, or waves on a bowl."""
    lows = np.array([[0.1, 0.2, 0.8], [0.8, 0.7, 0.3]])
    turn = np.array([[1.0, 0.5, -0.2], [0.1, 0.9, 0.4], [-0.3, 0.2, 1.1]])

    def true(coords: tuple[float, ...]) -> list[float]:
        found = []
        for low in lows:
            x = turn @ (np.array(coords) - low)
            waves = 0.0 if noisy else 0.12 * float(np.sin(9 * x).sum()) + 0.36
            found.append(0.1 + float(x @ x) + waves)
        return found

    def seen(coords: tuple[float, ...]) -> list[float]:
        noise = Seed(0).child("noise", *map(repr, coords)).numpy().standard_normal(2)  # the same whoever asks
        return [value * math.exp(0.05 * float(z)) for value, z in zip(true(coords), noise, strict=True)]

    coords = tuple(Coord(f"x{i}", 0.0, 1.0) for i in range(3))
    columns = tuple(Column(side, "cross_entropy", "selection") for side in ("left", "right"))
    labels = {"base": (0.0, 0.0, 0.0), **{f"expert {i + 1}": tuple(map(float, row)) for i, row in enumerate(np.eye(3))}}
    return Problem(
        name, Space(coords, columns, labels, (0, 1)), seen if noisy else true, False, true if noisy else None
    )


def _digits(name: str, d: int, folder: Path, say: Say, measure: str = "cross_entropy") -> Problem:
    """Experts of the digits demo: two; four in two objectives; two in three groups of layers."""
    experts = ("rotated", "inverted", "mirrored", "transposed")[: 4 if d == 4 else 2]
    groups = ({"conv1": 0, "norm1": 0, "conv2": 1, "norm2": 1} if d == 6 else {}, 2) if d == 6 else ({}, 0)
    merged = _Merged(folder, "digits", experts, groups[0], groups[1], PICTURES, measure, say)
    halves = [(0, 1), (2, 3)] if d == 4 else [(0,), (1,)]
    return merged.problem(name, halves)


def _text(name: str, d: int, folder: Path, say: Say) -> Problem:
    """Experts for prose and code, each with one scale, or one for its attention and one for the rest."""
    groups = {"attn": 0} if d == 4 else {}
    return _Merged(folder, "prose_code", ("prose", "code"), groups, 1 if d == 4 else 0, WINDOWS, "loss", say).problem(
        name, [(0,), (1,)]
    )


def _trained(project: Project, example: Any, numbers: Mapping[str, Any]) -> None:
    """Make an example in a project, with other numbers for its training."""
    from solera.context import QuietContext

    made = example(replace(example().training, **numbers)).make(project.folder, QuietContext())
    for task, entry in made["tasks"].items():
        project.set_task(task, str(entry["task"]), {key: value for key, value in entry.items() if key != "task"})


class _Merged:
    """Base plus scaled task vectors of the demo's experts, scored by its tasks; a scale for each group of tensors.

    Args:
        folder: Where the demo's checkpoints are, or will be.
        example: ``"digits"`` or ``"prose_code"``.
        experts: Names of models, which are those of their tasks too.
        groups: Parts of tensor names to their group; tensors without any are in the last.
        last: That group.
        samples: Of each task.
        measure: The metric.
        say: Told what takes long.
    """

    def __init__(
        self, folder: Path, example: str, experts: Sequence[str], groups: Mapping[str, int], last: int, samples: int,
        measure: str, say: Say,
    ) -> None:  # fmt: skip
        from solera.context import QuietContext
        from solera.models.architecture import build_network
        from solera.projects.project import Project
        from solera.workbench import Workbench

        place = folder / example
        made = (place / "solera.toml").exists()
        with Project.open(place) if made else Project.create(place) as project, Workbench(project) as bench:
            if not project.tasks:
                say(f"making the models of '{example}'")
                _trained(project, bench.registry.examples[example], TRAINING.get(example, {}))
            stem = "digits" if example == "digits" else "text"
            registry = bench.registry
            checkpoints = [
                bench.inputs.open(str(place / "checkpoints" / f"{stem}-{name}")) for name in ("base", *experts)
            ]
            self.network = build_network(checkpoints[0], registry.architectures, "", device="cpu")
            flats = []
            for checkpoint in checkpoints:
                self.network.load(checkpoint)
                flats.append(self.network.flat.clone())
            tasks = [bench.task(name) for name in experts]
            self.evaluators = [task.prepare("selection", device="cpu", limit=samples) for task in tasks]
        self.base, self.vectors = flats[0], [flat - flats[0] for flat in flats[1:]]
        self.context = QuietContext()
        self.experts, self.measure, self.count = tuple(experts), measure, last + 1
        self.index = self._places(groups, last)

    def problem(self, name: str, halves: Sequence[Sequence[int]]) -> Problem:
        """The problem of scaling the experts; each objective is the mean over some of their tasks."""
        each = [(expert, group) for expert in self.experts for group in range(self.count)]
        coords = tuple(Coord(f"{expert}{group or ''}", 0.0, 1.0) for expert, group in each)
        labels = {"base": (0.0,) * len(coords)}
        labels |= {expert: tuple(float(who == expert) for who, _ in each) for expert in self.experts}
        split: Split = "selection"
        columns = tuple(
            Column("+".join(self.experts[i] for i in half), self.measure, split, self.evaluators[0].count)
            for half in halves
        )

        def score(at: tuple[float, ...]) -> list[float]:
            values = self._scores(at)
            return [float(np.mean([values[i] for i in half])) for half in halves]

        return Problem(name, Space(coords, columns, labels, tuple(range(len(columns)))), score, True)

    def _scores(self, at: tuple[float, ...]) -> list[float]:
        import torch

        with torch.inference_mode():
            scales = torch.tensor(at, dtype=torch.float32).reshape(len(self.experts), self.count)
            torch.add(self.base, 0.0, out=self.network.flat)
            for vector, scale in zip(self.vectors, scales, strict=True):
                self.network.flat.addcmul_(vector, scale[self.index] if self.count > 1 else scale)
            found = []
            for evaluator in self.evaluators:
                scores = {score.column.metric: score.value for score in evaluator(self.network, self.context)}
                found.append(scores[self.measure])
            return found

    def _places(self, groups: Mapping[str, int], last: int) -> Any:
        """The group of every element of the flat vector."""
        import torch

        index = torch.full((self.network.layout.numel,), last, dtype=torch.int64)
        for name, view in self.network.layout.views(index):
            found = [group for part, group in groups.items() if part in name]
            view.fill_(found[0] if found else last)
        return index


# --- scores that were computed before ---------------------------------------------------------------------------------


def _file(problem: Problem, folder: Path) -> Path:
    return folder / f"{problem.name.replace(', ', '-').replace(' ', '_')}.npz"


def _recall(problem: Problem, folder: Path) -> None:
    file = _file(problem, folder)
    if file.exists():
        with np.load(file) as kept:
            for at, values in zip(kept["coords"].tolist(), kept["values"].tolist(), strict=True):
                problem.known[tuple(at)] = tuple(values)


def _keep(problem: Problem, folder: Path) -> None:
    if problem.known:
        np.savez(
            _file(problem, folder), coords=np.array(list(problem.known)), values=np.array(list(problem.known.values()))
        )

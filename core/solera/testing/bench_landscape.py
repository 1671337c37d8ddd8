"""Loss surfaces of small networks beside the PyPI package loss-landscapes: exact, and from few points.

All ways walk over all 1,797 digits with one torch thread; figures are CPU seconds of the process and of what it starts
(a compiler), so other load on the machine counts little. Each point costs the same, so a slice of the 51x51 grid is
timed and scaled to the whole; trials of all ways alternate and the best of each counts. Ours is everything ``solera
explore`` does: weights, cross-entropy and accuracy with standard errors, events, the run file, and once the calibration
with the compiler. The peer computes the mean cross-entropy. (Its grid is shifted by a step in every other row, so only
its time is compared.) The floor is the network alone, called as it is on the same data.

A picture is drawn by the explorer ``nested_grid``, its held-out points included; its errors are the largest over cells
of the exact grid, and its time is compared with our own exact grid, each in the way that calibration chooses for it.
What the compiler did for the exact grid it need not do again for pictures: they follow in the same process.
"""

from __future__ import annotations

import copy
import math
import resource
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from solera.context import QuietContext
from solera.errors import InputError
from solera.events import Event, PictureDrawn
from solera.seeds import Seed
from solera.testing.bench import Row, Say
from solera.testing.landscape_subjects import SUBJECTS, Subject

if TYPE_CHECKING:
    from solera.landscapes.explorer import Explorer
    from solera.landscapes.ways import Way

#: Points along each axis of the surface, and along each axis of the slice that is timed.
SIDE, SLICE = 51, 4
#: A longer slice where points are so quick that opening a run file would count for more than it does in a whole grid.
SLICES = {"MLP": 16}
#: How often each way is timed.
TRIALS = 5
#: CPU seconds after which a picture is not drawn again to be timed again.
DRAWING = 10.0
#: Held-out points of each of the two kinds that a picture has.
CHECKS = 16
#: Samples per call of the network that the floor uses.
CHUNK = 256
#: Most of ours over the peer, per network; None is reported without a target.
EXACT: dict[str, float | None] = {"MLP": 1.0, "digits CNN": 1.0, "transformer": 1 / 1.3, "ResNet-8": None}
#: Per network and number of nodes: most of our exact grid's time, of the loss's error (with the share of cells that may
#: exceed it), of the accuracy's error.
PICTURES: dict[str, dict[int, tuple[float | None, float | None, float | None]]] = {
    "MLP": {11: (1 / 10, 0.01, None)},
    "digits CNN": {21: (1 / 5, 0.01, 0.005), 13: (1 / 12, None, 0.01)},
    "transformer": {21: (1 / 5, 0.01, 0.005), 13: (1 / 12, None, 0.01)},
    "ResNet-8": {21: (None, None, None)},
}


def landscape(say: Say, *, only: Sequence[str] = (), cells: int = SIDE**2) -> tuple[Row, ...]:
    """Time surfaces, exact and from few points, and check them.

    Args:
        say: Told a line at every step.
        only: Keys of ``SUBJECTS``; all if empty.
        cells: How many cells of the exact grid pictures are held against (a random choice of them if not all).

    Raises:
        InputError: loss-landscapes or scikit-learn is not installed, or there is no such network.
    """
    unknown = [name for name in only if name not in SUBJECTS]
    if unknown:
        raise InputError(f"The benchmark has no network '{unknown[0]}'; it has {', '.join(SUBJECTS)}.", name=unknown[0])
    x, y = _digits()
    rows: list[Row] = []
    with _one_thread():
        for name in only or SUBJECTS:
            say(f"{name}: training")
            rows += _rows(Subject(name, x, y), cells, say)
    return tuple(rows)


def _rows(subject: Subject, cells: int, say: Say) -> Iterator[Row]:
    case = f"{subject.name}, 51x51 plane, 1797 samples"
    way, once = _calibrated(subject, SIDE**2, say)
    walk = _Walk(subject, way)
    side = SLICES.get(subject.name, SLICE)
    count = side * side
    yield Row.of(case, "largest relative error of the loss against float64", "", walk.double_error(), target=2e-5)
    ours, peer, floor = _best(
        (lambda: walk.exact(count), lambda: _peer(subject, side), lambda: _forward(subject, count)), say
    )
    scale = SIDE**2 / count
    exact = scale * ours + once
    yield Row.of(case, "CPU time", "s", exact, peer=scale * peer, floor=scale * floor, target=EXACT[subject.name])
    yield Row.of(case, "of it calibration and compiling", "s", once)
    pictures = PICTURES[subject.name]
    chosen = np.sort(np.random.default_rng(0).permutation(SIDE**2)[:cells])
    truth: np.ndarray | None = None
    for nodes, (share, worst, fraction) in pictures.items():
        own, tried = _calibrated(subject, nodes**2 + 2 * CHECKS, say)
        drawer = walk if own == way else _Walk(subject, own)
        picture, took = _drawn(drawer, nodes)
        took += tried
        if truth is None:
            say(f"{subject.name}: {len(chosen)} cells of the exact grid")
            truth = walk.truth(chosen)
        values = np.asarray(picture.values, dtype=np.float64).reshape(2, -1)[:, chosen]
        loss, lead = np.abs(values[0] / truth[0] - 1), np.abs(values[1] - truth[1])
        held = np.array(picture.errors)
        said = f"{subject.name}, picture from {nodes}x{nodes} nodes"
        yield Row.of(said, "CPU time beside the exact grid", "s", took, peer=exact, target=share)
        yield Row.of(said, f"largest relative error of the loss, {cells} cells", "", float(loss.max()), target=worst)
        preview = None if worst is not None or share is None else 0.01
        yield Row.of(said, "95th percentile of that error", "", float(np.quantile(loss, 0.95)), target=preview)
        yield Row.of(said, "largest error of the accuracy", "", float(lead.max()), target=fraction)
        yield Row.of(said, "held-out largest relative error of the loss", "", float(np.nanmax(held[:, 0])))


class _Walk:
    """Our ways over a subject's plane, by one way of evaluation."""

    def __init__(self, subject: Subject, way: Way) -> None:
        from solera.extend.registry import Registry

        self.subject = subject
        self.over = subject.landscape()
        self.over.use(way)
        self.over.score_anew([0.0, 0.0], QuietContext())  # compiled before anything is timed
        self._explorers = Registry.discover().explorers

    def exact(self, points: int) -> None:
        """Explore that many points of the grid into a run file."""
        self._explore(self._explorers["grid"](points=SIDE), points)

    def picture(self, nodes: int) -> PictureDrawn:
        """Draw the whole from few nodes into a run file."""
        events = self._explore(self._explorers["nested_grid"](points=nodes, cells=SIDE), None)
        return next(event for event in reversed(events) if isinstance(event, PictureDrawn))

    def truth(self, chosen: np.ndarray) -> np.ndarray:
        """Loss and accuracy of cells, shape (2, len(chosen))."""
        coords = self.subject.family.coords
        found = []
        for cell in chosen.tolist():
            at = [coord.at(i / (SIDE - 1)) for coord, i in zip(coords, divmod(cell, SIDE), strict=True)]
            found.append([score.value for score in self.over.score_anew(at, QuietContext())])
        return np.array(found).T

    def double_error(self) -> float:
        """Largest relative difference of our loss from float64 arithmetic, over nine points of the plane."""
        worst = 0.0
        for alpha in (-0.9, 0.0, 0.7):
            for beta in (-0.4, 0.2, 1.0):
                found = self.over.score_anew([alpha, beta], QuietContext())[0].value
                want = self.subject.double(self.subject.family.numbers([alpha, beta]), self.over)
                worst = max(worst, abs(found - want) / abs(want))
        return worst

    def _explore(self, explorer: Explorer, budget: int | None) -> list[Event]:
        from solera.landscapes.explore import explore
        from solera.runs.header import RunHeader
        from solera.runs.writer import RunWriter

        self.over.use(self.over.way, again=True)
        extent = explorer.plan(self.over.space())
        header = RunHeader(
            kind="explore",
            title="bench",
            coords=tuple(coord.to_plain() for coord in self.subject.family.coords),
            columns=tuple(column.to_plain() for column in self.over.columns),
            shape=extent.shape,
            trace=self.over.traces.width if extent.picture else 0,
            picture=extent.picture,
        )
        with tempfile.TemporaryDirectory() as folder, RunWriter.create(Path(folder) / "run.h5", header) as writer:
            context = _Recording(writer.append)
            explore(self.over, explorer, run=header.id, seed=Seed(0), context=context, budget=budget)
        return context.kept


class _Recording(QuietContext):
    """Hands every event to a run file; keeps pictures."""

    def __init__(self, append: Callable[[Event], None]) -> None:
        super().__init__(threads=1)
        self._append = append
        self.kept: list[Event] = []

    def emit(self, event: Event) -> None:
        self._append(event)
        if isinstance(event, PictureDrawn):
            self.kept.append(event)


def _calibrated(subject: Subject, planned: int, say: Say) -> tuple[Way, float]:
    """The way that calibration chooses for so many points, and the CPU seconds it took."""
    from solera.landscapes.calibration import calibrate

    over = subject.landscape()
    began = _cpu()
    found = calibrate(over, planned, QuietContext(threads=1))
    once = _cpu() - began
    say(f"{subject.name}: {found.way.path}, {found.way.chunk or 'its own'} samples a call ({'; '.join(found.said)})")
    return found.way, once


def _drawn(drawer: _Walk, nodes: int) -> tuple[PictureDrawn, float]:
    """A picture, and the least CPU seconds of a few times that it was drawn, for :data:`DRAWING` at most."""
    best, began = math.inf, _cpu()
    for _ in range(TRIALS):
        start = _cpu()
        picture = drawer.picture(nodes)
        best = min(best, _cpu() - start)
        if _cpu() - began > DRAWING:
            break
    return picture, best


def _peer(subject: Subject, side: int) -> None:
    """Theirs: a square of points of a plane through the same three networks."""
    import loss_landscapes
    import loss_landscapes.metrics

    loss = loss_landscapes.metrics.Loss(nn.CrossEntropyLoss(), subject.x, subject.y)
    loss_landscapes.planar_interpolation(*(copy.deepcopy(module) for module in subject.modules), loss, side)


def _forward(subject: Subject, points: int) -> None:
    """The floor: the network alone; no weights written, no scores."""
    with torch.inference_mode():
        for _ in range(points):
            for chunk in torch.split(subject.x, CHUNK):
                subject.modules[0](chunk)


def _digits() -> tuple[Tensor, Tensor]:
    """Pictures (1797, 1, 8, 8) float32 in [0, 1] and labels (1797,)."""
    try:
        import loss_landscapes  # noqa: F401  (the peer; that it is missing is found out before anything is measured)
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise InputError(
            f"The benchmark compares with loss-landscapes on scikit-learn's digits, and {error.name} is not installed; "
            "run: pip install 'solera[bench,demo]'.",
            missing=error.name,
        ) from error
    found: Any = load_digits()
    return torch.tensor(found.images / 16.0, dtype=torch.float32)[:, None], torch.tensor(found.target)


def _best(ways: Sequence[Callable[[], None]], say: Say) -> list[float]:
    """The least CPU seconds of each way, in alternating trials; the first call of each is not counted."""
    best = [math.inf] * len(ways)
    for trial in range(TRIALS + 1):
        for i, way in enumerate(ways):
            began = _cpu()
            way()
            if trial:
                best[i] = min(best[i], _cpu() - began)
        if trial:
            say(f"trial {trial}: best so far ours {best[0]:.2f}, peer {best[1]:.2f}, network alone {best[2]:.2f} CPU s")
    return best


def _cpu() -> float:
    """CPU seconds of this process and of those it waited for."""
    uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

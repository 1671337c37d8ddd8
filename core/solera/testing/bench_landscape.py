"""The loss surface of the digits CNN beside the PyPI package loss-landscapes.

Both walk a plane through the same three networks on all 1,797 digits, one torch thread, in process CPU seconds (other
load on the machine then counts little). Each point costs the same, so a slice of the 51x51 grid is timed and scaled to
the whole; trials of all ways alternate and the best of each counts. Ours is everything ``solera explore`` does at a
point: weights, cross-entropy and accuracy with standard errors, events, the run file. The peer computes the mean
cross-entropy. (The peer's grid is shifted by a step in every other row, so only its time is compared.) The floor is the
network alone on the same data.
"""

from __future__ import annotations

import copy
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solera.context import QuietContext
from solera.errors import InputError
from solera.events import Event
from solera.seeds import Seed
from solera.testing.bench import Row, Say

if TYPE_CHECKING:
    from solera.families.family import Family
    from solera.landscapes.landscape import Landscape

#: Points along each axis of the surface.
SIDE = 51
#: Points along each axis of the slice that is timed.
SLICE = 5
#: How often each way is timed.
TRIALS = 5
#: Samples per call of the network: what a core's cache holds of this network's feature maps.
CHUNK = 64
CASE = "digits CNN, 51x51 plane, 1797 samples"


def landscape(say: Say) -> tuple[Row, ...]:
    """Time the surface, and check ours against float64.

    Raises:
        InputError: loss-landscapes or scikit-learn is not installed.
    """
    with _one_thread():
        subject = _Subject()
        count = SLICE * SLICE
        ways = (lambda: subject.walk(count), lambda: subject.peer(SLICE), lambda: subject.forward(count))
        say(f"{CASE}: {TRIALS} trials of {count} points each, scaled to {SIDE * SIDE}")
        error = subject.largest_error()  # first: its large blocks spare the peer page faults in the trials
        scale = SIDE**2 / count
        ours, peer, floor = (scale * seconds for seconds in _best(ways, say))
    return (
        Row.of(CASE, "CPU time", "s", ours, peer=peer, floor=floor, target=1.0),
        Row.of(CASE, "largest relative error of the loss against float64", "", error, target=2e-5),
    )


class _Subject:
    """Three networks with random weights (the time does not depend on them), and the ways over their plane."""

    def __init__(self) -> None:
        from solera.checkpoints.memory import MemoryCheckpoint
        from solera.extend.registry import Registry
        from solera.families.frames import plane
        from solera.models.architecture import build_module
        from solera.recipes.nodes import CheckpointNode, Recipe

        self._registry = Registry.discover()
        self.x, self.y = _digits()
        config = {"architecture": "digits-cnn"}
        self.modules = [_drawn(build_module(config, self._registry.architectures), seed) for seed in range(3)]
        self.checkpoints = {
            name: MemoryCheckpoint.from_module(module, name) for name, module in zip("abc", self.modules, strict=True)
        }
        a, b, c = (Recipe((CheckpointNode(name, f"memory:{name}"),), name) for name in "abc")
        self.family: Family = plane(a, b, c, self.checkpoints)

    def walk(self, points: int) -> None:
        """Ours: explore that many points of the grid into a run file."""
        from solera.landscapes.explore import explore
        from solera.runs.header import RunHeader
        from solera.runs.writer import RunWriter

        over = self._landscape()
        header = RunHeader(
            kind="explore",
            title="bench",
            coords=tuple(coord.to_plain() for coord in self.family.coords),
            columns=tuple(column.to_plain() for column in over.columns),
            shape=(SIDE, SIDE),
        )
        grid = self._registry.explorers["grid"](points=SIDE)
        with tempfile.TemporaryDirectory() as folder, RunWriter.create(Path(folder) / "run.h5", header) as writer:
            explore(over, grid, run=header.id, seed=Seed(0), context=_Recording(writer.append), budget=points)

    def peer(self, side: int) -> None:
        """Theirs: a square of points of the same plane."""
        import loss_landscapes
        import loss_landscapes.metrics

        loss = loss_landscapes.metrics.Loss(nn.CrossEntropyLoss(), self.x, self.y)
        loss_landscapes.planar_interpolation(*(copy.deepcopy(module) for module in self.modules), loss, side)

    def forward(self, points: int) -> None:
        """The floor: the network alone, in the chunks of our task; no weights written, no scores."""
        with torch.inference_mode():
            for _ in range(points):
                for chunk in torch.split(self.x, CHUNK):
                    self.modules[0](chunk)

    def largest_error(self) -> float:
        """Largest relative difference of our loss from float64 arithmetic, over nine points of the plane."""
        from torch.func import functional_call

        over, worst = self._landscape(), 0.0
        geometry = self.family.geometry
        assert geometry is not None
        twin = copy.deepcopy(self.modules[0]).double()
        states = [{k: v.double() for k, v in module.state_dict().items()} for module in self.modules]
        for alpha in (0.0, 0.4, 1.1):
            for beta in (-0.2, 0.5, 1.0):
                found = over.evaluate((alpha, beta), QuietContext())[0].value
                shares = geometry.barycentric((alpha, beta))
                state = {k: sum(w * s[k] for w, s in zip(shares, states, strict=True)) for k in states[0]}
                with torch.no_grad():
                    want = float(F.cross_entropy(functional_call(twin, state, self.x.double()), self.y))
                worst = max(worst, abs(found - want) / abs(want))
        return worst

    def _landscape(self) -> Landscape:
        from solera.execution.memory import Materialiser
        from solera.landscapes.landscape import Landscape
        from solera.models.network import Network
        from solera.tasks.classification import ClassificationTask

        task = ClassificationTask("digits", lambda split: (self.x, self.y), chunk=CHUNK)
        network = Network(copy.deepcopy(self.modules[0]))
        materialiser = Materialiser(self.family.recipe, self.checkpoints, {}, network.layout)
        return Landscape(self.family, network, materialiser, [(task, "report", task.prepare("report", device="cpu"))])


class _Recording(QuietContext):
    """Hands every event to a run file."""

    def __init__(self, append: Callable[[Event], None]) -> None:
        super().__init__()
        self._append = append

    def emit(self, event: Event) -> None:
        self._append(event)


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


def _drawn(module: nn.Module, seed: int) -> nn.Module:
    """The module with He-normal weights, unit gains and zero biases."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, math.sqrt(2 / parameter[0].numel()), generator=generator)
            else:
                parameter.fill_(float(name.endswith("weight")))
    return module.eval()


def _best(ways: Sequence[Callable[[], None]], say: Say) -> list[float]:
    """The least CPU seconds of each way, in alternating trials; the first call of each is not counted."""
    best = [math.inf] * len(ways)
    for trial in range(TRIALS + 1):
        for i, way in enumerate(ways):
            began = time.process_time()
            way()
            if trial:
                best[i] = min(best[i], time.process_time() - began)
        if trial:
            say(f"trial {trial}: best so far ours {best[0]:.2f}, peer {best[1]:.2f}, network alone {best[2]:.2f} CPU s")
    return best


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

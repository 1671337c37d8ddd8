"""Statistics for a workbench: found where they were kept, else computed before whatever needs them.

A statistic lies in ``artifacts/statistics`` of the project (without one, beside the cached fingerprints) as
``<key>.safetensors``. The key is made of everything that decides it but the data: the contents of the model, its
config, the task with version and parameters, split, samples, seed, and the kind with its parameters. The hash of the
data is in the file and compared before it is taken.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import FaultsError, InputError
from solera.methods.statistics import STATISTICS
from solera.recipes.hashes import semantic_hash, textual_hash
from solera.recipes.nodes import Recipe, StatisticNode
from solera.recipes.order import ordered, reachable, reference
from solera.tensors.specs import TensorSpec
from solera.workbench import paces
from solera.workbench.bench import Bench
from solera.workbench.inputs import Inputs
from solera.workbench.rates import Expected
from solera.workbench.setting import config_of, make_network, make_task, task_versions, training_examples

if TYPE_CHECKING:
    from torch import Tensor

    from solera.context import Context
    from solera.jobs.context import JobContext
    from solera.models.network import Network
    from solera.tasks.examples import Examples

#: Version of the files.
VERSION = 1


def open_statistic(node: StatisticNode, recipe: Recipe, inputs: Inputs) -> Checkpoint:
    """The statistic of a node as tensors; where it is not computed yet, what they will look like.

    Reads no data and no weights.

    Args:
        node: Its model can be opened.
        recipe: Where the node is.
        inputs: What opens checkpoints.

    Raises:
        TaskError: There is no such task.
        SoleraError: The model cannot be opened.
    """
    make_task(node.task, inputs)
    model = _model(node, recipe)
    opened = inputs.checkpoints(model)
    known = inputs.known_fingerprints(model)
    complete = set(known) == set(opened)
    file = (
        _file(inputs, _key(node, model, inputs, known)) if complete else inputs.measured.get(_mark(node, model, opened))
    )
    if file is not None and file.is_file():
        return inputs.open(str(file))
    return PendingStatistic(node, opened.get(reference(model)))


def compute_statistics(recipe: Recipe, inputs: Inputs, context: Context, *, device: str = "") -> list[dict[str, Any]]:
    """See that every statistic the output needs is there, in their order.

    Args:
        recipe: Without faults.
        inputs: What opens checkpoints.
        context: Asked whether to stop; told the progress.
        device: Where to compute; the context's if empty.

    Returns:
        What is known of each: ``{"node", "statistic", "path", "reused", "seconds", "facts"}``.

    Raises:
        TaskError: A task is unknown, its data are missing, or it hands out no examples.
        MismatchError: The network has nothing that the statistic is of, or no gradients.
        Cancelled: The context said so; what was gathered is kept and gone on with.
    """
    found = []
    for node in ordered(reachable(recipe)):
        if isinstance(node, StatisticNode):
            found.append(_ensure(node, recipe, inputs, context, device or context.device))
    return found


def statistic_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """The job kind ``statistic``: compute one, or find that it is there.

    Args:
        bench: What jobs share.
        args: ``{"recipe": plain}`` whose output is the statistic node.
        context: The job's.

    Returns:
        ``{"node", "statistic", "path", "reused", "seconds", "facts", "tensors", "summary"}``.
    """
    recipe = bench.inputs.recipe(args["recipe"])
    faults = [fault for fault in bench.inputs.check(recipe) if fault.code != "recipe.output-delta"]
    if faults:
        raise FaultsError(f"statistic {recipe.output}", faults)
    made = compute_statistics(recipe, bench.inputs, context)[-1]
    tensors = len(bench.inputs.open(made["path"]))
    how = "found" if made["reused"] else "computed"
    return {**made, "tensors": tensors, "summary": f"{how} {made['statistic']} of {tensors} tensors"}


def statistic_costs(
    recipe: Recipe, inputs: Inputs, *, device: str = "cpu", tried: bool = False
) -> list[dict[str, Any]]:
    """What computing the statistics of a recipe takes, JSON-ready, in their order.

    Each ``{"node", "statistic", "of", "task", "split", "ready", "examples", "passes", "holds", "writes", "path",
    "seconds", "basis"}``: ``passes`` says what each example takes; bytes are upper bounds; ``path`` is empty until it
    is there; ``seconds`` are expected, None where that cannot be said, and ``basis`` says where they are from.

    Args:
        recipe: Without faults.
        inputs: What opens checkpoints.
        device: Where they would be computed.
        tried: Whether a few examples may be tried, in seconds, where nothing was computed before to reckon from.
    """
    found = []
    opened = inputs.checkpoints(recipe)
    for node in ordered(reachable(recipe)):
        if isinstance(node, StatisticNode):
            statistic = opened[node.id]
            columns = make_task(node.task, inputs).columns(node.split)  # type: ignore[arg-type]
            count = max(column.count for column in columns)
            elements = sum(ref.numel for ref in statistic.values())
            model = _model(node, recipe)
            weights = inputs.checkpoints(model).get(reference(model))
            numel = weights.numel if weights else 0
            ready = not isinstance(statistic, PendingStatistic)
            examples = min(node.samples, count) if node.samples else count
            expected = Expected(0.0, "it is there")
            if not ready:
                prepare = partial(_prepared, node, model, inputs, device) if tried else None
                expected = paces.expected(node, device, examples, numel, prepare)
            found.append({
                "node": node.id, "statistic": node.statistic, "of": node.model, "task": node.task,
                "split": node.split, "ready": ready, "examples": examples, "passes": _passes(node),
                "holds": 4 * numel + 8 * elements, "writes": 4 * elements,
                "path": str(statistic.files[0]) if ready else "",
                "seconds": expected.seconds, "basis": expected.basis,
            })  # fmt: skip
    return found


def _prepared(node: StatisticNode, model: Recipe, inputs: Inputs, device: str) -> tuple[Network, Examples]:
    """The network and the examples of a statistic, to try some."""
    from solera.context import QuietContext

    pending = [id_ for id_, found in inputs.checkpoints(model).items() if isinstance(found, PendingStatistic)]
    if pending:
        raise InputError(f"the model itself needs '{pending[0]}', which is not computed yet")
    return _network(model, inputs, QuietContext(device), device), _examples(node, inputs, device)


def _passes(node: StatisticNode) -> str:
    """What each example takes."""
    if node.statistic != "fisher":
        return "1 forward"
    how = node.params.get("labels", "auto")
    if how == "empirical":
        return "1 gradient"
    draws = node.params.get("draws", 1)
    sampled = f"{draws} gradient{'' if draws == 1 else 's'}"
    exact = "a gradient for each class"
    return sampled if how == "sampled" else exact if how == "exact" else f"{exact} ({sampled} for language models)"


class PendingStatistic(Checkpoint):
    """A statistic that is not computed yet: names and shapes as far as the model's headers tell them.

    Args:
        node: Whose.
        model: The checkpoint that lends the model its shapes, if it is one.
    """

    def __init__(self, node: StatisticNode, model: Checkpoint | None) -> None:
        shapes: dict[str, tuple[int, ...]] = {}
        for name, ref in (model or {}).items():
            matrix = len(ref.shape) == 2 and name.endswith("weight")
            running = name.endswith(("running_mean", "running_var"))
            aligned = (node.statistic == "fisher" and not running) or (node.statistic == "batchnorm" and running)
            if aligned and ref.kind != "counter":
                shapes[name] = ref.shape
            elif node.statistic == "gram" and len(ref.shape) > 1 and name.endswith("weight"):
                width = math.prod(ref.shape[1:])
                shapes[name] = (width, width)
            elif node.statistic == "mean" and matrix:
                shapes[name] = (ref.shape[1],)
        tensors = {
            name: TensorRef(TensorSpec(name, shape, "float32"), _Pending(node.id, name))
            for name, shape in shapes.items()
        }
        super().__init__(node.id, tensors, format="pending", digest=repr(node))


@dataclass(frozen=True, slots=True)
class _Pending:
    node: str
    name: str

    @property
    def key(self) -> Hashable:
        return (self.node, self.name)

    def read_into(self, view: memoryview, start: int, stop: int) -> None:
        raise InputError(f"The statistic '{self.node}' has not been computed yet; merge, or compute it on its own.")


def _model(node: StatisticNode, recipe: Recipe) -> Recipe:
    """The model a statistic is of, as a recipe; in its own dtype, not the result's."""
    return reachable(replace(recipe, output=node.model, dtype="", name="", note=""))


def _file(inputs: Inputs, key: str) -> Path:
    return inputs.cache.parent / "statistics" / f"{key}.safetensors"


def _key(node: StatisticNode, model: Recipe, inputs: Inputs, fingerprints: Mapping[str, str]) -> str:
    spec = STATISTICS[node.statistic]
    params = {param.name: node.params.get(param.name, param.default) for param in spec.params}
    told = [
        VERSION, spec.name, spec.version, params, semantic_hash(model, inputs.registry.methods, fingerprints),
        config_of(model, inputs), task_versions([make_task(node.task, inputs)], inputs), node.split,
        node.samples, node.seed,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _mark(node: StatisticNode, model: Recipe, opened: Mapping[str, Checkpoint]) -> str:
    """What a statistic is of, as far as it can be said without reading."""
    identities = [opened[id_].identity() for id_ in sorted(opened)]
    return repr([replace(node, id="", note=""), textual_hash(model), identities])


def _ensure(node: StatisticNode, recipe: Recipe, inputs: Inputs, context: Context, device: str) -> dict[str, Any]:
    """Find or compute one statistic; those that its model needs were computed before it."""
    model = _model(node, recipe)
    context.progress(0, None, "", f"{node.id}: reading the model")
    fingerprints = inputs.fingerprints(model, context)
    key = _key(node, model, inputs, fingerprints)
    file, partial = _file(inputs, key), _file(inputs, key).with_suffix(".partial")
    context.progress(0, None, "", f"{node.id}: reading the data")
    examples = _examples(node, inputs, device)
    data = _digest(examples)
    told = {"node": node.id, "statistic": node.statistic, "path": str(file)}
    inputs.measured[_mark(node, model, inputs.checkpoints(model))] = file
    if file.is_file():
        earlier = json.loads(inputs.open(str(file)).metadata.get("solera-statistic", "{}"))
        if earlier.get("data") == data:
            return {**told, "reused": True, "seconds": 0.0, "facts": earlier.get("facts", {})}
        file.unlink()
    if partial.is_file() and _data_of(partial) != data:
        partial.unlink()
    began = time.perf_counter()
    tensors, facts = _collect(node, model, inputs, examples, context, device, partial, data)
    seconds = time.perf_counter() - began
    said = _provenance(node, model, inputs, fingerprints, facts, data, seconds)
    _write(file, tensors, said)
    partial.unlink(missing_ok=True)
    _data_file(partial).unlink(missing_ok=True)
    return {**told, "reused": False, "seconds": seconds, "facts": facts}


def _collect(
    node: StatisticNode, model: Recipe, inputs: Inputs, examples: Examples, context: Context, device: str,
    partial: Path, data: str,
) -> tuple[dict[str, Tensor], dict[str, Any]]:  # fmt: skip
    from solera.statistics.collect import collect, collector_of

    network = _network(model, inputs, context, device)
    context.progress(0, len(examples.targets), "samples", f"{node.id}: {STATISTICS[node.statistic].title}")
    collector = collector_of(node.statistic, examples, dict(node.params), node.seed)
    partial.parent.mkdir(parents=True, exist_ok=True)
    _data_file(partial).write_text(data, encoding="ascii")
    fresh, began = not partial.is_file(), time.perf_counter()
    with context.reserve(12 * network.layout.numel, f"statistic {node.id}"):
        found = collect(network, examples, collector, context, partial)
    if fresh:
        seconds = time.perf_counter() - began
        paces.remember(node, device, len(examples.targets), network.layout.numel, seconds)
    return found, collector.facts


def _network(model: Recipe, inputs: Inputs, context: Context, device: str) -> Network:
    """The network with the model's weights."""
    from solera.execution.memory import Materialiser

    network = make_network(model, inputs, device)
    checkpoints = inputs.checkpoints(model)
    methods = inputs.registry.methods
    Materialiser(model, checkpoints, methods, network.layout, device, context).at({}, network.flat)
    return network


def _examples(node: StatisticNode, inputs: Inputs, device: str) -> Examples:
    purpose = f"the statistic '{node.id}' is computed on"
    task, split = make_task(node.task, inputs), node.split
    return training_examples(task, device, node.samples, node.seed, purpose, split)  # type: ignore[arg-type]


def _digest(examples: Examples) -> str:
    """SHA-256 of the data."""
    hasher = hashlib.sha256()
    for tensor in (examples.inputs, examples.targets):
        array = tensor.cpu().contiguous().numpy()
        hasher.update(f"{array.dtype} {array.shape}\n".encode())
        hasher.update(array.data)
    return f"sha256:{hasher.hexdigest()}"


def _data_file(partial: Path) -> Path:
    return partial.with_suffix(".data")


def _data_of(partial: Path) -> str:
    """The hash of the data that a stopped collection was on."""
    try:
        return _data_file(partial).read_text("ascii")
    except (OSError, ValueError):
        return ""


def _provenance(
    node: StatisticNode, model: Recipe, inputs: Inputs, fingerprints: Mapping[str, str], facts: Mapping[str, Any],
    data: str, seconds: float,
) -> dict[str, Any]:  # fmt: skip
    import torch

    return {
        "version": VERSION, "kind": node.statistic, "params": dict(node.params), "facts": dict(facts),
        "model": semantic_hash(model, inputs.registry.methods, fingerprints), "inputs": dict(fingerprints),
        "task": task_versions([make_task(node.task, inputs)], inputs)[0], "split": node.split,
        "samples": node.samples, "seed": node.seed, "data": data, "torch": torch.__version__,
        "seconds": round(seconds, 3), "created": time.time(),
    }  # fmt: skip


def _write(file: Path, tensors: Mapping[str, Tensor], said: Mapping[str, Any]) -> None:
    from safetensors.torch import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    plain = {name: tensors[name].contiguous() for name in sorted(tensors)}
    save_file(plain, temporary, {"format": "pt", "solera-statistic": json.dumps(said, sort_keys=True, default=str)})
    temporary.replace(file)

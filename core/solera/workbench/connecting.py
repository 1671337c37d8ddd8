"""The job kind ``connect``: the bends of a curve between two models, trained and written as checkpoints."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.jobs.spec import JobSpec
from solera.workbench.bench import Bench
from solera.workbench.memo import SEMANTICS
from solera.workbench.setting import config_of, make_network, make_task, task_versions, training_examples

if TYPE_CHECKING:
    from torch import Tensor

    from solera.jobs.context import JobContext
    from solera.jobs.job import Job
    from solera.landscapes.bends import Progress, Training
    from solera.models.network import Network
    from solera.recipes.nodes import Recipe
    from solera.workbench.workbench import Workbench


def submit_connect(
    bench: Workbench, ends: tuple[Any, Any], out: Path, task: str, training: Training, *, samples: int = 0,
    factory: str = "", force: bool = False,
) -> Job:  # fmt: skip
    """Queue training the bends of a curve.

    Args:
        bench: Where it runs.
        ends: Two models: paths, ``library:NAME``, recipe files, recipes in plain form.
        out: The folder of the bend; with several bends, ``OUT-1``, ``OUT-2`` ...
        task: On whose training split the curve's loss is made small.
        training: How.
        samples: How many examples, a fixed stratified part; 0 is all.
        factory: ``"package.module:function"`` that makes the module, where no config says it.
        force: Replace checkpoints that are there.
    """
    args: dict[str, Any] = {"ends": list(ends), "out": str(out), "task": task, "training": training.to_plain()}
    extra = {"samples": samples, "factory": factory, "force": force}
    args |= {key: value for key, value in extra.items() if value}
    said = [Path(end).name if isinstance(end, str) else end.get("name", end["output"]) for end in ends]
    title = f"Connect {' and '.join(said)}"
    return bench.jobs.submit(JobSpec("connect", title, args, bench.lanes("")))


def connect_job(bench: Bench, args: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Train bends, as :func:`submit_connect` says; a training that was stopped goes on after its last whole epoch.

    Returns:
        ``{"bends": [folders], "family": {"curve": [...], "kind"}, "losses", "epochs", "resumed", "seconds",
        "summary"}``.

    Raises:
        FaultsError: An end has faults.
        TaskError: The task is unknown, or hands out no examples.
        Cancelled: The context says stop; what was trained is kept.
    """
    from solera.events import ArtifactMade
    from solera.landscapes.bends import Progress, Training, train_bends

    began = time.perf_counter()
    inputs, training = bench.inputs, Training.from_plain(args["training"])
    first, last = (inputs.recipe(model) for model in args["ends"])
    task = make_task(args["task"], inputs)
    network = make_network(first, inputs, context.device, args.get("factory", ""))
    a, b = (_weights(bench, model, network, context) for model in (first, last))
    purpose = "the curve is trained on"
    examples = training_examples(task, context.device, int(args.get("samples", 0)), training.seed, purpose)
    partial = _partial(bench, args, (first, last), context)
    progress = _restored(partial, context.device) or Progress.start(a, b, training.bends)
    resumed = progress.epoch
    with context.reserve(4 * network.layout.numel * (4 + 2 * training.bends), "training the curve"):
        train_bends(network, a, b, examples, training, context, progress, lambda found: _keep(found, partial))
    folders = _folders(Path(args["out"]), training.bends)
    for folder, bend in zip(folders, progress.bends, strict=True):
        _write(bench, folder, bend, network, first, force=bool(args.get("force", False)))
        context.emit(ArtifactMade(kind="checkpoint", path=str(folder), title=folder.name))
        if bench.project is not None:
            lineage = {key: args[key] for key in ("ends", "task", "training")}
            bench.project.library.record_made(folder, {"connected": lineage, "created": time.time()})
    partial.unlink(missing_ok=True)
    models = [args["ends"][0], *map(str, folders), args["ends"][1]]
    return {
        "bends": [str(folder) for folder in folders], "family": {"curve": models, "kind": training.kind},
        "losses": progress.losses, "epochs": progress.epoch, "resumed": resumed,
        "seconds": time.perf_counter() - began,
        "summary": f"wrote {', '.join(folder.name for folder in folders)}; mean loss on the curve "
        f"{progress.losses[0]:.4g} in the first epoch, {progress.losses[-1]:.4g} in the last",
    }  # fmt: skip


def _folders(out: Path, bends: int) -> list[Path]:
    return [out] if bends == 1 else [out.with_name(f"{out.name}-{i + 1}") for i in range(bends)]


def _weights(bench: Bench, model: Recipe, network: Network, context: JobContext) -> Tensor:
    """A model's weights as a flat vector of the network."""
    import torch

    from solera.errors import FaultsError
    from solera.execution.memory import Materialiser

    faults = bench.inputs.check(model)
    if faults:
        raise FaultsError(f"recipe {model.name or model.output}", faults)
    bench.inputs.measure(model, context)
    checkpoints, methods = bench.inputs.checkpoints(model), bench.inputs.registry.methods
    flat = torch.empty_like(network.flat)
    Materialiser(model, checkpoints, methods, network.layout, context.device, context).at({}, flat)
    return flat


def _write(bench: Bench, out: Path, flat: Tensor, network: Network, reference_: Recipe, *, force: bool) -> None:
    """A flat vector as a checkpoint like the first end: its names, dtypes, counters and config."""
    from solera.execution.writer import write_checkpoint
    from solera.recipes.order import reference
    from solera.tensors.dtypes import torch_dtype

    checkpoint = bench.inputs.checkpoints(reference_)[reference(reference_)]
    made = {}
    for name, ref in checkpoint.items():
        own = name if name in network.layout.index else checkpoint.ties.get(name, name)
        known = own in network.layout.index
        made[name] = network.layout.view(flat, own).to(torch_dtype(ref.dtype)).cpu().clone() if known else ref.read()
    write_checkpoint(made, out, config=checkpoint.config or None, force=force)


def _partial(bench: Bench, args: dict[str, Any], ends: tuple[Recipe, Recipe], context: JobContext) -> Path:
    """Where a training is kept: named by everything that decides it."""
    from solera.recipes.hashes import semantic_hash

    inputs = bench.inputs
    hashes = [semantic_hash(end, inputs.registry.methods, inputs.fingerprints(end, context)) for end in ends]
    versions = task_versions([make_task(args["task"], inputs)], inputs)
    told = [SEMANTICS, args["training"], args.get("samples", 0), hashes, config_of(ends[0], inputs), versions]
    key = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
    return inputs.cache.parent / "curves" / f"{key}.safetensors"


def _keep(progress: Progress, partial: Path) -> None:
    """Write what was trained so far; whoever is killed meanwhile leaves the former."""
    from safetensors.torch import save_file

    partial.parent.mkdir(parents=True, exist_ok=True)
    temporary = partial.with_name(f".{partial.name}.{os.getpid()}")
    tensors = {"bends": progress.bends.cpu(), "speed": progress.speed.cpu()}
    save_file(tensors, temporary, {"epoch": str(progress.epoch), "losses": json.dumps(progress.losses)})
    temporary.replace(partial)


def _restored(partial: Path, device: str) -> Progress | None:
    from safetensors import SafetensorError, safe_open

    from solera.landscapes.bends import Progress

    if not partial.is_file():
        return None
    try:
        with safe_open(partial, "pt") as file:
            told = file.metadata()
            bends, speed = (file.get_tensor(name).to(device) for name in ("bends", "speed"))
        return Progress(int(told["epoch"]), bends, speed, json.loads(told["losses"]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return None

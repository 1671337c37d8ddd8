"""Declared views on names: which container to look into, and which prefix to take off.

They are bijective: the names in the file can always be restored (:attr:`TensorRef.stored_name`).

A view is written as one string, ``strip``. Up to its last ``/`` it names a container (``"state_dict/"``): only what is
in it is kept. The rest is a prefix (``"module."``): it is taken off every name that begins with it. ``"/"`` alone keeps
everything as it is in the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import CheckpointError, InputError

#: Prefixes that wrappers put before every name: DDP, torch.compile, FSDP/DeepSpeed, averaging.
PREFIXES = ("module.", "_orig_mod.", "_forward_module.", "_fsdp_wrapped_module.", "ema_model.")

#: Containers that hold the weights, the likeliest first.
CONTAINERS = ("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params")

#: Containers that hold tensors of training, not of the model.
TRAINING = ("optim", "lr_sched", "sched", "scaler", "loops", "callbacks", "rng")


def default_container(names: Iterable[str]) -> str:
    """The container of a nested file that holds the model (``"state_dict/"``); empty if tensors lie at the root."""
    counts = Counter(name.rpartition("/")[0] for name in names)
    if not counts or counts[""]:
        return ""
    for known in CONTAINERS:
        inside = [path for path in counts if path == known or path.endswith("/" + known)]
        if inside:
            return min(inside, key=lambda path: (path.count("/"), path)) + "/"
    models = {path: n for path, n in counts.items() if not path.lower().startswith(TRAINING)} or counts
    return max(sorted(models), key=models.__getitem__) + "/"


def suggest_view(names: Iterable[str]) -> str:
    """The view a person most likely wants for these names: container and wrappers' prefixes; empty for none."""
    names = list(names)
    container = default_container(names)
    inside = [name[len(container) :] for name in names if name.startswith(container)]
    prefix = ""
    found = True
    while found and inside:
        found = False
        for known in PREFIXES:
            if all(name.startswith(prefix + known) and len(name) > len(prefix + known) for name in inside):
                prefix += known
                found = True
    return container + prefix


def apply_view(checkpoint: Checkpoint, strip: str) -> Checkpoint:
    """The checkpoint under a view.

    Args:
        checkpoint: As its format opened it.
        strip: The view; empty leaves the checkpoint as it is.

    Raises:
        InputError: No name begins with ``strip``.
        CheckpointError: Two names would become one.
    """
    if not strip:
        return checkpoint
    container, slash, prefix = strip.rpartition("/")
    container = "" if not container else container + slash
    tensors: dict[str, TensorRef] = {}
    hits = 0
    for name, ref in checkpoint.items():
        if not name.startswith(container):
            continue
        short = name[len(container) :]
        if prefix and short.startswith(prefix) and len(short) > len(prefix):
            short = short[len(prefix) :]
            hits += 1
        if short in tensors:
            raise CheckpointError(
                f"{checkpoint.path or checkpoint.name}: without '{strip}', both '{tensors[short].stored_name}' and "
                f"'{name}' would be called '{short}'. Choose another view.",
                strip=strip, tensor=short,
            )  # fmt: skip
        tensors[short] = TensorRef(replace(ref.spec, name=short), ref.source, name)
    if not tensors or (prefix and not hits):
        example = next(iter(checkpoint), "")
        raise InputError(
            f"{checkpoint.path or checkpoint.name}: no name begins with '{strip}'; the first is '{example}'.",
            strip=strip,
        )
    return checkpoint.with_tensors(tensors, strip)

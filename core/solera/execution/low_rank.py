"""What one model has learnt beyond another, as a low-rank adapter: weights in, a PEFT folder out.

Every matrix of the change is cut to its leading singular triples, ``B A`` with alpha equal to the rank, so that the
adapter's scale is 1. One tensor is held at a time; of the adapter everything, for it is small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import torch
from torch import Tensor

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.compare import compatible
from solera.context import Context
from solera.errors import FaultsError, InputError
from solera.execution.adapter_output import Layer, layer_of, write_adapter
from solera.execution.factors import factorise, squared_norm
from solera.execution.output import Output
from solera.execution.reading import check_finite_fast, store
from solera.execution.targets import find_ref

#: Elements read at a time.
_PIECE = 1 << 22


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an extraction keeps.

    Attributes:
        rank: Most directions of a matrix; 0 for no limit.
        energy: Share of each matrix's squared change to hold, from 0 to 1; 0 takes ``rank`` everywhere.
        only: Globs on names of modules; others are left out. Empty takes all.
        leave: Globs on names of modules that are left out.
        save_rest: Whether what is no matrix (norms, biases) goes into the adapter whole.
        dtype: Dtype of the adapter.
    """

    rank: int = 0
    energy: float = 0.0
    only: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    save_rest: bool = False
    dtype: str = "float32"

    def takes(self, module: str) -> bool:
        """Whether a module is chosen by its name."""
        chosen = not self.only or any(fnmatchcase(module, pattern) for pattern in self.only)
        return chosen and not any(fnmatchcase(module, pattern) for pattern in self.leave)


@dataclass(frozen=True, slots=True)
class Extracted:
    """What an extraction made.

    Attributes:
        path: The adapter's folder.
        ranks: Rank by module.
        shares: Share of each module's squared change that is held.
        saved: Tensors kept whole.
        left_out: Tensors that change and are not in the adapter -> their share of the whole squared change.
        share: Share of the whole squared change that the adapter holds, before its rounding.
        numel: Numbers in the adapter.
    """

    path: Path
    ranks: Mapping[str, int]
    shares: Mapping[str, float]
    saved: tuple[str, ...]
    left_out: Mapping[str, float]
    share: float
    numel: int

    def summary(self) -> dict[str, object]:
        """JSON-ready."""
        return {
            "path": str(self.path), "ranks": dict(self.ranks), "shares": dict(self.shares), "saved": list(self.saved),
            "left_out": dict(self.left_out), "share": self.share, "parameters": self.numel,
        }  # fmt: skip


def extract(
    tuned: Checkpoint, base: Checkpoint, out: str | Path, wanted: Wanted, context: Context, *, force: bool = False,
    fingerprints: Mapping[str, str] | None = None,
) -> Extracted:  # fmt: skip
    """Write the change from a base to a tuned model as an adapter.

    Args:
        tuned: The model.
        base: What it was tuned from.
        out: The folder to make; it appears when it is complete.
        wanted: What to keep.
        context: Asked whether to stop between tensors and steps; told the progress in bytes; its device computes.
        force: Replace an adapter or checkpoint that is there.
        fingerprints: Content hashes under ``"base"`` and ``"tuned"``, for the model card.

    Returns:
        What was made, and how much of the change it holds.

    Raises:
        InputError: Nothing says how much to keep, or the two do not differ where it was looked.
        FaultsError: They do not fit each other.
        NumericError: A weight is NaN or infinite, or a factor does not fit the dtype.
        OutputError: The folder exists and ``force`` is off, or it cannot be written.
    """
    _check(wanted)
    Output(Path(out), force=force).check()
    faults = compatible(base, tuned)
    if faults:
        raise FaultsError(f"extraction from {tuned.name} on {base.name}", faults)
    work = _Work(tuned, base, wanted, context)
    names = [name for name in base if name not in base.ties and name in tuned]
    # Matrices first: a bias is kept with its layer only if that has factors.
    for name in sorted(names, key=lambda name: work.layer(name) is None):
        context.check()
        work.look_at(name)
    if not work.layers:
        raise InputError(
            f"{tuned.name} does not differ from {base.name} in any matrix that is looked at"
            + (f"; it differs in {', '.join(list(work.left_out)[:3])}." if work.left_out else "."),
            left_out=list(work.left_out)[:20],
        )
    total = work.total or 1.0
    kept = work.kept / total
    shares = {name: part / total for name, part in work.left_out.items()}
    write_adapter(
        work.tensors, Path(out), base, layers=work.layers, ranks=work.ranks, saved=work.saved,
        inputs={"tuned": tuned, "base": base}, fingerprints=fingerprints or {}, share=kept, force=force,
    )  # fmt: skip
    numel = sum(tensor.numel() for tensor in work.tensors.values())
    return Extracted(Path(out), work.ranks, work.shares, tuple(work.whole), shares, kept, numel)


def _check(wanted: Wanted) -> None:
    if wanted.rank < 0 or not 0.0 <= wanted.energy <= 1.0:
        raise InputError(f"A rank is 1 or more, an energy from 0 to 1; got {wanted.rank} and {wanted.energy:g}.")
    if not wanted.rank and not wanted.energy:
        raise InputError("Say how much to keep: a rank, an energy (a share of the squared change), or both.")


class _Work:
    """One extraction, tensor by tensor."""

    def __init__(self, tuned: Checkpoint, base: Checkpoint, wanted: Wanted, context: Context) -> None:
        self._tuned, self._base, self._wanted, self._context = tuned, base, wanted, context
        self.tensors: dict[str, Tensor] = {}
        self.layers: dict[str, Layer] = {}
        self.ranks: dict[str, int] = {}
        self.shares: dict[str, float] = {}
        self.saved: list[str] = []
        self.whole: list[str] = []
        self.left_out: dict[str, float] = {}
        self.total = self.kept = 0.0
        self._done = 0

    def layer(self, name: str) -> Layer | None:
        """What kind of layer a tensor is the weight of; None if it is no matrix of one."""
        return layer_of(name, self._base[name].shape, self._base.config)

    def look_at(self, name: str) -> None:
        """Take in one tensor's change, if there is any."""
        ref = self._base[name]
        if ref.kind != "counter":
            self._take(name, self._delta(name))
        self._done += ref.nbytes
        self._context.progress(self._done, self._base.nbytes, "B", name)

    def _take(self, name: str, delta: Tensor) -> None:
        size = squared_norm(delta)
        if size == 0.0:
            return
        self.total += size
        module, layer = name.rpartition(".")[0], self.layer(name)
        chosen = bool(module) and self._wanted.takes(module)
        if layer is not None and chosen:
            self._factor(module, layer, delta)
        elif layer is None and chosen and self._wanted.save_rest:
            self._keep_whole(module, name)
            self.kept += size
        else:
            self.left_out[name] = size

    def _factor(self, module: str, layer: Layer, delta: Tensor) -> None:
        wide = delta.reshape(delta.shape[0], -1).to(self._context.device)
        wanted = self._wanted
        found = factorise(wide, module, rank=wanted.rank, energy=wanted.energy, check=self._context.check)
        assert found is not None
        for part, factor in layer.parts(found.up, found.down).items():
            self.tensors[f"{module}.{part}"] = store(factor.float().cpu(), wanted.dtype, f"{module}.{part}")
        self.layers[module] = layer
        self.ranks[module] = found.rank
        self.shares[module] = found.kept / found.total
        self.kept += found.kept

    def _keep_whole(self, module: str, name: str) -> None:
        """Keep what is no matrix: a bias with its layer's factors, else the whole module it belongs to."""
        self.whole.append(name)
        if module in self.layers:
            self.tensors[f"{module}.base_layer.{name.rpartition('.')[2]}"] = find_ref(self._tuned, name).read()
        elif module not in self.saved:
            self.saved.append(module)
            for other in self._base:
                if other.rpartition(".")[0] == module:
                    self.tensors[other] = find_ref(self._tuned, other).read()

    def _delta(self, name: str) -> Tensor:
        """The change of one tensor, float32, checked."""
        made = torch.empty(self._base[name].shape)
        flat = made.view(-1)
        new, old = find_ref(self._tuned, name), self._base[name]
        for start in range(0, flat.numel(), _PIECE):
            self._context.check()
            stop = min(start + _PIECE, flat.numel())
            pieces = [ref.read(start, stop).reshape(-1).float() for ref in (new, old)]
            for piece, owner in zip(pieces, (self._tuned, self._base), strict=True):
                check_finite_fast(piece, name, f"checkpoint {owner.name}")
            torch.sub(*pieces, out=flat[start:stop])
        return made

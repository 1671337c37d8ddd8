"""Computed weights where a checkpoint would do: what lies below a stack of layers, piece by piece as it is read."""

from __future__ import annotations

import hashlib
import math
import threading
from collections import deque
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import torch

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.tensor_ref import TensorRef
from solera.context import Context, QuietContext
from solera.execution.plan import element_bytes, look_bytes, model_gathered
from solera.execution.prepare import look, prepare
from solera.execution.reading import Allow, Reader, store
from solera.execution.targets import Target, find_ref, find_targets
from solera.methods.spec import Piece
from solera.tensors.specs import TensorSpec

if TYPE_CHECKING:
    from solera.execution.program import Program

#: Tensors of which each thread keeps what methods found in them: one that is read may be merged with another.
_LOOKS = 2


class ComputedCheckpoint(Checkpoint):
    """The result of a program as a checkpoint: float32, or rounded to what it would be saved in where that decides.

    Thread rule: as a checkpoint. A read of a part of a tensor whose method needs all of it computes all of it; what was
    computed last is kept by each thread.

    Args:
        program: What is computed, ready to run.
        leaves: The checkpoints it reads, by node id.
        key: Equal for equal numbers.
    """

    def __init__(self, program: Program, leaves: Mapping[str, Checkpoint], key: str) -> None:
        self.program = program
        self.leaves = leaves
        reference = leaves[program.reference]
        self._targets, ties = find_targets(reference, leaves)
        self.allow: Allow | None = None
        self._load = Reader(leaves, keep=program.whole)
        self._states: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._looks: WeakValueDictionary[str, _Look] = WeakValueDictionary()
        self._local = _Local()
        self.salt = hashlib.sha256("\0".join([key, *(leaf.salt for leaf in leaves.values())]).encode()).hexdigest()
        self.origins = tuple(leaves.values())
        self.whole = program.whole
        self.held = math.ceil(element_bytes(program, leaves))
        below = sum(leaf.gathered for leaf in leaves.values())
        self.gathered = below if self.whole else max(_LOOKS * self._most_gathered(), below)
        self.kept = sum(leaf.kept for leaf in leaves.values()) + model_gathered(program, self._targets)
        exact = program.recipe.dtype != ""  # the result is rounded once, at the end
        made = {target.name: self._ref(target, reference, exact) for target in self._targets}
        tensors = {}
        for name in reference:
            ref = made[ties.get(name, name)]
            tensors[name] = TensorRef(TensorSpec(name, ref.shape, ref.dtype), ref.source)
        digest = "\0".join([self.salt, *(leaf.identity() for leaf in leaves.values())])
        super().__init__(
            program.recipe.output, tensors, format="computed", digest=hashlib.sha256(digest.encode()).hexdigest(),
            folder=reference.folder, metadata={},
        )  # fmt: skip
        self.config = dict(reference.config)
        self.generated = reference.generated

    def _ref(self, target: Target, reference: Checkpoint, exact: bool) -> TensorRef:
        if not target.computed:
            return reference[target.name]
        dtype = "float32" if exact else target.source_dtype
        return TensorRef(TensorSpec(target.name, target.shape, dtype), _Computed(self, target, dtype))

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of what it is computed from."""
        return tuple(dict.fromkeys(file for leaf in self.leaves.values() for file in leaf.files))

    def verify(self) -> None:
        """See whether the inputs are still those that were opened. Raises as :meth:`Checkpoint.verify`."""
        for leaf in self.leaves.values():
            leaf.verify()

    def close(self) -> None:
        """Nothing: the inputs stay open."""

    def let_pass(self, allow: Allow) -> None:
        """Hand errors about NaN and infinity to ``allow`` from now on. Not while another thread reads."""
        self.allow = allow
        self._load = Reader(self.leaves, keep=self.whole, allow=allow)

    def compute(self, target: Target, start: int, stop: int) -> torch.Tensor:
        """Elements of a tensor, flat float32; not to be changed."""
        with torch.no_grad():
            if not self.program.whole:
                piece = Piece(target.name, start)
                return self._evaluated(target, piece, stop, None).reshape(-1)
            kept = self._local.whole
            if kept is None or kept[0] != target.name:
                whole = self._evaluated(target, Piece(target.name), target.numel, target.shape).reshape(-1)
                self._local.whole = kept = (target.name, whole)
            found: torch.Tensor = kept[1][start:stop]
            if stop == target.numel:
                self._local.whole = None
            return found

    def _evaluated(self, target: Target, piece: Piece, stop: int, shape: tuple[int, ...] | None) -> torch.Tensor:
        return self.program.evaluate(self._load, piece, stop, shape, target.depth, self._found(target))

    def _found(self, target: Target) -> Mapping[str, Any]:
        """What first passes find: over the model, and over the tensor if it is read in parts."""
        states = self._prepared(QuietContext())
        if self.whole:
            return states
        with self._lock:
            known = self._looks.get(target.name)
            if known is None:
                known = self._looks[target.name] = _Look()
        if known not in self._local.looks:
            self._local.looks.append(known)
        with known.lock:
            if known.states is None:
                known.states = look(self.program, target, self._load, states, QuietContext())
            return known.states

    def _most_gathered(self) -> int:
        looked_at = [t for t in self._targets if t.computed and self.program.looks(t.name, t.depth)]
        return max((look_bytes(self.program, self.leaves, target) for target in looked_at), default=0)

    def _prepared(self, context: Context) -> dict[str, Any]:
        with self._lock:
            if self._states is None:
                self._states = prepare(self.program, self._targets, self._load, context)
            return self._states


class _Look:
    """What methods found in one tensor; None before they looked. Let go when no thread reads it any more."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.states: Mapping[str, Any] | None = None


class _Local(threading.local):
    """What each thread keeps: the tensor that was computed whole, and what was found in those it read last."""

    def __init__(self) -> None:
        self.whole: tuple[str, torch.Tensor] | None = None
        self.looks: deque[_Look] = deque(maxlen=_LOOKS)


class _Computed:
    """The elements of one computed tensor."""

    __slots__ = ("checkpoint", "dtype", "target")

    def __init__(self, checkpoint: ComputedCheckpoint, target: Target, dtype: str) -> None:
        self.checkpoint = checkpoint
        self.target = target
        self.dtype = dtype

    @property
    def key(self) -> Hashable:
        return (id(self.checkpoint), self.target.name)

    @property
    def reads(self) -> int:
        """Bytes of files that a read of all elements takes."""
        return sum(find_ref(leaf, self.target.name).reads for leaf in self.checkpoint.leaves.values())

    def read_into(self, view: memoryview, start: int, stop: int) -> None:
        found = self.checkpoint.compute(self.target, start, stop)
        stored = store(found, self.dtype, self.target.name, self.checkpoint.allow)
        view[:] = stored.contiguous().view(torch.uint8).numpy().data


def let_pass(checkpoint: Checkpoint, allow: Allow) -> None:
    """Hand errors about NaN and infinity in whatever a checkpoint is computed from to ``allow``."""
    if isinstance(checkpoint, ComputedCheckpoint):
        checkpoint.let_pass(allow)
    for origin in checkpoint.origins:
        let_pass(origin, allow)

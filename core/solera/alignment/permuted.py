"""A checkpoint whose units lie in other places, put there as they are read; nothing is copied."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Hashable, Iterable
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from solera.alignment.permutations import Permutations, indices
from solera.alignment.symmetry import Symmetry
from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.tensor_ref import TensorRef
from solera.context import Context
from solera.tensors.specs import ITEM_SIZES

#: A tensor of at most so many bytes is read whole for any part of it.
_WHOLE = 1 << 22

_Index = NDArray[np.int64] | None


class PermutedCheckpoint(Checkpoint):
    """A view of a checkpoint. The permutations are found when the first number is asked for.

    Args:
        model: The weights; they stay open as long as this is used.
        symmetry: Which axes move.
        find: Gives the permutations; called once, by whichever thread reads first, with whom to ask whether to stop.
        name: What a person calls it.
        others: What else decides the permutations.
        salt: How they are found, in words that are equal for equal rules.
    """

    def __init__(
        self,
        model: Checkpoint,
        symmetry: Symmetry,
        find: Callable[[Context | None], Permutations],
        *,
        name: str = "",
        others: Iterable[Checkpoint] = (),
        salt: str = "",
    ) -> None:
        self._model = model
        self._symmetry = symmetry
        self._find = find
        self._lock = threading.Lock()
        self._found: Permutations | None = None
        self.origins = (model, *others)
        self.salt = json.dumps([salt, symmetry.digest()])
        digest = "\0".join([self.salt, *(one.identity() for one in self.origins)])
        tensors = {key: self._ref(key) for key in model}
        super().__init__(
            name or model.name, tensors, format="permuted", digest=hashlib.sha256(digest.encode()).hexdigest(),
            folder=model.folder, metadata=model.metadata, strip=model.strip, notes=model.notes,
        )  # fmt: skip
        self.config = dict(model.config)
        self.whole, self.held, self.gathered = model.whole, model.held, model.gathered
        self.kept, self.generated = model.kept, model.generated

    @property
    def permutations(self) -> Permutations:
        """Which unit lies where; found now if they were not."""
        return self.settle(None)

    def settle(self, context: Context | None) -> Permutations:
        """Find the permutations now, if they were not, where a person may stop it and sees how far it is.

        Args:
            context: Asked whether to stop; None: nobody is.

        Raises:
            Cancelled: The context said so; whoever asks next finds them anew.
        """
        with self._lock:
            if self._found is None:
                self._found = self._find(context)
            return self._found

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of everything it depends on."""
        return tuple(dict.fromkeys(file for one in self.origins for file in one.files))

    def verify(self) -> None:
        """See whether all of them are still those that were opened. Raises as :meth:`Checkpoint.verify`."""
        for one in self.origins:
            one.verify()

    def close(self) -> None:
        """Nothing: what it is made of stays open."""

    def _ref(self, name: str) -> TensorRef:
        ref = self._model[name]
        if not any(self._symmetry.axes.get(name, ())):
            return ref
        return TensorRef(ref.spec, _Permuted(self, ref), ref.stored_name)

    def indices(self, name: str) -> list[_Index]:
        """For each axis of a tensor which entry goes to each place; None for those that stay."""
        return indices(self._symmetry.axes[name], self._symmetry, self.permutations)


class _Permuted:
    """The elements of one tensor in their new places."""

    __slots__ = ("_checkpoint", "_ref")

    def __init__(self, checkpoint: PermutedCheckpoint, ref: TensorRef) -> None:
        self._checkpoint = checkpoint
        self._ref = ref

    @property
    def key(self) -> Hashable:
        return (id(self._checkpoint), self._ref.source.key)

    def read_into(self, view: memoryview, start: int, stop: int) -> None:
        ref = self._ref
        first, *rest = self._checkpoint.indices(ref.name)
        width = prod(ref.shape[1:])
        if ref.nbytes <= _WHOLE:
            low, high = 0, ref.shape[0]
        else:
            low, high = start // width, -(-stop // width)
        wanted = np.arange(low, high) if first is None else first[low:high]
        rows = self._rows(wanted, width).reshape(high - low, *ref.shape[1:])
        for i, index in enumerate(rest, start=1):
            if index is not None:
                rows = rows.take(index, axis=i)
        flat = np.ascontiguousarray(rows).reshape(-1)[start - low * width : stop - low * width]
        view[:] = flat.view(np.uint8).data

    def _rows(self, wanted: NDArray[np.int64], width: int) -> NDArray[np.void]:
        """Rows of the tensor as it is stored, in this order; those that lie side by side are read together."""
        ref = self._ref
        size = ITEM_SIZES[ref.dtype]
        # A number's bits are moved, whatever they mean.
        found = np.empty((len(wanted), width), dtype=f"V{size}")
        data = found.view(np.uint8).reshape(-1).data
        if ref.nbytes <= _WHOLE:
            whole = np.empty((ref.shape[0], width), dtype=f"V{size}")
            ref.read_into(whole.view(np.uint8).reshape(-1).data)
            return whole[wanted]
        ends = [*(np.flatnonzero(np.diff(wanted) != 1) + 1).tolist(), len(wanted)]
        begin = 0
        for end in ends:
            at = int(wanted[begin])
            ref.read_into(data[begin * width * size : end * width * size], at * width, (at + end - begin) * width)
            begin = end
        return found

"""How two checkpoints differ, tensor by tensor, in one pass over both."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from solera.checkpoints.checkpoint import Checkpoint
from solera.context import Context
from solera.errors import MismatchError
from solera.probes.weights import Weights
from solera.tensors.reductions import Gram
from solera.tensors.specs import FLOATING, ITEM_SIZES

#: Edges of the histogram of sizes of differences: four to a decade. What is smaller counts in the first, larger in the
#: last; elements that are equal are counted apart.
EDGES: tuple[float, ...] = tuple(10.0 ** (step / 4) for step in range(-40, 13))


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """One tensor in both.

    Attributes:
        name: Of the tensor.
        shape: Its sizes.
        numel: Elements.
        norm_a, norm_b: Euclidean norms.
        distance: Euclidean norm of b - a.
        largest: Largest absolute difference of an element.
        cosine: Between the flat tensors; NaN where one of them is zero.
        signs: Share of elements whose signs are equal (zero is a sign of its own); NaN for an empty tensor.
        equal: Elements that are equal.
    """

    name: str
    shape: tuple[int, ...]
    numel: int
    norm_a: float
    norm_b: float
    distance: float
    largest: float
    cosine: float
    signs: float
    equal: int

    @property
    def relative(self) -> float:
        """The distance over the norm of a; NaN where that is zero."""
        return self.distance / self.norm_a if self.norm_a else math.nan


@dataclass(frozen=True, slots=True)
class Difference:
    """Two checkpoints beside each other.

    Attributes:
        a, b: Their names.
        tensors: Those that both have in one shape, in the order of a.
        total: All of them together, under the name ``"all tensors"``.
        histogram: Counts of |b - a| between :data:`EDGES`, one fewer than those; equal elements are in none.
        only_a, only_b: Names that the other lacks.
        unlike: Names whose shapes differ.
        skipped: Names that are not floating in both (counters, packed weights).
    """

    a: str
    b: str
    tensors: tuple[TensorDifference, ...]
    total: TensorDifference
    histogram: tuple[int, ...]
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready; NaN as None."""
        plain: dict[str, Any] = asdict(self)
        for row in (*plain["tensors"], plain["total"]):
            row["shape"] = list(row["shape"])
            row.update({key: None for key, value in row.items() if isinstance(value, float) and math.isnan(value)})
        plain["edges"] = list(EDGES)
        return plain


class _Sums:
    """What one tensor, or all of them, add up to."""

    def __init__(self) -> None:
        self.gram = Gram(3)
        self.largest = 0.0
        self.signs = self.equal = self.numel = 0

    def row(self, name: str, shape: tuple[int, ...]) -> TensorDifference:
        aa, bb, dd = (math.sqrt(self.gram.total(i, i)) for i in range(3))
        cosine = max(-1.0, min(1.0, self.gram.total(0, 1) / (aa * bb))) if aa and bb else math.nan
        share = self.signs / self.numel if self.numel else math.nan
        return TensorDifference(name, shape, self.numel, aa, bb, dd, self.largest, cosine, share, self.equal)


def difference(a: Checkpoint, b: Checkpoint, context: Context) -> Difference:
    """Compare two checkpoints; memory does not grow with their tensors.

    Arithmetic is float64 on what was read as float32. Tied tensors count once.

    Args:
        a: What is compared with.
        b: What differs from it.
        context: Is asked whether to stop, and told how far it is, in bytes.

    Raises:
        MismatchError: They share no tensor.
        NumericError: A weight is NaN or infinite; tensor and checkpoint are named.
        ChangedError: A file changed while it was read.
    """
    shared = [name for name in a if name in b and name not in a.ties]
    unlike = tuple(name for name in shared if a[name].shape != b[name].shape)
    floating = {name for name in shared if a[name].dtype in FLOATING and b[name].dtype in FLOATING}
    names = [name for name in shared if name not in unlike and name in floating]
    if not names:
        raise MismatchError(
            f"'{a.name}' and '{b.name}' share no floating tensor of one name and shape; there is nothing to compare.",
            a=a.name,
            b=b.name,
        )
    sizes = {name: a[name].nbytes + b[name].nbytes for name in names}
    done, total_bytes = 0, sum(sizes.values())
    weights, whole, histogram = Weights((a, b)), _Sums(), np.zeros(len(EDGES) - 1, dtype=np.int64)
    rows = []
    for name in names:
        sums, width = _Sums(), ITEM_SIZES[a[name].dtype] + ITEM_SIZES[b[name].dtype]
        for left, right in weights.pieces(name):
            context.check()
            _add(left, right, sums, whole, histogram)
            done += left.numel() * width
            context.progress(done, total_bytes, "B", name)
        rows.append(sums.row(name, a[name].shape))
    return Difference(
        a.name, b.name, tuple(rows), whole.row("all tensors", (whole.numel,)), tuple(int(n) for n in histogram),
        tuple(name for name in a if name not in b), tuple(name for name in b if name not in a), unlike,
        tuple(name for name in shared if name not in unlike and name not in floating),
    )  # fmt: skip


def _add(left: Tensor, right: Tensor, sums: _Sums, whole: _Sums, histogram: np.ndarray[Any, Any]) -> None:
    """Take one piece of both into the sums of its tensor and of all."""
    apart = right.double() - left.double()
    size = apart.abs()
    equal = int((apart == 0).sum())
    signs = int((torch.sign(left) == torch.sign(right)).sum())
    largest = float(size.max()) if size.numel() else 0.0
    for each in (sums, whole):
        each.gram.add((left, right, apart))
        each.largest = max(each.largest, largest)
        each.signs += signs
        each.equal += equal
        each.numel += left.numel()
    if equal < size.numel():
        found = size[size > 0].clamp(EDGES[0], EDGES[-1]).numpy()
        histogram += np.histogram(found, bins=np.asarray(EDGES))[0]

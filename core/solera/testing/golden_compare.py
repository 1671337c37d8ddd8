"""Comparing a tensor with a fixture's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from solera.testing.goldens import Case

#: What the sources return when everything runs in bfloat16 is a loose bound (atol, rtol), for we compute in float32.
_BF16 = (4e-2, 2e-2)


@dataclass(frozen=True, slots=True)
class Gap:
    """How far two tensors are apart.

    Attributes:
        absolute: The largest difference.
        relative: The largest difference in units of what it is to be, where that is not 0; NaN if it is nowhere.
        complaint: Why that is too far; empty if it is not.
    """

    absolute: float
    relative: float = nan
    complaint: str = ""


#: ``"0.1 +- 0.0012 (4 sigma)"``, ``"10.0 exact to 1e-5"``: what a statistic is to be, and how nearly.
_AROUND = re.compile(r"\s*(-?[\d.]+(?:e-?\d+)?)\s*(?:\+-|exact to)\s*([\d.]+(?:e-?\d+)?)")


def bounds(case: Case) -> tuple[float, float]:
    """The absolute and the relative tolerance of a case."""
    tolerance = case.facts.get("tolerance") or {}
    atol, rtol = float(tolerance.get("atol", 1e-6)), float(tolerance.get("rtol", 1e-5))
    if any(tensor.dtype == torch.bfloat16 for model in case.inputs.values() for tensor in model.values()):
        atol, rtol = max(atol, _BF16[0]), max(rtol, _BF16[1])
    return atol, rtol


def tolerance(case: Case) -> str:
    """The same for a person; empty where each statistic has its own."""
    told = case.facts.get("tolerance") or {}
    if any(isinstance(each, str) and _AROUND.match(each) for each in told.values()):
        return ""
    atol, rtol = bounds(case)
    return f"{atol:g} + {rtol:g} |x|"


def statistic(case: Case, key: str, got: Tensor) -> Gap | None:
    """How far a statistic of ours is from what it is to be, if the case says so; numbers drawn differ from theirs."""
    found = _AROUND.match(str((case.facts.get("tolerance") or {}).get(key, "")))
    if found is None:
        return None
    wanted, bound = float(found[1]), float(found[2])
    error = abs(float(got) - wanted)
    complaint = "" if error <= bound else f"{float(got):.6g} instead of {wanted:g} +- {bound:g}"
    return Gap(error, error / abs(wanted) if wanted else nan, complaint)


def difference(case: Case, got: Tensor, want: Tensor, open_: Tensor | None = None) -> Gap:
    """How far two tensors are apart, with a complaint if that is too far.

    Args:
        case: The case; says the tolerance.
        got: Ours.
        want: The source's.
        open_: Elements of one shape that the source decides by chance; they are left out.
    """
    if got.shape != want.shape:
        return Gap(float("inf"), complaint=f"shape {tuple(got.shape)} instead of {tuple(want.shape)}")
    atol, rtol = bounds(case)
    ours, theirs = got.double().reshape(-1), want.double().reshape(-1)
    if open_ is not None:
        fixed = ~open_.reshape(-1)
        ours, theirs = ours[fixed], theirs[fixed]
    if not ours.numel():
        return Gap(0.0)
    apart, size = (ours - theirs).abs(), theirs.abs()
    over = int((apart > atol + rtol * size).sum()) + int(apart.isnan().sum())
    error = float(apart.max())
    there = size > 0
    relative = float((apart[there] / size[there]).max()) if bool(there.any()) else nan
    return Gap(error, relative, f"{over} of {ours.numel()} elements off, by up to {error:.3g}" if over else "")

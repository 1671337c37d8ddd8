"""Methods that need no numbers: what recipes know of a method is its declaration."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest

from solera.methods.spec import MethodSpec, method
from solera.params import Param


@pytest.fixture(scope="session")
def methods() -> dict[str, MethodSpec]:
    @method("pull", takes="delta", base="required", version=3)
    def pull(
        deltas,
        *,
        density: Annotated[tuple[float, ...], Param(0, 1, per_model=True)] = (0.2,),
        scale: float = 1.0,
        mode: Literal["mean", "sum"] = "mean",
        rounds: Annotated[int, Param(1, 9)] = 1,
        exact: bool = True,
    ):
        """Pull."""

    @method("turn", takes="weights", inputs=(2, 2))
    def turn(tensors, *, t: Annotated[float, Param(0, 1)]):
        """Turn."""

    @method("mean", takes="any")
    def mean(tensors, *, weight: Annotated[tuple[float, ...], Param(per_model=True)] = (1.0,)):
        """Mean."""

    return {spec.name: spec for spec in (pull, turn, mean)}

from __future__ import annotations

import pytest
import torch

from solera.errors import InputError, NumericError
from solera.tensors.dtypes import cast, check_finite, dtype_name, torch_dtype
from solera.tensors.specs import FLOATING, ITEM_SIZES


@pytest.mark.parametrize("name", ITEM_SIZES)
def test_names_round_trip_and_sizes_are_torchs(name):
    dtype = torch_dtype(name)
    assert dtype_name(dtype) == name
    assert torch.empty(0, dtype=dtype).element_size() == ITEM_SIZES[name]
    assert dtype.is_floating_point == (name in FLOATING)


def test_unknown_names():
    with pytest.raises(InputError, match="float31"):
        torch_dtype("float31")
    with pytest.raises(InputError, match="qint8"):
        dtype_name(torch.qint8)


def test_cast_rounds_to_nearest_even():
    x = torch.tensor([1.0, 1 + 2**-9, 1 + 3 * 2**-8, 65504.0, -0.0, 1e-9])
    assert torch.equal(cast(x, "bfloat16", "w"), x.to(torch.bfloat16))
    assert cast(x, "float32", "w") is x


@pytest.mark.parametrize(
    ("dtype", "value"), [("float16", 65520.0), ("float8_e4m3fn", 500.0), ("float8_e5m2", 70000.0), ("bfloat16", 3.4e38)]
)
def test_overflow_names_the_tensor(dtype, value):
    with pytest.raises(NumericError, match=r"'layer\.weight'.*do not fit") as caught:
        cast(torch.tensor([0.5, -value]), dtype, "layer.weight")
    assert caught.value.fields["tensor"] == "layer.weight"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_nonfinite_input(bad):
    x = torch.tensor([1.0, bad])
    with pytest.raises(NumericError, match=r"'w'.*1 of 2"):
        cast(x, "bfloat16", "w")
    assert not torch.isfinite(cast(x, "bfloat16", "w", allow_nonfinite=True)[1])
    with pytest.raises(NumericError, match="checkpoint math"):
        check_finite(x, "w", "checkpoint math")


def test_integers():
    assert cast(torch.tensor([1, 200]), "uint8", "n").tolist() == [1, 200]
    with pytest.raises(NumericError, match="uint8"):
        cast(torch.tensor([1, 256]), "uint8", "n")
    with pytest.raises(NumericError, match="float16"):
        cast(torch.tensor([100_000]), "float16", "n")
    check_finite(torch.tensor([1, 2]), "n")

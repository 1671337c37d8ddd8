"""The writer against the safetensors library."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from solera.errors import InputError, NumericError
from solera.execution.writer import FILE_DTYPES, lay_out, write_checkpoint
from solera.tensors.dtypes import torch_dtype
from solera.tensors.specs import ITEM_SIZES, TensorSpec

SPECS = st.lists(
    st.builds(
        TensorSpec,
        st.text("abc.é", min_size=1, max_size=6),
        st.lists(st.integers(0, 4), max_size=3).map(tuple),
        st.sampled_from(sorted(set(FILE_DTYPES) - {"float8_e8m0fnu", "float8_e4m3fnuz", "float8_e5m2fnuz"})),
    ),
    max_size=8,
    unique_by=lambda spec: spec.name,
)


@given(SPECS, st.integers(1, 300))
@settings(max_examples=80, deadline=None)
def test_every_tensor_has_a_place_of_its_own(specs, shard_bytes):
    shards = lay_out(specs, {"format": "pt"}, shard_bytes)
    assert sorted(name for shard in shards for name in shard.offsets) == sorted(spec.name for spec in specs)
    known = {spec.name: spec for spec in specs}
    for shard in shards:
        spans = sorted((offset, offset + known[name].nbytes) for name, offset in shard.offsets.items())
        edges = [len(shard.header), *(edge for span in spans for edge in span), shard.nbytes]
        assert edges[::2] == edges[1::2]  # no gap, no overlap
        assert len(shard.header) % 8 == 0
        assert all(offset % ITEM_SIZES[known[name].dtype] == 0 for name, offset in shard.offsets.items()) or any(
            known[name].dtype == "complex64" for name in shard.offsets
        )
        assert len(shard.offsets) == 1 or shard.nbytes - len(shard.header) <= shard_bytes


def test_the_library_reads_what_we_write(tmp_path):
    tensors = {
        name: torch.ones(3, 2).to(torch_dtype(name)) for name in FILE_DTYPES if name not in {"float8_e8m0fnu"}
    } | {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3), "strided": torch.arange(6.0).view(2, 3).t()}
    tensors["alias"] = tensors["float32"]
    folder = write_checkpoint(tensors, tmp_path / "out", config={"x": "é"}, metadata={"who": "me"})
    with safe_open(folder / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "who": "me", "alias": "float32"}
    loaded = load_file(folder / "model.safetensors")
    assert set(loaded) == set(tensors) - {"alias"}
    for name, tensor in loaded.items():
        assert tensor.dtype == tensors[name].dtype
        assert torch.equal(tensor.to(torch.complex64), tensors[name].to(torch.complex64))
    assert json.loads((folder / "config.json").read_text()) == {"x": "é"}


def test_bad_input_is_refused(tmp_path):
    with pytest.raises(NumericError, match="'w'"):
        write_checkpoint({"w": torch.tensor([1.0, float("nan")])}, tmp_path / "out")
    with pytest.raises(InputError, match="complex128"):
        write_checkpoint({"w": torch.zeros(2, dtype=torch.complex128)}, tmp_path / "out")
    with pytest.raises(InputError, match="at least one byte"):
        lay_out([], {}, 0)
    assert list(tmp_path.iterdir()) == []

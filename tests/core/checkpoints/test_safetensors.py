"""Our reader of safetensors against the library's writer."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from solera.checkpoints.opening import open_checkpoint
from solera.errors import InputError, NotFoundError
from solera.tensors.dtypes import dtype_name

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64,
    torch.bool, torch.complex64,
]  # fmt: skip


def raw(tensor: torch.Tensor) -> bytes:
    return tensor.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()


names = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12).filter(
    lambda name: name != "__metadata__"
)
shapes = st.lists(st.integers(0, 4), max_size=3).map(tuple)


@given(st.dictionaries(names, st.tuples(shapes, st.sampled_from(DTYPES)), max_size=6), st.integers(0, 2**31))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_the_library_writes_is_read_back_bit_for_bit(tmp_path, layout, seed):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, (shape, dtype) in layout.items():
        wide = torch.randn(shape, generator=generator) * 3
        state[name] = wide.abs().to(dtype) if not dtype.is_signed else wide.to(dtype)
    path = tmp_path / "m.safetensors"
    save_file(state, path, metadata={"kind": "test"})
    with open_checkpoint(path) as checkpoint:
        assert set(checkpoint) == set(state)
        assert checkpoint.metadata == {"kind": "test"}
        assert checkpoint.ties == {}
        for name, tensor in state.items():
            ref = checkpoint[name]
            assert (ref.shape, ref.dtype) == (tuple(tensor.shape), dtype_name(tensor.dtype))
            got = ref.read()
            assert got.shape == tensor.shape
            assert raw(got) == raw(tensor)


def test_pieces_and_buffers(tmp_path):
    tensor = torch.arange(60, dtype=torch.bfloat16).reshape(5, 12)
    save_file({"w": tensor}, tmp_path / "m.safetensors")
    ref = open_checkpoint(tmp_path / "m.safetensors")["w"]
    assert torch.equal(ref.read(7, 31), tensor.reshape(-1)[7:31])
    assert ref.read(9, 9).numel() == 0
    buffer = torch.zeros(8, dtype=torch.uint8)
    ref.read_into(buffer, 2, 6)
    assert torch.equal(buffer.view(torch.bfloat16), tensor.reshape(-1)[2:6])
    plain = bytearray(8)
    ref.read_into(memoryview(plain), 2, 6)
    assert bytes(plain) == raw(tensor.reshape(-1)[2:6])
    assert ref.extent is not None
    assert ref.extent.offset + ref.nbytes == (tmp_path / "m.safetensors").stat().st_size
    with pytest.raises(InputError):
        ref.read_into(buffer, 0, 5)
    with pytest.raises(InputError):
        ref.read(0, 61)


def make_sharded(folder, state, parts=2):
    folder.mkdir(exist_ok=True)
    items = list(state.items())
    weight_map = {}
    for number in range(parts):
        file = f"model-{number + 1:05d}-of-{parts:05d}.safetensors"
        chunk = dict(items[number::parts])
        save_file(chunk, folder / file)
        weight_map.update(dict.fromkeys(chunk, file))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return weight_map


def state_of(count):
    return {f"layers.{i}.weight": torch.randn(3, 2) for i in range(count)}


def test_shards_by_folder_by_index_and_without_index(tmp_path):
    state = state_of(5)
    make_sharded(tmp_path / "m", state)
    for path in (tmp_path / "m", tmp_path / "m" / "model.safetensors.index.json"):
        checkpoint = open_checkpoint(path)
        assert checkpoint.name == "m"
        assert {name: ref.read().tolist() for name, ref in checkpoint.items()} == {
            n: t.tolist() for n, t in state.items()
        }
    (tmp_path / "m" / "model.safetensors.index.json").unlink()
    assert set(open_checkpoint(tmp_path / "m")) == set(state)
    assert len(open_checkpoint(tmp_path / "m").files) == 2


def test_extra_tensors_in_shards_are_left_out_and_said(tmp_path):
    weight_map = make_sharded(tmp_path / "m", state_of(4))
    index = tmp_path / "m" / "model.safetensors.index.json"
    gone = weight_map.popitem()[0]
    index.write_text(json.dumps({"weight_map": weight_map}))
    checkpoint = open_checkpoint(tmp_path / "m")
    assert gone not in checkpoint
    assert "1 tensors" in checkpoint.notes[0]


def test_facts_of_a_folder(tmp_path):
    save_file({"a.weight": torch.zeros(2, 3), "n": torch.tensor(3)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text('{"architecture": "digits-cnn"}')
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "modeling_evil.py").write_text("")
    (tmp_path.parent / "private.json").write_text("{}")
    (tmp_path / "vocab.json").symlink_to("../private.json")
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.name == tmp_path.name
    assert checkpoint.config == {"architecture": "digits-cnn"}
    assert [file.name for file in checkpoint.extra_files()] == ["config.json", "tokenizer.json"]
    assert (checkpoint.numel, checkpoint.nbytes) == (7, 32)
    assert checkpoint.dtypes == {"float32": 6, "int64": 1}
    assert checkpoint["n"].kind == "counter"
    assert open_checkpoint(tmp_path / "model.safetensors").config == checkpoint.config
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    assert open_checkpoint(tmp_path / "other.safetensors").config == {}


def test_identity_is_stable_and_sees_changes(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file({"a": torch.zeros(4)}, path)
    first = open_checkpoint(path)
    assert first.identity() == open_checkpoint(path).identity()
    assert first != open_checkpoint(path)
    save_file({"a": torch.ones(4)}, path)
    assert first.identity() != open_checkpoint(path).identity()


def test_opening_many_shards_reads_headers_only(tmp_path, monkeypatch):
    """A hundred shards with holes for data: 400 GB that are not there are listed without a read of them."""
    weight_map = {}
    for number in range(100):
        file = f"model-{number + 1:05d}-of-00100.safetensors"
        header = json.dumps({f"w{number}": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}}).encode()
        with (tmp_path / file).open("wb") as out:
            out.write(len(header).to_bytes(8, "little") + header)
            out.truncate(8 + len(header) + 4 * 10**9)
        weight_map[f"w{number}"] = file
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    from solera.checkpoints.source import SourceFile

    count = 0
    original = SourceFile.read_into

    def counting(self, view, offset):
        nonlocal count
        count += view.nbytes
        original(self, view, offset)

    monkeypatch.setattr(SourceFile, "read_into", counting)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.numel == 10**11
    assert count < 100 * 200
    assert all(file._descriptor is None for file in checkpoint._files)
    assert checkpoint["w99"].read(5, 9).tolist() == [0, 0, 0, 0]


def test_reading_without_preadv(tmp_path, monkeypatch):
    """As on Windows."""
    monkeypatch.delattr("os.preadv")
    tensor = torch.arange(5000.0)
    save_file({"w": tensor}, tmp_path / "m.safetensors")
    assert torch.equal(open_checkpoint(tmp_path / "m.safetensors")["w"].read(), tensor)


def test_nothing_there(tmp_path):
    with pytest.raises(NotFoundError, match="no file or folder"):
        open_checkpoint(tmp_path / "nope")

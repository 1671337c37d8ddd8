"""Our reader of torch.save's files against torch.load."""

from __future__ import annotations

import argparse
import collections
import io
import json
import os
import pickle
import zipfile
from collections import OrderedDict

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from solera.checkpoints.opening import open_checkpoint
from solera.errors import CheckpointError, UnsafeError
from solera.tensors.specs import ITEM_SIZES


def raw(tensor):
    return tensor.reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()


def same(checkpoint, state):
    assert list(checkpoint) == list(state)
    for name, tensor in state.items():
        got = checkpoint[name].read()
        assert got.shape == tensor.shape
        assert got.dtype == tensor.dtype
        assert raw(got) == raw(tensor)


@pytest.mark.parametrize("dtype", list(ITEM_SIZES))
def test_every_dtype(tmp_path, dtype):
    tensor = torch.randint(0, 255, (48,), dtype=torch.uint8)
    if dtype == "bool":
        tensor &= 1
    state = {
        "w": tensor.view(getattr(torch, dtype)).reshape(-1, 3),
        "e": torch.empty(0, 2, dtype=getattr(torch, dtype)),
    }
    torch.save(state, tmp_path / "m.pt")
    same(open_checkpoint(tmp_path / "m.pt"), state)


@st.composite
def views(draw):
    """A storage's view: sliced with steps, transposed, expanded."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    tensor = torch.arange(torch.Size(shape).numel() * 1.0).reshape(shape)
    for dim in range(tensor.dim()):
        start = draw(st.integers(0, tensor.shape[dim] - 1))
        tensor = tensor[(slice(None),) * dim + (slice(start, None, draw(st.integers(1, 3))),)]
    tensor = tensor.permute(draw(st.permutations(range(tensor.dim()))))
    if draw(st.booleans()):
        tensor = tensor.unsqueeze(0).expand(3, *tensor.shape)
    return tensor


@given(views(), st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_views_of_any_stride_whole_and_in_pieces(tmp_path, tensor, data):
    torch.save({"w": tensor}, tmp_path / "m.pt")
    ref = open_checkpoint(tmp_path / "m.pt")["w"]
    assert torch.equal(ref.read(), tensor)
    start = data.draw(st.integers(0, tensor.numel()))
    stop = data.draw(st.integers(start, tensor.numel()))
    assert torch.equal(ref.read(start, stop).reshape(-1), tensor.reshape(-1)[start:stop])


def test_shared_storage_is_a_tie_only_where_the_view_is_the_same(tmp_path):
    embed = torch.randn(4, 3)
    qkv = torch.randn(6, 2)
    state = OrderedDict(embed=embed, head=embed, transposed=embed.t(), q=qkv[:3], k=qkv[3:], bias=torch.zeros(0))
    torch.save(state, tmp_path / "m.bin")
    checkpoint = open_checkpoint(tmp_path / "m.bin")
    same(checkpoint, state)
    assert checkpoint.ties == {"head": "embed"}
    assert checkpoint.numel == 12 + 12 + 12
    assert checkpoint.strip == ""


def test_nested_containers_are_declared_views(tmp_path):
    weights = {"module.a": torch.ones(2), "module.b": torch.zeros(3)}
    file = {
        "epoch": 7,
        "state_dict": weights,
        "ema": {"module.a": torch.full((2,), 5.0), "module.b": torch.ones(3)},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}],
    }
    path = tmp_path / "last.ckpt"
    torch.save(file, path)
    checkpoint = open_checkpoint(path)
    assert checkpoint.strip == "state_dict/"
    same(checkpoint, weights)
    assert checkpoint.metadata == {"epoch": "7"}
    bare = open_checkpoint(path, strip="state_dict/module.")
    assert list(bare) == ["a", "b"]
    assert bare["a"].stored_name == "state_dict/module.a"
    assert open_checkpoint(path, strip="ema/module.")["a"].read().tolist() == [5, 5]
    whole = open_checkpoint(path, strip="/")
    assert "optimizer_states/0/state/0/exp_avg" in whole
    assert len({checkpoint.identity(), bare.identity(), whole.identity()}) == 3


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        self.register_buffer("scratch", torch.ones(1), persistent=False)
        self.head = nn.Linear(2, 2, bias=False)


def test_a_module_saved_whole_gives_its_state_dict(tmp_path):
    net = Net()
    torch.save(net, tmp_path / "net.pt")
    checkpoint = open_checkpoint(tmp_path / "net.pt")
    assert {name: raw(ref.read()) for name, ref in checkpoint.items()} == {
        name: raw(tensor) for name, tensor in net.state_dict().items()
    }


def test_parameters_subclasses_and_optimizers(tmp_path):
    net = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(net.parameters())
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    path = tmp_path / "m.pt"
    torch.save({"model": net.state_dict(keep_vars=True), "optimizer": optimizer.state_dict()}, path)
    same(open_checkpoint(path), net.state_dict())


def test_foreign_objects_lie_inert(tmp_path):
    """What a Lightning file holds beside weights is listed past, and nothing of it is made."""
    file = {
        "hyper_parameters": argparse.Namespace(lr=0.1, nested=argparse.Namespace(x=[1])),
        "counter": collections.Counter("abc"),
        "default": collections.defaultdict(list, a=[1]),
        "when": __import__("datetime").datetime(2020, 1, 1),
        "path": __import__("pathlib").PurePosixPath("a/b"),
        "numpy": __import__("numpy").arange(3),
        "scalar": __import__("numpy").float64(2.5),
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "set": {1, 2},
        "frozen": frozenset([(1, 2)]),
        "complex": 1j,
        "bytes": b"\x00\x01",
        "size": torch.Size([1, 2]),
        "state_dict": {"w": torch.ones(2)},
    }
    for protocol in (2, 3, 4, 5):
        torch.save(file, tmp_path / "m.ckpt", pickle_protocol=protocol)
        same(open_checkpoint(tmp_path / "m.ckpt"), {"w": torch.ones(2)})


def test_quantised_and_sparse_are_said_to_be_left_out(tmp_path):
    sparse = torch.eye(3).to_sparse()
    torch.save({"w": torch.ones(2), "s": sparse}, tmp_path / "m.pt")
    checkpoint = open_checkpoint(tmp_path / "m.pt")
    assert "w" in checkpoint
    assert "s" not in checkpoint
    assert "special kinds" in checkpoint.notes[0]


def test_shards_with_index(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "pytorch_model-00001-of-00002.bin")
    torch.save({"b": torch.ones(3)}, tmp_path / "pytorch_model-00002-of-00002.bin")
    torch.save({"state": {}}, tmp_path / "training_args.bin")
    torch.save({"state": {}}, tmp_path / "optimizer.pt")
    weight_map = {"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert list(open_checkpoint(tmp_path)) == ["a", "b"]
    (tmp_path / "pytorch_model.bin.index.json").unlink()
    assert list(open_checkpoint(tmp_path)) == ["a", "b"]


# --- hostile files ---


class Bomb:
    """Runs a command when unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_a_malicious_pickle_lists_and_does_nothing(tmp_path):
    witness = tmp_path / "pwned"
    bomb = Bomb(f"touch {witness}")
    torch.save({"state_dict": {"w": torch.ones(2)}, "evil": bomb, "w2": [bomb]}, tmp_path / "m.pt")
    checkpoint = open_checkpoint(tmp_path / "m.pt")
    same(checkpoint, {"w": torch.ones(2)})
    assert not witness.exists()
    pickle.loads(pickle.dumps(bomb))  # the bomb is a real one
    assert witness.exists()


def rewrite(path, change, compression=zipfile.ZIP_STORED, **extra):
    """Write the archive anew with its members changed: ``change(name, data) -> data or None``."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            changed = change(name, data)
            if changed is not None:
                archive.writestr(name, changed)
        for name, data in extra.items():
            archive.writestr(name.replace("__", "/"), data)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "m.pt"
    torch.save({"w": torch.arange(1000.0)}, path)
    return path


def keep(name, data):
    return data


def test_a_plain_rewrite_still_opens(saved):
    rewrite(saved, keep)
    same(open_checkpoint(saved), {"w": torch.arange(1000.0)})


def test_compressed_members_are_refused(saved):
    rewrite(saved, keep, zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsafeError, match="compressed"):
        open_checkpoint(saved)


@pytest.mark.parametrize("name", ["../evil", "archive/../../evil", "/etc/passwd", "other/data.pkl"])
def test_strange_members_are_refused(saved, name):
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(UnsafeError):
        open_checkpoint(saved)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(saved):
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("m/data.pkl", b"x")
    with pytest.raises(UnsafeError, match="two members"):
        open_checkpoint(saved)


def test_missing_and_short_storages(saved):
    rewrite(saved, lambda name, data: None if name.endswith("data/0") else data)
    with pytest.raises(CheckpointError, match="storage '0' is missing"):
        open_checkpoint(saved)
    torch.save({"w": torch.arange(1000.0)}, saved)
    rewrite(saved, lambda name, data: data[:-4] if name.endswith("data/0") else data)
    with pytest.raises(CheckpointError, match="should have 4,000 bytes"):
        open_checkpoint(saved)


def test_big_endian_torchscript_legacy_and_others(saved, tmp_path):
    rewrite(saved, lambda name, data: b"big" if name.endswith("byteorder") else data)
    with pytest.raises(CheckpointError, match="big-endian"):
        open_checkpoint(saved)
    old = tmp_path / "old.pt"
    torch.save({"w": torch.ones(2)}, old, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match=r"old format.*torch\.save"):
        open_checkpoint(old)
    with zipfile.ZipFile(tmp_path / "zip.pt", "w") as archive:
        archive.writestr("x", b"y")
    with pytest.raises(CheckpointError, match="not one that torch"):
        open_checkpoint(tmp_path / "zip.pt")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("m/data.pkl", b"")
        archive.writestr("m/constants.pkl", b"")
        archive.writestr("m/code/__torch__.py", b"")
    with pytest.raises(CheckpointError, match="TorchScript"):
        open_checkpoint(tmp_path / "script.pt")


def with_pickle(path, data):
    rewrite(path, lambda name, old: data if name.endswith("data.pkl") else old)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x02",
        b"garbage",
        b"\x80\x02.",
        b"\x80\x02}q\x00h\x05.",
        b"\x80\x02(.",
        b"\x80\x02]K\x01s.",
        b"\x80\x02cos\nsystem\n(U\x04trueo.",
        b"\x80\x02X\xff\xff\xff\x7fa.",
        b"\x80\x02}r\xff\xff\xff\x7f.",  # a memo index that would cost the C unpickler 34 GB
        b"\x80\x02" + b"(" * 50_000 + b".",
        b"\x80\x02}(" + b")" + b"\x85" * 200_000 + b"K\x01u.",  # a nested tuple as key: hashing overflows a C stack
        b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".",
        b"\x80\x02]q\x00h\x00a.",  # a list in itself
        b"\x80\x02U\x01xQ.",
        b"I" + b"9" * 10_000 + b"\n.",
    ],
)
def test_malformed_pickles_are_sentences(saved, data):
    with_pickle(saved, data)
    with pytest.raises(CheckpointError, match=r"m\.pt"):
        open_checkpoint(saved)


def test_a_structure_that_shares_itself_a_billion_times_is_refused(saved):
    data = b"\x80\x02]q\x00"
    for level in range(1, 36):
        data += b"](" + b"h" + bytes([level - 1]) + b"h" + bytes([level - 1]) + b"eq" + bytes([level])
    with_pickle(saved, data + b".")
    with pytest.raises(CheckpointError, match="more deeply nested"):
        open_checkpoint(saved)


class FakeTensor:
    """Pickles to a tensor call with whatever numbers."""

    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.args


class Pickler(pickle.Pickler):
    def persistent_id(self, obj):
        return obj.reference if isinstance(obj, FakeStorage) else None


class FakeStorage:
    def __init__(self, kind, key, numel):
        self.reference = ("storage", kind, key, "cpu", numel)


@pytest.mark.parametrize(
    ("storage", "offset", "size", "stride"),
    [
        (("0", 1000), 0, (1001,), (1,)),
        (("0", 1000), 1, (1000,), (1,)),
        (("0", 1000), -1, (10,), (1,)),
        (("0", 1000), 0, (-10,), (1,)),
        (("0", 1000), 0, (10,), (-1,)),
        (("0", 1000), 2**62, (10,), (1,)),
        (("0", 1000), 0, (2**62, 2**62), (0, 0)),
        (("0", 1000), 0, (10, 10), (1,)),
        (("0", 1000), 0, (10.0,), (1,)),
        (("0", 1000), 0, 10, 1),
        (("0", 2000), 0, (2000,), (1,)),
        (("0", -5), 0, (1,), (1,)),
        (("../0", 1000), 0, (10,), (1,)),
        (("99", 1000), 0, (10,), (1,)),
    ],
)
def test_tensors_beyond_their_storage_are_refused(saved, storage, offset, size, stride):
    out = io.BytesIO()
    fake = FakeTensor(FakeStorage(torch.FloatStorage, *storage), offset, size, stride, False, OrderedDict())
    Pickler(out, 2).dump({"w": fake})
    with_pickle(saved, out.getvalue())
    with pytest.raises(CheckpointError):
        open_checkpoint(saved)


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_damaged_files_never_do_more_than_raise(saved, data):
    """Any byte of a good file changed, or the file cut: it opens and reads, or it is a CheckpointError."""
    good = saved.parent / "good.pt"
    if not good.exists():
        torch.save({"w": torch.arange(6.0), "n": {"v": torch.ones(2, 2).t()}}, good)
    content = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    bad = saved.parent / "bad.pt"
    bad.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content))
    try:
        for ref in open_checkpoint(bad).values():
            ref.read()
    except CheckpointError:
        pass

"""Files that are broken or mean harm: each a sentence, never a crash."""

from __future__ import annotations

import json
import os
import threading

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from solera.checkpoints.opening import open_checkpoint
from solera.errors import ChangedError, CheckpointError, NotFoundError, UnsafeError


def write(path, header, data=b"", length=None):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(raw) if length is None else length).to_bytes(8, "little") + raw + data)
    return path


def entry(begin, end, shape=None, dtype="F32"):
    return {"dtype": dtype, "shape": [(end - begin) // 4] if shape is None else shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("header", "data", "says"),
    [
        ({"a": entry(0, 8), "b": entry(4, 12)}, 12, "overlap"),
        ({"a": entry(0, 12), "b": entry(4, 8)}, 12, "overlap"),
        ({"a": entry(0, 8)}, 4, "truncated"),
        ({"a": entry(0, 8, [3])}, 8, "needs 12 bytes"),
        ({"a": entry(0, 8, [2], "F64")}, 8, "needs 16 bytes"),
        ({"a": entry(0, 8, [-2])}, 8, "malformed"),
        ({"a": entry(-8, 0, [2])}, 8, "malformed"),
        ({"a": entry(8, 0, [2])}, 8, "malformed"),
        ({"a": entry(2**62, 2**62 + 8, [2])}, 8, "truncated"),
        ({"a": entry(0, 8, [2**62, 4])}, 8, "needs"),
        ({"a": entry(0, 8, [2.0])}, 8, "malformed"),
        ({"a": entry(0, 8, [True, 2])}, 8, "malformed"),
        ({"a": entry(0, 8, 2)}, 8, "malformed"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8, 8]}}, 8, "malformed"),
        ({"a": {"dtype": "F32", "shape": [2]}}, 8, "should have dtype"),
        ({"a": 3}, 8, "should have dtype"),
        ({"a": entry(0, 8, [2], "F4")}, 8, "does not read"),
        ({"a": entry(0, 8, [2], ["F32"])}, 8, "does not read"),
        ({"__metadata__": {"a": 3}}, 0, "__metadata__"),
        (b'{"a": {"dtype":"U8","shape":[1],"data_offsets":[0,1]}, "a": {}}', 1, "twice"),
        (b'{"a": ', 0, "cannot be read"),
        (b"{" + b'"a":{' * 50_000, 0, "cannot be read"),
        (b'{"\xff": 1}', 0, "cannot be read"),
        (b'{"a": ' + b"9" * 5000 + b"}", 0, "cannot be read"),
        (b"[1]", 0, "no header"),
    ],
)  # fmt: skip
def test_headers_that_lie(tmp_path, header, data, says):
    path = write(tmp_path / "m.safetensors", header, bytes(data))
    with pytest.raises(CheckpointError, match=says) as caught:
        open_checkpoint(path)
    assert str(path) in str(caught.value)


def test_huge_header_claims(tmp_path):
    path = write(tmp_path / "m.safetensors", b"{}", length=100_000_001)
    with pytest.raises(UnsafeError, match="header"):
        open_checkpoint(path)
    path = write(tmp_path / "m.safetensors", b"{}", length=99_000_000)
    with pytest.raises(CheckpointError, match="truncated"):
        open_checkpoint(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".txt", ""])
@pytest.mark.parametrize(
    "content", [b"", b"x", b"hello world, this is text\n" * 9, bytes(range(256)) * 4, b"\x08" + bytes(99)]
)
def test_files_that_are_no_checkpoint(tmp_path, suffix, content):
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"m") as caught:
        open_checkpoint(path)
    assert str(path) in str(caught.value)


def test_a_git_lfs_pointer_says_what_to_do(tmp_path):
    for name in ("m.safetensors", "m.bin"):
        (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n")
        with pytest.raises(CheckpointError, match="git lfs pull"):
            open_checkpoint(tmp_path / name)


def test_files_without_a_suffix_are_known_by_their_look(tmp_path):
    save_file({"w": torch.ones(1)}, tmp_path / "sha1")
    torch.save({"w": torch.ones(2)}, tmp_path / "sha2")
    assert open_checkpoint(tmp_path / "sha1").format == "safetensors"
    assert open_checkpoint(tmp_path / "sha2").format == "torch"
    (tmp_path / "sha1").rename(tmp_path / "wrong.pt")
    assert open_checkpoint(tmp_path / "wrong.pt").format == "safetensors"
    (tmp_path / "sha2").rename(tmp_path / "wrong.safetensors")
    with pytest.raises(CheckpointError, match="looks like a PyTorch file"):
        open_checkpoint(tmp_path / "wrong.safetensors")


def test_other_things_at_a_path(tmp_path):
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        open_checkpoint(tmp_path)
    (tmp_path / "m.safetensors").mkdir()
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        open_checkpoint(tmp_path / "m.safetensors")
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path / "pipe.safetensors")
    (tmp_path / "dangling.safetensors").symlink_to(tmp_path / "gone")
    with pytest.raises(NotFoundError):
        open_checkpoint(tmp_path / "dangling.safetensors")
    with pytest.raises(NotFoundError, match=r"Did you mean 'm\.safetensors'"):
        open_checkpoint(tmp_path / "m.safetensor")
    two = tmp_path / "two"
    two.mkdir()
    for name in ("a", "b"):
        save_file({"w": torch.ones(1)}, two / f"{name}.safetensors")
    with pytest.raises(CheckpointError, match=r"more than one checkpoint.*Open the file"):
        open_checkpoint(two)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path):
    save_file({"w": torch.ones(1)}, tmp_path / "m.safetensors")
    (tmp_path / "m.safetensors").chmod(0)
    with pytest.raises(CheckpointError, match="Permission denied"):
        open_checkpoint(tmp_path / "m.safetensors")


# --- shards and indices ---


@pytest.fixture
def sharded(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    weight_map = {}
    for number in (1, 2, 3):
        file = f"model-{number:05d}-of-00003.safetensors"
        save_file({f"w{number}": torch.full((2,), float(number))}, folder / file)
        weight_map[f"w{number}"] = file
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder, weight_map


def write_index(folder, plain):
    (folder / "model.safetensors.index.json").write_text(plain if isinstance(plain, str) else json.dumps(plain))


def test_missing_shards_are_named(sharded):
    folder, _ = sharded
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"1 of 3 shards is missing \(model-00002-of-00003"):
        open_checkpoint(folder)
    (folder / "model.safetensors.index.json").unlink()
    with pytest.raises(CheckpointError, match=r"1 of 3 shards is missing \(model-00002-of-00003"):
        open_checkpoint(folder)


def test_an_index_that_promises_too_much(sharded):
    folder, weight_map = sharded
    write_index(folder, {"weight_map": weight_map | {"w9": weight_map["w1"]}})
    with pytest.raises(CheckpointError, match="'w9' is in model-00001"):
        open_checkpoint(folder)
    write_index(folder, {"weight_map": weight_map | {"w1": weight_map["w2"]}})
    with pytest.raises(CheckpointError, match="'w1' is in model-00002"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    "name",
    ["../evil.safetensors", "/etc/passwd", "..", ".", "a/b.safetensors", "a\\b", "c:evil", "x\0y"],
)
def test_an_index_may_only_name_files_beside_it(sharded, name):
    folder, weight_map = sharded
    save_file({"w1": torch.ones(2)}, folder.parent / "evil.safetensors")
    write_index(folder, {"weight_map": weight_map | {"w1": name}})
    with pytest.raises(UnsafeError, match="own folder"):
        open_checkpoint(folder)


def test_links_out_of_the_folder(sharded):
    folder, weight_map = sharded
    outside = folder.parent / "elsewhere.safetensors"
    shard = folder / weight_map["w1"]
    shard.rename(outside)
    shard.symlink_to(outside)
    with pytest.raises(UnsafeError, match="link"):
        open_checkpoint(folder)
    shard.unlink()
    (folder / "inside.dat").write_bytes(outside.read_bytes())
    shard.symlink_to("inside.dat")
    assert open_checkpoint(folder)["w1"].read().tolist() == [1, 1]


def test_a_hugging_face_cache_is_links_and_fine(sharded, tmp_path):
    folder, _ = sharded
    blobs = tmp_path / "hub" / "models--org--name" / "blobs"
    snapshot = tmp_path / "hub" / "models--org--name" / "snapshots" / "abc123"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(folder.iterdir())):
        (blobs / f"sha{number}").write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(f"../../blobs/sha{number}")
    assert open_checkpoint(snapshot)["w3"].read().tolist() == [3, 3]
    other = tmp_path / "hub" / "models--other" / "blobs"
    other.mkdir(parents=True)
    victim = snapshot / "model-00001-of-00003.safetensors"
    content = victim.read_bytes()
    victim.unlink()
    (other / "x").write_bytes(content)
    victim.symlink_to(other / "x")
    with pytest.raises(UnsafeError):
        open_checkpoint(snapshot)


@pytest.mark.parametrize(
    "plain",
    [
        "", "[]", "{}", '{"weight_map": {}}', '{"weight_map": [1]}', '{"weight_map": {"w1": 3}}',
        '{"weight_map": {"a": ""}}',
        "[" * 50_000, '{"weight_map": {"w1": "a", "w1": "b"}}', "\xff",
    ],
)  # fmt: skip
def test_malformed_indices(sharded, plain):
    folder, _ = sharded
    (folder / "model.safetensors.index.json").write_bytes(plain.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"index\.json"):
        open_checkpoint(folder)


@pytest.mark.parametrize("plain", ["", "[]", "{", "[" * 50_000])
def test_a_broken_config_does_not_hide_the_weights(tmp_path, plain):
    save_file({"w": torch.ones(1)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(plain)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint["w"].read().tolist() == [1]
    with pytest.raises(CheckpointError, match=r"config\.json"):
        _ = checkpoint.config


# --- changes after opening ---


@pytest.fixture
def opened(tmp_path):
    path = tmp_path / "m.safetensors"
    save_file({"w": torch.arange(100_000.0)}, path)
    return path, open_checkpoint(path)


@pytest.mark.parametrize("read_before", [False, True])
def test_truncated_after_opening(opened, read_before):
    path, checkpoint = opened
    if read_before:
        checkpoint["w"].read(0, 5)
    os.truncate(path, 1000)
    with pytest.raises(ChangedError, match="is now 1000"):
        checkpoint["w"].read()
    with pytest.raises(ChangedError):
        checkpoint.verify()


def test_replaced_written_or_removed_after_opening(opened):
    path, checkpoint = opened
    checkpoint.verify()
    replacement = path.with_name("new")
    replacement.write_bytes(path.read_bytes())
    replacement.rename(path)
    with pytest.raises(ChangedError, match="replaced"):
        checkpoint["w"].read()
    again = open_checkpoint(path)
    again["w"].read(0, 1)
    with path.open("r+b") as file:
        file.seek(500)
        file.write(b"x")
    os.utime(path, ns=(1, 1))
    with pytest.raises(ChangedError, match="written"):
        again["w"].read()
    last = open_checkpoint(path)
    path.unlink()
    with pytest.raises(ChangedError, match="gone"):
        last["w"].read()
    with pytest.raises(ChangedError, match="gone"):
        last.verify()


def test_truncated_between_the_look_and_the_read(opened, monkeypatch):
    """A short read itself is noticed, should the file shrink just after its size was looked at."""
    from solera.checkpoints.source import SourceFile

    path, checkpoint = opened
    monkeypatch.setattr(SourceFile, "_check", lambda self, now, **_: None)
    os.truncate(path, 1000)
    with pytest.raises(ChangedError, match="ends before"):
        checkpoint["w"].read()


def test_reading_after_close(opened):
    _, checkpoint = opened
    with checkpoint:
        assert checkpoint["w"].read(3, 4).tolist() == [3]
    with pytest.raises(CheckpointError, match="closed"):
        checkpoint["w"].read()


def test_many_threads_read_at_once(opened):
    _, checkpoint = opened
    wrong = []

    def work(start):
        for offset in range(start, 99_000, 997):
            piece = checkpoint["w"].read(offset, offset + 1000)
            if not torch.equal(piece, torch.arange(offset, offset + 1000.0)):
                wrong.append(offset)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_descriptors_are_given_back(opened):
    path, _ = opened
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        other = open_checkpoint(path)
        other["w"].read(0, 1)
        del other
    assert len(os.listdir("/proc/self/fd")) <= before + 1


@given(st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_damaged_files_never_do_more_than_raise(tmp_path, data):
    """Any byte of a good file changed, or the file cut: it opens and reads, or it is a CheckpointError."""
    good = tmp_path / "good.safetensors"
    if not good.exists():
        save_file({"w": torch.arange(6.0), "v": torch.ones(2, 2)}, good, metadata={"a": "b"})
    content = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content))
    try:
        for ref in open_checkpoint(bad).values():
            ref.read()
    except CheckpointError:
        pass

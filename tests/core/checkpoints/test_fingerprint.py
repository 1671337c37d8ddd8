from __future__ import annotations

import hashlib
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from solera.checkpoints import fingerprint as module
from solera.checkpoints.fingerprint import BLOCK, PREFIX, Fingerprinting, fingerprint
from solera.checkpoints.memory import MemoryCheckpoint
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.errors import Cancelled, ChangedError


@pytest.fixture
def state():
    shared = torch.arange(20.0).reshape(5, 4) / 8
    return {"embed": shared, "a.weight": torch.arange(300).bfloat16(), "n": torch.tensor(3), "é": shared}


def of(checkpoint, **options):
    return fingerprint(checkpoint, context=QuietContext(), **options)


def test_it_is_of_the_content_alone(tmp_path, state):
    found = {of(MemoryCheckpoint.from_state_dict(state, "memory"))}
    untied = {name: tensor.clone() for name, tensor in state.items()}
    save_file(untied, tmp_path / "single.safetensors", metadata={"when": "now"})
    found.add(of(open_checkpoint(tmp_path / "single.safetensors")))
    torch.save({"state_dict": dict(reversed(state.items()))}, tmp_path / "m.ckpt")
    torch_file = open_checkpoint(tmp_path / "m.ckpt")
    assert torch_file.ties
    found.add(of(torch_file))
    torch.save({"w": {f"module.{name}": tensor for name, tensor in state.items()}}, tmp_path / "w.pt")
    found.add(of(open_checkpoint(tmp_path / "w.pt", strip="w/module.")))
    sharded = tmp_path / "sharded"
    sharded.mkdir()
    weight_map = {}
    for number, (name, tensor) in enumerate(untied.items()):
        file = f"model-{number + 1:05d}-of-00004.safetensors"
        save_file({name: tensor}, sharded / file)
        weight_map[name] = file
    (sharded / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    found.add(of(open_checkpoint(sharded)))
    assert len(found) == 1
    assert found.pop() == EXPECTED


#: Fingerprints are written into recipes and model cards; this one may never change.
EXPECTED = "sha256-tree:4e70f2fd66ef5f55c30ae596a7be888703bf99f1364809240d595252280d0b65"


def test_it_follows_its_definition(state):
    """Slow twin: the sentence at the top of the module, word for word."""
    big = torch.randint(0, 255, (BLOCK * 2 + 12345,), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    state = {**state, "big": big}
    whole = hashlib.sha256((json.dumps(["solera-fingerprint", 2, BLOCK]) + "\n").encode())
    for name in sorted(state):
        tensor = state[name]
        data = bytes(tensor.reshape(-1).view(torch.uint8).numpy())
        blocks = b"".join(hashlib.sha256(data[i : i + BLOCK]).digest() for i in range(0, len(data), BLOCK))
        dtype = str(tensor.dtype).removeprefix("torch.")
        line = [name, dtype, list(tensor.shape), hashlib.sha256(blocks).hexdigest()]
        whole.update((json.dumps(line) + "\n").encode())
    assert of(MemoryCheckpoint.from_state_dict(state)) == PREFIX + whole.hexdigest()


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(1, 700)), max_size=12), st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_reading_in_any_order_and_pieces_gives_the_same(pieces, kept):
    """Whatever a merge reads, twice or not at all, and wherever it was interrupted."""
    state = {name: torch.randn(1000, generator=torch.Generator().manual_seed(i)) for i, name in enumerate("abc")}
    checkpoint = MemoryCheckpoint.from_state_dict(state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 256)
        patch.setattr(module, "CHUNK", 512)
        hashing = Fingerprinting(checkpoint)
        watched = hashing.watched()
        known = {}
        for i, (start, count) in enumerate(pieces):
            stop = min(start + count, 1000)
            watched["abc"[i % 3]].read_into(memoryview(bytearray((stop - start) * 4)), start, stop)
            if i == kept:
                known = hashing.fresh()
                hashing = Fingerprinting(checkpoint, known)
                watched = hashing.watched()
        assert hashing.finish(QuietContext()) == of(checkpoint)


def test_what_was_read_is_not_read_again(state):
    checkpoint = MemoryCheckpoint.from_state_dict(state)
    hashing = Fingerprinting(checkpoint)
    for ref in hashing.watched().values():
        ref.read()
    assert set(hashing.fresh()) == set(state) - {"é"}

    def fail(*_):
        raise AssertionError("read again")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("solera.checkpoints.tensor_ref.TensorRef.read_into", fail)
        found = hashing.finish(QuietContext())
    assert found == of(checkpoint)


def test_every_part_of_the_content_counts(state):
    variants = [
        state,
        {**state, "embed": state["embed"] + 1e-6},
        {**state, "n": state["n"].int()},
        {**state, "embed": state["embed"].reshape(4, 5)},
        {**state, "extra": torch.zeros(0)},
        {name: tensor for name, tensor in state.items() if name != "é"},
        {name + "x": tensor for name, tensor in state.items()},
    ]
    assert len({of(MemoryCheckpoint.from_state_dict(variant)) for variant in variants}) == len(variants)


def test_the_cache_saves_the_second_reading(tmp_path, state, monkeypatch):
    path = tmp_path / "m.safetensors"
    save_file({"w": state["embed"]}, path)
    cache = tmp_path / "made" / "cache"
    first = of(open_checkpoint(path), cache=cache)

    def fail(*_):
        raise AssertionError("read again")

    with monkeypatch.context() as patch:
        patch.setattr(module.Fingerprinting, "_read_rest", fail)
        assert of(open_checkpoint(path), cache=cache) == first
    save_file({"w": state["embed"] + 1}, path)
    assert of(open_checkpoint(path), cache=cache) != first
    for file in cache.iterdir():
        file.write_text("nonsense")
    save_file({"w": state["embed"]}, path)
    assert of(open_checkpoint(path), cache=cache) == first
    (tmp_path / "file").write_text("")
    assert of(open_checkpoint(path), cache=tmp_path / "file" / "no") == first


def test_stop_and_change(tmp_path, state):
    path = tmp_path / "m.safetensors"
    save_file({"w": state["embed"]}, path)

    class Stopping(QuietContext):
        def check(self):
            raise Cancelled("Stop.")

    with pytest.raises(Cancelled):
        fingerprint(open_checkpoint(path), context=Stopping())
    checkpoint = open_checkpoint(path)
    save_file({"w": state["embed"], "v": state["embed"] + 1}, path)
    with pytest.raises(ChangedError):
        of(checkpoint)

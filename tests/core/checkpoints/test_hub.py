"""Models as people write them, and the local cache of the hub."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from solera.checkpoints.hub import find_snapshot, hub_cache
from solera.checkpoints.opening import open_checkpoint
from solera.checkpoints.references import Reference, read_foreign, read_hub
from solera.errors import InputError, NotFoundError, UnsafeError
from solera.testing.tiny_llama import write_tiny_llama

COMMIT, OTHER = "0123456789abcdef0123456789abcdef01234567", "f" * 40


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache as the hub's libraries lay it out: snapshots of links into blobs."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    model = tmp_path / "hub" / "models--org--name"
    whole = write_tiny_llama(tmp_path / "whole", 1, shard_bytes=20_000)
    snapshot = model / "snapshots" / COMMIT
    (model / "blobs").mkdir(parents=True)
    (model / "refs" / "pr").mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for i, file in enumerate(sorted(whole.iterdir())):
        shutil.copy(file, model / "blobs" / f"blob{i}")
        (snapshot / file.name).symlink_to(Path("../../blobs") / f"blob{i}")
    for ref in ("main", "v1", "pr/1"):
        (model / "refs" / ref).write_text(COMMIT)
    (model / "refs" / "gone").write_text(OTHER)
    return tmp_path / "hub"


@pytest.mark.parametrize("revision", ["", "main", "v1", "pr/1", COMMIT, COMMIT[:8]])
def test_a_snapshot_is_found_by_branch_tag_and_commit(cache, revision):
    found = find_snapshot(Reference("org/name", revision, hub=True))
    assert found.source == f"hub:org/name@{COMMIT}"
    with open_checkpoint(found.folder) as checkpoint:
        assert checkpoint.config["model_type"] == "llama"
        assert len(checkpoint.files) > 1
        assert {file.name for file in checkpoint.extra_files()} >= {"config.json", "tokenizer.json"}


@pytest.mark.parametrize(("model", "revision"), [("org/name", "v2"), ("org/name", "gone"), ("org/else", ""), ("n", "")])
def test_what_is_not_there_is_never_fetched_unasked(cache, model, revision, monkeypatch):
    monkeypatch.setattr("solera.checkpoints.hub._fetch", lambda reference: pytest.fail("it went to the network"))
    with pytest.raises(NotFoundError, match="--download"):
        find_snapshot(Reference(model, revision, hub=True))


def test_what_may_be_fetched_is(cache, monkeypatch):
    fetched = []

    def fetch(reference):
        fetched.append(reference.model)
        (cache / "models--org--new" / "snapshots" / OTHER).mkdir(parents=True)
        (cache / "models--org--new" / "refs").mkdir()
        (cache / "models--org--new" / "refs" / "main").write_text(OTHER)

    monkeypatch.setattr("solera.checkpoints.hub._fetch", fetch)
    assert find_snapshot(Reference("org/new", hub=True), download=True).commit == OTHER
    assert find_snapshot(Reference("org/name", hub=True), download=True).commit == COMMIT
    assert fetched == ["org/new"]


def test_links_out_of_the_model_are_refused(cache, tmp_path):
    snapshot = cache / "models--org--name" / "snapshots" / COMMIT
    shard = next(file for file in sorted(snapshot.iterdir()) if file.name.endswith(".safetensors"))
    target = tmp_path / "elsewhere.safetensors"
    shutil.copy(shard, target)
    shard.unlink()
    shard.symlink_to(target)
    with pytest.raises(UnsafeError, match="outside"):
        open_checkpoint(snapshot)


def test_the_cache_is_where_the_libraries_keep_it(monkeypatch, tmp_path):
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert hub_cache() == Path.home() / ".cache" / "huggingface" / "hub"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert hub_cache() == tmp_path / "huggingface" / "hub"
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    assert hub_cache() == tmp_path / "home" / "hub"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("here", Reference("/data/here")),
        ("here@v1", Reference("/data/here")),
        ("odd+name@x", Reference("/data/odd+name@x")),
        ("org/name", Reference("org/name", hub=True)),
        ("org/name@refs/pr/3", Reference("org/name", "refs/pr/3", hub=True)),
        ("here+org/lora@v2", Reference("/data/here", adapter=Reference("org/lora", "v2", hub=True))),
        ("gpt2", Reference("gpt2", hub=True)),
    ],
)
def test_references(text, expected):
    there = {"here": "/data/here", "odd+name@x": "/data/odd+name@x"}
    assert read_foreign(text, lambda name: there.get(name, "")) == expected


@pytest.mark.parametrize("text", ["./nowhere", "/nowhere", "~/nowhere", "a/b/c"])
def test_paths_that_are_not_there(text):
    with pytest.raises(NotFoundError, match="no file or folder"):
        read_foreign(text, lambda name: "")


@pytest.mark.parametrize("text", ["hub:", "hub:a b", "hub:org/../x", "hub:org/name@", "hub:org/name@../x", "hub:-x"])
def test_no_ids(text):
    with pytest.raises(InputError, match="org/name"):
        read_hub(text)

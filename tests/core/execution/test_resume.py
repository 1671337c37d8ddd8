"""Killed at any moment, the same merge goes on after its finished files and gives the same bytes."""

from __future__ import annotations

import errno
import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from solera.checkpoints.opening import open_checkpoint
from solera.checkpoints.source import SourceFile
from solera.context import QuietContext
from solera.errors import Cancelled, ChangedError, Interrupted, NumericError, OutputError
from solera.events import Logged
from solera.execution import journal as journal_module
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.execution.writer import write_checkpoint
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe

SHARD = 9000  # several files


@pytest.fixture
def recipe(leaves):
    return Recipe((*leaves, MethodNode("o", "ties", ("math", "code"), "base", {"density": 0.3})), "o")


def said(context):
    return " ".join(event.text for event in context.events if isinstance(event, Logged))


def made(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


class Full:
    """``os.pwrite`` on a disk that takes so many more calls."""

    def __init__(self, calls: int) -> None:
        self.calls = calls
        self._real = os.pwrite

    def __call__(self, file, data, offset):
        self.calls -= 1
        if self.calls < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._real(file, data, offset)


def fail_late(cost, out, monkeypatch, prints=None):
    """Run out of room when some files are finished."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", Full(9))
        with pytest.raises(OutputError, match="disk is full") as caught:
            execute(cost, out, QuietContext(), shard_bytes=SHARD, fingerprints=prints)
    return caught.value


def reads_of(monkeypatch):
    """Names of the tensors that are read from now on."""
    from solera.checkpoints.tensor_ref import TensorRef

    names: list[str] = []
    real = TensorRef.read_into

    def read_into(self, buffer, start=0, stop=None):
        names.append(self.name)
        return real(self, buffer, start, stop)

    monkeypatch.setattr(TensorRef, "read_into", read_into)
    return names


def test_what_is_finished_when_the_disk_is_full_is_kept(opened, recipe, methods, tmp_path, monkeypatch):
    cost = plan(recipe, opened, methods, threads=1)
    whole = execute(cost, tmp_path / "whole" / "out", QuietContext(), shard_bytes=SHARD)
    error = fail_late(cost, tmp_path / "out", monkeypatch)
    kept = error.fields["kept"]
    assert 0 < len(kept) < len(list(whole.glob("*.safetensors")))
    assert f"{len(kept)} of" in str(error)
    assert "the same command goes on" in str(error)
    assert not (tmp_path / "out").exists()
    assert sorted(file.name for file in (tmp_path / ".out.solera").iterdir()) == kept
    names, context = reads_of(monkeypatch), QuietContext()
    folder = execute(cost, tmp_path / "out", context, shard_bytes=SHARD)
    assert made(folder) == made(whole)
    index = json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]
    done = {name for name, file in index.items() if file in kept}
    # The counters of the other models are read for their fingerprints alone.
    assert set(names) & done <= {"model.layers.0.num_batches_tracked"}, "nothing is read again"
    assert "Going on after" in said(context)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]


@pytest.mark.parametrize("other", ["recipe", "dtype", "shards", "input", "version", "boot"])
def test_files_of_another_merge_are_not_taken(other, opened, recipe, methods, tmp_path, monkeypatch, models):
    fail_late(plan(recipe, opened, methods, threads=1), tmp_path / "out", monkeypatch)
    known, shard = dict(methods), SHARD
    if other == "recipe":
        recipe = replace(recipe, nodes=(*recipe.nodes[:-1], MethodNode("o", "ties", ("math", "code"), "base")))
    elif other == "dtype":
        recipe = replace(recipe, dtype="bfloat16")
    elif other == "shards":
        shard = 2 * SHARD
    elif other == "input":
        write_checkpoint({name: ref.read() for name, ref in opened["math"].items()}, tmp_path / "in" / "math")
        opened = {**opened, "math": open_checkpoint(tmp_path / "in" / "math")}
    elif other == "version":
        known["ties"] = replace(known["ties"], version=known["ties"].version + 1)
    else:
        monkeypatch.setattr(journal_module, "boot", lambda: "another")
    cost = plan(recipe, opened, known, threads=1)
    context = QuietContext()
    folder = execute(cost, tmp_path / "out", context, shard_bytes=shard)
    assert not context.events
    assert made(folder) == made(execute(cost, tmp_path / "whole" / "out", QuietContext(), shard_bytes=shard))


@pytest.mark.parametrize("change", [0.0, 1.0])
@pytest.mark.parametrize("known", [True, False])
def test_where_only_times_and_inodes_changed_the_fingerprint_decides(
    change, known, opened, recipe, methods, tmp_path, monkeypatch
):
    from solera.checkpoints.fingerprint import fingerprint

    prints = {id_: fingerprint(checkpoint, context=QuietContext()) for id_, checkpoint in opened.items()}
    fail_late(plan(recipe, opened, methods, threads=1), tmp_path / "out", monkeypatch, prints=prints if known else {})
    state = {name: ref.read() for name, ref in opened["base"].items()}
    state["model.norm.weight"] = state["model.norm.weight"] + change
    notes = opened["base"].metadata
    copy = open_checkpoint(write_checkpoint(state, tmp_path / "copies" / "base", metadata=notes))
    cost, context = plan(recipe, {**opened, "base": copy}, methods, threads=1), QuietContext()
    folder = execute(cost, tmp_path / "out", context, shard_bytes=SHARD)
    assert ("Going on" in said(context)) is (known and not change)
    assert made(folder) == made(execute(cost, tmp_path / "whole" / "out", QuietContext(), shard_bytes=SHARD))


def test_a_program_that_ends_keeps_and_a_person_who_cancels_does_not(opened, recipe, methods, tmp_path):
    class Stopping(QuietContext):
        kind: type[Cancelled] = Interrupted

        def progress(self, done, total, unit="", text=""):
            if total and unit == "B" and done > total / 2:
                raise self.kind("Stop.")

    cost = plan(recipe, opened, methods, threads=1)
    context = Stopping()
    with pytest.raises(Interrupted):
        execute(cost, tmp_path / "out", context, shard_bytes=SHARD)
    assert "are finished and kept" in said(context)
    assert (tmp_path / ".out.solera").exists()
    Stopping.kind = Cancelled
    with pytest.raises(Cancelled):
        execute(cost, tmp_path / "out", Stopping(), shard_bytes=SHARD)
    assert list(tmp_path.iterdir()) == []


def test_a_stop_while_the_fingerprint_is_asked_leaves_what_is_there(opened, recipe, methods, tmp_path, monkeypatch):
    """Neither the lock nor the finished files suffer."""
    from solera.checkpoints.fingerprint import fingerprint

    prints = {id_: fingerprint(checkpoint, context=QuietContext()) for id_, checkpoint in opened.items()}
    kept = fail_late(plan(recipe, opened, methods, threads=1), tmp_path / "out", monkeypatch, prints=prints).fields[
        "kept"
    ]
    state, notes = {name: ref.read() for name, ref in opened["base"].items()}, opened["base"].metadata
    copy = open_checkpoint(write_checkpoint(state, tmp_path / "copies" / "base", metadata=notes))
    cost = plan(recipe, {**opened, "base": copy}, methods, threads=1)

    class Stopping(QuietContext):
        def check(self):
            raise Interrupted("Stop.")

    with pytest.raises(Interrupted):
        execute(cost, tmp_path / "out", Stopping(), shard_bytes=SHARD)
    assert sorted(file.name for file in (tmp_path / ".out.solera").iterdir()) == kept
    context = QuietContext()
    execute(cost, tmp_path / "out", context, shard_bytes=SHARD)
    assert f"Going on after {len(kept)} of" in said(context)


def test_an_input_that_changes_ends_it_and_nothing_is_kept(methods, tmp_path, toy_state):
    for i, name in enumerate("ab"):
        write_checkpoint(toy_state(i), tmp_path / name)
    opened = {name: open_checkpoint(tmp_path / name) for name in "ab"}
    nodes = (CheckpointNode("a", "a"), CheckpointNode("b", "b"), MethodNode("o", "linear", ("a", "b")))
    cost = plan(Recipe(nodes, "o"), opened, methods, threads=1)

    class Meddling(QuietContext):
        def progress(self, done, total, unit="", text=""):
            if total and unit == "B" and done > total / 2:
                os.utime(tmp_path / "b" / "model.safetensors", (1, 1))

    with pytest.raises(ChangedError, match=r"b.model\.safetensors changed after it was opened"):
        execute(cost, tmp_path / "out", Meddling(), shard_bytes=SHARD)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_file_made_of_an_input_that_changed_while_it_was_read_is_not_kept(methods, tmp_path, monkeypatch, toy_state):
    """Not even where the fingerprint could tell later that the input is again what it was."""
    for i, name in enumerate("ab"):
        write_checkpoint(toy_state(i), tmp_path / "in" / name)
    opened = {name: open_checkpoint(tmp_path / "in" / name) for name in "ab"}
    nodes = (CheckpointNode("a", "a"), CheckpointNode("b", "b"), MethodNode("o", "linear", ("a", "b")))
    cost = plan(Recipe(nodes, "o"), opened, methods, threads=1)
    real = SourceFile._read_some
    noted: list[Path] = []

    def written_to(self, descriptor, view, offset):
        count = real(self, descriptor, view, offset)
        if len(noted) == 0 and self.path.parent.name == "b":
            noted.append(self.path)
            os.utime(self.path, (1, 1))
        return count

    monkeypatch.setattr(SourceFile, "_read_some", written_to)
    prints = dict.fromkeys("ab", "sha256-tree:" + "0" * 64)
    with pytest.raises(ChangedError):
        execute(cost, tmp_path / "out", QuietContext(), shard_bytes=1, fingerprints=prints)
    assert not (tmp_path / ".out.solera").exists()


def test_files_made_where_nan_may_pass_are_not_taken_where_it_may_not(methods, tmp_path, toy_state, monkeypatch):
    state = toy_state(0)
    first = min(name for name, tensor in state.items() if tensor.is_floating_point())
    state[first].view(-1)[0] = float("nan")
    (tmp_path / "in").mkdir()
    save_file({name: tensor.contiguous().clone() for name, tensor in state.items()}, tmp_path / "in" / "a.safetensors")
    opened = {"a": open_checkpoint(tmp_path / "in" / "a.safetensors")}
    cost = plan(Recipe((CheckpointNode("a", "a"),), "a"), opened, methods, threads=1)

    def run(**more):
        return execute(cost, tmp_path / "out", QuietContext(), shard_bytes=1, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", Full(len(state) + 5))
        with pytest.raises(OutputError, match="finished and kept"):
            run(allow_nonfinite=True)
    with pytest.raises(NumericError, match=first):
        run()
    assert run(allow_nonfinite=True).is_dir()


KILLED = """
import json, os, random, signal, sys
from pathlib import Path
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.extend.registry import Registry
from solera.recipes.yaml import load_recipe

models, root, seed, rounds, text = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
methods = Registry.discover().methods
recipe = load_recipe(text, methods)
chance = random.Random(seed)

def merge(out, force=False):
    opened = {name: open_checkpoint(models / name) for name in ("base", "math", "code")}
    cost = plan(recipe, opened, methods, threads=2)
    execute(cost, out, QuietContext(), force=force, shard_bytes=9000)

def made(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}

left = [-1]
seen = [0]
def moment(*_):
    # Before every write to the disk, and every call that makes, renames or removes something there.
    seen[0] += 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
real = os.pwrite
def pwrite(file, data, offset):
    moment()
    half = max(1, len(data) // 2)
    return real(file, data[:half], offset)  # in two goes, so that tensors are cut too
os.pwrite = pwrite
EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.copyfile"}
def audit(event, arguments):
    if event in EVENTS and str(root) in str(arguments[0]):
        moment()
sys.addaudithook(audit)

def in_a_child(out, force=False, kill=-1):
    # The parent computes nothing: torch's threads do not outlive a fork.
    child = os.fork()
    if child == 0:
        left[0] = kill
        merge(out, force)
        (root / "moments").write_text(str(seen[0]))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status == 0 or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL), status
    return status == 0

in_a_child(root / "whole" / "out")
whole, moments = made(root / "whole" / "out"), int((root / "moments").read_text())
told = {"moments": moments, "kills": 0, "resumed": 0}
for number in range(rounds):
    replacing = number % 3 == 2
    out = root / f"round{number}" / "out"
    out.parent.mkdir()
    if replacing:
        in_a_child(root / "old" / f"r{number}")  # any checkpoint
        os.rename(root / "old" / f"r{number}", out)
        (out / "README.md").write_text("old")
    before = made(out) if replacing else None
    for attempt in range(40):
        if in_a_child(out, replacing, chance.randrange(moments) if attempt < 3 else -1):
            break
        told["kills"] += 1
        told["resumed"] += len(list((out.parent / ".out.solera").glob("*.safetensors"))) > 0
        if out.exists():
            assert made(out) in (before, whole), "a half-written model"
            if made(out) == whole:
                break
        else:
            assert not replacing, "the old result is gone"
    assert made(out) == whole, "other bytes"
print(json.dumps(told))
"""

TEXT = """\
solera: 1
nodes:
  base: {checkpoint: base}
  math: {checkpoint: math}
  code: {checkpoint: code}
  first: {method: ties, base: base, inputs: [math, code], density: 0.3, scope: model}
  o: {method: slerp, inputs: [first, code]}
output: o
"""


def killed_at_random(models, tmp_path, seed, rounds):
    command = [sys.executable, "-c", KILLED, str(models), str(tmp_path), str(seed), str(rounds), TEXT]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=280, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a killed process is made by fork")
def test_kill_9_at_any_moment(models, tmp_path):
    told = killed_at_random(models, tmp_path, random.SystemRandom().randrange(2**31), 6)
    assert told["kills"] >= 3, told


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(4))
def test_kill_9_at_any_moment_many_times(seed, models, tmp_path):
    told = killed_at_random(models, tmp_path, seed, 60)
    assert told["kills"] >= 60, told
    assert told["resumed"] >= 20, told


@pytest.mark.parametrize("cut", [0, 10, -3, None])
def test_a_journal_that_was_cut_is_read_as_far_as_it_goes(cut, opened, recipe, methods, tmp_path, monkeypatch):
    cost = plan(recipe, opened, methods, threads=1)
    whole = made(execute(cost, tmp_path / "whole" / "out", QuietContext(), shard_bytes=SHARD))
    kept = fail_late(cost, tmp_path / "out", monkeypatch).fields["kept"]
    journal = tmp_path / ".out.solera.journal"
    if cut is None:  # the file is gone, not its line
        (tmp_path / ".out.solera" / kept[0]).unlink()
    else:
        journal.write_text(journal.read_text()[:cut])
    assert made(execute(cost, tmp_path / "out", QuietContext(), shard_bytes=SHARD)) == whole
    assert not journal.exists()


def test_threads_count_only_where_bytes_depend_on_them(opened, leaves, methods):
    from solera.execution.identity import plan_key

    before = torch.get_num_threads()
    keys: dict[tuple[str, int], str] = {}
    for name in ("linear", "iso_c"):
        if name not in methods:
            continue
        node = MethodNode("o", name, ("math", "code"), "base" if methods[name].base == "required" else "")
        cost = plan(Recipe((*leaves, node), "o"), opened, methods)
        for threads in (1, 2):
            torch.set_num_threads(threads)
            keys[name, threads] = plan_key(cost, [], "cpu")
    torch.set_num_threads(before)
    assert keys["linear", 1] == keys["linear", 2]
    assert len(set(keys.values())) == len(keys) - 1

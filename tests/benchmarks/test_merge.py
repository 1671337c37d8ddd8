"""The merge benchmark: its inputs, its page, and (heavy) a run of it; inputs larger than the memory allowed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from solera.checkpoints.opening import open_checkpoint
from solera.testing.bench import Row, report
from solera.testing.bench_merge import CASES
from solera.testing.bench_merge_page import write_page
from solera.testing.measured import measure
from solera.testing.merge_inputs import NAMES, Shape, merge_inputs, numel

TINY = Shape(layers=1, width=64, inner=96, keys=32, vocabulary=100, shard_bytes=40_000)


def test_inputs_are_llamas_whose_changes_are_small_and_correlated(tmp_path):
    paths = merge_inputs(tmp_path, TINY)
    opened = {name: open_checkpoint(paths[name]) for name in NAMES}
    assert len(opened["base"].files) > 1
    assert sum(ref.numel for ref in opened["base"].values()) == numel(TINY)
    base, one, two = (opened[name]["lm_head.weight"].read().float() for name in NAMES[:3])
    assert base.std() == pytest.approx(0.02, rel=0.1)
    changes = [(tune - base).flatten() for tune in (one, two)]
    assert 0.0005 < float(changes[0].std()) < 0.002
    assert 0.2 < float(torch.nn.functional.cosine_similarity(changes[0], changes[1], dim=0)) < 0.5
    before = {file: file.stat().st_mtime_ns for file in paths["base"].iterdir()}
    merge_inputs(tmp_path, TINY)
    assert before == {file: file.stat().st_mtime_ns for file in paths["base"].iterdir()}


def test_the_page_tells_every_figure(tmp_path):
    rows = [
        Row.of("start", "wall time", "s", 1.5),
        Row.of("ties", "wall time", "s", 9.0, peer=180.0, floor=1.5, target=1 / 12),
        Row("ties", "anonymous memory", "GiB", 0.3, 3.0, None, None, 0.6, True),
        Row.of("ties", "wall time after the start", "s", 7.5, floor=1.5),
    ]
    write_page(report("merge", rows), tmp_path / "page.md")
    said = (tmp_path / "page.md").read_text()
    assert "| ties | 9.0 | 180.0 | 0.050 | 0.083 | 1.5 | 7.5 | 0.30 | 3.00 |" in said
    assert "180.0 s" in (tmp_path / "page.svg").read_text()


def test_memory_of_a_program_is_seen():
    code = "import time; kept = bytearray(200_000_000); kept[::4096] = b'1' * len(kept[::4096]); time.sleep(0.5)"
    seen = measure([sys.executable, "-c", code], memory=True)
    if Path("/proc/self/smaps_rollup").exists():
        assert 200_000_000 < seen.anonymous < 300_000_000
    assert seen.wall > 0.4


def test_every_method_of_the_comparison_has_a_target():
    assert set(CASES) == {
        "linear", "task_arithmetic", "slerp", "karcher", "model_stock", "sce", "dare_ties", "della", "ties",
        "breadcrumbs",
    }  # fmt: skip
    assert all(0 < case.target <= 1 / 3 for case in CASES.values())


LIMITED = """
import resource, sys
from solera.cli.main import main
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
raise SystemExit(main(["merge", sys.argv[2], sys.argv[3], "-q", "--memory-budget", "200MiB"]))
"""


@pytest.mark.heavy
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of memory are Linux's")
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("method", ["{method: linear, inputs: [a, b, c]}", "{method: ties, base: a, inputs: [b, c]}"])
def test_inputs_larger_than_memory(method, tmp_path):
    """3 x 8 GB of inputs with 1 GiB that the process may take for data; sparse files keep the disk free."""
    for name in "abc":
        _sparse(tmp_path / name, 8 * 10**9)
    nodes = "".join(f"  {name}: {{checkpoint: {tmp_path / name}}}\n" for name in "abc")
    (tmp_path / "recipe.yml").write_text(f"solera: 1\nnodes:\n{nodes}  o: {method}\noutput: o\n")
    command = [sys.executable, "-c", LIMITED, str(2**30), str(tmp_path / "recipe.yml"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert sum(ref.nbytes for ref in open_checkpoint(tmp_path / "out").values()) == 8 * 10**9


def _sparse(folder: Path, nbytes: int) -> None:
    """A checkpoint of zeros with some numbers here and there: files with holes."""
    from solera.execution.writer import ShardWriter, lay_out
    from solera.tensors.specs import TensorSpec

    folder.mkdir()
    count = 8
    specs = [TensorSpec(f"layers.{i}.w", (1000, nbytes // count // 2 // 1000), "bfloat16") for i in range(count)]
    writer = ShardWriter(folder, lay_out(specs, {"format": "pt"}, nbytes // 4))
    numbers = torch.randn(10_000, generator=torch.Generator().manual_seed(len(folder.name))).bfloat16()
    for spec in specs:
        for at in range(0, spec.nbytes - 20_000, 200_000_000):
            writer.write(spec.name, at, numbers.view(torch.uint8).numpy().data)
    writer.close()
    writer.write_index()

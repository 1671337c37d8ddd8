"""Opening a checkpoint of 100 shards reads headers only; and how long the command line takes to say hello."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from solera.testing.bench import Row, Say

SHARDS = 100
TENSORS = 8
ROWS = 2048


def opening(say: Say) -> tuple[Row, ...]:
    """Open a large sharded checkpoint, and start the command line."""
    from solera.checkpoints.opening import open_checkpoint

    with tempfile.TemporaryDirectory(prefix="solera-bench-") as folder:
        say(f"writing {SHARDS} sparse shards")
        written = write_shards(Path(folder))
        say("opening them")
        before = _bytes_read()
        began = time.perf_counter()
        with open_checkpoint(folder) as checkpoint:
            count, nbytes = len(checkpoint), checkpoint.nbytes
        seconds = time.perf_counter() - began
        read = _bytes_read() - before
    case = f"open {SHARDS} shards, {count} tensors, {nbytes / 1e9:.2g} GB"
    say("solera --help, five times")
    hello = _hello()
    return (
        Row.of(case, "wall time", "ms", seconds * 1e3, target=1000.0),
        Row.of(case, "bytes read", "B", float(read), floor=float(written), target=4.0),
        Row.of("solera --help, a new process", "wall time, median of five", "ms", hello * 1e3, target=300.0),
    )


def write_shards(folder: Path) -> int:
    """Make a sharded checkpoint whose tensors are holes in sparse files; returns the bytes of its headers."""
    weight_map: dict[str, str] = {}
    total = 0
    for shard in range(SHARDS):
        file = f"model-{shard + 1:05d}-of-{SHARDS:05d}.safetensors"
        size = ROWS * ROWS * 2
        header = {
            f"layers.{shard}.{i}.weight": {
                "dtype": "BF16",
                "shape": [ROWS, ROWS],
                "data_offsets": [i * size, (i + 1) * size],
            }
            for i in range(TENSORS)
        }
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(folder / file, "wb") as out:
            out.write(len(text).to_bytes(8, "little") + text)
            out.truncate(8 + len(text) + TENSORS * size)
        weight_map |= dict.fromkeys(header, file)
        total += 8 + len(text)
    index = json.dumps({"metadata": {}, "weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(index)
    return total + len(index)


def _bytes_read() -> int:
    """Bytes this process has asked the system for; 0 where that is not told."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("rchar"))


def _hello() -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        command = [sys.executable, "-m", "solera.cli", "--help"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
        times.append(time.perf_counter() - start)
    return statistics.median(times)

"""Finished merges by what they mean: the same merge again takes the weights that are there already.

A record says where the result of a key lies and what its files looked like; nothing is stored twice. It is believed as
long as the files have their sizes, times and inodes. Weights are copied, sharing the disk's blocks where the file
system can do that; never by hard links, through which a change of one result would change the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from solera.checkpoints.fingerprint import BLOCK
from solera.errors import OutputError
from solera.files import replace_text

if TYPE_CHECKING:
    from solera.context import Context
    from solera.execution.plan import Plan

_FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file, to be copied when one is written


class Artifacts:
    """The records of a project's finished merges.

    Args:
        folder: Where they are, one small file each; made when the first is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, key: str) -> Path | None:
        """The folder of the result with this key; None if there is none, or its weights changed since."""
        try:
            plain = json.loads((self._folder / f"{key}.json").read_text("utf-8"))
            path = Path(plain["path"])
            return path if _weights(path) == plain["weights"] else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def record(self, key: str, out: Path) -> None:
        """Note a finished result."""
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"path": str(out), "weights": _weights(out)}, indent=1)
        replace_text(self._folder / f"{key}.json", text)


def artifact_key(plan: Plan, fingerprints: Mapping[str, str], device: str, shard_bytes: int) -> str:
    """SHA-256 of everything that decides the bytes of a result's weights files.

    Args:
        plan: The merge.
        fingerprints: Content hash of every input by node id.
        device: torch device.
        shard_bytes: Most bytes of tensors in one file.
    """
    from solera.execution.identity import plan_key
    from solera.execution.result import result_shards

    shards = result_shards(plan, fingerprints, shard_bytes)
    headers = [hashlib.sha256(shard.header).hexdigest() for shard in shards]
    told = [plan_key(plan, shards, device), dict(fingerprints), headers]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def copy_artifact(
    plan: Plan, found: Path, out: Path, context: Context, *, fingerprints: Mapping[str, str], force: bool
) -> str:
    """Make a result from one that has the same weights.

    Args:
        plan: The merge.
        found: The earlier result.
        out: The folder to make.
        context: Asked whether to stop; told the progress in bytes.
        fingerprints: Content hash of every input by node id.
        force: Replace a checkpoint folder that is there.

    Returns:
        How the weights came there, a few words.

    Raises:
        OutputError: It exists, cannot be written, or the disk is full.
        Cancelled: The context said so. Nothing is left behind.
    """
    from solera.execution.card import write_companions
    from solera.execution.output import Output
    from solera.execution.writer import output_error

    shared = True
    with Output(out, force=force) as folder:
        done, total = 0, sum(size for size, *_ in _weights(found).values())
        for name in _weights(found):
            try:
                shared = _copy(found / name, folder / name, context) and shared
            except OSError as error:
                if isinstance(error, OutputError):
                    raise
                raise output_error(error, folder) from error
            done += (folder / name).stat().st_size
            context.progress(done, total, "B", name)
        write_companions(plan, folder, fingerprints)
    return "sharing the disk's blocks" if shared else "copied, for this disk cannot share blocks"


def _weights(folder: Path) -> dict[str, list[int]]:
    """Size, time and inode of every file of weights, and of their index."""
    found: dict[str, list[int]] = {}
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.safetensors.index.json")]):
        status = file.stat()
        found[file.name] = [status.st_size, status.st_mtime_ns, status.st_ino]
    if not found:
        raise FileNotFoundError(folder)
    return found


def _copy(source: Path, target: Path, context: Context) -> bool:
    """Copy a file; whether its blocks are shared."""
    with source.open("rb") as read, target.open("wb") as write:
        try:
            import fcntl

            fcntl.ioctl(write.fileno(), _FICLONE, read.fileno())
        except (ImportError, OSError):
            pass  # another disk, or one that cannot
        else:
            return True
        while data := read.read(32 * BLOCK):
            context.check()
            write.write(data)
    return False

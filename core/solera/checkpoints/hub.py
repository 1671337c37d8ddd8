"""Models of the Hugging Face hub in the local cache: found by id and revision, fetched only when that was allowed."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from solera.checkpoints.references import HUB, Reference
from solera.errors import NotFoundError

_COMMIT = re.compile(r"[0-9a-f]{40}")

#: What is fetched: weights in safetensors, config and tokenizer. Never code.
_WANTED = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja", "*.spm")

#: Fetched instead of the first where a model has no safetensors.
_PICKLES = ("*.bin", *_WANTED[1:])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A model in the cache.

    Attributes:
        model: Its id.
        commit: The commit its files are of.
        folder: Where they are: links into the cache's blobs.
    """

    model: str
    commit: str
    folder: Path

    @property
    def source(self) -> str:
        """As a recipe writes it, pinned to its commit."""
        return f"{HUB}{self.model}@{self.commit}"


def hub_cache() -> Path:
    """Where the libraries of the hub keep what they fetched: ``HF_HUB_CACHE``, ``HF_HOME``, or the user's cache."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return Path(os.environ[name]).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache).expanduser() if cache else Path.home() / ".cache") / "huggingface" / "hub"


def find_snapshot(reference: Reference, *, download: bool = False) -> Snapshot:
    """The files of a model on the hub.

    Args:
        reference: With ``hub``.
        download: Whether what is missing may be fetched. Without, nothing touches the network.

    Raises:
        NotFoundError: It is not in the cache, or not on the hub.
    """
    snapshot = _cached(reference)
    if download and (snapshot is None or not _has_weights(snapshot.folder)):
        _fetch(reference)
        snapshot = _cached(reference)
    if snapshot is None:
        at = f" at '{reference.revision}'" if reference.revision else ""
        raise NotFoundError(
            f"The model '{reference.model}'{at} is not in the local cache of the hub ({hub_cache()}), and there is no "
            f"folder of that name. Fetch it with --download, or point to a folder.",
            model=reference.model, revision=reference.revision, cache=str(hub_cache()),
        )  # fmt: skip
    return snapshot


def _cached(reference: Reference) -> Snapshot | None:
    folder = hub_cache() / f"models--{reference.model.replace('/', '--')}"
    revision = reference.revision or "main"
    commit = revision if _COMMIT.fullmatch(revision) else ""
    ref = folder / "refs" / revision
    if not commit and ref.is_file():
        commit = ref.read_text("utf-8", errors="replace").strip()
    if not commit and re.fullmatch(r"[0-9a-f]{7,39}", revision) and (folder / "snapshots").is_dir():
        begins = sorted(item.name for item in (folder / "snapshots").iterdir() if item.name.startswith(revision))
        commit = begins[0] if len(begins) == 1 else ""
    files = folder / "snapshots" / commit
    return Snapshot(reference.model, commit, files) if _COMMIT.fullmatch(commit) and files.is_dir() else None


def _has_weights(folder: Path) -> bool:
    """Whether there are any: other programs may have fetched a config alone."""
    return any(file.suffix in {".safetensors", ".bin"} for file in folder.iterdir())


def _fetch(reference: Reference) -> None:
    """Fetch into the cache; files that are there already are kept."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise NotFoundError("To fetch models of the hub, install: pip install 'solera[hf]'.") from error
    for wanted in (_WANTED, _PICKLES):
        try:
            folder = snapshot_download(
                reference.model,
                revision=reference.revision or None,
                cache_dir=hub_cache(),
                allow_patterns=list(wanted),
            )
        except (OSError, ValueError) as error:  # the library's own errors are of these kinds
            sentence = str(error).strip().partition("\n")[0]
            raise NotFoundError(
                f"The model '{reference.model}' cannot be fetched from the hub: {sentence}", model=reference.model
            ) from error
        if _has_weights(Path(folder)):
            return

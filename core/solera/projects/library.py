"""The checkpoints of a project: those added by their path, and those made here."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from solera.checkpoints.formats.format import Format
from solera.errors import InputError, NotFoundError, SoleraError
from solera.files import replace_text
from solera.projects.project_file import LibraryEntry, is_name

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint
    from solera.projects.project import Project

Role = Literal["checkpoint", "adapter", "made"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A checkpoint as a list shows it.

    Attributes:
        id: Stable in the project: its name.
        name: What recipes call it (``library:NAME``).
        path: Where it is, absolute.
        format: Name of its format; empty if it cannot be opened.
        architecture: From its config; empty if that says nothing.
        numel: Parameters in all.
        dtype: The dtype most of them have.
        nbytes: Bytes of weights.
        role: ``"checkpoint"`` or ``"adapter"`` (added by a person), or ``"made"`` (an output of this project).
        missing: Whether nothing is at the path any more.
        trouble: Why it cannot be opened, a sentence; empty if it can.
        fingerprint: Content hash, if it was computed before.
        lineage: For a made one: ``{"recipe", "inputs": {id: {"name", "fingerprint"}}, "run", "created"}``.
        note: Free text.
        tags: A person's words for it, sorted.
        adapter: What kind of adapter it is, with its rank (``"LoRA, rank 16"``); empty for a checkpoint.
        base: What an adapter says it was trained on; a path or hub id, empty if it does not say.
    """

    id: str
    name: str
    path: Path
    format: str = ""
    architecture: str = ""
    numel: int = 0
    dtype: str = ""
    nbytes: int = 0
    role: Role = "checkpoint"
    missing: bool = False
    trouble: str = ""
    fingerprint: str = ""
    lineage: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    tags: tuple[str, ...] = ()
    adapter: str = ""
    base: str = ""


class Library:
    """The checkpoints of one project. Reads headers only; safe to call from any thread.

    Args:
        project: Whose.
        formats: The formats to open with; the built-in ones if None.
    """

    def __init__(self, project: Project, formats: Mapping[str, Format] | None = None) -> None:
        self._project = project
        self.formats = formats

    def entries(self) -> list[Entry]:
        """Every checkpoint: added ones in the order they were added, then made ones by name."""
        added = [self._added(item) for item in self._project.file.library.values()]
        taken = {entry.path for entry in added}
        made = [self._made(path) for path in self._outputs() if path not in taken]
        return added + made

    def get(self, name: str) -> Entry:
        """The checkpoint of this name (``"base"``, or ``"outputs/blend"`` for a made one).

        Raises:
            NotFoundError: There is none; the sentence lists what there is.
        """
        item = self._project.file.library.get(name)
        if item is not None:
            return self._added(item)
        for path in self._outputs():
            if name in (f"outputs/{path.name}", path.name):
                return self._made(path)
        known = [*self._project.file.library, *(f"outputs/{path.name}" for path in self._outputs())]
        raise NotFoundError(
            f"The library of '{self._project.name}' has no checkpoint '{name}'; it has: {', '.join(known) or 'none'}.",
            name=name,
            known=known,
        )

    def add(self, path: str | Path, name: str = "") -> Entry:
        """Add a checkpoint by its path; the file stays where it is. One that is there already is returned as it is.

        Args:
            path: A file or folder that some format can open.
            name: What to call it; from the folder's or file's name if empty.

        Raises:
            NotFoundError: Nothing is at the path.
            CheckpointError: It is no checkpoint.
            InputError: The name is taken, or none.
            OutputError: The project cannot be written.
        """
        where = Path(path).expanduser().absolute()
        with self._project.editing() as content:
            for item in content.library.values():
                if self._project.resolve(item.path) == where:
                    return self._added(item)
            self._facts_on_disk(where)  # what cannot be opened is refused here, with its reason
            chosen = name or _free_name(where, content.library)
            if not is_name(chosen):
                raise InputError(f"A checkpoint's name is like 'llama-3.1', not {chosen!r}.", name=chosen)
            if chosen in content.library:
                raise InputError(f"The library already has a checkpoint '{chosen}'; give another name.", name=chosen)
            item = LibraryEntry(chosen, self._project.relative(where))
            self._project.write(dataclasses.replace(content, library={**content.library, chosen: item}))
        return self._added(item)

    def remove(self, name: str) -> None:
        """Forget an added checkpoint; its files are not touched.

        Raises:
            NotFoundError: It is not in the library.
        """
        with self._project.editing() as content:
            self._require(content.library, name)
            rest = {key: item for key, item in content.library.items() if key != name}
            self._project.write(dataclasses.replace(content, library=rest))

    def relocate(self, name: str, path: str | Path) -> Entry:
        """Say where an added checkpoint is now.

        Raises:
            NotFoundError: It is not in the library, or nothing is at the path.
            CheckpointError: What is there is no checkpoint.
        """
        where = Path(path).expanduser().absolute()
        with self._project.editing() as content:
            self._require(content.library, name)
            self._facts_on_disk(where)
            item = dataclasses.replace(content.library[name], path=self._project.relative(where))
            self._project.write(dataclasses.replace(content, library={**content.library, name: item}))
        return self._added(item)

    def remark(self, name: str, *, note: str | None = None, tags: Iterable[str] | None = None) -> Entry:
        """Give a checkpoint another note, other tags, or both.

        Args:
            name: As :meth:`get` takes it.
            note: Free text; None leaves it.
            tags: Words; None leaves them. Blank ones are dropped.

        Raises:
            NotFoundError: There is no such checkpoint.
            OutputError: The project cannot be written.
        """
        changes: dict[str, Any] = {} if note is None else {"note": note.strip()}
        if tags is not None:
            changes["tags"] = tuple(sorted({tag.strip() for tag in tags if tag.strip()}))
        if name in self._project.file.library:
            with self._project.editing() as content:
                self._require(content.library, name)
                item = dataclasses.replace(content.library[name], **changes)
                self._project.write(dataclasses.replace(content, library={**content.library, name: item}))
            return self._added(item)
        made = self.get(name)
        with self._project.editing():
            kept = {"note": made.note, "tags": list(made.tags), **changes}
            file = self._remarks_file(made.path)
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_text(file, json.dumps({**kept, "tags": list(kept["tags"])}, indent=1, ensure_ascii=False))
        return self._made(made.path)

    def record_made(self, path: Path, lineage: Mapping[str, Any]) -> None:
        """Keep where an output comes from; an output outside the project keeps its model card alone."""
        if path.parent != self._project.outputs:
            return
        file = self._lineage_file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(dict(lineage), indent=1, sort_keys=True), encoding="utf-8")

    def _require(self, library: Mapping[str, LibraryEntry], name: str) -> None:
        if name not in library:
            raise NotFoundError(f"The library has no checkpoint '{name}' that was added by path.", name=name)

    def _outputs(self) -> list[Path]:
        folder = self._project.outputs
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))

    def _lineage_file(self, path: Path) -> Path:
        return self._project.artifacts / "lineage" / f"{path.name}.json"

    def _remarks_file(self, path: Path) -> Path:
        return self._project.artifacts / "lineage" / f"{path.name}.remarks.json"

    def _added(self, item: LibraryEntry) -> Entry:
        where = self._project.resolve(item.path)
        return self._facts(Entry(item.name, item.name, where, note=item.note, tags=item.tags))

    def _made(self, path: Path) -> Entry:
        name = f"outputs/{path.name}"
        try:
            lineage = json.loads(self._lineage_file(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            lineage = {}  # made before, or its record was removed: it is still a checkpoint
        try:
            said = json.loads(self._remarks_file(path).read_text(encoding="utf-8"))
            note, tags = str(said["note"]), tuple(map(str, said["tags"]))
        except (OSError, ValueError, KeyError, TypeError):
            note, tags = "", ()
        return self._facts(Entry(name, name, path, role="made", lineage=lineage, note=note, tags=tags))

    def _facts(self, entry: Entry) -> Entry:
        if not entry.path.exists():
            sentence = f"Nothing is at {entry.path} any more; say where it is now (relocate), or remove it."
            return dataclasses.replace(entry, missing=True, trouble=sentence)
        try:
            facts = self._facts_on_disk(entry.path)
        except SoleraError as error:
            return dataclasses.replace(entry, trouble=str(error))
        if entry.role == "made":
            facts.pop("role", None)
        return dataclasses.replace(entry, **facts)

    def _facts_on_disk(self, path: Path) -> dict[str, Any]:
        """What an entry says of the checkpoint or adapter at a path.

        Raises:
            NotFoundError: Nothing is there.
            CheckpointError: It cannot be opened.
        """
        from solera.checkpoints.adapters.adapter import is_adapter, open_adapter
        from solera.checkpoints.fingerprint import known_fingerprint
        from solera.checkpoints.opening import open_checkpoint

        if is_adapter(path):
            adapter = open_adapter(path, formats=self.formats)
            with adapter.file as checkpoint:
                return {
                    **_sizes(checkpoint), "role": "adapter", "adapter": adapter.description,
                    "base": adapter.config.base, "architecture": "",
                }  # fmt: skip
        with open_checkpoint(path, formats=self.formats) as checkpoint:
            fingerprint = known_fingerprint(checkpoint, self._project.fingerprints)
            return {
                **_sizes(checkpoint), "architecture": architecture_of(checkpoint.config), "fingerprint": fingerprint,
            }  # fmt: skip


def _sizes(checkpoint: Checkpoint) -> dict[str, Any]:
    dtypes = checkpoint.dtypes
    return {
        "format": checkpoint.format, "numel": checkpoint.numel, "nbytes": checkpoint.nbytes,
        "dtype": max(dtypes, key=lambda name: dtypes[name]) if dtypes else "",
    }  # fmt: skip


def duplicates(entries: Iterable[Entry]) -> list[tuple[str, ...]]:
    """Names of checkpoints that hold the same tensors, by their fingerprints; those not computed yet tell nothing."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        if entry.fingerprint:
            found.setdefault(entry.fingerprint, []).append(entry.name)
    return [tuple(names) for names in found.values() if len(names) > 1]


def architecture_of(config: Mapping[str, Any]) -> str:
    """What a checkpoint's config says it is: ``"digits-cnn"``, ``"LlamaForCausalLM"``; empty if nothing."""
    named = config.get("architecture")
    if isinstance(named, str):
        return named
    several = config.get("architectures")
    return str(several[0]) if isinstance(several, list) and several else ""


def _free_name(path: Path, taken: Mapping[str, LibraryEntry]) -> str:
    stem = path.name if path.is_dir() else path.name.split(".")[0]
    base = "".join(letter if letter.isalnum() or letter in "._+-" else "-" for letter in stem).strip(".-+") or "model"
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name

"""Where plugins are: packages that announce themselves by an entry point, and folders of the user's.

Nothing of a plugin is imported here; only its ``plugin.toml`` is read.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Literal

from solera.errors import Fault, FaultsError, SoleraError
from solera.extend.manifest import MANIFEST, Manifest, read_manifest

#: The entry point group; a value names a package that holds a ``plugin.toml``, or whose subfolders do.
GROUP = "solera.plugins"

Origin = Literal["builtin", "shipped", "installed", "folder"]


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that was found.

    Attributes:
        name: From its manifest, or its folder's name if that cannot be read.
        origin: ``"builtin"`` (part of the core), ``"shipped"`` (comes with Solera), ``"installed"`` (another
            distribution), ``"folder"`` (the user's plugin folder).
        folder: Where it lies; None for a built-in.
        manifest: What it says; None if that cannot be read.
        faults: Why not.
        import_root: Folder to put on ``sys.path`` before its modules can be imported; None if they already can.
    """

    name: str
    origin: Origin
    folder: Path | None
    manifest: Manifest | None
    faults: tuple[Fault, ...] = ()
    import_root: Path | None = None


def discover(folders: Iterable[Path] = ()) -> tuple[Found, ...]:
    """Every plugin of the entry points and of these folders, in a stable order."""
    found: list[Found] = []
    for name, package, origin in _announced():
        where = _package_folder(package)
        if where is None:
            fault = Fault("plugin.package", "", f"The entry point '{name}' names the package '{package}', not there.")
            found.append(Found(name, origin, None, None, (fault,)))
            continue
        found.extend(read_plugin(folder, origin) for folder in _plugin_folders(where))
    for folder in folders:
        if folder.is_dir():
            found.extend(read_plugin(item, "folder", item.parent) for item in _user_plugins(folder))
    return tuple(found)


def read_plugin(folder: Path, origin: Origin = "folder", import_root: Path | None = None) -> Found:
    """The plugin in one folder; an unreadable manifest becomes faults, not an exception."""
    try:
        manifest = read_manifest(folder / MANIFEST)
    except FaultsError as error:
        return Found(folder.name, origin, folder, None, error.faults, import_root)
    except SoleraError as error:
        return Found(folder.name, origin, folder, None, (Fault(error.code, "", str(error)),), import_root)
    return Found(manifest.name, origin, folder, manifest, (), import_root)


def _announced() -> Iterator[tuple[str, str, Origin]]:
    points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    seen: set[str] = set()
    for point in points:
        if point.value in seen:  # an editable install may be listed twice
            continue
        seen.add(point.value)
        ours = point.dist is not None and point.dist.name == "solera"
        yield point.name, point.module, "shipped" if ours else "installed"


def _package_folder(package: str) -> Path | None:
    """Folder of a package, without importing it or its parents."""
    top, *rest = package.split(".")
    spec = importlib.util.find_spec(top)
    for depth in range(len(rest)):
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(".".join((top, *rest[: depth + 1])), list(spec.submodule_search_locations))
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _plugin_folders(package: Path) -> list[Path]:
    if (package / MANIFEST).is_file():
        return [package]
    return sorted(file.parent for file in package.glob(f"*/{MANIFEST}"))


def _user_plugins(folder: Path) -> list[Path]:
    """Package folders ``NAME`` or, inside a project folder, ``PROJECT/NAME``."""
    direct = {file.parent for file in folder.glob(f"*/{MANIFEST}")}
    nested = {file.parent for file in folder.glob(f"*/*/{MANIFEST}") if file.parent.parent not in direct}
    return sorted(direct | nested)

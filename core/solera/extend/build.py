"""Writing the parameters of a plugin's contributions into its manifest, from their signatures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import tomli_w

from solera.errors import OutputError, PluginError
from solera.extend.discovery import read_plugin
from solera.extend.loading import Failure, call_safely, load_object
from solera.extend.manifest import MANIFEST, Contribution, Manifest, read_manifest
from solera.methods.spec import MethodSpec
from solera.params import ParamSpec, specs_from_signature
from solera.probes.spec import ProbeSpec

#: Kinds whose objects declare parameters.
_WITH_PARAMS = frozenset({"method", "task", "explorer", "probe", "example"})


def plugin_folder(path: Path) -> Path:
    """The folder with the ``plugin.toml``: the one named, or its only subfolder that has one.

    Raises:
        PluginError: There is none, or more than one.
    """
    if (path / MANIFEST).is_file():
        return path
    folders = sorted(file.parent for file in path.glob(f"*/{MANIFEST}"))
    if len(folders) != 1:
        got = "none" if not folders else ", ".join(folder.name for folder in folders)
        raise PluginError(f"Wanted one folder with a {MANIFEST} at {path}; got {got}.", path=str(path))
    return folders[0]


def import_root(folder: Path) -> Path:
    """The folder that must be importable for a plugin's modules: above the outermost package it lies in."""
    root = folder
    while (root / "__init__.py").is_file():
        root = root.parent
    return root


def declared_params(item: Contribution, loaded: Any) -> tuple[ParamSpec, ...]:
    """The parameters an object declares by its signature.

    Raises:
        InputError: Its signature holds a type that no parameter can have.
    """
    if item.kind not in _WITH_PARAMS:
        return ()
    if isinstance(loaded, (MethodSpec, ProbeSpec)):
        return loaded.params
    return specs_from_signature(loaded, skip=("context",))


def declared_method(loaded: Any) -> dict[str, Any]:
    """What a canvas must know of a method before it is imported; nothing for other objects."""
    if not isinstance(loaded, MethodSpec):
        return {}
    counts = [loaded.min_inputs] if loaded.max_inputs is None else [loaded.min_inputs, loaded.max_inputs]
    facts = {"takes": loaded.takes, "base": loaded.base, "inputs": counts}
    if loaded.gives != "same":
        facts["gives"] = loaded.gives
    told = {
        "paper": loaded.paper, "ordered": loaded.ordered, "needs": loaded.needs,
        "promise": "" if loaded.promise == "bytes" else loaded.promise, "also": dict(loaded.also),
    }  # fmt: skip
    return facts | {key: value for key, value in told.items() if value}


def declared_probe(loaded: Any) -> dict[str, Any]:
    """What a form must know of a probe before it is imported; nothing for other objects."""
    if not isinstance(loaded, ProbeSpec):
        return {}
    fewest, most = loaded.models
    counts = [fewest] if most is None else [fewest, most]
    facts: dict[str, Any] = {"result": loaded.kind, "needs": loaded.needs, "models": counts, "base": loaded.base}
    return facts | ({"paper": loaded.paper} if loaded.paper else {})


def build(path: Path, *, write: bool = True) -> tuple[Manifest, bool]:
    """Bring a plugin's ``plugin.toml`` up to its signatures.

    The comment at the head of the file is kept; the rest is written anew.

    Args:
        path: The plugin's folder, or one that holds it.
        write: Whether to write the file; else only say whether it would change.

    Returns:
        The manifest, and whether the file changed (or would).

    Raises:
        PluginError: An object cannot be imported, or has a signature that no parameters can be read from.
        FaultsError: The manifest is faulty.
        OutputError: The file cannot be written.
    """
    folder = plugin_folder(path)
    manifest = read_manifest(folder / MANIFEST)
    root = import_root(folder)
    items = tuple(_built(item, root) for item in manifest.contributions)
    built = dataclasses.replace(manifest, contributions=items)
    if built == manifest or not write:
        return built, built != manifest
    file = folder / MANIFEST
    try:
        file.write_text(_head(file.read_text(encoding="utf-8")) + tomli_w.dumps(built.to_plain()), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{file} cannot be written: {error.strerror}.", path=str(file)) from error
    return read_plugin(folder).manifest or built, True


def _built(item: Contribution, root: Path) -> Contribution:
    if item.kind not in _WITH_PARAMS:
        return item
    loaded = load_object(item.object, root)
    params = loaded if isinstance(loaded, Failure) else call_safely(declared_params, item, loaded)
    if isinstance(params, Failure):
        raise PluginError(
            f"The {item.kind} '{item.name}' ({item.object}) cannot be read: {params.reason}.",
            contribution=item.name,
            traceback=params.traceback,
        )
    return dataclasses.replace(item, params=params, method=declared_method(loaded), probe=declared_probe(loaded))


def _head(text: str) -> str:
    lines = text.splitlines(keepends=True)
    count = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    return "".join(lines[:count])

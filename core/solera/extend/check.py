"""Everything that is wrong with a plugin: manifest, imports, signatures, and how its contributions behave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from solera.errors import Fault, FaultsError
from solera.extend.build import declared_method, declared_params, declared_probe, import_root, plugin_folder
from solera.extend.loading import Failure, call_safely, load_object
from solera.extend.manifest import API_VERSION, MANIFEST, Contribution, read_manifest


def check_plugin(path: Path) -> tuple[Fault, ...]:
    """All faults of a plugin.

    Views are imported and no more: what they draw is checked by the application's own suite.

    Args:
        path: The plugin's folder, or one that holds it.

    Raises:
        PluginError: There is no plugin, or more than one.
    """
    from solera.testing.conformance import conformance

    folder = plugin_folder(path)
    try:
        manifest = read_manifest(folder / MANIFEST)
    except FaultsError as error:
        return error.faults
    faults: list[Fault] = []
    if manifest.api != API_VERSION:
        message = f"The plugin is written for api {manifest.api}; this Solera offers api {API_VERSION}."
        faults.append(Fault("plugin.api", "api", message))
    for item in manifest.contributions:
        place = f"{item.kind} {item.name}"
        loaded = load_object(item.object, import_root(folder))
        if isinstance(loaded, Failure):
            message = f"{item.object} cannot be imported: {loaded.reason.rstrip('.')}."
            faults.append(Fault("plugin.import", place, message, (), {"traceback": loaded.traceback}))
            continue
        faults += _check_declaration(item, loaded, place)
        complaints = call_safely(conformance, item.kind, loaded)
        if isinstance(complaints, Failure):
            faults.append(Fault("plugin.raises", place, complaints.reason, (), {"traceback": complaints.traceback}))
        else:
            faults += [Fault("plugin.conformance", place, sentence) for sentence in complaints]
    return tuple(faults)


def _check_declaration(item: Contribution, loaded: Any, place: str) -> list[Fault]:
    """Whether the manifest says what the signature says."""
    params = call_safely(declared_params, item, loaded)
    if isinstance(params, Failure):
        return [Fault("plugin.signature", place, params.reason, (), {"traceback": params.traceback})]
    faults = []
    facts = {"method": (declared_method(loaded), item.method), "probe": (declared_probe(loaded), item.probe)}
    said, written = facts.get(item.kind, ({}, {}))
    if params != item.params or said != dict(written):
        message = f"{MANIFEST} differs from the signature of {item.object}."
        faults.append(Fault("plugin.params", place, message, ("run solera plugin build",)))
    name = getattr(loaded, "name", item.name)
    if item.kind in facts and name != item.name:
        faults.append(Fault("plugin.name", place, f"The object calls itself '{name}'."))
    return faults

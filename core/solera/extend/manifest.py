"""The manifest of a plugin, ``plugin.toml``: what it contributes, told without importing any of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from solera.errors import Fault, FaultsError, InputError, NotFoundError
from solera.params import ParamSpec

#: The version of ``solera.api`` that this program offers; a manifest must name the same.
API_VERSION = "0"

#: The file a plugin folder is known by.
MANIFEST = "plugin.toml"

Kind = Literal["method", "task", "explorer", "probe", "view", "format", "architecture", "example", "command"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_OBJECT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_PLUGIN_KEYS = {"name", "version", "api", "summary", "contributions"}
_CONTRIBUTION_KEYS = {"kind", "name", "title", "object", "summary", "params", "accepts", "method", "probe"}
_ACCEPTS_KEYS = {"kinds", "coords", "columns_min"}
_METHOD_KEYS = {"takes", "gives", "base", "inputs", "paper", "ordered", "needs", "promise", "also"}
_PROBE_KEYS = {"result", "needs", "models", "base", "paper"}


@dataclass(frozen=True, slots=True)
class Contribution:
    """One thing a plugin offers.

    Attributes:
        kind: What sort of thing.
        name: What recipes, files and commands call it; unique among its kind.
        title: What a person reads.
        object: Where it is, ``"package.module:object"``.
        summary: One sentence.
        params: Its parameters, equal to the object's signature (``solera plugin build`` writes them).
        accepts: For a view, which runs it shows: ``kinds``, ``coords`` (numbers of coordinates), ``columns_min``.
        method: For a method, what a canvas must know before it is imported: ``takes``, ``gives``, ``base``, ``inputs``
            (fewest and, if there is a limit, most), ``paper``, ``ordered``, ``needs``, ``also``; equal to its
            declaration (``solera plugin build`` writes it).
        probe: For a probe, what a form must know before it is imported: ``result`` (its kind), ``needs``, ``models``
            (fewest and, if there is a limit, most), ``base``, ``paper``; equal to its declaration.
    """

    kind: Kind
    name: str
    title: str
    object: str
    summary: str = ""
    params: tuple[ParamSpec, ...] = ()
    accepts: Mapping[str, Any] = field(default_factory=dict)
    method: Mapping[str, Any] = field(default_factory=dict)
    probe: Mapping[str, Any] = field(default_factory=dict)

    @property
    def takes(self) -> str:
        """For a method: ``"weights"``, ``"delta"`` or ``"any"``."""
        return str(self.method.get("takes", "any"))

    @property
    def gives(self) -> str:
        """For a method: ``"same"`` as it takes, or ``"delta"``."""
        return str(self.method.get("gives", "same"))

    @property
    def base(self) -> str:
        """For a method: whether it takes a base: ``"required"``, ``"optional"`` or ``"none"``."""
        return str(self.method.get("base", "none"))

    @property
    def min_inputs(self) -> int:
        """For a method: fewest inputs, the base not counted."""
        return int(self.method.get("inputs", [1])[0])

    @property
    def max_inputs(self) -> int | None:
        """For a method: most inputs; None is any number."""
        counts = self.method.get("inputs", [1])
        return int(counts[1]) if len(counts) > 1 else None

    @property
    def paper(self) -> str:
        """For a method: its citation."""
        return str(self.method.get("paper", ""))

    @property
    def ordered(self) -> bool:
        """For a method: whether its inputs have roles by their place."""
        return bool(self.method.get("ordered", False))

    @property
    def needs(self) -> str:
        """For a method: the kind of statistic it needs of each input; empty if none."""
        return str(self.method.get("needs", ""))

    @property
    def promise(self) -> str:
        """For a method: what it promises of bytes: ``"bytes"``, ``"tolerance"`` or ``"none"``."""
        return str(self.method.get("promise", "bytes"))

    @property
    def also(self) -> Mapping[str, str]:
        """For a method: other names it is found by, each with the parameters that make it so."""
        found: Mapping[str, str] = self.method.get("also", {})
        return found

    def to_plain(self) -> dict[str, Any]:
        """As in ``plugin.toml``."""
        plain: dict[str, Any] = {"kind": self.kind, "name": self.name, "title": self.title, "object": self.object}
        if self.summary:
            plain["summary"] = self.summary
        if self.accepts:
            plain["accepts"] = dict(self.accepts)
        if self.method:
            plain["method"] = dict(self.method)
        if self.probe:
            plain["probe"] = dict(self.probe)
        if self.params:
            plain["params"] = [spec.to_plain() for spec in self.params]
        return plain


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a plugin says of itself.

    Attributes:
        name: Unique among plugins: ``"merging"``.
        version: The plugin's own version.
        api: The version of ``solera.api`` it was written for.
        summary: One sentence.
        contributions: What it offers, in file order.
    """

    name: str
    version: str
    api: str
    summary: str = ""
    contributions: tuple[Contribution, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """As in ``plugin.toml``."""
        plain: dict[str, Any] = {"name": self.name, "version": self.version, "api": self.api}
        if self.summary:
            plain["summary"] = self.summary
        return {**plain, "contributions": [item.to_plain() for item in self.contributions]}


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file.

    Raises:
        NotFoundError: There is no such file.
        FaultsError: It is not TOML, or not a manifest; all faults are named.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no plugin manifest at {path}.", path=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise FaultsError(f"manifest {path}", [Fault("manifest.read", "", f"It cannot be read: {error}.")]) from error
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FaultsError(f"manifest {path}", [Fault("manifest.toml", "", f"It is no TOML: {error}.")]) from error
    faults: list[Fault] = []
    manifest = parse_manifest(plain, faults)
    if faults or manifest is None:
        raise FaultsError(f"manifest {path}", faults)
    return manifest


def parse_manifest(plain: Mapping[str, Any], faults: list[Fault]) -> Manifest | None:
    """Plain data as a manifest; every fault is appended to ``faults``.

    Returns:
        The manifest, or None if it has no usable name, version and api.
    """
    _unknown(plain, _PLUGIN_KEYS, "", faults)
    name, version, api = (_text(plain, key, key, faults) for key in ("name", "version", "api"))
    summary = _text(plain, "summary", "summary", faults, required=False)
    if name and not _NAME.fullmatch(name):
        faults.append(Fault("manifest.name", "name", f"A plugin's name is like 'my-plugin', not {name!r}."))
    entries = plain.get("contributions", [])
    if not isinstance(entries, list):
        faults.append(Fault("manifest.contributions", "contributions", "Contributions are tables, [[contributions]]."))
        entries = []
    contributions: list[Contribution] = []
    seen: set[tuple[str, str]] = set()
    for index, entry in enumerate(entries):
        item = _contribution(entry, f"contributions[{index}]", faults)
        if item is None:
            continue
        if (item.kind, item.name) in seen:
            faults.append(
                Fault(
                    "manifest.twice", f"contributions[{index}].name", f"The {item.kind} '{item.name}' is there twice."
                )
            )
        seen.add((item.kind, item.name))
        contributions.append(item)
    if not (name and version and api):
        return None
    return Manifest(name, version, api, summary, tuple(contributions))


def _contribution(entry: Any, place: str, faults: list[Fault]) -> Contribution | None:
    if not isinstance(entry, Mapping):
        faults.append(Fault("manifest.contribution", place, "A contribution is a table."))
        return None
    before = len(faults)
    _unknown(entry, _CONTRIBUTION_KEYS, place, faults)
    kind, name, target = (_text(entry, key, f"{place}.{key}", faults) for key in ("kind", "name", "object"))
    title = _text(entry, "title", f"{place}.title", faults, required=False)
    summary = _text(entry, "summary", f"{place}.summary", faults, required=False)
    if kind and kind not in KINDS:
        faults.append(Fault("manifest.kind", f"{place}.kind", f"A kind is one of {', '.join(KINDS)}, not {kind!r}."))
    if name and not _NAME.fullmatch(name):
        faults.append(Fault("manifest.name", f"{place}.name", f"A name is like 'my_method', not {name!r}."))
    if target and not _OBJECT.fullmatch(target):
        faults.append(
            Fault("manifest.object", f"{place}.object", f"An object is 'package.module:name', not {target!r}.")
        )
    params = _params(entry.get("params", []), f"{place}.params", faults)
    accepts = _table(entry, "accepts", _ACCEPTS_KEYS, place, faults)
    method = _table(entry, "method", _METHOD_KEYS, place, faults)
    probe = _table(entry, "probe", _PROBE_KEYS, place, faults)
    for where, counts in (("method.inputs", method.get("inputs", [1])), ("probe.models", probe.get("models", [1]))):
        if not isinstance(counts, list) or not 1 <= len(counts) <= 2 or not all(isinstance(n, int) for n in counts):
            message = f"'{where.partition('.')[2]}' is [fewest] or [fewest, most]."
            faults.append(Fault("manifest.inputs", f"{place}.{where}", message))
    also = method.get("also", {})
    if not isinstance(also, Mapping) or not all(isinstance(how, str) for how in also.values()):
        faults.append(Fault("manifest.also", f"{place}.method.also", "'also' is a table of names and texts."))
    if len(faults) > before:
        return None
    fallback = name.replace("_", " ").replace("-", " ").capitalize()
    return Contribution(kind, name, title or fallback, target, summary, params, accepts, method, probe)  # type: ignore[arg-type]


def _table(entry: Mapping[str, Any], key: str, known: set[str], place: str, faults: list[Fault]) -> dict[str, Any]:
    table = entry.get(key, {})
    if not isinstance(table, Mapping):
        faults.append(Fault(f"manifest.{key}", f"{place}.{key}", f"'{key}' is a table."))
        return {}
    _unknown(table, known, f"{place}.{key}", faults)
    return dict(table)


def _params(entries: Any, place: str, faults: list[Fault]) -> tuple[ParamSpec, ...]:
    if not isinstance(entries, list):
        faults.append(Fault("manifest.params", place, "'params' is a list of tables."))
        return ()
    specs = []
    for index, entry in enumerate(entries):
        try:
            specs.append(ParamSpec.from_plain(entry))
        except (InputError, TypeError) as error:
            faults.append(Fault("manifest.params", f"{place}[{index}]", str(error)))
    return tuple(specs)


def _text(plain: Mapping[str, Any], key: str, place: str, faults: list[Fault], *, required: bool = True) -> str:
    value = plain.get(key, "")
    if isinstance(value, str):
        if required and not value:
            faults.append(Fault("manifest.missing", place, f"'{key}' is required."))
        return value
    faults.append(Fault("manifest.type", place, f"'{key}' is text, not {value!r}."))
    return ""


def _unknown(plain: Mapping[str, Any], known: set[str], place: str, faults: list[Fault]) -> None:
    for key in sorted(set(map(str, plain)) - known):
        where = f"{place}.{key}" if place else key
        faults.append(
            Fault("manifest.unknown-key", where, f"'{key}' is not known here; known: {', '.join(sorted(known))}.")
        )

"""What is registered: contributions by kind, each loaded when it is first used, and the state of every plugin."""

from __future__ import annotations

import dataclasses
import inspect
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from solera.errors import Fault, PluginError
from solera.extend.builtin import BUILTIN
from solera.extend.discovery import Found, Origin, discover
from solera.extend.loading import Failure, call_safely, forget_modules, load_object
from solera.extend.manifest import API_VERSION, Contribution, Kind
from solera.extend.source import function_digest, source_digest

State = Literal["discovered", "loaded", "failed", "disabled", "incompatible"]

#: Plugins that safe mode keeps.
_TRUSTED: frozenset[Origin] = frozenset({"builtin", "shipped"})


#: Kinds whose objects are used as they are; a class is called once, without arguments.
_INSTANCES: frozenset[Kind] = frozenset({"format", "architecture"})


class Plugin:
    """A plugin and how it is doing.

    Attributes:
        found: Where it is and what its manifest says.
        state: ``"discovered"`` (manifest read), ``"loaded"`` (something of it is in use), ``"failed"``,
            ``"disabled"``, ``"incompatible"``.
        reason: Why it failed, is disabled or does not fit; a sentence.
        traceback: In full, when its code raised.
    """

    def __init__(self, found: Found, state: State = "discovered", reason: str = "") -> None:
        self.found = found
        self.state: State = state
        self.reason = reason
        self.traceback = ""

    @property
    def name(self) -> str:
        """Its name."""
        return self.found.name

    @property
    def contributions(self) -> tuple[Contribution, ...]:
        """What its manifest offers, whatever its state."""
        return self.found.manifest.contributions if self.found.manifest else ()

    @cached_property
    def source(self) -> str:
        """Digest of its code as it was when first asked; empty for plugins that come with Solera."""
        if self.found.origin in _TRUSTED or self.found.folder is None:
            return ""
        return source_digest(self.found.folder)

    @property
    def usable(self) -> bool:
        """Whether its contributions are offered. A failed one's still are: they say why when used."""
        return self.found.manifest is not None and self.state not in {"disabled", "incompatible"}

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready."""
        manifest = self.found.manifest
        return {
            "name": self.name,
            "version": manifest.version if manifest else "",
            "summary": manifest.summary if manifest else "",
            "origin": self.found.origin,
            "folder": str(self.found.folder or ""),
            "state": self.state,
            "reason": self.reason,
            "contributions": [f"{item.kind} {item.name}" for item in self.contributions],
        }


class UnknownContribution(PluginError, KeyError):
    """Nothing of this kind has this name, or the plugin that brings it is switched off."""


class Contributions(Mapping[str, Any]):
    """The contributions of one kind, by name: a mapping that imports an object when it is first asked for.

    ``name in contributions``, iteration and :meth:`describe` never import anything. Safe to use from any thread.

    Raises (on access):
        UnknownContribution: No contribution has this name; it is a ``KeyError``, too.
        PluginError: Its plugin cannot be loaded.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._known: dict[str, tuple[Plugin, Contribution]] = {}
        self._withheld: dict[str, Plugin] = {}
        self._loaded: dict[str, Any] = {}
        self._provided: set[str] = set()
        self._lock = threading.RLock()

    def refill(self, known: Mapping[str, tuple[Plugin, Contribution]], withheld: Mapping[str, Plugin]) -> None:
        """Offer these and no others, at once: no job sees the shelf empty. What was provided directly stays.

        Args:
            known: Plugin and manifest entry by name.
            withheld: Plugins that would bring more and are not in use, by the name of what they would bring.
        """
        with self._lock:
            self._loaded = {name: value for name, value in self._loaded.items() if name in self._provided}
            self._known, self._withheld = dict(known), dict(withheld)

    def provide(self, name: str, value: Any) -> None:
        """Put an object in directly, under a name: for scripts, notebooks and tests. It replaces what is there."""
        if self.kind == "method" and not value.source:
            value = dataclasses.replace(value, source=function_digest(value.function))
        with self._lock:
            self._loaded[name] = value
            self._provided.add(name)

    def describe(self, name: str) -> Contribution:
        """What the manifest says of a contribution.

        Raises:
            UnknownContribution: No manifest names it.
        """
        return self._entry(name)[1]

    def _entry(self, name: str) -> tuple[Plugin, Contribution]:
        entry = self._known.get(name)
        if entry is not None:
            return entry
        plugin = self._withheld.get(name)
        if plugin is None:
            raise UnknownContribution(f"No {self.kind} is called '{name}'.", contribution=name, kind=self.kind)
        raise UnknownContribution(
            f"The {self.kind} '{name}' is from the plugin '{plugin.name}', which is not in use. {plugin.reason}",
            plugin=plugin.name,
            contribution=name,
            kind=self.kind,
        )

    def plugin(self, name: str) -> Plugin | None:
        """The plugin a contribution is from; None if it was provided directly."""
        entry = self._known.get(name)
        return entry[0] if entry else None

    def __getitem__(self, name: str) -> Any:
        with self._lock:
            if name in self._loaded:
                return self._loaded[name]
            plugin, item = self._entry(name)
            _ = plugin.source  # what it was made of when it was imported, for whoever asks later
            value = load_object(item.object, plugin.found.import_root)
            if self.kind in _INSTANCES and inspect.isclass(value):
                value = call_safely(value)
            if isinstance(value, Failure):
                plugin.state, plugin.reason, plugin.traceback = "failed", value.reason, value.traceback
                raise PluginError(
                    f"The {self.kind} '{name}' of the plugin '{plugin.name}' cannot be loaded ({value.reason}). "
                    f"Mend or remove the plugin, or switch it off: solera plugin disable {plugin.name}.",
                    plugin=plugin.name,
                    contribution=name,
                    kind=self.kind,
                    traceback=value.traceback,
                )
            if self.kind == "method" and plugin.source and hasattr(value, "source"):
                value = dataclasses.replace(value, source=plugin.source)
            if plugin.state == "discovered":
                plugin.state = "loaded"
            self._loaded[name] = value
            return value

    def __contains__(self, name: object) -> bool:
        return name in self._known or name in self._loaded

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys([*self._known, *self._loaded])

    def __len__(self) -> int:
        return len({*self._known, *self._loaded})


class Registry:
    """Everything that is registered.

    Attributes:
        plugins: Every plugin found, whatever its state, in the order of discovery.
        faults: What is wrong between plugins (one name twice); each plugin's own are in ``found.faults``.
        methods, tasks, explorers, probes, views, formats, architectures, examples, commands: Contributions by kind.
    """

    def __init__(self, found: Iterable[Found], *, disabled: Iterable[str] = (), safe_mode: bool = False) -> None:
        self.methods = Contributions("method")
        self.tasks = Contributions("task")
        self.explorers = Contributions("explorer")
        self.probes = Contributions("probe")
        self.views = Contributions("view")
        self.formats = Contributions("format")
        self.architectures = Contributions("architecture")
        self.examples = Contributions("example")
        self.commands = Contributions("command")
        self.faults: list[Fault] = []
        self.plugins: list[Plugin] = []
        self._fill(found, disabled, safe_mode)

    def _fill(self, found: Iterable[Found], disabled: Iterable[str], safe_mode: bool) -> None:
        off = frozenset(disabled)
        self.plugins = [_judge(item, off, safe_mode) for item in found]
        known: dict[Kind, dict[str, tuple[Plugin, Contribution]]] = {shelf.kind: {} for shelf in self._shelves()}
        withheld: dict[Kind, dict[str, Plugin]] = {shelf.kind: {} for shelf in self._shelves()}
        for plugin in self.plugins:
            for item in plugin.contributions:
                if not plugin.usable:
                    withheld[item.kind][item.name] = plugin
                    continue
                holder = known[item.kind].setdefault(item.name, (plugin, item))[0]
                if holder is not plugin:
                    self.faults.append(_hidden(item, plugin, holder))
        for shelf in self._shelves():
            shelf.refill(known[shelf.kind], withheld[shelf.kind])

    @staticmethod
    def discover(folders: Iterable[Path] = (), *, disabled: Iterable[str] = (), safe_mode: bool = False) -> Registry:
        """The registry of this installation and of the user's plugin folders."""
        builtin = Found(BUILTIN.name, "builtin", None, BUILTIN)
        return Registry((builtin, *discover(folders)), disabled=disabled, safe_mode=safe_mode)

    def reload(
        self, folders: Iterable[Path] = (), *, disabled: Iterable[str] = (), safe_mode: bool = False
    ) -> tuple[str, ...]:
        """Find plugins again, and import those that do not come with Solera anew when they are next used.

        Whoever holds this registry or one of its shelves sees what is there now; objects that were taken from it before
        are of the old code. What was provided directly stays.

        Args:
            folders: As for :meth:`discover`, and so are the others.
            disabled: Names of plugins that are switched off.
            safe_mode: Only the plugins that come with Solera.

        Returns:
            Names of the plugins that are there, or not there, or made of other code than before.
        """
        before = {plugin.name: _fact(plugin) for plugin in self.plugins}
        for plugin in self.plugins:
            if plugin.found.origin not in _TRUSTED and plugin.found.folder is not None:
                forget_modules(plugin.found.folder)
        self.faults.clear()
        builtin = Found(BUILTIN.name, "builtin", None, BUILTIN)
        self._fill((builtin, *discover(folders)), disabled, safe_mode)
        after = {plugin.name: _fact(plugin) for plugin in self.plugins}
        return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))

    def contributions(self, kind: Kind) -> Contributions:
        """The contributions of one kind."""
        return {item.kind: item for item in self._shelves()}[kind]

    def plugin(self, name: str) -> Plugin:
        """The plugin of this name.

        Raises:
            PluginError: There is none.
        """
        for plugin in self.plugins:
            if plugin.name == name:
                return plugin
        known = ", ".join(plugin.name for plugin in self.plugins)
        raise PluginError(f"No plugin is called '{name}'; found: {known}.", plugin=name)

    def _shelves(self) -> tuple[Contributions, ...]:
        return (
            self.methods, self.tasks, self.explorers, self.probes, self.views, self.formats, self.architectures,
            self.examples, self.commands,
        )  # fmt: skip


def _hidden(item: Contribution, plugin: Plugin, holder: Plugin) -> Fault:
    """A name that two plugins have: the first one wins."""
    message = (
        f"The {item.kind} '{item.name}' of the plugin '{plugin.name}' is hidden: '{holder.name}' has one of that name."
    )
    return Fault("plugin.name-taken", plugin.name, message)


def _fact(plugin: Plugin) -> tuple[Any, ...]:
    """What makes a plugin another one than it was."""
    return (plugin.found.manifest, plugin.source, plugin.usable)


def _judge(found: Found, disabled: frozenset[str], safe_mode: bool) -> Plugin:
    if found.name in disabled:
        return Plugin(found, "disabled", "Switched off in the settings.")
    if safe_mode and found.origin not in _TRUSTED:
        return Plugin(found, "disabled", "Left out by safe mode.")
    if found.manifest is None:
        return Plugin(found, "failed", "; ".join(str(fault) for fault in found.faults))
    if found.manifest.api != API_VERSION:
        reason = f"Written for api {found.manifest.api}; this Solera offers api {API_VERSION}."
        return Plugin(found, "incompatible", reason)
    return Plugin(found)

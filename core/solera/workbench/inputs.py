"""From what a person names to what work is done on: checkpoints, recipes, families, each opened once."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.checkpoints.hub import find_snapshot
from solera.checkpoints.references import HUB, read_foreign, read_hub
from solera.errors import ChangedError, Fault, FaultsError, InputError, NotFoundError, TaskError
from solera.methods.statistics import STATISTICS
from solera.recipes.nodes import AdapterNode, AlignedNode, CheckpointNode, Recipe, StatisticNode
from solera.recipes.order import ordered, reachable

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint
    from solera.context import Context
    from solera.extend.registry import Registry
    from solera.families.family import Family
    from solera.models.architecture import Factory
    from solera.projects.project import Project
    from solera.tasks.task import Task

_LOG = logging.getLogger(__name__)

LIBRARY, MEMORY = "library:", "memory:"


class Inputs:
    """Opens checkpoints for a workbench and remembers them. Safe to call from any thread.

    Args:
        registry: Formats and methods.
        project: Where ``library:NAME`` and relative paths are looked up; None: the current folder, no library.
        cache: Where fingerprints are kept.

    Attributes:
        factories: What makes the module of a source (``memory:KEY`` or an absolute path) whose config names no
            architecture.
        tasks: Tasks that a script made, by name; they go before the project's.
        measured: Files of statistics whose models have no known fingerprint (weights in memory), by what they are of.
        download: Whether models of the hub that are not in its local cache may be fetched.
        notes: What is done otherwise in files of other programs than by them.
    """

    def __init__(self, registry: Registry, project: Project | None, cache: Path) -> None:
        self.registry = registry
        self.project = project
        self.cache = cache
        self._open: dict[tuple[str, Hashable], Checkpoint] = {}
        self._aligned: dict[tuple[object, ...], Checkpoint] = {}
        self.factories: dict[str, str | Factory] = {}
        self.tasks: dict[str, Task] = {}
        self.measured: dict[str, Path] = {}
        self.download = False
        self.notes: list[str] = []
        self._memory: dict[str, Checkpoint] = {}
        self._lock = threading.RLock()

    @property
    def folder(self) -> Path:
        """What relative paths are relative to."""
        return self.project.folder if self.project else Path.cwd()

    def keep(self, checkpoint: Checkpoint, key: str) -> str:
        """Make weights in memory known as ``memory:KEY``; returns that source."""
        with self._lock:
            self._memory[key] = checkpoint
        return f"{MEMORY}{key}"

    def share(self, other: Inputs) -> None:
        """Know what another knows of weights in memory."""
        with self._lock:
            self._memory = other._memory
            self.factories = other.factories

    def factory_of(self, source: str) -> str | Factory:
        """What a script said makes the module of a source; empty if it said nothing."""
        if source in self.factories or source.startswith(MEMORY):
            return self.factories.get(source, "")
        return self.factories.get(str(self.path_of(source)), "")

    def path_of(self, source: str) -> Path:
        """The file or folder a source names.

        Raises:
            NotFoundError: The library has no such entry, or there is no project to look it up in.
            InputError: It is in memory.
        """
        if source.startswith(MEMORY):
            raise InputError(f"'{source}' lives in the memory of a script; it has no path.", source=source)
        if source.startswith(LIBRARY):
            if self.project is None:
                raise NotFoundError(
                    f"'{source}' is an entry of a project's library, and no project is open. "
                    "Open the project, or name a path.",
                    source=source,
                )
            return self.project.library.get(source.removeprefix(LIBRARY)).path
        if source.startswith(HUB):
            return find_snapshot(read_hub(source), download=self.download).folder
        return Path(os.path.normpath(self.folder / Path(source).expanduser()))

    def open(self, source: str, strip: str = "") -> Checkpoint:
        """The checkpoint a source names: a path, ``library:NAME`` or ``memory:KEY``.

        Raises:
            NotFoundError: There is none.
            CheckpointError: It cannot be read.
        """
        from solera.checkpoints.opening import open_checkpoint

        if source.startswith(MEMORY):
            with self._lock:
                if source.removeprefix(MEMORY) not in self._memory:
                    message = f"'{source}' lived in the memory of a script that has ended; save it to disk first."
                    raise NotFoundError(message, source=source)
                return self._memory[source.removeprefix(MEMORY)]
        formats = self.registry.formats
        return self._kept(source, strip, lambda path: open_checkpoint(path, formats=formats, strip=strip))

    def open_adapter(self, source: str, base: Checkpoint) -> Checkpoint:
        """What an adapter adds to a base: a path or ``library:NAME``.

        Raises:
            NotFoundError: There is none.
            CheckpointError: It cannot be read.
            MismatchError: It does not fit the base.
        """
        from solera.checkpoints.adapters.opening import open_delta

        formats = self.registry.formats
        return self._kept(source, base, lambda path: open_delta(base, path, formats=formats))

    def _kept(self, source: str, way: Hashable, make: Callable[[Path], Checkpoint]) -> Checkpoint:
        """A source opened in a way (under a view, on a base): what is open, unless it changed, or else a new one."""
        path = self.path_of(source)
        with self._lock:
            known = self._open.get((str(path), way))
            if known is not None:
                try:
                    known.verify()
                    return known
                except (ChangedError, NotFoundError):
                    known.close()
            made = make(path)
            if source.startswith(HUB):
                made.name = f"{read_hub(source).model}@{path.name[:12]}"
            self._open[str(path), way] = made
            return made

    def open_aligned(self, node: AlignedNode, to: Checkpoint) -> Checkpoint:
        """A checkpoint with its units where another's are; how they lie is found when it is first read.

        Raises:
            NotFoundError: There is none.
            CheckpointError: It cannot be read.
            MismatchError: No symmetry is known of it.
            FaultsError: It does not fit the other.
            TaskError: The task is unknown.
        """
        from solera.alignment.rule import Rule
        from solera.workbench.alignment import Alignment

        model = self.open(node.source, node.strip)
        rule = Rule(node.by, node.task, node.seed, node.tries, node.hold)  # type: ignore[arg-type]
        key = (model, to, rule)
        with self._lock:
            if key not in self._aligned:
                self._aligned[key] = Alignment(self, model, to, rule, self.factory_of(node.source)).view()
            return self._aligned[key]

    def refuse_adapter(self, source: str) -> None:
        """See that a source is no adapter where a model is wanted.

        Raises:
            InputError: It is one.
        """
        from solera.checkpoints.adapters.adapter import is_adapter

        if not source.startswith(MEMORY) and is_adapter(self.path_of(source)):
            raise InputError(
                f"{source} is an adapter, which makes a model only together with its base: write "
                "{adapter: ..., base: NODE} in a recipe, solera.open(..., base=...) in a script.",
                source=source,
            )  # fmt: skip

    def checkpoints(self, recipe: Recipe) -> dict[str, Checkpoint]:
        """The checkpoints a recipe's output needs, by node id.

        Raises:
            FaultsError: Some cannot be opened; all are named.
        """
        faults: list[Fault] = []
        found = self._try(recipe, faults)
        if faults:
            raise FaultsError(f"recipe {recipe.name or recipe.output}".rstrip(), faults)
        return found

    def check(self, recipe: Recipe) -> tuple[Fault, ...]:
        """Every fault of a recipe, those of its checkpoints included."""
        from solera.errors import PluginError
        from solera.recipes.checks import check

        faults: list[Fault] = []
        found = self._try(recipe, faults)
        try:
            rest = check(recipe, self.registry.methods, found)
        except PluginError as error:
            where = str(error.fields.get("contribution", ""))
            return (*faults, Fault("plugin", where, str(error)))
        unopened = {fault.fields.get("node") for fault in faults}
        unopened |= {n.id for n in recipe.checkpoints if isinstance(n, AdapterNode) and n.base not in found}
        unopened |= {n.id for n in recipe.checkpoints if isinstance(n, AlignedNode) and n.to not in found}
        unopened |= {n.id for n in recipe.checkpoints if isinstance(n, StatisticNode)}
        return (
            *(f for f in rest if not (f.code == "recipe.not-open" and f.fields.get("node") in unopened)),
            *faults,
        )

    def measure(self, recipe: Recipe, context: Context) -> None:
        """Find the places of aligned models, and compute the statistics that the output needs and that are not there.

        What is found here a person may cancel, and sees how far it is.

        Raises:
            TaskError: A task is unknown, its data are missing, or it hands out no examples.
            MismatchError: The network has nothing that a statistic is of.
        """
        below = reachable(recipe).nodes
        if any(isinstance(node, AlignedNode) for node in below):
            from solera.alignment.permuted import PermutedCheckpoint

            for checkpoint in self.checkpoints(recipe).values():
                if isinstance(checkpoint, PermutedCheckpoint):
                    checkpoint.settle(context)
        if any(isinstance(node, StatisticNode) for node in below):
            from solera.workbench.statistics import compute_statistics

            compute_statistics(recipe, self, context)

    def fingerprints(self, recipe: Recipe, context: Context) -> dict[str, str]:
        """Content hash of each checkpoint the output needs, by node id; reads what is not cached.

        Raises:
            ChangedError: A checkpoint that the recipe pins by its hash holds something else.
            InputError: The recipe pins it by a definition that is not in use any more.
        """
        from solera.checkpoints.fingerprint import fingerprint

        self.measure(recipe, context)
        return self._pinned(recipe, lambda checkpoint: fingerprint(checkpoint, cache=self.cache, context=context))

    def known_fingerprints(self, recipe: Recipe) -> dict[str, str]:
        """Content hash of each checkpoint the output needs, by node id, where it is known; reads no tensor.

        Raises:
            ChangedError: A checkpoint that the recipe pins by its hash holds something else.
            InputError: The recipe pins it by a definition that is not in use any more.
        """
        from solera.checkpoints.fingerprint import known_fingerprint

        return self._pinned(recipe, lambda checkpoint: known_fingerprint(checkpoint, self.cache))

    def remember_fingerprints(self, recipe: Recipe, found: Mapping[str, str]) -> None:
        """Keep content hashes that were made elsewhere, by node id."""
        from solera.checkpoints.fingerprint import remember_fingerprint

        for id_, checkpoint in self.checkpoints(recipe).items():
            if found.get(id_):
                remember_fingerprint(checkpoint, self.cache, found[id_])

    def anchored(self, recipe: Recipe, folder: Path) -> Recipe:
        """The recipe with paths that mean the same from anywhere: relative to the project if inside it, else absolute.

        Args:
            recipe: Any recipe.
            folder: What its relative paths are relative to: the folder of its file.
        """
        nodes = tuple(
            replace(node, source=self._anchor(node.source, folder)) if isinstance(node, CheckpointNode) else node
            for node in recipe.nodes
        )
        return replace(recipe, nodes=nodes)

    def recipe(self, model: Any, folder: Path | None = None) -> Recipe:
        """A model as a recipe: one already, its plain form, a recipe file, a checkpoint, or ``CHECKPOINT+ADAPTER``.

        Raises:
            FaultsError: It is a recipe with faults.
            NotFoundError: There is no such file.
            InputError: It is none of these, or an adapter without its base.
        """
        from solera.recipes.plain import from_plain

        base = folder or self.folder
        if isinstance(model, Recipe):
            return self.anchored(model, base)
        if isinstance(model, Mapping):
            faults: list[Fault] = []
            recipe = from_plain(model, self.registry.methods, faults)
            if faults:
                raise FaultsError("recipe", faults)
            return self.anchored(recipe, base)
        if not isinstance(model, (str, Path)):
            raise InputError(f"A model is a path, 'library:NAME', or a recipe; got {type(model).__name__}.")
        text = str(model)
        if Path(text).suffix in {".yaml", ".yml"}:
            file = Path(os.path.normpath(base / Path(text).expanduser()))
            recipe = self._mergekit(file) or self._load(file)
            named = recipe if recipe.name else replace(recipe, name=file.stem)
            return self.anchored(named, file.parent)
        source = self._anchor(text, base)
        model, plus, adapter = text.rpartition("+")
        if plus and model and not self._is_there(source):
            return self._with_adapter(self.recipe(model, folder), self._anchor(adapter, base))
        if self._is_there(source):
            self.refuse_adapter(source)
        name = text.removeprefix(LIBRARY).rpartition("/")[2] if text.startswith(LIBRARY) else Path(text).name
        id_ = "".join(letter if letter.isalnum() else "_" for letter in name) or "model"
        id_ = id_ if id_.isidentifier() else f"m_{id_}"
        return Recipe((CheckpointNode(id_, source),), id_, name=name)

    def _load(self, file: Path) -> Recipe:
        """A recipe's file; where it has faults, those of the checkpoints it names are told with them."""
        from solera.recipes.places import in_line
        from solera.recipes.yaml import parse_recipe, read_text

        text, subject = read_text(file)
        recipe, faults = parse_recipe(text, self.registry.methods)
        if not faults:
            return recipe
        known = {(fault.place, fault.code) for fault in faults}
        others = self.check(self.anchored(recipe, file.parent)) if recipe.nodes else ()
        found = [*faults, *(fault for fault in others if (fault.place, fault.code) not in known)]
        raise FaultsError(f"recipe {subject}", [in_line(fault) for fault in found])

    def _is_there(self, source: str) -> bool:
        """Whether something lies where a source says; asks no hub."""
        if source.startswith((MEMORY, HUB)):
            return False
        try:
            return self.path_of(source).exists()
        except NotFoundError:
            return False

    def _with_adapter(self, model: Recipe, adapter: str) -> Recipe:
        from solera.recipes import algebra

        if not self._is_there(adapter) and not adapter.startswith(HUB):
            raise NotFoundError(f"There is no adapter {adapter}. Check the path.", source=adapter)
        change = algebra.adapter(adapter, model)
        return replace(algebra.add(model, change), name=f"{model.name}+{change.output}")

    def family(self, plain: Mapping[str, Any], folder: Path | None = None) -> Family:
        """A family from its full form, or a short one of :data:`solera.families.forms.FORMS`: ``{"line": [A, B]}``.

        Raises:
            FaultsError: It is none, its parameters do not fit, or its recipe has faults.
            InputError: Its models make no such family.
        """
        from solera.families.family import Family
        from solera.families.forms import BESIDE, form_of, models_of
        from solera.families.graph import Source

        methods = self.registry.methods
        if "version" in plain:
            full = Family.from_plain(plain, methods)
            return replace(full, recipe=self.anchored(full.recipe, folder or self.folder))
        form = form_of(plain)
        models = [self.recipe(model, folder) for model in models_of(form, plain[form.name])]
        given = {key: value for key, value in plain.items() if key not in (form.name, *BESIDE)}
        family = form.family(models, Source(self.checkpoints, methods), given)
        bounds = plain.get("bounds", {})
        return family.between({name: (float(low), float(high)) for name, (low, high) in bounds.items()})

    def _mergekit(self, file: Path) -> Recipe | None:
        """The recipe of a file of mergekit's; None if it is none.

        Raises:
            FaultsError: It has faults.
            NotFoundError: There is no such file.
        """
        from solera.errors import SoleraError
        from solera.recipes.mergekit.reading import looks_like_mergekit, read_mergekit
        from solera.recipes.places import in_line
        from solera.recipes.yaml import read_text

        text, subject = read_text(file)
        if not looks_like_mergekit(text):
            return None

        def find(name: str) -> str:
            """What is there under a name: mergekit looks from the current folder, we from the file's."""
            path = Path(name).expanduser()
            places = (Path.cwd() / path, file.parent / path)
            return next((os.path.normpath(place) for place in places if place.exists()), "")

        def peek(source: str) -> Checkpoint | None:
            try:
                return self.open(source)
            except SoleraError:
                return None  # a fault of its own, when the recipe is checked

        recipe, faults = read_mergekit(text, lambda name: read_foreign(name, find), peek, file.stem)
        if faults:
            raise FaultsError(f"mergekit recipe {subject}", [in_line(fault) for fault in faults])
        if recipe.note:
            _LOG.warning("%s: %s", file.name, recipe.note)
            self.notes.append(recipe.note)
        return recipe

    def _pinned_to_commit(self, source: str) -> str:
        """A source on the hub with the commit that is in the cache; as it is where there is none."""
        try:
            return find_snapshot(read_hub(source), download=self.download).source
        except NotFoundError:
            return source

    def close(self) -> None:
        """Close every file."""
        with self._lock:
            for checkpoint in reversed(self._open.values()):  # adapters before their bases
                checkpoint.close()
            self._aligned.clear()
            self._open.clear()

    def _pinned(self, recipe: Recipe, make: Callable[[Checkpoint], str]) -> dict[str, str]:
        from solera.checkpoints.fingerprint import require_pinned

        pins = {node.id: node.fingerprint for node in recipe.checkpoints}
        found: dict[str, str] = {}
        for id_, checkpoint in self.checkpoints(recipe).items():
            made = make(checkpoint)
            if made:
                require_pinned(id_, pins.get(id_, ""), made, checkpoint)
                found[id_] = made
        return found

    def _anchor(self, source: str, folder: Path) -> str:
        if not source or source.startswith((LIBRARY, MEMORY)):
            return source
        if source.startswith(HUB):
            return self._pinned_to_commit(source)
        path = Path(os.path.normpath(folder / Path(source).expanduser()))
        return self.project.relative(path) if self.project else str(path.absolute())

    def _try(self, recipe: Recipe, faults: list[Fault]) -> dict[str, Checkpoint]:
        from solera.errors import SoleraError

        found: dict[str, Checkpoint] = {}
        nodes = (reachable(recipe) if recipe.output else recipe).checkpoints
        # What is aligned after what it is aligned to, adapters after the checkpoints they change.
        for node in sorted(nodes, key=lambda node: isinstance(node, (AlignedNode, AdapterNode))):
            if isinstance(node, StatisticNode) or not node.source:
                continue
            try:
                if isinstance(node, AlignedNode):
                    if node.to in found:
                        found[node.id] = self.open_aligned(node, found[node.to])
                elif not isinstance(node, AdapterNode):
                    found[node.id] = self.open(node.source, node.strip)
                elif node.base in found:
                    found[node.id] = self.open_adapter(node.source, found[node.base])
            except SoleraError as error:
                place = f"nodes.{node.id}.{'adapter' if isinstance(node, AdapterNode) else 'checkpoint'}"
                remedies = ("Relocate…",) if isinstance(error, NotFoundError) else ()
                faults.append(Fault(error.code, place, str(error), remedies, {"node": node.id}))
        self._try_statistics(recipe, found, faults)
        return found

    def _try_statistics(self, recipe: Recipe, found: dict[str, Checkpoint], faults: list[Fault]) -> None:
        from solera.errors import SoleraError
        from solera.workbench.statistics import open_statistic

        for node in ordered(reachable(recipe) if recipe.output else recipe):
            if not isinstance(node, StatisticNode) or not (node.model and node.task):
                continue
            below = reachable(replace(recipe, output=node.model))
            wrong = node.statistic not in STATISTICS or not below.nodes
            if wrong or any(leaf.id not in found for leaf in below.checkpoints):
                continue
            try:
                found[node.id] = open_statistic(node, recipe, self)
            except SoleraError as error:
                part = "task" if isinstance(error, TaskError) else "of"
                faults.append(Fault(error.code, f"nodes.{node.id}.{part}", str(error), (), {"node": node.id}))

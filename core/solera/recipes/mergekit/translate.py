"""A mergekit configuration as a recipe of ours, in mergekit's own formulas, every value written out.

Where mergekit is ambiguous or does what nobody asked for, the right thing is done and a note says so; ``compat:
mergekit`` in the file asks for its numbers instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.layers import layer_lists
from solera.checkpoints.references import Reference
from solera.errors import Fault, SoleraError, suggestion
from solera.params import Value
from solera.recipes.algebra import identifier
from solera.recipes.join import unused
from solera.recipes.mergekit.config import Config, Module, Slice, Source
from solera.recipes.mergekit.methods import METHODS, Declared, Setting, clipped, mapped
from solera.recipes.mergekit.modules import globs_of, layers_of, specific_first
from solera.recipes.mergekit.tokens import Vocabulary
from solera.recipes.mergekit.values import Reading, Said, per_model
from solera.recipes.nodes import (
    AdapterNode,
    CheckpointNode,
    MethodNode,
    Node,
    Part,
    Recipe,
    StackNode,
    SumNode,
    Term,
)
from solera.recipes.order import reachable
from solera.tensors.specs import ITEM_SIZES

#: Parameters that are shares of a tensor.
_SHARES = ("density", "gamma", "select_topk")


@dataclass
class Shared:
    """What the documents of one file have in common.

    Attributes:
        locate: A model as written -> what it refers to; raises for what cannot be found.
        peek: A source -> its opened headers, or None where they cannot be had.
        faults: Where faults go.
        nodes: The nodes made so far, by id.
        notes: What is done otherwise than in mergekit, each once.
    """

    locate: Callable[[str], Reference]
    peek: Callable[[str], Checkpoint | None]
    faults: list[Fault]
    nodes: dict[str, Node] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def add(self, node: Node, wanted: str) -> str:
        """Put a node in under an id like the wanted one; an equal node is there once. Returns its id."""
        for id_, known in self.nodes.items():
            if not isinstance(known, MethodNode) and replace(node, id=id_) == known:
                return id_
        id_ = unused(identifier(wanted), self.nodes)
        self.nodes[id_] = replace(node, id=id_)
        return id_

    def note(self, text: str) -> None:
        """Say something once."""
        self.notes[text] = None


class Document:
    """One document on its way into the recipe.

    Args:
        config: What it says.
        shared: What all documents share.
        merges: Gives the node of a merge of that name, or an empty text.
    """

    def __init__(self, config: Config, shared: Shared, merges: Callable[[str], str]) -> None:
        self._config = config
        self._shared = shared
        self._merges = merges
        self._method = METHODS.get(config.method, METHODS["linear"])
        self._sources: dict[str, str] = {}
        self._vocabulary: Vocabulary | None = None

    def build(self) -> tuple[str, str]:
        """Make the nodes; the id of the result's, and its dtype."""
        config = self._config
        models = [self._model(name, place) for name, place in self._places().items()]
        if config.method not in METHODS:
            message = f"mergekit has no method '{config.method}'.{suggestion(config.method, METHODS)}"
            self._fault("merge_method", message, "recipe.unknown-method")
        if config.method not in METHODS or not config.modules:
            return "", ""
        self._check_settings()
        if config.tokenizer and models:
            base = models[0] if config.base else ""
            self._vocabulary = Vocabulary(config.tokenizer, models, base, self._tokenizer_model, self._shared.add)
        made = [(module, self._module(module)) for module in config.modules]
        if len(made) == 1 and not made[0][0].name:
            result = made[0][1]
        else:
            result = self._joined(made)
        return self._renamed(result) if config.name else result, self._dtype()

    def _places(self) -> dict[str, str]:
        """Every model as written and where it stands first, the base before the others in reading order."""
        slices = [slice_ for module in self._config.modules for slice_ in module.slices]
        found = {self._config.base: "base_model"} if self._config.base else {}
        for slice_ in slices:
            if slice_.base:
                found.setdefault(slice_.base, f"{slice_.place}.base_model")
        for source in (source for slice_ in slices for source in slice_.sources):
            found.setdefault(source.model, f"{source.place}.model")
        return found

    def _models(self) -> list[str]:
        return list(self._places())

    def _tokenizer_model(self, written: str) -> str:
        return self._model(written, "tokenizer")

    def _model(self, written: str, place: str = "") -> str:
        """The node of a model, whose tokens are not laid out anew."""
        if written not in self._sources:
            self._sources[written] = self._merges(written) or self._opened(written, place)
        return self._sources[written]

    def _opened(self, written: str, place: str) -> str:
        try:
            reference = self._shared.locate(written)
        except SoleraError as error:
            self._shared.faults.append(Fault(error.code, place, str(error)))
            reference = Reference(written)
        model = self._shared.add(CheckpointNode("", reference.source), _name(reference))
        if reference.adapter is None:
            return model
        name = _name(reference.adapter)
        adapter = self._shared.add(AdapterNode("", reference.adapter.source, base=model), name)
        return self._shared.add(SumNode("", (Term(model), Term(adapter))), f"{model}_{name}")

    def _weights(self, written: str) -> str:
        """The node of a model as the merge takes it."""
        id_ = self._model(written)
        return self._vocabulary.laid_out(id_) if self._vocabulary else id_

    # --- modules and slices -----------------------------------------------------------------------------------------

    def _module(self, module: Module) -> str:
        prefix = self._prefix(module)
        made = [(slice_, self._slice(slice_, module, prefix)) for slice_ in module.slices]
        if len(made) == 1 and not isinstance(made[0][1], Part):
            return made[0][1]
        parts = []
        for slice_, result in made:
            count = _count(slice_)
            parts.append(result if isinstance(result, Part) else Part(result, (0, count)))
        return self._shared.add(StackNode("", tuple(parts), prefix), f"{module.name or 'stack'}")

    def _slice(self, slice_: Slice, module: Module, prefix: str) -> str | Part:
        """The node of a slice, or the layers of one model that are handed on as they are."""
        config, method = self._config, self._method
        sources, base = self._with_base(slice_, slice_.base or config.base)
        if not sources:
            return ""
        above = [Said(slice_.parameters, f"{slice_.place}.parameters")] if slice_.parameters else []
        above += [Said(module.parameters, f"modules.{module.name}.parameters")] if module.parameters else []
        above += [Said(config.parameters, "parameters")]
        reading = Reading(self._shared.faults, lambda: self._names(sources, base), head_first=config.compat)
        if config.method == "passthrough" and not any("scale" in said.settings for said in [*above, *_own(sources)]):
            self._check_count(len(sources), slice_)
            node = self._weights(sources[0].model)
            return Part(node, sources[0].layers) if sources[0].layers else node
        others = [source for source in sources if source.model != base or method.base == "ignored"]
        self._check_count(len(others), slice_)
        values = self._values(reading, others, above, slice_)
        if reading.filters_by_number and any(source.layers and not self._is_whole(source) for source in sources):
            self._shared.note("A layer's number in a filter is that within its slice, from 0.")
        if method.departs and not config.compat:
            self._shared.note(method.departs)
        if config.method.startswith(("dare", "della")) and values["density"] != 1.0:
            self._shared.note("Random masks follow the names of tensors; mergekit draws others.")
        for share in _SHARES:
            if share in values and mapped(values[share], clipped) != values[share]:
                self._shared.note(f"What '{share}' says beyond 0 to 1 means 0 or 1, as in mergekit.")
        name, params = method.into(values, Setting(len(others), config.seed, config.compat))
        own = next((source for source in sources if source.model == base), Source(base, "base_model"))
        base_id = self._taken(own, prefix) if base and method.base != "ignored" else ""
        inputs = tuple(self._taken(source, prefix) for source in others)
        if method.base_first:
            inputs, base_id = (base_id, *inputs), ""
        if reading.lists_reach_head and not config.compat:
            self._shared.note(
                "Lists over layers reach from the embedding (first value) to the head (last value); mergekit gives the "
                "final norm and the head the first."
            )
        return self._shared.add(MethodNode("", name, inputs, base_id, params), config.method)

    def _with_base(self, slice_: Slice, base: str) -> tuple[list[Source], str]:
        """The sources, and which of them is the base; a base that is not listed is added as mergekit does."""
        sources, method, place = list(slice_.sources), self._method, slice_.place
        listed = [source.model for source in sources]
        if not sources:
            self._fault(place, "There are no models to merge.")
        if not base:
            if method.base == "required":
                self._fault("base_model", f"'{self._config.method}' needs 'base_model'.")
            return sources, ""
        if base in listed:
            if method.base == "ignored":  # the base lends the config, as the first model does with us
                sources.sort(key=lambda source: source.model != base)
            return sources, base
        layered = any(source.layers for source in sources)
        if method.base != "ignored":
            if layered:
                self._fault(place, f"The base '{base}' must be one of the slice's sources: whose layers are its?")
                return sources, ""
            return sources, base
        if layered:
            return sources, ""
        self._shared.note(
            f"'{self._config.method}' knows no base: '{base}', though not among the models, is merged like them."
        )
        return [Source(base, "base_model"), *sources], base

    def _taken(self, source: Source, prefix: str) -> str:
        """A model, or a stack that holds the layers wanted of it."""
        node = self._weights(source.model)
        if source.layers is None or self._is_whole(source):
            return node
        first, end = source.layers
        stack = StackNode("", (Part(node, source.layers),), prefix)
        return self._shared.add(stack, f"{node}_{first}_{end}")

    def _is_whole(self, source: Source) -> bool:
        """Whether the layers wanted are all there are, and no others are stacked on them."""
        checkpoint = self._peek(source.model)
        if checkpoint is None:
            return False
        lists = layer_lists(checkpoint)
        return bool(lists) and source.layers == (0, len(lists[0].numbers)) and len(lists) == 1

    def _joined(self, made: Sequence[tuple[Module, str]]) -> str:
        """Several modules as one network. What none of them names comes from the one that is the rest, or the first."""
        names = self._module_names()
        results = {module.name: node for module, node in made}
        globs = {name: globs_of(name, names) for name in results}
        rests = [name for name in results if not globs[name]] or [made[0][0].name]
        if len(rests) > 1:
            known = ", ".join(each.prefix for each in layer_lists(names)) or "none"
            message = f"Which tensors are the modules {rests}? The network has these lists of layers: {known}."
            self._fault(f"modules.{rests[1]}", message)
        parts = [Part(results[name], None, glob) for name in specific_first(list(results)) for glob in globs[name]]
        return self._shared.add(StackNode("", (*parts, Part(results[rests[0]]))), "modules")

    def _module_names(self) -> tuple[str, ...]:
        sources = self._config.modules[0].slices[0].sources
        checkpoint = self._peek(sources[0].model) if sources else None
        return tuple(checkpoint) if checkpoint is not None else ()

    def _prefix(self, module: Module) -> str:
        """What stands before a layer's number in a module; empty where the network has but one list of layers."""
        names = self._module_names()
        if not module.name or len(layer_lists(names)) < 2:
            return ""
        found = layers_of(module.name, [other.name for other in self._config.modules], names)
        if found is None and any(source.layers for slice_ in module.slices for source in slice_.sources):
            self._fault(f"modules.{module.name}", f"The module '{module.name}' has no layers.")
        return found.prefix if found else ""

    # --- values -----------------------------------------------------------------------------------------------------

    def _values(
        self, reading: Reading, others: Sequence[Source], above: Sequence[Said], slice_: Slice
    ) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for declared in self._method.parameters:
            if declared.idle:
                continue
            if declared.scope == "shared":
                values[declared.name] = self._one(reading, declared, above, slice_.place)
            else:
                each = [
                    self._one(reading, declared, [Said(s.parameters, f"{s.place}.parameters"), *above], s.place)
                    for s in others
                ]
                values[declared.name] = per_model(each)
        return values

    def _one(self, reading: Reading, declared: Declared, said: Sequence[Said], where: str) -> Value:
        value = reading.value(declared, said, where)
        return 1.0 if value is None else value

    def _check_settings(self) -> None:
        """Names of parameters: those of this method, those of others (which do nothing), and misspelt ones."""
        config, here = self._config, {declared.name: declared for declared in self._method.parameters}
        everywhere = {declared.name for method in METHODS.values() for declared in method.parameters}
        for said in _all_settings(config):
            for name in said.settings:
                place = f"{said.place}.{name}"
                declared = here.get(name)
                if name not in everywhere:
                    known = ", ".join(here) or "none"
                    message = f"'{config.method}' has no parameter '{name}'; it has {known}."
                    self._fault(place, message + suggestion(str(name), [*here, *everywhere]), "param.unknown-key")
                elif declared is None or declared.idle:
                    self._shared.note(f"'{name}' changes nothing under '{config.method}'.")
                elif declared.scope == "shared" and said.of_model:
                    self._shared.note(f"'{name}' is one for all models; beside a single model it is passed over.")
        if any(slice_.residual for module in config.modules for slice_ in module.slices):
            self._shared.note("'residual_weight' changes nothing.")

    def _check_count(self, count: int, slice_: Slice) -> None:
        least, most = self._method.models
        if count < least or (most is not None and count > most):
            wanted = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            beside = " beside the base" if self._method.base == "required" else ""
            self._fault(slice_.place, f"'{self._config.method}' takes {wanted} models{beside}; this has {count}.")

    # --- what the files say -----------------------------------------------------------------------------------------

    def _peek(self, written: str) -> Checkpoint | None:
        node = self._shared.nodes.get(self._model(written))
        return self._shared.peek(node.source) if isinstance(node, CheckpointNode) else None

    def _names(self, sources: Sequence[Source], base: str) -> tuple[str, ...]:
        checkpoint = self._peek(base or sources[0].model)
        return tuple(checkpoint) if checkpoint is not None else ()

    def _dtype(self) -> str:
        """The dtype of the result: said, or the one that holds what all models are in."""
        said = (self._config.out_dtype or self._config.dtype).removeprefix("torch.")
        if said:
            return said
        opened = [self._peek(name) for name in self._models()]
        found = {next(iter(one.dtypes)) for one in opened if one is not None and one.dtypes}
        if len(found) < 2:
            return ""
        return "float32" if found == {"float16", "bfloat16"} else max(found, key=lambda name: ITEM_SIZES[name])

    def _renamed(self, id_: str) -> str:
        """The node of a merge that has a name, under that name; one that others may share keeps its own."""
        node = self._shared.nodes.get(id_)
        if not isinstance(node, MethodNode):
            return id_
        del self._shared.nodes[id_]
        name = unused(identifier(self._config.name), self._shared.nodes)
        self._shared.nodes[name] = replace(node, id=name)
        return name

    def _fault(self, place: str, message: str, code: str = "mergekit.form") -> None:
        self._shared.faults.append(Fault(code, place, message))


@dataclass(frozen=True, slots=True)
class _Placed(Said):
    of_model: bool = False


def _all_settings(config: Config) -> list[_Placed]:
    found = [_Placed(config.parameters, "parameters")]
    for module in config.modules:
        found.append(_Placed(module.parameters, f"modules.{module.name}.parameters"))
        for slice_ in module.slices:
            found.append(_Placed(slice_.parameters, f"{slice_.place}.parameters"))
            found += [_Placed(s.parameters, f"{s.place}.parameters", of_model=True) for s in slice_.sources]
    return found


def _name(reference: Reference) -> str:
    return reference.model.rstrip("/").rpartition("/")[2]


def _own(sources: Sequence[Source]) -> list[Said]:
    return [Said(source.parameters, "") for source in sources]


def _count(slice_: Slice) -> int:
    """How many layers a slice has."""
    layers = slice_.sources[0].layers if slice_.sources else None
    return layers[1] - layers[0] if layers else 0


def translate(configs: Sequence[tuple[Config, str]], shared: Shared, name: str = "") -> Recipe:
    """The recipe of a file.

    Args:
        configs: The documents, and what their faults' places begin with.
        shared: Where nodes, faults and notes go.
        name: What to call it.

    Returns:
        The recipe; of several documents the one without a name is the result, else the last that no other uses.
    """
    results: dict[int, tuple[str, str]] = {}
    used: set[int] = set()
    named = {config.name: i for i, (config, _) in enumerate(configs) if config.name}

    def build(i: int, path: tuple[int, ...]) -> str:
        if i not in results:
            config, place = configs[i]
            found = len(shared.faults)

            def merges(written: str) -> str:
                other = named.get(written)
                if other is None:
                    return ""
                if other in (*path, i):
                    shared.faults.append(Fault("recipe.cycle", "", f"The merge '{written}' depends on itself."))
                    return ""
                used.add(other)
                return build(other, (*path, i))

            results[i] = Document(config, shared, merges).build()
            shared.faults[found:] = [_below(place, fault) for fault in shared.faults[found:]]
        return results[i][0]

    for i in range(len(configs)):
        build(i, ())
    last = next((i for i, (config, _) in enumerate(configs) if not config.name), None)
    ends = [i for i in range(len(configs)) if i not in used]
    chosen = last if last is not None else ends[-1] if ends else len(configs) - 1
    left_out = [configs[i][0].name for i in ends if i != chosen]
    if left_out:
        shared.note(
            f"The result is '{configs[chosen][0].name or 'the document without a name'}'; not made: {left_out}."
        )
    output, dtype = results[chosen]
    note = " ".join(shared.notes)
    chat = configs[chosen][0].chat_template
    return reachable(Recipe(tuple(shared.nodes.values()), output, dtype, name, note, chat))


def _below(place: str, fault: Fault) -> Fault:
    if not place or fault.place.startswith("documents["):
        return fault
    return replace(fault, place=f"{place}.{fault.place}" if fault.place else place)

"""A mergekit configuration as data: what its YAML says, every fault of form with its place.

Nothing is decided here: parameters stay as they were written until the method is known (:mod:`.translate`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from solera.errors import Fault, suggestion

#: Keys of each mapping. ``compat`` and ``random_seed`` are ours: mergekit passes over keys it does not know.
_CONFIG = (
    "name", "models", "slices", "modules", "merge_method", "base_model", "dtype", "out_dtype", "tokenizer_source",
    "tokenizer", "chat_template", "parameters", "random_seed", "compat",
)  # fmt: skip
_MODEL = ("model", "parameters")
_SOURCE = ("model", "layer_range", "parameters")
_SLICE = ("sources", "base_model", "residual_weight", "parameters")
_MODULE = ("models", "slices", "parameters")
_TOKENIZER = ("source", "tokens", "pad_to_multiple_of")
_TOKEN = ("source", "force")
_REFERENCE = ("model", "lora", "override_architecture")
_PATH = ("path", "revision")

#: What stands in ``parameters:`` as it was written.
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """One model of a slice.

    Attributes:
        model: As written: ``"org/name@revision+adapter"``.
        place: Where it stands.
        layers: First layer and the one after the last; None for all of them.
        parameters: Its own settings.
    """

    model: str
    place: str
    layers: tuple[int, int] | None = None
    parameters: Settings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slice:
    """Layers of the result, and the models they are made of; ``residual`` is a key that mergekit passes over."""

    sources: tuple[Source, ...]
    place: str
    base: str = ""
    parameters: Settings = field(default_factory=dict)
    residual: bool = False


@dataclass(frozen=True, slots=True)
class Module:
    """A part of the network with layers of its own; ``name`` is empty where the whole network is meant."""

    slices: tuple[Slice, ...]
    name: str = ""
    parameters: Settings = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Token:
    """Where one token's row comes from.

    Attributes:
        model: The model that lends it; empty for zeros or the usual rule.
        token: Which of its tokens: text or id; None for the same.
        zero: Whether it is zeros.
        force: Whether it replaces what a model has.
    """

    model: str = ""
    token: str | int | None = None
    zero: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """Which vocabulary the result has.

    Attributes:
        source: ``"base"``, ``"union"``, or a model.
        tokens: Rows that are said outright.
        multiple: The vocabulary is padded to a multiple of this.
    """

    source: str
    tokens: Mapping[str, Token] = field(default_factory=dict)
    multiple: int = 1


@dataclass(frozen=True, slots=True)
class Config:
    """One document."""

    method: str
    modules: tuple[Module, ...]
    name: str = ""
    base: str = ""
    parameters: Settings = field(default_factory=dict)
    dtype: str = ""
    out_dtype: str = ""
    tokenizer: Tokenizer | None = None
    chat_template: str = ""
    seed: int = 0
    compat: bool = False


def is_mergekit(plain: Any) -> bool:
    """Whether plain data of a YAML document are mergekit's and not ours."""
    return isinstance(plain, Mapping) and "merge_method" in plain and "solera" not in plain


def read_config(plain: Mapping[str, Any], faults: list[Fault]) -> Config:
    """One document as data; every fault of form is appended.

    Args:
        plain: What was read.
        faults: Where faults go; places are as :mod:`solera.recipes.places` writes them.
    """
    return _Reader(faults).config(plain)


class _Reader:
    """Reads mappings whose keys and types are known; says what is wrong with the others."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults

    def config(self, plain: Mapping[str, Any]) -> Config:
        self._known(plain, _CONFIG, "")
        method = self._text(plain, "merge_method", "")
        base = self._model(plain["base_model"], "base_model") if plain.get("base_model") is not None else ""
        compat = plain.get("compat")
        if compat not in {None, "mergekit"}:
            self._fault("compat", f"'compat' is 'mergekit' or left out, not {compat!r}.")
        return Config(
            method,
            self._modules(plain),
            self._text(plain, "name", ""),
            base,
            self._settings(plain, ""),
            self._text(plain, "dtype", ""),
            self._text(plain, "out_dtype", ""),
            self._tokenizer(plain),
            self._text(plain, "chat_template", ""),
            self._whole(plain, "random_seed", "", 0),
            compat == "mergekit",
        )

    def _modules(self, plain: Mapping[str, Any]) -> tuple[Module, ...]:
        given = [key for key in ("models", "slices", "modules") if plain.get(key)]
        if len(given) != 1:
            got = " and ".join(f"'{key}'" for key in given) or "none of them"
            self._fault("", f"A configuration has exactly one of 'models', 'slices' and 'modules'; this has {got}.")
            return ()
        if given[0] != "modules":
            return (self._module(plain, "", ""),)
        entries = plain["modules"]
        if not isinstance(entries, Mapping):
            self._fault("modules", f"'modules' is a mapping of names to their models or slices, not {entries!r}.")
            return ()
        found = []
        for name, entry in entries.items():
            place = f"modules.{name}"
            if not isinstance(entry, Mapping) or bool(entry.get("models")) == bool(entry.get("slices")):
                self._fault(place, "A module has either 'models' or 'slices'.")
                continue
            self._known(entry, _MODULE, place)
            found.append(self._module(entry, str(name), place))
        return tuple(found)

    def _module(self, plain: Mapping[str, Any], name: str, place: str) -> Module:
        settings = self._settings(plain, place) if name else {}
        if plain.get("slices"):
            return Module(tuple(self._slices(plain["slices"], _at(place, "slices"))), name, settings)
        sources = self._sources(plain["models"], _at(place, "models"), _MODEL)
        return Module((Slice(sources, _at(place, "models")),), name, settings)

    def _slices(self, plain: Any, place: str) -> list[Slice]:
        found = []
        for here, entry in self._list(plain, place):
            if isinstance(entry, Mapping):
                self._known(entry, _SLICE, here)
            if not isinstance(entry, Mapping) or not entry.get("sources"):
                self._fault(here, "A slice has 'sources': a list of {model, layer_range}.")
                continue
            base = self._model(entry["base_model"], f"{here}.base_model") if entry.get("base_model") else ""
            sources = self._sources(entry["sources"], f"{here}.sources", _SOURCE)
            lengths = {source.layers[1] - source.layers[0] for source in sources if source.layers}
            if len(lengths) > 1:
                self._fault(here, f"The sources of a slice have as many layers each; these have {sorted(lengths)}.")
            residual = entry.get("residual_weight") is not None
            found.append(Slice(sources, here, base, self._settings(entry, here), residual))
        return found

    def _sources(self, plain: Any, place: str, keys: Sequence[str]) -> tuple[Source, ...]:
        found = []
        for here, entry in self._list(plain, place):
            if isinstance(entry, Mapping):
                self._known(entry, keys, here)
            if not isinstance(entry, Mapping) or entry.get("model") is None:
                self._fault(here, "An entry has 'model': a path or a hub id.")
                continue
            layers = self._layers(entry.get("layer_range"), f"{here}.layer_range") if "layer_range" in keys else None
            model = self._model(entry["model"], f"{here}.model")
            found.append(Source(model, here, layers, self._settings(entry, here)))
        return tuple(found)

    def _layers(self, plain: Any, place: str) -> tuple[int, int] | None:
        whole = isinstance(plain, (list, tuple)) and all(isinstance(n, int) and not isinstance(n, bool) for n in plain)
        if whole and len(plain) == 2 and 0 <= plain[0] < plain[1]:
            return (plain[0], plain[1])
        self._fault(place, f"'layer_range' is [first, last + 1], such as [0, 8]; got {plain!r}.")
        return None

    def _model(self, plain: Any, place: str) -> str:
        """A reference as text, from either of its forms."""
        if isinstance(plain, str) and plain.strip():
            return plain.strip()
        if isinstance(plain, Mapping) and "path" in plain:
            self._known(plain, _PATH, place)
            revision = self._text(plain, "revision", place)
            return self._text(plain, "path", place) + (f"@{revision}" if revision else "")
        if isinstance(plain, Mapping) and plain.get("model") is not None:
            self._known(plain, _REFERENCE, place)
            if plain.get("override_architecture"):
                self._fault(
                    f"{place}.override_architecture",
                    "Architectures are told from the weights and cannot be overridden.",
                )
            adapter = f"+{self._model(plain['lora'], f'{place}.lora')}" if plain.get("lora") else ""
            return self._model(plain["model"], f"{place}.model") + adapter
        self._fault(place, f"A model is a path or a hub id, not {plain!r}.")
        return ""

    def _tokenizer(self, plain: Mapping[str, Any]) -> Tokenizer | None:
        short, long = plain.get("tokenizer_source"), plain.get("tokenizer")
        if short is not None and long is not None:
            self._fault("tokenizer", "Either 'tokenizer_source' or 'tokenizer' is given, not both.")
        if long is None:
            return Tokenizer(self._model(short, "tokenizer_source")) if short is not None else None
        if not isinstance(long, Mapping):
            self._fault("tokenizer", f"'tokenizer' is a mapping with 'source', not {long!r}.")
            return None
        self._known(long, _TOKENIZER, "tokenizer")
        source = self._model(long["source"], "tokenizer.source") if long.get("source") is not None else "union"
        entries = long.get("tokens") or {}
        if not isinstance(entries, Mapping):
            self._fault("tokenizer.tokens", f"'tokens' is a mapping of tokens to their sources, not {entries!r}.")
            entries = {}
        tokens = {str(token): self._token(entry, f"tokenizer.tokens.{token}") for token, entry in entries.items()}
        multiple = self._whole(long, "pad_to_multiple_of", "tokenizer", 1)
        return Tokenizer(source, tokens, max(multiple, 1))

    def _token(self, plain: Any, place: str) -> Token:
        if not isinstance(plain, Mapping):
            self._fault(place, f"A token is a mapping with 'source' and 'force', not {plain!r}.")
            return Token()
        self._known(plain, _TOKEN, place)
        force, source = flag(plain.get("force", False)), plain.get("source")
        if force is None:
            self._fault(f"{place}.force", f"'force' must be true or false, not {plain['force']!r}.")
            return Token()
        if isinstance(source, Mapping) and source.get("kind") == "zero":
            return Token(zero=True, force=force)
        if isinstance(source, Mapping) and source.get("kind") == "model_token":
            self._known(source, ("kind", "model", "token", "token_id"), f"{place}.source")
            if ("token" in source) == ("token_id" in source):
                self._fault(f"{place}.source", "A token of a model is named by either 'token' or 'token_id'.")
            which = source.get("token", source.get("token_id"))
            return Token(self._model(source.get("model"), f"{place}.source.model"), which, force=force)
        return Token(self._model(source, f"{place}.source") if source is not None else "", force=force)

    def _settings(self, plain: Mapping[str, Any], place: str) -> Settings:
        settings = plain.get("parameters")
        if settings is None:
            return {}
        if not isinstance(settings, Mapping):
            self._fault(_at(place, "parameters"), f"'parameters' is a mapping of names to values, not {settings!r}.")
            return {}
        return settings

    def _list(self, plain: Any, place: str) -> list[tuple[str, Any]]:
        if not isinstance(plain, (list, tuple)):
            self._fault(place, f"A list is wanted, not {plain!r}.")
            return []
        return [(f"{place}[{i}]", entry) for i, entry in enumerate(plain)]

    def _text(self, plain: Mapping[str, Any], key: str, place: str) -> str:
        value = plain.get(key)
        if value is None or isinstance(value, str):
            return value or ""
        self._fault(_at(place, key), f"'{key}' is text, not {value!r}.")
        return ""

    def _whole(self, plain: Mapping[str, Any], key: str, place: str, default: int) -> int:
        value = plain.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return default if value is None else value
        self._fault(_at(place, key), f"'{key}' is a whole number, not {value!r}.")
        return default

    def _known(self, plain: Mapping[str, Any], keys: Sequence[str], place: str) -> None:
        for key in plain:
            if key not in keys:
                message = f"'{key}' is not known here; known: {', '.join(keys)}.{suggestion(str(key), list(keys))}"
                self._faults.append(Fault("recipe.unknown-key", _at(place, str(key)), message))

    def _fault(self, place: str, message: str) -> None:
        self._faults.append(Fault("mergekit.form", place, message))


#: What YAML 1.1, which mergekit reads, takes for true and false, and YAML 1.2 for text.
_FLAGS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}


def flag(plain: Any) -> bool | None:
    """True or false as people write it in mergekit's files; None where it is neither."""
    if isinstance(plain, str):
        return _FLAGS.get(plain.lower())
    return bool(plain) if isinstance(plain, (bool, int, float)) and plain in {0, 1} else None


def _at(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key

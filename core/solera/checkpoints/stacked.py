"""A checkpoint whose layers are chosen layers of others, numbered anew; nothing is copied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.layers import LayerList, is_early, layer_lists
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import MismatchError

#: How configs of the field call the number of layers.
COUNT_KEYS = (
    "num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers", "encoder_layers", "decoder_layers",
    "depth",
)  # fmt: skip

#: Entries of a config that hold another config.
_NESTED = ("text_config", "vision_config", "encoder", "decoder", "llm_config", "language_config")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is taken from one checkpoint.

    Attributes:
        checkpoint: The weights.
        layers: First layer and the one after the last; None for what no other gives.
        names: A glob: tensors that are taken whatever they are.
    """

    checkpoint: Checkpoint
    layers: tuple[int, int] | None = None
    names: str = ""


#: Name in the result -> which part it is of, and its name there.
Routes = dict[str, tuple[int, str]]


def stack(name: str, parts: Sequence[Chosen], layers: str = "") -> Checkpoint:
    """A view of several checkpoints as one.

    Args:
        name: What a person calls it.
        parts: In the order of the result; they stay open as long as this is used.
        layers: What stands before a layer's number; empty is the longest numbered list.

    Raises:
        MismatchError: A part has no such layers, or the layers do not fit each other.
    """
    lists = [_layer_list(part, layers) if part.layers else None for part in parts]
    routes = _routes(parts, lists)
    _check_shapes(parts, lists, routes)
    tensors = {}
    for new, (index, old) in routes.items():
        ref = parts[index].checkpoint[old]
        tensors[new] = TensorRef(replace(ref.spec, name=new), ref.source)
    config = _config(parts, lists, routes)
    return StackedCheckpoint(name, tensors, parts, routes, config)


class StackedCheckpoint(Checkpoint):
    """What :func:`stack` gives."""

    def __init__(
        self, name: str, tensors: Mapping[str, TensorRef], parts: Sequence[Chosen], routes: Routes,
        config: dict[str, Any],
    ) -> None:  # fmt: skip
        self._parts = tuple(dict.fromkeys(part.checkpoint for part in parts))
        at = {checkpoint: i for i, checkpoint in enumerate(self._parts)}
        plan = {new: (at[parts[index].checkpoint], old) for new, (index, old) in routes.items()}
        told = json.dumps([plan, [part.salt for part in self._parts]], separators=(",", ":"))
        self.salt = hashlib.sha256(told.encode()).hexdigest()
        digest = hashlib.sha256("\0".join([self.salt, *(part.identity() for part in self._parts)]).encode()).hexdigest()
        first = _donor(parts)
        self._routes = plan
        super().__init__(
            name, tensors, format="stack", digest=digest, folder=first.folder, metadata={},
            notes=[note for part in self._parts for note in part.notes],
        )  # fmt: skip
        self.config = config
        self.origins = self._parts
        self.whole = any(part.whole for part in self._parts)
        self.held = max(part.held for part in self._parts)
        self.gathered = max(part.gathered for part in self._parts)
        self.kept = sum(part.kept for part in self._parts)
        self.generated = first.generated

    @cached_property
    def ties(self) -> dict[str, str]:
        """As in the parts. A layer that is taken twice is two layers, not a tied one."""
        names = {route: new for new, route in reversed(self._routes.items())}
        found = {}
        for new, (index, old) in self._routes.items():
            canonical = names.get((index, self._parts[index].ties.get(old, old)), new)
            if old in self._parts[index].ties and canonical != new:
                found[new] = canonical
        return found

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of all parts."""
        return tuple(dict.fromkeys(file for part in self._parts for file in part.files))

    def verify(self) -> None:
        """See whether the parts are still those that were opened. Raises as :meth:`Checkpoint.verify`."""
        for part in self._parts:
            part.verify()

    def close(self) -> None:
        """Nothing: the parts stay open."""


def _layer_list(part: Chosen, prefix: str) -> LayerList:
    found = [each for each in layer_lists(part.checkpoint) if not prefix or each.prefix == prefix]
    if not found:
        wanted = f"named '{prefix}0...'" if prefix else "in its names (such as 'model.layers.0.')"
        raise MismatchError(f"{part.checkpoint.name} has no layers {wanted}.", checkpoint=part.checkpoint.name)
    assert part.layers is not None
    missing = [number for number in range(*part.layers) if number not in found[0].numbers]
    if missing:
        raise MismatchError(
            f"Layers {part.layers[0]} to {part.layers[1] - 1} of {part.checkpoint.name} are wanted; it has "
            f"{len(found[0].numbers)}, {found[0].numbers[0]} to {found[0].numbers[-1]}.",
            checkpoint=part.checkpoint.name, layers=list(part.layers),
        )  # fmt: skip
    return found[0]


def _routes(parts: Sequence[Chosen], lists: Sequence[LayerList | None]) -> Routes:
    """Every tensor of the result, in reading order: before the layers, the layers, after them, the named ones."""
    claimed: Routes = {}
    for i, part in enumerate(parts):
        if part.names:
            for name in part.checkpoint:
                if fnmatchcase(name, part.names):
                    claimed.setdefault(name, (i, name))
    routes: Routes = {}
    layered = [i for i, each in enumerate(lists) if each is not None]
    if layered:
        routes |= _outside(parts, lists, layered[0], early=True)
        routes |= _layers(parts, lists, layered)
        routes |= _outside(parts, lists, layered[-1], early=False)
    for i, part in enumerate(parts):
        if part.layers is None and not part.names:
            routes |= {name: (i, name) for name in part.checkpoint}
    globs = [part.names for part in parts if part.names]
    rest = {name: route for name, route in routes.items() if not any(fnmatchcase(name, glob) for glob in globs)}
    return {**rest, **claimed}


def _layers(parts: Sequence[Chosen], lists: Sequence[LayerList | None], layered: Sequence[int]) -> Routes:
    routes: Routes = {}
    new = 0
    for i in layered:
        each, (first, end) = lists[i], parts[i].layers or (0, 0)
        assert each is not None
        by_layer: dict[int, list[tuple[str, str]]] = {}
        for name in parts[i].checkpoint:
            split = each.split(name)
            if split is not None:
                by_layer.setdefault(split[0], []).append((split[1], name))
        for number in range(first, end):
            routes |= {each.joined(new, rest): (i, name) for rest, name in by_layer[number]}
            new += 1
    return routes


def _outside(parts: Sequence[Chosen], lists: Sequence[LayerList | None], i: int, *, early: bool) -> Routes:
    each = lists[i]
    assert each is not None
    return {
        name: (i, name)
        for name in parts[i].checkpoint
        if each.split(name) is None and (is_early(name) or _in_another(name, parts[i].checkpoint, each)) == early
    }


def _in_another(name: str, checkpoint: Checkpoint, own: LayerList) -> bool:
    """Whether a tensor lies in another list of layers: such towers come from the first part, whole."""
    return any(each.split(name) is not None for each in layer_lists(checkpoint) if each.prefix != own.prefix)


def _check_shapes(parts: Sequence[Chosen], lists: Sequence[LayerList | None], routes: Routes) -> None:
    """Every layer must have the tensors of the first, in its shapes."""
    shapes: dict[str, dict[int, tuple[int, ...]]] = {}
    for new, (index, old) in routes.items():
        each = lists[index]
        split = each.split(new) if each is not None else None
        if split is not None:
            shapes.setdefault(split[1], {})[index] = parts[index].checkpoint[old].shape
    wrong = []
    for rest, found in shapes.items():
        if len(set(found.values())) > 1:
            said = ", ".join(f"{list(shape)} in {parts[i].checkpoint.name}" for i, shape in found.items())
            wrong.append(f"'{rest.lstrip('.')}' is {said}")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise MismatchError(f"The layers do not fit each other: {'; '.join(wrong[:3])}{more}.", names=wrong)


def _donor(parts: Sequence[Chosen]) -> Checkpoint:
    """Who lends config and tokenizer: the first part that is not chosen by names."""
    return next((part for part in parts if not part.names), parts[0]).checkpoint


def _config(parts: Sequence[Chosen], lists: Sequence[LayerList | None], routes: Routes) -> dict[str, Any]:
    """The donor's config with the numbers of layers, and what it lists for each layer, put right."""
    donor = _donor(parts)
    config = dict(donor.config)
    if not config:
        return config
    before = {each.prefix: len(each.numbers) for each in layer_lists(donor)}
    stacked = next((each.prefix for each in lists if each is not None), "")
    layered = [part for part in parts if part.layers]
    for prefix, number in before.items():
        left = {name[len(prefix) :].partition(".")[0] for name in routes if name.startswith(prefix)}
        now = sum(digits.isdigit() for digits in left)
        if now:
            config = _mended(config, _Count(prefix, number, now), layered if prefix == stacked else ())
    return config


@dataclass(frozen=True, slots=True)
class _Count:
    """How many layers a list had, and how many it has now."""

    prefix: str
    before: int
    after: int

    def keys(self, config: Mapping[str, Any]) -> list[str]:
        """What a config calls this number: of an encoder or decoder its own word, if there is one."""
        said = [key for key in COUNT_KEYS if config.get(key) == self.before]
        towers = {"decoder": ("num_decoder_layers", "decoder_layers"), "encoder": ("num_layers", "encoder_layers")}
        for word, own in towers.items():
            if word in self.prefix and set(own) & set(config):
                return [key for key in said if key in own or (word == "encoder" and key == "num_hidden_layers")]
        return said

    def nested(self, config: Mapping[str, Any]) -> str:
        """The entry that holds the config of this list's tower; empty for the config itself."""
        own = "vision" if "vis" in self.prefix else ""
        found = [key for key in _NESTED if isinstance(config.get(key), dict)]
        mine = [
            key for key in found if (own and own in key) or (not own and "vision" not in key and not self.keys(config))
        ]
        return mine[0] if mine else ""


def _mended(config: dict[str, Any], count: _Count, parts: Sequence[Chosen], *path: str) -> dict[str, Any]:
    key = count.nested(config)
    if key:
        return {**config, key: _mended(config[key], count, parts, *path, key)}
    mended = {**config, **dict.fromkeys(count.keys(config), count.after)}
    for name, value in config.items():
        if parts and isinstance(value, list) and len(value) == count.before > 1:
            mended[name] = list(_entries(name, value, [_inner(part.checkpoint.config, path) for part in parts], parts))
    return mended


def _inner(config: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    for key in path:
        config = config.get(key) or {}
    return config


def _entries(
    key: str, own: Sequence[Any], theirs: Sequence[Mapping[str, Any]], parts: Sequence[Chosen]
) -> Iterator[Any]:
    """What configs list for each of the chosen layers (``layer_types``)."""
    for config, part in zip(theirs, parts, strict=True):
        listed = config.get(key, own)
        for number in range(*(part.layers or (0, 0))):
            yield listed[number] if isinstance(listed, list) and number < len(listed) else own[number % len(own)]

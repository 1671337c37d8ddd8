"""From a checkpoint's config to a network that holds its weights."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from torch import nn

from solera.errors import InputError, MismatchError, PluginError
from solera.models.fresh import fresh
from solera.models.layout import FlatLayout
from solera.models.network import Network
from solera.models.spread import SpreadNetwork, together

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint

#: How a module is made without a config that names its architecture.
Factory = Callable[..., nn.Module]


@runtime_checkable
class Architecture(Protocol):
    """Builds a kind of network from a config. Holds no state; may be used by several threads at once.

    It may also have a method ``symmetry(config)``: which units of its network may change places, as plain data (see
    :func:`solera.alignment.deriving.symmetry_of`), where that cannot be read off the module's graph.

    Attributes:
        name: Registered name: ``"digits-cnn"``.
        title: What a person reads.
    """

    @property
    def name(self) -> str:
        """Registered name."""
        ...

    @property
    def title(self) -> str:
        """What a person reads."""
        ...

    def matches(self, config: dict[str, Any]) -> bool:
        """Whether this config (a checkpoint's config.json) is of this kind; never raises."""
        ...

    def build(self, config: dict[str, Any]) -> nn.Module:
        """A module of this config with any weights; no file is read and no code from one is run.

        Raises:
            MismatchError: The config is of this kind but cannot be built.
        """
        ...


def build_network(
    checkpoint: Checkpoint,
    architectures: Mapping[str, Architecture],
    factory: str | Factory = "",
    *,
    device: str = "cpu",
) -> Network:
    """A network with a checkpoint's weights.

    Args:
        checkpoint: Weights; its config says which architecture, unless a factory is given.
        architectures: What is registered, by name.
        factory: ``"package.module:function"`` (or the function itself), called with the config if it has a required
            positional argument, else with nothing.
        device: Where the weights go; ``"cuda:0+cuda:1"`` shares the layers out (see :mod:`solera.models.spread`).

    Raises:
        InputError: The factory cannot be imported or gives no module.
        MismatchError: No architecture builds this config, tensors do not fit, or its layers cannot be shared out.
    """
    module = build_module(checkpoint.config, architectures, factory, name=checkpoint.name)
    layout, names = FlatLayout.of(module, known=checkpoint), together(device)
    network = SpreadNetwork(module, names, layout) if len(names) > 1 else Network(module, device, layout)
    network.load(checkpoint)
    return network


def build_module(
    config: Mapping[str, Any],
    architectures: Mapping[str, Architecture],
    factory: str | Factory = "",
    *,
    name: str = "",
) -> nn.Module:
    """A module whose weights are still to be loaded.

    Its parameters may hold anything. Global random state is neither read nor changed.

    Raises:
        InputError: The factory cannot be imported or gives no module.
        MismatchError: No architecture builds this config.
    """
    plain = dict(config)
    if factory:
        make = load_factory(factory) if isinstance(factory, str) else factory
        module = fresh(lambda: make(plain) if _wants_config(make) else make())
        if not isinstance(module, nn.Module):
            raise InputError(
                f"The factory {_called(factory)} gave a {type(module).__name__}, not a torch.nn.Module.",
                factory=_called(factory),
            )
        return module
    broken = ""
    for key in architectures:
        try:
            architecture = architectures[key]
        except PluginError as error:  # one broken plugin must not hide the others
            broken += f" {error}"
            continue
        if architecture.matches(plain):
            return fresh(partial(architecture.build, plain))
    said = plain.get("architecture") or ", ".join(map(str, plain.get("architectures") or ()))
    reason = f"its config.json names '{said}', which nothing installed builds" if said else "it has no config.json that"
    known = ", ".join(architectures) or "none"
    raise MismatchError(
        f"No network can be built for the checkpoint '{name}': {reason}{'' if said else ' names an architecture'}. "
        f"Known architectures: {known}. Give a factory, 'package.module:function', that makes the module.{broken}",
        checkpoint=name,
        architecture=said,
    )


def load_factory(name: str, what: str = "factory") -> Factory:
    """The function ``"package.module:function"`` names.

    Args:
        name: The text; ``"package.module:function(width=3)"`` holds arguments fast, by name, that are plain values.
        what: What the function is, for sentences.

    Raises:
        InputError: The form is wrong, the module cannot be imported, or it has no such function.
    """
    module, colon, attribute = name.partition(":")
    if not (colon and module and attribute):
        raise InputError(f"A {what} is written 'package.module:function', not '{name}'.", factory=name)
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"The module '{module}' of the {what} '{name}' cannot be imported: {error}. Is it installed, or its "
            "folder on PYTHONPATH?",
            factory=name,
        ) from error
    attribute, options = _options(name, attribute, what)
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        raise InputError(f"The module '{module}' has no function '{attribute}'.", factory=name)
    return cast("Factory", partial(found, **options) if options else found)


def _options(name: str, text: str, what: str) -> tuple[str, dict[str, Any]]:
    """A function's name and the arguments given with it."""
    attribute, bracket, _ = text.partition("(")
    if not bracket:
        return text, {}
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            raise ValueError(text)
        return attribute, {str(each.arg): ast.literal_eval(each.value) for each in call.keywords if each.arg}
    except (SyntaxError, ValueError) as error:
        raise InputError(
            f"The arguments of a {what} are plain values by name, 'package.module:function(width=3)'; got '{name}'.",
            factory=name,
        ) from error


def _wants_config(factory: Factory) -> bool:
    try:
        arguments = inspect.signature(factory).parameters.values()
    except ValueError:  # some builtins have no signature
        return False
    return any(
        argument.default is argument.empty
        and argument.kind in {argument.POSITIONAL_ONLY, argument.POSITIONAL_OR_KEYWORD}
        for argument in arguments
    )


def _called(factory: str | Factory) -> str:
    return factory if isinstance(factory, str) else getattr(factory, "__qualname__", repr(factory))

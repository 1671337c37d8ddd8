"""Configs of timm and torchvision to modules; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from solera.api import MismatchError

#: What torch modules are made wrongly with: all a library may raise for a bad name or argument.
_FAILURES = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class TimmArchitecture:
    """Any model of the installed timm library: configs as timm writes them, or with ``"library": "timm"``."""

    name = "timm"
    title = "timm"

    def matches(self, config: dict[str, Any]) -> bool:
        """Whether the config names an architecture and comes from timm."""
        named = isinstance(config.get("architecture"), str)
        return named and ("pretrained_cfg" in config or _library(config) == "timm")

    def build(self, config: dict[str, Any]) -> nn.Module:
        """The model the config names, with its number of classes and other arguments, as timm itself reads it.

        Raises:
            MismatchError: timm is not installed, or does not make such a model.
        """
        try:
            import timm
        except ImportError as error:
            raise _missing("timm", config) from error
        options = {"num_classes": config["num_classes"]} if "num_classes" in config else {}
        return _made("timm", config, lambda name, args: timm.create_model(name, pretrained=False, **args), options)


class TorchvisionArchitecture:
    """Any model of the installed torchvision library: ``{"library": "torchvision", "architecture": "resnet18"}``."""

    name = "torchvision"
    title = "torchvision"

    def matches(self, config: dict[str, Any]) -> bool:
        """Whether the config names an architecture and says that it is torchvision's."""
        return isinstance(config.get("architecture"), str) and _library(config) == "torchvision"

    def build(self, config: dict[str, Any]) -> nn.Module:
        """The model the config names, with its number of classes and other arguments.

        Raises:
            MismatchError: torchvision is not installed, or does not make such a model.
        """
        try:
            from torchvision.models import get_model
        except (ImportError, RuntimeError) as error:  # RuntimeError where its build does not fit torch's
            raise _missing("torchvision", config, str(error)) from error
        options = {"num_classes": config["num_classes"]} if "num_classes" in config else {}
        return _made("torchvision", config, lambda name, args: get_model(name, weights=None, **args), options)


def _library(config: Mapping[str, Any]) -> object:
    return config.get("library") or config.get("library_name")


def _made(library: str, config: Mapping[str, Any], make: Any, options: dict[str, Any]) -> nn.Module:
    """A module by name; ``model_args`` of the config come on top of the options."""
    name, more = config["architecture"], config.get("model_args") or {}
    if not isinstance(more, Mapping):
        raise MismatchError(f"'model_args' of the model {name} are a mapping, not {more!r}.", architecture=name)
    try:
        module: nn.Module = make(name, {**options, **more})
    except _FAILURES as error:
        reason = str(error).partition("\n")[0]
        raise MismatchError(
            f"The installed {library} does not make the model '{name}' that the checkpoint's config names: {reason}. "
            "Check 'architecture', 'num_classes' and 'model_args', or give a factory, 'package.module:function'.",
            architecture=name,
        ) from error
    return module


def _missing(library: str, config: Mapping[str, Any], why: str = "") -> MismatchError:
    said = f"cannot be loaded ({why.partition(chr(10))[0]})" if why and "No module" not in why else "is not installed"
    return MismatchError(
        f"The checkpoint's network '{config['architecture']}' needs {library}, which {said}; "
        f"run: pip install {library}.",
        architecture=config["architecture"],
        library=library,
    )


TIMM = TimmArchitecture()
TORCHVISION = TorchvisionArchitecture()

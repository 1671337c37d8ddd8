"""Hugging Face configs to modules; no code from a checkpoint is run and nothing is downloaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solera.api import MismatchError
from solera_plugins.transformers_models.symmetry import symmetry

if TYPE_CHECKING:
    from torch import nn


#: Keys of a config that say where it came from or how it was stored, not what the network is.
_NOT_THE_SHAPE = frozenset({"model_type", "auto_map", "auto_class", "dtype", "torch_dtype", "transformers_version"})
#: Where a config names no class, ``auto_class`` may say what the network is for.
_AUTO = (
    "AutoModelForCausalLM", "AutoModelForSequenceClassification", "AutoModelForImageClassification",
    "AutoModelForMaskedLM", "AutoModelForTokenClassification", "AutoModel",
)  # fmt: skip


class TransformersArchitecture:
    """Any model class that the installed transformers library has itself."""

    name = "transformers"
    title = "Hugging Face transformers"

    def matches(self, config: dict[str, Any]) -> bool:
        """Whether the config names a model type and a class, as ``save_pretrained`` writes them, or an Auto class."""
        return isinstance(config.get("model_type"), str) and bool(
            config.get("architectures") or config.get("auto_class")
        )

    def build(self, config: dict[str, Any]) -> nn.Module:
        """The class the config names, in float32, with eager attention.

        Without ``architectures`` an ``auto_class`` says what the network is for, such as
        ``"AutoModelForSequenceClassification"``; the library knows which class of the model type that is.

        Raises:
            MismatchError: transformers is not installed, or does not know the model type or the class.
        """
        try:
            import transformers
        except ImportError as error:
            raise MismatchError(
                "This checkpoint needs the transformers library, which is not installed; "
                "run: pip install 'solera[hf]'.",
                model_type=config["model_type"],
            ) from error
        import torch

        kind = str(config["model_type"])
        wanted = str(config["architectures"][0]) if config.get("architectures") else _class_for(config, kind)
        cls: Any = getattr(transformers, wanted, None)
        ours = isinstance(cls, type) and issubclass(cls, transformers.PreTrainedModel)
        if not ours or kind not in transformers.CONFIG_MAPPING:
            raise MismatchError(
                f"transformers {transformers.__version__} has no {wanted} for model type '{kind}' of its own, and code "
                "that comes with a checkpoint is never run. Give a factory, 'package.module:function'.",
                architecture=wanted,
                model_type=kind,
            )
        rest = {key: value for key, value in config.items() if key not in _NOT_THE_SHAPE}
        parsed = transformers.AutoConfig.for_model(kind, **rest)
        parsed.use_cache = False
        module: nn.Module = cls._from_config(parsed, attn_implementation="eager", dtype=torch.float32)
        return module

    def symmetry(self, config: dict[str, Any]) -> dict[str, Any] | None:
        """Which units of its network may change places; see :mod:`solera_plugins.transformers_models.symmetry`."""
        return symmetry(config)


def _class_for(config: dict[str, Any], kind: str) -> str:
    """The library's class of a model type for a purpose.

    Raises:
        MismatchError: The purpose is not known, or the model type has no class for it.
    """
    import transformers

    auto = config["auto_class"]
    if auto not in _AUTO:
        raise MismatchError(f"'auto_class' is one of {', '.join(_AUTO)}; not {auto}.", model_type=kind)
    kinds: Any = transformers.CONFIG_MAPPING  # it loads by [] alone, so get() finds nothing
    known = next((kinds[each] for each in (kind,) if each in kinds), None)
    classes: Any = getattr(transformers, auto)._model_mapping
    if known is None or known not in classes:
        raise MismatchError(
            f"transformers {transformers.__version__} has no {auto.removeprefix('Auto')} of the model type '{kind}'. "
            "Choose another 'auto_class', or give a factory, 'package.module:function'.",
            model_type=kind,
        )
    found = classes[known]
    return str((found[0] if isinstance(found, tuple) else found).__name__)


TRANSFORMERS = TransformersArchitecture()

"""mergekit's names for the parts of a network with several towers, as names of tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from solera.checkpoints.layers import LayerList, layer_lists

#: Modules that are what the others leave.
_RESTS = frozenset({"default", "text_decoder", "shared"})

#: Module -> globs over names of tensors. One that is not here is the text before a layer's number.
_GLOBS = {
    "multi_modal_projector": (
        "multi_modal_projector.*", "model.multi_modal_projector.*", "visual.merger.*", "model.visual.merger.*",
        "model.visual.deepstack_merger_list.*",
    ),
    "vision_tower": ("vision_tower.*", "model.vision_tower.*", "visual.*", "model.visual.*"),
    "vision_model": ("vision_model.*", "model.vision_model.*"),
    "encoder": ("encoder.*", "model.encoder.*"),
    "decoder": ("decoder.*", "model.decoder.*"),
}  # fmt: skip


def globs_of(module: str, names: Iterable[str]) -> tuple[str, ...]:
    """Which tensors a module is; empty for what all others leave (``text_decoder``, ``shared``, ``default``).

    Args:
        module: mergekit's name: of its own tables, or where it has none the text before a layer's number.
        names: The network's tensors.
    """
    names = list(names)
    if module in _RESTS:
        return ()
    if module in _GLOBS:
        return tuple(glob for glob in _GLOBS[module] if any(fnmatchcase(name, glob) for name in names))
    glob = f"{module.rstrip('.')}.*"
    return (glob,) if any(fnmatchcase(name, glob) for name in names) else ()


def specific_first(modules: Sequence[str]) -> list[str]:
    """Modules in the order in which their globs are asked: a projector may lie inside a tower."""
    order = [*_GLOBS, *modules]
    return sorted(modules, key=order.index)


def layers_of(module: str, others: Iterable[str], names: Iterable[str]) -> LayerList | None:
    """The list of layers of a module; None if it has none."""
    names = list(names)
    own = globs_of(module, names)
    foreign = [glob for other in others if other != module for glob in globs_of(other, names)]

    def inside(prefix: str) -> bool:
        if own:
            return any(fnmatchcase(f"{prefix}0.w", glob) for glob in own)
        return not any(fnmatchcase(f"{prefix}0.w", glob) for glob in foreign)

    return next((each for each in layer_lists(names) if inside(each.prefix)), None)

"""What a module inside a network gives on samples: the representation of a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from solera.errors import InputError, TaskError
from solera.models.network import Network
from solera.probes.objective import Dtype, unsaved

#: Gives the representations of some samples, shape (n, ...), without a graph.
Representation = Callable[[Tensor], Tensor]


def module_names(module: nn.Module) -> tuple[str, ...]:
    """Names of the modules that hold no others, in order: those whose outputs are the layers of a network."""
    return tuple(name for name, each in module.named_modules() if name and next(each.children(), None) is None)


def representation(network: Network, flat: Tensor, layer: str, name: str, dtype: Dtype) -> Representation:
    """What a layer of a network gives.

    Args:
        network: The module; its own weights are neither read nor changed.
        flat: All of its weights, in the dtype of the arithmetic.
        layer: Name of a module; empty is the network's own output.
        name: What the model is called, for sentences.
        dtype: Of the inputs, where they are floating.

    Raises:
        InputError: The network has no such module.
    """
    module = network.module
    known = dict(module.named_modules())
    if layer not in known:
        some = ", ".join(module_names(module)[:8])
        raise InputError(f"'{name}' has no layer '{layer}'; it has {some} ...", layer=layer)
    weights = dict(network.layout.views(flat)) | dict(unsaved(network, flat.dtype))

    def run(inputs: Tensor) -> Tensor:
        seen: list[Any] = []
        handle = known[layer].register_forward_hook(lambda _module, _inputs, output: seen.append(output))
        given = inputs.to(getattr(torch, dtype)) if inputs.is_floating_point() else inputs
        try:
            with torch.no_grad():
                torch.func.functional_call(module, weights, (given,))
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise TaskError(f"'{name}' cannot take the task's inputs: {reason}.", reason=reason) from error
        finally:
            handle.remove()
        output = seen[-1] if seen else None
        found = getattr(output, "logits", output[0] if isinstance(output, (tuple, list)) else output)
        if not isinstance(found, Tensor):
            raise TaskError(f"The layer '{layer}' of '{name}' gives a {type(found).__name__}, no tensor.", layer=layer)
        return found

    return run

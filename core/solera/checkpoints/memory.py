"""Weights that are already in memory, where a path would do."""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import InputError
from solera.tensors.specs import TensorSpec

if TYPE_CHECKING:
    from torch import Tensor, nn


class _TensorSource:
    """Elements of a tensor in memory, on any device."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()

    @property
    def key(self) -> Hashable:
        tensor = self.tensor
        return (str(tensor.device), tensor.data_ptr(), tensor.stride())

    def read_into(self, view: memoryview, start: int, stop: int) -> None:
        import torch

        piece = self.tensor.reshape(-1)[start:stop].resolve_conj().resolve_neg().contiguous().cpu()
        view[:] = piece.view(torch.uint8).numpy().data


class MemoryCheckpoint(Checkpoint):
    """A checkpoint over tensors in memory. They are not copied: what is read is what they hold then."""

    @classmethod
    def from_state_dict(
        cls, state: Mapping[str, Tensor], name: str = "memory", config: Mapping[str, Any] | None = None
    ) -> MemoryCheckpoint:
        """A checkpoint over the tensors of a state dict; those that share memory are tied.

        Args:
            state: Tensors by name, on any device.
            name: What a person calls it.
            config: What ``.config`` should say.

        Raises:
            InputError: A value is not a dense tensor.
        """
        import torch

        from solera.tensors.dtypes import dtype_name

        tensors = {}
        for key, tensor in state.items():
            if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided or tensor.is_quantized:
                raise InputError(f"'{key}' in {name} is not a dense tensor but {type(tensor).__name__}.", tensor=key)
            spec = TensorSpec(key, tuple(tensor.shape), dtype_name(tensor.dtype))
            tensors[key] = TensorRef(spec, _TensorSource(tensor))
        # Tensors in memory may change at any time, so no two checkpoints of this kind are ever the same one.
        checkpoint = cls(name, tensors, format="memory", digest=uuid.uuid4().hex)
        checkpoint.config = dict(config or {})
        return checkpoint

    @classmethod
    def from_module(
        cls, module: nn.Module, name: str = "module", config: Mapping[str, Any] | None = None
    ) -> MemoryCheckpoint:
        """A checkpoint over the parameters and buffers of a module. Raises as :meth:`from_state_dict`.

        Args:
            module: Its tensors are referred to, not copied.
            name: What to call it.
            config: What ``config.json`` would say; if None, what the module itself says, as those of transformers do.
        """
        return cls.from_state_dict(module.state_dict(), name, _own_config(module) if config is None else config)


def _own_config(module: nn.Module) -> dict[str, Any]:
    """What ``save_pretrained`` of a transformers model would write; empty for a module that has no such config."""
    to_dict = getattr(getattr(module, "config", None), "to_dict", None)
    plain = to_dict() if callable(to_dict) else None
    if not isinstance(plain, dict) or "model_type" not in plain:
        return {}
    return {**plain, "architectures": [type(module).__name__]}

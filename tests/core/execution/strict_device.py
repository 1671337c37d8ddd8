"""A device that is strict where a GPU is: its tensors do not meet the CPU's, and NumPy cannot see them."""

from __future__ import annotations

from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from solera.execution.devices import HostLane

PLACE = torch.device("meta")  # what the tensors say of themselves; nothing else here is made there
_COPIES = {torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default}


class There(torch.Tensor):
    """A tensor on the device: it holds one on the CPU, by which all is computed."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held):
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.shape, held.stride(), held.storage_offset(), dtype=held.dtype, device=PLACE
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):  # type: ignore[override]
        return compute(function, args, kwargs or {})


def compute(function, args, kwargs):
    met: list[torch.Tensor] = []
    tree_map(lambda x: met.append(x) if isinstance(x, torch.Tensor) else None, (args, kwargs))
    there = any(isinstance(x, There) for x in met)
    strangers = [x for x in met if not isinstance(x, There) and x.dim()]
    asked = kwargs.get("device")
    if there and strangers and function not in _COPIES:
        raise AssertionError(f"{function} is given a tensor of the CPU beside one of the device")
    here = {**kwargs, "device": torch.device("cpu")} if asked is not None else kwargs
    args, here = tree_map(lambda x: x.held if isinstance(x, There) else x, (args, here))
    result = function(*args, **here)
    if (there and asked is None) or (asked is not None and torch.device(asked) == PLACE):
        result = tree_map(lambda x: There(x) if isinstance(x, torch.Tensor) else x, result)
    return result


class Making(TorchDispatchMode):
    """What is made on the device is one of its tensors."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return compute(function, args, kwargs or {})


class StrictLane(HostLane):
    @contextmanager
    def active(self):
        with Making():
            yield

    def up(self, host, device, after):
        assert isinstance(device, There)
        assert not isinstance(host, There)
        return super().up(host, device, after)

    def down(self, device, host, after):
        assert isinstance(device, There)
        assert not isinstance(host, There)
        return super().down(device, host, after)


class StrictDevice:
    """See :class:`There`."""

    name, model, place = "strict", "strict", PLACE

    def free(self) -> int:
        return 2**30

    def lane(self):
        return StrictLane()

"""Networks, data and probes for fixtures of analysis: what a case describes, made so that a probe can look at it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.models.network import Network
from solera.probes.measuring import measured
from solera.probes.subject import Probed, Subject
from solera.runs.results import Result
from solera.seeds import Seed
from solera.tasks.examples import Examples
from solera.testing.golden_analysis import AnalysisCase
from solera.testing.goldens import Unsupported

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh, "relu": nn.ReLU, "gelu": nn.GELU, "sigmoid": nn.Sigmoid,
}  # fmt: skip


def activation_of(case: AnalysisCase, otherwise: str) -> Callable[[], nn.Module]:
    """The activation a case names in its arguments, ``"Linear(8,6)-Tanh-Linear(6,4)"``."""
    told = f"{case.arguments.get('net', '')} {case.arguments.get('arch', '')}".lower()
    found = next((name for name in ACTIVATIONS if name in told), otherwise)
    return ACTIVATIONS[found]


def chain(layers: Sequence[tuple[Tensor, Tensor | None]], activation: Callable[[], nn.Module]) -> nn.Sequential:
    """A multilayer perceptron with these weights, (out, in) and biases, float64; an activation between layers.

    Its tensors are called ``0.weight``, ``0.bias``, ``2.weight`` and so on.
    """
    modules: list[nn.Module] = []
    for weight, bias in layers:
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=torch.float64)
        layer.load_state_dict({"weight": weight.double(), **({} if bias is None else {"bias": bias.double()})})
        modules += [layer, activation()]
    return nn.Sequential(*modules[:-1]).eval()


def layers_of(tensors: Mapping[str, Tensor], prefix: str = "") -> list[tuple[Tensor, Tensor | None]]:
    """The linear layers among tensors called ``<prefix><name>.weight`` and ``.bias``, in natural order of their names.

    Raises:
        Unsupported: There are none.
    """
    names = [key[: -len(".weight")] for key in tensors if key.startswith(prefix) and key.endswith(".weight")]
    names.sort(key=_natural)
    found = [(tensors[f"{name}.weight"], tensors.get(f"{name}.bias")) for name in names]
    if not found or any(weight.ndim != 2 for weight, _ in found):
        raise Unsupported("the case holds no chain of linear layers")
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def subject_of(
    modules: Mapping[str, nn.Module],
    inputs: Tensor | None = None,
    targets: Tensor | None = None,
    *,
    chunk: int = 0,
    cls: type[Subject] = Subject,
    **more: Any,
) -> Subject:
    """A subject of modules in memory, whose weights stay in the dtype they have.

    Args:
        modules: By name.
        inputs: Of the examples.
        targets: Of the examples; zeros if None.
        chunk: Examples fed at once; all if 0.
        cls: The class of the subject.
        **more: For the class.
    """
    models = [
        Probed(name, MemoryCheckpoint.from_module(module, name), lambda module=module: Network(copy.deepcopy(module)))  # type: ignore[misc]
        for name, module in modules.items()
    ]
    examples = None
    if inputs is not None:
        labels = torch.zeros(len(inputs), dtype=torch.int64) if targets is None else targets
        given = Examples(inputs, labels, chunk or len(inputs))
        examples = lambda: given  # noqa: E731
    return cls(models, QuietContext(), examples=examples, seed=Seed(0), **more)


def probe(case: AnalysisCase, name: str, subject: Subject, **params: Any) -> tuple[Result, dict[str, float]]:
    """What a registered probe finds.

    Raises:
        Unsupported: None is registered under this name.
    """
    if name not in case.probes:
        raise Unsupported(f"no probe is called '{name}'")
    return measured(case.probes[name], subject, **params)


def numbers_of(result: Result, measure: str) -> list[float]:
    """A measure of every row."""
    return [float(value) for value in result.column(measure)]

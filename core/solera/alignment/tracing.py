"""The symmetry of a module, read off its graph: what its layers are and how values flow between them.

Only what is understood is left free: units that flow through an operation that is not known here are held fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, fx, nn

from solera.alignment.flow import Flow, Units, flattened
from solera.alignment.symmetry import Symmetry
from solera.errors import MismatchError

#: Functions and methods that act on every number alone.
_POINTWISE = frozenset({
    "relu", "relu_", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "tanh", "sigmoid",
    "softplus", "softsign", "hardtanh", "hardswish", "hardsigmoid", "dropout", "contiguous", "clone", "float", "double",
    "to", "abs", "clamp", "neg", "exp", "square", "detach",
})  # fmt: skip
_POINTWISE_MODULES = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid,
    nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Dropout, nn.Identity,
)  # fmt: skip

#: What acts on every channel alone.
_POOLS = frozenset({
    "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
    "adaptive_max_pool1d", "adaptive_max_pool2d", "interpolate", "dropout2d",
})  # fmt: skip
_POOL_MODULES = (
    nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.Upsample, nn.Dropout2d,
)  # fmt: skip

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_BINARY = frozenset(
    {"add", "sub", "mul", "truediv", "iadd", "isub", "imul", "add_", "sub_", "mul_", "div", "true_divide"}
)
_RESHAPES = frozenset({"flatten", "view", "reshape"})
_MEANS = frozenset({"mean", "amax", "sum"})


def trace_symmetry(module: nn.Module, batch: Tensor) -> Symmetry:
    """The permutations that leave what a module computes unchanged, as far as its graph shows them.

    Args:
        module: In evaluation mode.
        batch: Inputs it takes.

    Raises:
        MismatchError: Its forward cannot be traced (it branches on values, say).
    """
    try:
        graph = fx.symbolic_trace(module)
    except Exception as error:  # tracing runs the module's own code
        reason = str(error).strip().partition("\n")[0]
        raise MismatchError(
            f"{type(module).__name__} cannot be traced ({reason}), and its architecture declares no permutations. Let "
            "its architecture contribution give them: a method 'symmetry(config)'."
        ) from error
    shapes = _Shapes(graph)
    with torch.no_grad():
        shapes.run(batch)
    tracer = _Tracer(module, shapes.found)
    for node in graph.graph.nodes:
        tracer.visit(node)
    state = module.state_dict(keep_vars=True)
    shared: dict[int, list[str]] = {}
    for name, tensor in state.items():
        shared.setdefault(id(tensor), []).append(name)
    for names in shared.values():
        if len(names) > 1:
            tracer.units.tie(names, state[names[0]].ndim)
    return tracer.units.symmetry({name: tensor.ndim for name, tensor in state.items()})


class _Shapes(fx.Interpreter):
    """Runs the graph once and keeps the shape of every value that is a tensor."""

    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph)
        self.found: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.found[n] = tuple(value.shape)
        return value


class _Tracer:
    """Follows units from node to node."""

    def __init__(self, module: nn.Module, shapes: dict[fx.Node, tuple[int, ...]]) -> None:
        self.units = Units()
        self._modules = dict(module.named_modules())
        self._shapes = shapes
        self._flows: dict[fx.Node, Flow | None] = {}

    def visit(self, node: fx.Node) -> None:
        """Follow what one node does."""
        if node.op != "output" and node not in self._shapes:
            return  # a shape or another number; what is made of it is seen where it is used
        rule = self._rule(node)
        inputs = [each for each in node.all_input_nodes if each in self._shapes]
        flow = rule(node, inputs) if rule is not None and inputs else None
        if flow is None:
            self._hold(inputs)
            self._refuse(node)
        self._flows[node] = flow if node in self._shapes else None

    def _hold(self, nodes: Iterable[fx.Node]) -> None:
        for each in nodes:
            self.units.hold(self._flows.get(each))

    def _refuse(self, node: fx.Node) -> None:
        """Leave the tensors of a layer that is not understood, or one that is used directly, as they are."""
        name = str(node.target)
        tensors = {name: self._shapes[node]} if node.op == "get_attr" else {}
        if node.op == "call_module":
            tensors = {f"{name}.{key}": tuple(each.shape) for key, each in self._modules[name].state_dict().items()}
        self.units.refused.update((key, i) for key, shape in tensors.items() for i in range(len(shape)))

    def _rule(self, node: fx.Node) -> Callable[[fx.Node, list[fx.Node]], Flow | None] | None:
        """What handles a node; None holds fast whatever flows into it."""
        if node.op == "call_module":
            module = self._modules[str(node.target)]
            rules: tuple[tuple[tuple[type, ...], Any], ...] = (
                (_POINTWISE_MODULES, self._same), (_POOL_MODULES, self._channels), ((nn.Linear,), self._linear),
                (_CONVOLUTIONS, self._convolution), (_BATCH_NORMS, self._batch_norm), ((nn.Flatten,), self._reshape),
                ((nn.GroupNorm,), self._group_norm), ((nn.LayerNorm,), self._layer_norm),
                ((nn.Embedding,), self._embedding),
            )  # fmt: skip
            return next((rule for kinds, rule in rules if type(module) in kinds), None)
        if node.op not in {"call_function", "call_method"}:
            return None
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        named = ((_POINTWISE, self._same), (_POOLS, self._channels), (_BINARY, self._binary),
                 (_RESHAPES, self._reshape), (_MEANS, self._mean))  # fmt: skip
        return next((rule for names, rule in named if name in names), None)

    def _same(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        return self._flows[inputs[0]] if len(inputs) == 1 else None

    def _channels(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        """Pools work on every channel alone, where the units are channels."""
        flow = self._flows[inputs[0]]
        return flow if flow is not None and flow.dim == 1 and len(self._shapes[inputs[0]]) > 2 else None

    def _binary(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        if len(inputs) == 1 and len(self._tensors(node)) == 1:
            return self._flows[inputs[0]]
        flows = [self._flows[each] for each in self._tensors(node)]
        shapes = [self._shapes[each] for each in self._tensors(node)]
        first, second = flows[0], flows[-1]
        if first is None or second is None or len(shapes[0]) != len(shapes[-1]):
            return None
        if (first.dim, first.rest) != (second.dim, second.rest) or shapes[0][first.dim] != shapes[-1][first.dim]:
            return None
        self.units.join(first.units, second.units)
        return first

    def _tensors(self, node: fx.Node) -> list[fx.Node]:
        """The operands that are tensors, in order; one that is given twice is there twice."""
        return [each for each in node.args if isinstance(each, fx.Node) and each in self._shapes]

    def _reshape(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        flow = self._flows[inputs[0]]
        return None if flow is None else flattened(flow, self._shapes[inputs[0]], self._shapes[node])

    def _mean(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        """A mean over dimensions after that of the units."""
        flow = self._flows[inputs[0]]
        dims = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
        if flow is None or dims is None or not isinstance(dims, (int, tuple, list)):
            return None
        rank = len(self._shapes[inputs[0]])
        over = {int(str(dim)) % rank for dim in ([dims] if isinstance(dims, int) else dims)}
        return flow if min(over) > flow.dim else None

    def _take(self, node: fx.Node, inputs: list[fx.Node], dim: int, tensor: str, axis: int) -> None:
        """Let a layer's weight take the units of its input, or hold them fast."""
        flow = self._flows[inputs[0]]
        if flow is not None and flow.dim == dim % len(self._shapes[inputs[0]]):
            self.units.claim(tensor, axis, flow)
        else:
            self.units.hold(flow)
            self.units.refused.add((tensor, axis))

    def _made(self, name: str, size: int, dim: int, tensors: Iterable[str]) -> Flow:
        """The units a layer makes."""
        known = self.units.claims.get((f"{name}.weight", 0))
        flow = Flow(known[0] if known else self.units.new(name, size), dim)
        for tensor in tensors:
            self.units.claim(tensor, 0, flow)
        return flow

    def _tensors_of(self, node: fx.Node, *names: str) -> list[str]:
        """Those tensors of a layer that are there."""
        module = self._modules[str(node.target)]
        return [f"{node.target}.{name}" for name in names if getattr(module, name, None) is not None]

    def _linear(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        module = self._modules[str(node.target)]
        assert isinstance(module, nn.Linear)
        self._take(node, inputs, -1, f"{node.target}.weight", 1)
        last = len(self._shapes[node]) - 1
        return self._made(str(node.target), module.out_features, last, self._tensors_of(node, "weight", "bias"))

    def _convolution(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        module = self._modules[str(node.target)]
        assert isinstance(module, _CONVOLUTIONS)
        if module.groups == 1:
            self._take(node, inputs, 1, f"{node.target}.weight", 1)
            return self._made(str(node.target), module.out_channels, 1, self._tensors_of(node, "weight", "bias"))
        if module.groups == module.in_channels == module.out_channels:
            return self._along(node, inputs, "weight", "bias")
        return None

    def _batch_norm(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        return self._along(node, inputs, "weight", "bias", "running_mean", "running_var")

    def _along(self, node: fx.Node, inputs: list[fx.Node], *names: str) -> Flow | None:
        """A layer that works on every channel alone: its tensors follow the channels."""
        flow = self._flows[inputs[0]]
        if flow is None or flow.dim != 1:
            return None
        for tensor in self._tensors_of(node, *names):
            self.units.claim(tensor, 0, flow)
        return flow

    def _group_norm(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        module = self._modules[str(node.target)]
        assert isinstance(module, nn.GroupNorm)
        flow = self._along(node, inputs, "weight", "bias")
        if flow is not None:
            self.units.split(flow, module.num_groups)
        return flow

    def _layer_norm(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        flow = self._flows[inputs[0]]
        module = self._modules[str(node.target)]
        assert isinstance(module, nn.LayerNorm)
        if flow is None or len(module.normalized_shape) > 1 or flow.dim != len(self._shapes[node]) - 1:
            return None
        for tensor in self._tensors_of(node, "weight", "bias"):
            self.units.claim(tensor, 0, flow)
        return flow

    def _embedding(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        module = self._modules[str(node.target)]
        assert isinstance(module, nn.Embedding)
        name = f"{node.target}.weight"
        known = self.units.claims.get((name, 1))
        units = known[0] if known else self.units.new(str(node.target), module.embedding_dim)
        flow = Flow(units, len(self._shapes[node]) - 1)
        self.units.claim(name, 1, flow)
        return flow

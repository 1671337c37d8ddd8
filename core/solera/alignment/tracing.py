"""The symmetry of a module, read off its graph: what its layers are and how values flow between them.

Only what is understood is left free: units that flow through an operation that is not known here are held fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, fx, nn

from solera.alignment.attention import attend, decode, encode, stack
from solera.alignment.flow import Flow, Units, flattened
from solera.alignment.symmetry import Symmetry
from solera.errors import MismatchError
from solera.models.graphs import graph_of

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
_TURNS = frozenset({"permute", "transpose"})
_TRANSFORMERS = (
    nn.TransformerEncoderLayer, nn.TransformerEncoder, nn.TransformerDecoderLayer, nn.TransformerDecoder,
)  # fmt: skip
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
        graph = graph_of(module)
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
        known = value[0] if isinstance(value, tuple) and self._attends(n) else value
        if isinstance(known, Tensor):
            self.found[n] = tuple(known.shape)
        return value

    def _attends(self, n: fx.Node) -> bool:
        """Whether a node is an attention, whose first result is what counts."""
        return n.op == "call_module" and type(self.fetch_attr(str(n.target))) is nn.MultiheadAttention


class _Tracer:
    """Follows units from node to node."""

    def __init__(self, module: nn.Module, shapes: dict[fx.Node, tuple[int, ...]]) -> None:
        self.units = Units()
        self._modules = dict(module.named_modules())
        self._shapes = shapes
        self._flows: dict[fx.Node, Flow | None] = {}
        #: Parameters that are used as they are, by the node of their value: name, and sizes (-1 where it is cut).
        self._own: dict[fx.Node, tuple[str, tuple[int, ...]]] = {}
        self._state = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}

    def visit(self, node: fx.Node) -> None:
        """Follow what one node does."""
        if node.op != "output" and node not in self._shapes:
            return  # a shape or another number; what is made of it is seen where it is used
        inputs = [each for each in node.all_input_nodes if each in self._shapes]
        own = self._parameter(node, inputs)
        if own is not None:
            self._own[node], self._flows[node] = own, None
            return
        if self._is_weights(node):
            self._flows[node] = None  # averaged over the heads: no units
            return
        rule = self._rule(node)
        flow = rule(node, inputs) if rule is not None and inputs else None
        if flow is None:
            self._hold(inputs)
            self._refuse(node)
        self._flows[node] = flow if node in self._shapes else None

    def _is_weights(self, node: fx.Node) -> bool:
        """Whether a value is the second result of an attention: how much each token looks at each."""
        of = node.args[0] if node.args else None
        return (
            getattr(node.target, "__name__", "") == "getitem"
            and isinstance(of, fx.Node)
            and of.op == "call_module"
            and type(self._modules[str(of.target)]) is nn.MultiheadAttention
            and node.args[1:] == (1,)
        )

    def _parameter(self, node: fx.Node, inputs: list[fx.Node]) -> tuple[str, tuple[int, ...]] | None:
        """Which parameter a value is, perhaps repeated or cut along dimensions."""
        if node.op == "get_attr":
            name = str(node.target)
            return (name, self._state[name]) if name in self._state else None
        if len(inputs) != 1 or inputs[0] not in self._own:
            return None
        name, sizes = self._own[inputs[0]]
        if node.target == "expand" and len(sizes) == len(self._shapes[node]):
            return name, sizes
        if getattr(node.target, "__name__", "") == "getitem":
            places = node.args[1] if isinstance(node.args[1], tuple) else (node.args[1],)
            if all(isinstance(each, slice) for each in places):
                cut = [size if each == slice(None) else -1 for size, each in zip(sizes, places, strict=False)]
                return name, (*cut, *sizes[len(cut) :])
        return None

    def _hold(self, nodes: Iterable[fx.Node]) -> None:
        for each in nodes:
            self.units.hold(self._flows.get(each))
            if each in self._own:
                name, sizes = self._own[each]
                self.units.refused.update((name, i) for i in range(len(sizes)))

    def _refuse(self, node: fx.Node) -> None:
        """Leave the tensors of a layer that is not understood as they are."""
        name = str(node.target)
        tensors: dict[str, tuple[int, ...]] = {}
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
                ((nn.GroupNorm,), self._group_norm), ((nn.LayerNorm, nn.RMSNorm), self._layer_norm),
                ((nn.Embedding,), self._embedding),
                ((nn.MultiheadAttention,), self._attention), (_TRANSFORMERS, self._transformer),
            )  # fmt: skip
            return next((rule for kinds, rule in rules if type(module) in kinds), None)
        if node.op not in {"call_function", "call_method"}:
            return None
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        named = ((_POINTWISE, self._same), (_POOLS, self._channels), (_BINARY, self._binary),
                 (_RESHAPES, self._reshape), (_MEANS, self._mean), (_TURNS, self._turn), ({"cat"}, self._cat),
                 ({"getitem"}, self._pick))  # fmt: skip
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
        known = next((i for i, flow in enumerate(flows) if flow is not None), None)
        if known is not None and len(flows) == 2 and self._tensors(node)[1 - known] in self._own:
            flow = flows[known]
            assert flow is not None
            return flow if self._follow(self._tensors(node)[1 - known], flow, shapes[known]) else None
        first, second = flows[0], flows[-1]
        if first is None or second is None or len(shapes[0]) != len(shapes[-1]):
            return None
        if (first.dim, first.rest) != (second.dim, second.rest) or shapes[0][first.dim] != shapes[-1][first.dim]:
            return None
        self.units.join(first.units, second.units)
        return first

    def _follow(self, node: fx.Node, flow: Flow, shape: tuple[int, ...]) -> bool:
        """Let a parameter that is added to a value, or lies beside it, follow its units."""
        name, own = self._own[node]
        dim = flow.dim - len(shape) + len(own)
        if flow.rest != 1 or len(own) > len(shape):
            return False
        if dim >= 0 and own[dim] == shape[flow.dim]:
            self.units.claim(name, dim, flow)
            return True
        return dim < 0 or own[dim] == 1

    def _cat(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        """Values side by side, along another dimension than that of their units."""
        dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
        flow = next((self._flows[each] for each in inputs if self._flows.get(each) is not None), None)
        if flow is None or not isinstance(dim, int) or dim % len(self._shapes[node]) == flow.dim:
            return None
        for each in inputs:
            other = self._flows.get(each)
            if each in self._own and not self._follow(each, flow, self._shapes[node]):
                return None
            if each not in self._own and (other is None or (other.dim, other.rest) != (flow.dim, flow.rest)):
                return None
            if other is not None:
                self.units.join(flow.units, other.units)
        return flow

    def _pick(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        """Some positions, all units; or the first result of an attention."""
        flow, where = self._flows[inputs[0]], node.args[1]
        if flow is None:
            return None
        if inputs[0].op == "call_module" and type(self._modules[str(inputs[0].target)]) is nn.MultiheadAttention:
            return flow if where == 0 else None  # the other, the weights, is seen to before
        places = where if isinstance(where, tuple) else (where,)
        before = places[: flow.dim]
        whole = places[flow.dim : flow.dim + 1] in ((), (slice(None),))
        if not whole or not all(isinstance(each, (int, slice)) for each in places):
            return None
        return Flow(flow.units, flow.dim - sum(isinstance(each, int) for each in before), flow.rest)

    def _turn(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        """Dimensions in another order."""
        flow, rank = self._flows[inputs[0]], len(self._shapes[node])
        given: Any = node.args[1:] or tuple(node.kwargs.values())
        dims = given[0] if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
        if flow is None or not all(isinstance(dim, int) for dim in dims):
            return None
        order = [dim % rank for dim in dims]
        if (len(order) == 2 and rank > 2) or "transpose" in str(node.target):
            swapped = dict(zip(order, reversed(order), strict=True))
            order = [swapped.get(dim, dim) for dim in range(rank)]
        return Flow(flow.units, order.index(flow.dim), flow.rest)

    def _attention(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        module = self._modules[str(node.target)]
        assert isinstance(module, nn.MultiheadAttention)
        named = dict(zip(("query", "key", "value"), node.args, strict=False)) | dict(node.kwargs)
        flows = [self._last(named.get(name)) for name in ("query", "key", "value")]
        query, key, value = flows
        if query is None or key is None or value is None:
            return None
        mask = node.args[5] if len(node.args) > 5 else node.kwargs.get("attn_mask")
        apart = mask is not None or node.kwargs.get("average_attn_weights", True) is not True or len(node.args) > 6
        return attend(self.units, str(node.target), module, query, key, value, apart=apart)

    def _transformer(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        module, name = self._modules[str(node.target)], str(node.target)
        flow = self._last(node.args[0] if node.args else node.kwargs.get("src", node.kwargs.get("tgt")))
        if flow is None:
            return None
        if isinstance(module, nn.TransformerEncoderLayer):
            return encode(self.units, name, module, flow)
        if isinstance(module, nn.TransformerEncoder):
            return stack(self.units, name, module, flow)
        memory = self._last(node.args[1] if len(node.args) > 1 else node.kwargs.get("memory"))
        if memory is None:
            return None
        if isinstance(module, nn.TransformerDecoderLayer):
            return decode(self.units, name, module, flow, memory)
        return stack(self.units, name, module, flow, memory)

    def _last(self, value: Any) -> Flow | None:
        """The units of a value along its last dimension."""
        flow = self._flows.get(value) if isinstance(value, fx.Node) else None
        ok = flow is not None and flow.rest == 1 and flow.dim == len(self._shapes[value]) - 1
        return flow if ok else None

    def _tensors(self, node: fx.Node) -> list[fx.Node]:
        """The operands that are tensors, in order; one that is given twice is there twice."""
        return [each for each in node.args if isinstance(each, fx.Node) and each in self._shapes]

    def _reshape(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        flow = self._flows[inputs[0]]
        return None if flow is None else flattened(flow, self._shapes[inputs[0]], self._shapes[node])

    def _mean(self, node: fx.Node, inputs: list[fx.Node]) -> Flow | None:
        """A mean over other dimensions than that of the units."""
        flow = self._flows[inputs[0]]
        dims = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
        if flow is None or dims is None or not isinstance(dims, (int, tuple, list)):
            return None
        rank = len(self._shapes[inputs[0]])
        over = {int(str(dim)) % rank for dim in ([dims] if isinstance(dims, int) else dims)}
        if flow.dim in over:
            return None
        kept = len(self._shapes[node]) == rank
        return flow if kept else Flow(flow.units, flow.dim - sum(dim < flow.dim for dim in over), flow.rest)

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
        assert isinstance(module, (nn.LayerNorm, nn.RMSNorm))
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

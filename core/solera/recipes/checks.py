"""Everything that is wrong with a recipe, at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from solera.checkpoints.chat_templates import AUTO, NAMED, is_template
from solera.errors import Fault, FaultsError, suggestion
from solera.methods.statistics import STATISTICS
from solera.params import ParamSpec, PerModel, Value, Var, decode, encode, variables
from solera.recipes.nodes import (
    AdapterNode,
    AlignedNode,
    CheckpointNode,
    MethodNode,
    Node,
    Recipe,
    StackNode,
    StatisticNode,
    SumNode,
    TokensNode,
    node_values,
    upstream,
)
from solera.recipes.order import by_id, find_method, node_fault, ordered, reachable, reference
from solera.recipes.types import infer_types
from solera.recipes.views import has_views, open_views
from solera.tensors.specs import FLOATING

if TYPE_CHECKING:
    from solera.checkpoints.checkpoint import Checkpoint
    from solera.methods.spec import MethodSpec

#: Which data of a task there are.
SPLITS = ("train", "selection", "report")

#: A coefficient in a sum, as a parameter.
COEFFICIENT = ParamSpec("coefficient", "float", default=1.0)


def check(
    recipe: Recipe, methods: Mapping[str, MethodSpec], checkpoints: Mapping[str, Checkpoint] | None = None
) -> tuple[Fault, ...]:
    """All faults of a recipe.

    Args:
        recipe: Any recipe.
        methods: The registered methods.
        checkpoints: The opened checkpoints by node id. When given, those the output needs must all be there and fit
            each other in names, shapes and kinds.

    Returns:
        The faults in reading order: ids, wiring, parameters, types, output, variables, then the checkpoints. Each
        place is ``"nodes.<id>[.<part>]"`` or a key of the recipe; ``fields["node"]`` is the id.
    """
    faults: list[Fault] = []
    for node in recipe.nodes:
        _check_node(node, recipe, methods, faults)
    _check_ids(recipe, faults)
    ordered(recipe, faults)
    types = infer_types(recipe, methods, faults)
    _check_output(recipe, types, faults)
    _check_variables(recipe, faults)
    if checkpoints is not None:
        _check_checkpoints(recipe, checkpoints, faults)
    return tuple(faults)


def _check_ids(recipe: Recipe, faults: list[Fault]) -> None:
    seen: set[str] = set()
    for node in recipe.nodes:
        if not node.id.isidentifier():
            faults.append(
                node_fault("recipe.id", node.id, "", f"A node needs a name like 'blend' or 'model_2', not {node.id!r}.")
            )
        if node.id in seen:
            faults.append(node_fault("recipe.id-twice", node.id, "", f"Two nodes are called '{node.id}'."))
        seen.add(node.id)


def _check_node(node: Node, recipe: Recipe, methods: Mapping[str, MethodSpec], faults: list[Fault]) -> None:
    nodes = by_id(recipe)
    for name in dict.fromkeys(upstream(node)):
        if name not in nodes:
            message = f"There is no node '{name}'.{suggestion(name, nodes)}"
            faults.append(node_fault("recipe.unknown-node", node.id, "", message))
    match node:
        case AdapterNode():
            _check_adapter(node, nodes.get(node.base), faults)
        case AlignedNode():
            _check_aligned(node, nodes.get(node.to), faults)
        case StatisticNode():
            _check_statistic(node, recipe, faults)
        case CheckpointNode(source=source) if not source:
            faults.append(node_fault("recipe.source", node.id, "checkpoint", "It names no checkpoint."))
        case SumNode():
            _check_sum(node, faults)
        case MethodNode():
            _check_method(node, methods, faults)
            _check_kinds(node, methods, nodes, faults)
        case StackNode():
            _check_stack(node, faults)
        case TokensNode(node="") | TokensNode(vocabulary=""):
            faults.append(node_fault("recipe.unconnected", node.id, "tokens", "It lays out the tokens of nothing."))
        case _:
            pass


def _check_adapter(node: AdapterNode, base: Node | None, faults: list[Fault]) -> None:
    if not node.source:
        faults.append(node_fault("recipe.source", node.id, "adapter", "It names no adapter."))
    if not node.base:
        message = "An adapter changes a base; it is connected to none."
        faults.append(node_fault("recipe.unconnected", node.id, "base", message, "connect the model it was trained on"))
    elif base is not None and (isinstance(base, AdapterNode) or not isinstance(base, CheckpointNode)):
        message = f"The base of an adapter is a checkpoint; '{node.base}' is computed."
        remedy = f"take the checkpoint it was trained on as its base, and add it: {node.base} + {node.id}"
        faults.append(node_fault("recipe.adapter-base", node.id, "base", message, remedy))


def _check_aligned(node: AlignedNode, to: Node | None, faults: list[Fault]) -> None:
    if not node.source:
        faults.append(node_fault("recipe.source", node.id, "align", "It names no checkpoint."))
    if not node.to:
        message = "A checkpoint is aligned to another; it is connected to none."
        faults.append(node_fault("recipe.unconnected", node.id, "to", message, "connect the model it shall fit"))
    elif to is not None and type(to) is not CheckpointNode:
        message = f"A checkpoint is aligned to another one on disk; '{node.to}' is computed."
        faults.append(node_fault("recipe.align", node.id, "to", message, f"save '{node.to}' first, and align to that"))
    if node.by not in ("weights", "activations"):
        message = f"'by' is weights or activations, not {node.by!r}."
        faults.append(node_fault("recipe.align", node.id, "by", message))
    elif node.by == "activations" and not node.task:
        message = "To align by activations, name a task whose data the networks see."
        faults.append(node_fault("recipe.align", node.id, "task", message))
    if node.tries < 1:
        faults.append(node_fault("recipe.align", node.id, "tries", f"'tries' is 1 or more, not {node.tries}."))


def _check_statistic(node: StatisticNode, recipe: Recipe, faults: list[Fault]) -> None:
    spec = STATISTICS.get(node.statistic)
    if spec is None:
        message = f"No statistic is called '{node.statistic}'.{suggestion(node.statistic, STATISTICS)}"
        faults.append(node_fault("recipe.statistic", node.id, "statistic", message, f"one of {', '.join(STATISTICS)}"))
    if not node.model:
        message = "A statistic is one of a model; it is connected to none."
        faults.append(node_fault("recipe.unconnected", node.id, "of", message, "connect the model"))
    elif any(above.variables for above in (reachable(replace(recipe, output=node.model)),)):
        message = f"'{node.model}' has free variables; a statistic is one of weights that are fixed."
        faults.append(node_fault("recipe.statistic", node.id, "of", message, "give its variables values"))
    if not node.task:
        message = "It names no task whose examples it is computed on."
        faults.append(node_fault("recipe.statistic", node.id, "task", message))
    if node.split not in SPLITS:
        message = f"A split is one of {', '.join(SPLITS)}, not '{node.split}'."
        faults.append(node_fault("recipe.statistic", node.id, "split", message))
    if node.samples < 0:
        faults.append(node_fault("recipe.statistic", node.id, "samples", "'samples' is at least 1, or 0 for all."))
    known = {param.name: param for param in spec.params} if spec is not None else {}
    for key, value in node.params.items() if spec is not None else ():
        if key not in known:
            message = f"The statistic '{node.statistic}' has no parameter '{key}'.{suggestion(key, known)}"
            faults.append(node_fault("param.unknown-key", node.id, key, message))
        elif not isinstance(value, (bool, int, float, str)):
            faults.append(node_fault("recipe.statistic", node.id, key, f"'{key}' is one plain value here."))
        else:
            _check_value(value, known[key], node.id, key, faults)


def _check_kinds(
    node: MethodNode, methods: Mapping[str, MethodSpec], nodes: Mapping[str, Node], faults: list[Fault]
) -> None:
    """The statistics of a method are of the kind it needs."""
    spec = find_method(methods, node)
    for i, name in enumerate(node.statistics if spec is not None else ()):
        given = nodes.get(name)
        if isinstance(given, StatisticNode) and spec is not None and spec.needs not in {"", given.statistic}:
            message = f"'{node.method}' needs the statistic '{spec.needs}'; '{name}' is '{given.statistic}'."
            faults.append(node_fault("recipe.statistics", node.id, f"statistics[{i}]", message))


def _check_stack(node: StackNode, faults: list[Fault]) -> None:
    if not node.parts:
        faults.append(node_fault("recipe.empty", node.id, "stack", "The stack has no parts.", "connect an input"))
    for i, part in enumerate(node.parts):
        if not part.node:
            faults.append(
                node_fault("recipe.unconnected", node.id, f"stack[{i}]", "This part is connected to nothing.")
            )
    rests = [part for part in node.parts if part.layers is None and not part.names]
    if len(rests) > 1 or (rests and any(part.layers for part in node.parts)):
        message = "At most one part gives whatever no other does, and none beside parts with layers."
        faults.append(node_fault("recipe.stack", node.id, "stack", message, "give each part layers or names"))


def _check_sum(node: SumNode, faults: list[Fault]) -> None:
    if not node.terms:
        faults.append(node_fault("recipe.empty", node.id, "sum", "The sum has no terms.", "connect an input"))
    for i, term in enumerate(node.terms):
        if not term.node:
            faults.append(node_fault("recipe.unconnected", node.id, f"sum[{i}]", "This term is connected to nothing."))
        _check_value(term.coefficient, COEFFICIENT, node.id, f"sum[{i}].times", faults)


def _check_method(node: MethodNode, methods: Mapping[str, MethodSpec], faults: list[Fault]) -> None:
    spec = find_method(methods, node, faults)
    if spec is None:
        return
    if any(not name for name in node.inputs):
        faults.append(node_fault("recipe.unconnected", node.id, "inputs", "An input is connected to nothing."))
    count, most = len(node.inputs), spec.max_inputs
    if count < spec.min_inputs or (most is not None and count > most):
        wanted = f"{spec.min_inputs} or more" if most is None else _span(spec.min_inputs, most)
        message = f"'{node.method}' takes {wanted} input{'' if wanted == '1' else 's'}, got {count}."
        faults.append(node_fault("recipe.inputs", node.id, "inputs", message))
    for key, value in node.params.items():
        param = next((item for item in spec.params if item.name == key), None)
        if param is None:
            known = {item.name: item for item in spec.params}
            message = f"'{node.method}' has no parameter '{key}'.{suggestion(key, known)}"
            faults.append(node_fault("param.unknown-key", node.id, key, message))
            continue
        _check_value(value, param, node.id, key, faults)
        if isinstance(value, PerModel) and len(value.values) != count:
            message = f"'{key}' lists {len(value.values)} values for {count} inputs; give one for each, or one number."
            faults.append(node_fault("param.count", node.id, key, message))
    for param in spec.params:
        if param.required and param.name not in node.params:
            faults.append(node_fault("param.missing", node.id, param.name, f"'{param.name}' is required."))


def _check_value(value: Value, spec: ParamSpec, id_: str, part: str, faults: list[Fault]) -> None:
    """A value may have been put together by a script or a form: it must survive the codec."""
    found: list[Fault] = []
    decode(encode(value), spec, f"nodes.{id_}.{part}", found)
    faults.extend(Fault(f.code, f.place, f.message, f.remedies, {"node": id_}) for f in found)


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _check_output(recipe: Recipe, types: Mapping[str, str], faults: list[Fault]) -> None:
    nodes = by_id(recipe)
    if not recipe.output:
        faults.append(Fault("recipe.no-output", "output", "No node is chosen as the output."))
    elif recipe.output not in nodes:
        message = f"The output names no node: '{recipe.output}'.{suggestion(recipe.output, nodes)}"
        faults.append(Fault("recipe.unknown-node", "output", message))
    elif types.get(recipe.output) == "importance":
        message = f"The output '{recipe.output}' is an importance, not weights."
        faults.append(Fault("recipe.output-delta", "output", message, ("choose the method that takes it",)))
    elif types.get(recipe.output) == "delta":
        message = f"The output '{recipe.output}' is a delta, not weights."
        faults.append(Fault("recipe.output-delta", "output", message, (f"add it to a base: base + {recipe.output}",)))
    if recipe.dtype and recipe.dtype not in FLOATING:
        message = f"'{recipe.dtype}' is no floating-point dtype.{suggestion(recipe.dtype, sorted(FLOATING))}"
        faults.append(Fault("recipe.dtype", "dtype", message, ("leave it out to keep the base's",)))
    if recipe.chat_template and not is_template(recipe.chat_template):
        names = (AUTO, *NAMED)
        message = f"A chat template is Jinja or one of {', '.join(names)}; this is '{recipe.chat_template[:80]}'."
        remedy = ("leave it out to keep the tokenizer's own",)
        faults.append(
            Fault("recipe.chat-template", "chat_template", message + suggestion(recipe.chat_template, names), remedy)
        )


def _check_variables(recipe: Recipe, faults: list[Fault]) -> None:
    seen: dict[str, tuple[Var, str]] = {}
    for node in recipe.nodes:
        for var in (var for value in node_values(node) for var in variables(value)):
            first, where = seen.setdefault(var.name, (var, node.id))
            if var != first:
                message = f"The variable '{var.name}' has other bounds here than in '{where}'; it is one variable."
                faults.append(node_fault("recipe.variable", node.id, "", message))


def _check_checkpoints(recipe: Recipe, checkpoints: Mapping[str, Checkpoint], faults: list[Fault]) -> None:
    missing = [node for node in reachable(recipe).checkpoints if node.id not in checkpoints]
    for node in missing:
        message = f"The checkpoint '{node.source}' has not been opened."
        faults.append(node_fault("recipe.not-open", node.id, "checkpoint", message))
    if has_views(recipe):
        if not missing and not faults:
            _check_views(recipe, checkpoints, faults)
        return
    _check_fit(recipe, checkpoints, faults)


def _check_views(recipe: Recipe, checkpoints: Mapping[str, Checkpoint], faults: list[Fault]) -> None:
    """What is computed below a view must fit as what is computed from it."""

    def computed(part: Recipe, leaves: Mapping[str, Checkpoint]) -> Checkpoint:
        _check_fit(part, leaves, faults)
        return leaves[reference(part)]

    try:
        flat, leaves = open_views(recipe, checkpoints, computed)
    except FaultsError as error:
        faults.extend(error.faults)
        return
    _check_fit(flat, leaves, faults)


def _check_fit(recipe: Recipe, checkpoints: Mapping[str, Checkpoint], faults: list[Fault]) -> None:
    from solera.checkpoints.compare import compatible

    first = reference(recipe)
    if first not in checkpoints:
        return
    for node in reachable(recipe).checkpoints:
        if node.id in checkpoints and node.id != first:
            if isinstance(node, StatisticNode):
                _check_statistic_fit(node, checkpoints[first], checkpoints[node.id], faults)
                continue
            for fault in compatible(checkpoints[first], checkpoints[node.id]):
                place = f"nodes.{node.id}"
                faults.append(
                    Fault(fault.code, place, fault.message, fault.remedies, {**fault.fields, "node": node.id})
                )


def _check_statistic_fit(
    node: StatisticNode, reference_: Checkpoint, statistic: Checkpoint, faults: list[Fault]
) -> None:
    """A statistic with a number for each weight has the shapes of the weights."""
    if node.statistic not in STATISTICS or not STATISTICS[node.statistic].aligned:
        return
    for name, ref in statistic.items():
        if name in reference_ and reference_[name].shape != ref.shape:
            message = (
                f"'{name}' of the statistic has shape {list(ref.shape)}; in {reference_.name} it has "
                f"{list(reference_[name].shape)}."
            )
            faults.append(node_fault("mismatch.shape", node.id, "", message))
            return

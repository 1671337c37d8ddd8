"""What every merging method promises, tried on tiny models."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.errors import SoleraError
from solera.execution.cuts import PIECE, Cut
from solera.execution.memory import materialise
from solera.kernels.codes import KINDS
from solera.kernels.tape import Rows, Tape, playable
from solera.methods.spec import ARGUMENTS, HeldPasses, MethodSpec, Piece
from solera.methods.statistics import STATISTICS
from solera.params import PerModel
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe, StatisticNode, SumNode, Term
from solera.tensors.hashing import normal
from solera.testing.conformance_statistics import tiny_importance, tiny_statistic
from solera.testing.fading import FadingPasses

#: A tiny model: a matrix, a kernel, vectors, what has one number or rows of one, an empty tensor, one long enough to be
#: cut into chunks, and tensors that are the same in all models, or zero.
SHAPES: dict[str, tuple[int, ...]] = {
    "layers.0.weight": (24, 16),
    "layers.1.conv.weight": (4, 3, 3, 3),
    "layers.1.bias": (7,),
    "scale": (),
    "one": (1,),
    "column": (5, 1),
    "frozen": (6, 5),
    "zeros": (9,),
    "nothing": (0, 3),
    "long": (70_000,),
}


#: A matrix that a first pass sees in three pieces, under a name that methods look for; quick, for it has two columns.
LONG: dict[str, tuple[int, ...]] = {"layers.0.mlp.weight": (PIECE + 2, 2), "layers.0.mlp.bias": (3,)}


def tiny_models(count: int, *, spread: float = 0.1) -> list[dict[str, Tensor]]:
    """Models that lie near each other, the same on every machine: float32 tensors of :data:`SHAPES` by name.

    Args:
        count: How many.
        spread: How far they lie from the common centre, per element, in units of its own size.
    """
    models = []
    for index in range(count):
        model = {}
        for name, shape in SHAPES.items():
            size = torch.Size(shape).numel()
            centre, own = normal(0, name, 0, 0, size), normal(1, name, index, 0, size)
            apart = 0.0 if name in {"frozen", "zeros"} else spread
            model[name] = (centre * (name != "zeros") + apart * own).view(shape)
        models.append(model)
    return models


def method_complaints(method: Any) -> list[str]:
    """What is wrong with a method; empty if it keeps its promises.

    Tried with as few inputs as it takes and with three (if it takes three), at its defaults: shapes and float32 stay,
    nothing becomes NaN, inputs are not changed, the same call gives the same bytes, equal models give finite numbers,
    bfloat16 stays bfloat16, and with promise ``"bytes"`` the number of threads does not matter. By element, chunks are
    worked on as the whole is; a first pass finds the same in pieces as in whole tensors; a tape gives the function's
    bytes. NaN in an input may spread or be refused, with an error of Solera's. The docstring describes every
    argument.
    """
    if not isinstance(method, MethodSpec):
        return [f"It is a {type(method).__name__}, not a method; declare it with @method."]
    missing = [spec.name for spec in method.params if spec.required]
    if missing:
        return [f"The parameter '{name}' has no default, so no form can show one." for name in missing]
    most = method.max_inputs
    counts = sorted({method.min_inputs, 3 if most is None or most >= 3 else most})
    complaints = _document_complaints(method)
    for count in counts:
        complaints += [f"With {count} inputs: {text}" for text in _try(method, count, last=count == counts[-1])]
    return complaints


def _document_complaints(method: MethodSpec) -> list[str]:
    """Arguments the docstring says nothing of."""
    told = inspect.getdoc(method.function) or ""
    names = [name for name in inspect.signature(method.function).parameters if name not in ARGUMENTS]
    return [
        f"Its docstring does not describe the argument '{name}' (a line '{name}: ...' under 'Args:')."
        for name in names
        if not re.search(rf"^ +{name}: \S", told, re.MULTILINE)
    ]


def _try(method: MethodSpec, count: int, *, last: bool) -> list[str]:
    """With so many inputs; what does not hang on their number is tried at the last."""
    models = tiny_models(count + (method.base != "none"))
    try:
        first = _run(method, models)
    except SoleraError as error:
        return [f"It fails: {error}"]
    complaints = _shape_complaints(first)
    if not last:
        return complaints
    if not _same(first, _run(method, models)):
        complaints.append("The same call gives other bytes the second time.")
    if method.promise == "bytes":
        complaints += _thread_complaints(method, models, first)
    equal = _run(method, [models[0]] * len(models))
    complaints += [f"Equal models: {text}" for text in _shape_complaints(equal)]
    narrow = [{name: tensor.bfloat16() for name, tensor in model.items()} for model in models]
    complaints += [f"In bfloat16: {text}" for text in _shape_complaints(_run(method, narrow), torch.bfloat16)]
    complaints += _direct_complaints(method, _inputs(method, models)) + _tape_complaints(method, count)
    return complaints + _pass_complaints(method, count)


def _direct_complaints(method: MethodSpec, inputs: list[dict[str, Tensor]]) -> list[str]:
    """What shows when the function itself is called, as far as it needs nothing of the whole model."""
    params = _defaults(method, len(inputs))
    if method.needs_prepare(params):
        return []
    dtype = torch.float64 if method.float64 else torch.float32
    matrices = [model["layers.0.weight"].to(dtype) for model in inputs]
    given = [tensor.clone() for tensor in matrices]
    _call(method, given, params, 0)
    changed = any(not torch.equal(old, new) for old, new in zip(matrices, given, strict=True))
    complaints = ["It changes its inputs."] if changed else []
    flats = [model["long"].to(dtype) for model in inputs]
    return complaints + _chunk_complaints(method, flats, params) + _nan_complaints(method, given, params)


def _chunk_complaints(method: MethodSpec, flats: list[Tensor], params: Mapping[str, Any]) -> list[str]:
    """Whether a chunk is worked on as the same part of the whole."""
    if method.granularity != "element":
        return []
    whole = _call(method, flats, params, 0)
    cut = 2**16 + 1
    parts = [_call(method, [flat[a:b] for flat in flats], params, a) for a, b in ((0, cut), (cut, flats[0].numel()))]
    same = torch.equal(torch.cat(parts), whole)
    return [] if same else ["It works by element, but a chunk of a tensor comes out otherwise than in the whole."]


def _tape_complaints(method: MethodSpec, count: int) -> list[str]:
    """Whether its tape gives the function's bytes, at its defaults."""
    params = _defaults(method, count)
    if method.tape is None or not playable():
        return []
    flats = [normal(5, "long", i, 0, SHAPES["long"][0]) for i in range(count)]
    state = (
        method.prepare(HeldPasses(flats, "long"), **params) if method.prepare and method.needs_prepare(params) else None
    )
    tape, rows, made = Tape(), Rows(count), torch.empty_like(flats[0])
    known = {"state": state, "name": "long"}
    values = [tape.read(str(i)) for i in range(count)]
    value = method.tape(tape, values, **params, **{key: known[key] for key in method.taken_by_tape})
    if value is None:
        return []
    finished = tape.finish([value])
    for number, name in enumerate(finished.inputs):
        rows.put(number, KINDS["float32"], flats[int(name)].data_ptr())
    if not finished.play(rows, 0, made.numel(), KINDS["float32"], made.data_ptr()):
        return []  # a piece it refuses
    given = {key: value for key, value in {"state": state, "piece": Piece("long")}.items() if key in method.arguments}
    wanted = method.function(flats, **params, **given)
    return [] if torch.equal(made, wanted) else ["Its tape does not give the bytes of its function."]


def _pass_complaints(method: MethodSpec, count: int) -> list[str]:
    """Whether a first pass over pieces that do not last finds what one over whole tensors finds."""
    params = _defaults(method, count)
    if method.prepare is None or not method.needs_prepare(params):
        return []
    dtype = torch.float64 if method.float64 else torch.float32
    models = [
        {name: normal(5, name, i, 0, torch.Size(shape).numel()).view(shape).to(dtype) for name, shape in LONG.items()}
        for i in range(count)
    ]
    measured = [tiny_statistic(method.needs, LONG, i) for i in range(count)] if method.needs else []
    cut: Cut = "block" if method.cut(params) == "block" else "element"
    name = next(iter(LONG))
    seen = models if method.needs_prepare(params, "model") else [{name: model[name]} for model in models]
    extras = {"piece": Piece(name), "statistics": [statistic.get(name) for statistic in measured]}
    made = []
    for size in (PIECE, 4 * PIECE):
        state = method.prepare(FadingPasses(seen, size, measured, cut), **params)
        given = {key: value for key, value in (extras | {"state": state}).items() if key in method.arguments}
        made.append(method.function([model[name] for model in models], **params, **given))
    cut_up, whole = made
    near = torch.allclose(cut_up, whole, rtol=1e-5, atol=1e-6)
    if near and (method.promise != "bytes" or torch.equal(cut_up, whole)):
        return []
    return [
        "Its first pass finds something else in pieces than in whole tensors: a piece is valid until the next step."
    ]


def _nan_complaints(method: MethodSpec, tensors: list[Tensor], params: Mapping[str, Any]) -> list[str]:
    """What NaN in an input leads to; the executor lets none in unless it is told to."""
    tensors[-1][0, 0] = float("nan")
    try:
        _call(method, tensors, params, 0)
    except SoleraError:
        return []
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return [f"NaN in an input ends in {type(error).__name__}: {error}"]
    return []


def _inputs(method: MethodSpec, models: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    """The models without the base; to a method of deltas any numbers will do."""
    return models if method.base == "none" else models[1:]


def _defaults(method: MethodSpec, count: int) -> dict[str, Any]:
    """The default of every parameter, one for each model where it is per model."""
    found: dict[str, Any] = {}
    for spec in method.params:
        value = spec.default
        if spec.param.per_model:
            value = value if isinstance(value, tuple) and len(value) == count else (_first(value),) * count
        found[spec.name] = value
    return found


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) else value


def _call(method: MethodSpec, tensors: list[Tensor], params: Mapping[str, Any], start: int) -> Tensor:
    flat = [tiny_importance("long", i, start, tensor.numel()) for i, tensor in enumerate(tensors)]
    aligned = bool(method.needs) and STATISTICS[method.needs].aligned
    measured = [part.view_as(tensor) if aligned else None for part, tensor in zip(flat, tensors, strict=True)]
    extras = {"state": None, "piece": Piece("long", start), "statistics": measured}
    return method.function(tensors, **params, **{key: extras[key] for key in method.arguments})


def _thread_complaints(method: MethodSpec, models: list[dict[str, Tensor]], first: Mapping[str, Tensor]) -> list[str]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if threads > 1 else 2)
    try:
        again = _run(method, models)
    finally:
        torch.set_num_threads(threads)
    return [] if _same(first, again) else ["It promises equal bytes, but they depend on the number of threads."]


def _shape_complaints(made: Mapping[str, Tensor], dtype: torch.dtype = torch.float32) -> list[str]:
    complaints = []
    for name, shape in SHAPES.items():
        if name not in made:
            complaints.append(f"'{name}' is missing from the result.")
            continue
        tensor = made[name]
        if tuple(tensor.shape) != shape or tensor.dtype != dtype:
            complaints.append(f"'{name}' of shape {shape} became {tensor.dtype} of shape {tuple(tensor.shape)}.")
        elif not bool(torch.isfinite(tensor).all()):
            complaints.append(f"'{name}' holds NaN or infinity.")
    return complaints


def _run(method: MethodSpec, models: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Through the real path: a recipe, materialised."""
    ids = [f"m{i}" for i in range(len(models))]
    checkpoints = {id_: MemoryCheckpoint.from_state_dict(model, id_) for id_, model in zip(ids, models, strict=True)}
    nodes = tuple(CheckpointNode(id_, f"memory:{id_}") for id_ in ids)
    base, inputs = ("", ids) if method.base == "none" else (ids[0], ids[1:])
    params = {s.name: PerModel(s.default) if isinstance(s.default, tuple) else s.default for s in method.params}
    given = {name: value for name, value in params.items() if value is not None and not isinstance(value, PerModel)}
    needed = [f"s{i}" for i in range(len(inputs))] if method.needs else []
    measured = [
        StatisticNode(id_, "", model=model, statistic=method.needs, task="data")
        for id_, model in zip(needed, inputs, strict=False)
    ]
    for i, name in enumerate(needed):
        checkpoints[name] = MemoryCheckpoint.from_state_dict(tiny_statistic(method.needs, SHAPES, i), name)
    merged = MethodNode("merged", method.name, tuple(inputs), base, given, statistics=tuple(needed))
    recipe = Recipe((*nodes, *measured, merged), "merged")
    if method.gives == "delta":
        moved = SumNode("moved", (Term(inputs[0]), Term("merged")))
        recipe = Recipe((*recipe.nodes, moved), "moved")
    return materialise(recipe, checkpoints, {method.name: method}, context=QuietContext())


def _same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return set(a) == set(b) and all(a[name].numpy().tobytes() == b[name].numpy().tobytes() for name in a)

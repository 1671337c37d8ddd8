"""mergekit's methods: which parameters each takes, and which of ours they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from solera.params import Curve, PerModel, Rules, Scalar, Value, Var

Scope = Literal["shared", "input", "non_base"]
Kind = Literal["float", "int", "bool"]

#: The values of a node in mergekit's words -> the method and parameters in ours.
Translation = Callable[[Mapping[str, Value], "Setting"], tuple[str, dict[str, Value]]]


@dataclass(frozen=True, slots=True)
class Setting:
    """What translations need beside the values.

    Attributes:
        inputs: How many models there are, without the base.
        seed: Of random masks.
        compat: Whether mergekit's guards are wanted, where ours do otherwise.
    """

    inputs: int
    seed: int = 0
    compat: bool = False


@dataclass(frozen=True, slots=True)
class Declared:
    """A parameter of a mergekit method.

    Attributes:
        name: As mergekit writes it.
        kind: Its type.
        scope: One for all, one per model, or one per model but the base.
        default: What it is where nothing is said.
        required: Whether something must be said.
        idle: Whether mergekit takes it without using it.
    """

    name: str
    kind: Kind = "float"
    scope: Scope = "shared"
    default: Scalar | None = None
    required: bool = False
    idle: bool = False


@dataclass(frozen=True, slots=True)
class Foreign:
    """A method of mergekit.

    Attributes:
        into: Gives our method and its parameters.
        parameters: What it takes.
        base: Whether it needs a base, may have one, or treats it as any other model.
        models: How few and how many models it takes, the base not counted; None is any number.
        base_first: Whether our method takes the base as its first input.
        departs: What is done otherwise than in mergekit, unless its numbers are asked for.
    """

    into: Translation
    parameters: tuple[Declared, ...] = ()
    base: Literal["required", "optional", "ignored"] = "required"
    models: tuple[int, int | None] = (1, None)
    base_first: bool = False
    departs: str = ""


_WEIGHT = Declared("weight", scope="non_base", required=True)
_INT8 = Declared("int8_mask", "bool", default=False, idle=True)


def _sparse(normalize: bool, rescale: bool, *more: Declared, idle: bool = False) -> tuple[Declared, ...]:
    """The parameters of the methods that are generalised task arithmetic."""
    return (
        _WEIGHT,
        Declared("density", scope="non_base", default=1.0, idle=idle),
        Declared("normalize", "bool", default=normalize),
        Declared("rescale", "bool", default=rescale, idle=idle),
        Declared("lambda", default=1.0),
        _INT8,
        *more,
    )


def mapped(value: Value, change: Callable[[Scalar], Scalar]) -> Value:
    """A value with every plain one in it changed; of a curve its knots."""
    match value:
        case Curve(values):
            return Curve(tuple(item if isinstance(item, Var) else float(change(item)) for item in values))
        case Rules(rules, otherwise):
            return Rules(tuple((glob, mapped(item, change)) for glob, item in rules), mapped(otherwise, change))
        case PerModel(values):
            return PerModel(tuple(mapped(item, change) for item in values))
        case bool() | int() | float() | str():
            return change(value)
        case _:
            return value


def _choice(value: Value, yes: str, no: str) -> Value:
    return mapped(value, lambda flag: yes if flag else no)


def clipped(number: Scalar) -> float:
    """The nearest number from 0 to 1."""
    return min(max(float(number), 0.0), 1.0)


def _share(value: Value) -> Value:
    """A density: what lies outside 0 to 1 means the same as 0 or 1."""
    return mapped(value, clipped)


def _linear(values: Mapping[str, Value], _: Setting) -> tuple[str, dict[str, Value]]:
    return "linear", {"weight": values["weight"], "normalize": values["normalize"]}


def _slerp(values: Mapping[str, Value], _: Setting) -> tuple[str, dict[str, Value]]:
    return "slerp", {"t": values["t"]}


def _nuslerp(values: Mapping[str, Value], _: Setting) -> tuple[str, dict[str, Value]]:
    weight, flat = values["weight"], values["nuslerp_flatten"]
    if isinstance(weight, PerModel) and all(isinstance(item, (int, float)) for item in weight.values):
        total = sum(item for item in weight.values if isinstance(item, (int, float)))
        weight = 1.0 if abs(total) < 1e-6 else weight
    by = _choice(values["nuslerp_row_wise"], "column", "row") if flat is False else _choice(flat, "tensor", "row")
    return "nuslerp", {"weight": weight, "by": by}


def _multislerp(values: Mapping[str, Value], setting: Setting) -> tuple[str, dict[str, Value]]:
    if setting.inputs == 1:  # one model is handed on as it is, whatever its weight
        return "multislerp", {"weight": 1.0, "normalize": True}
    return "multislerp", {"weight": values["weight"], "normalize": values["normalize_weights"]}


def _karcher(values: Mapping[str, Value], _: Setting) -> tuple[str, dict[str, Value]]:
    return "karcher", {"weight": 1.0, "iterations": values["max_iter"], "tolerance": values["tol"]}


def _task_arithmetic(values: Mapping[str, Value], _: Setting) -> tuple[str, dict[str, Value]]:
    named = {"weight": values["weight"], "scale": values["lambda"], "normalize": values["normalize"]}
    return "task_arithmetic", named


def _ties(values: Mapping[str, Value], _: Setting) -> tuple[str, dict[str, Value]]:
    return "ties", {
        "weight": values["weight"], "density": _share(values["density"]), "scale": values["lambda"],
        "merge": _choice(values["normalize"], "mean", "sum"), "rescale": _choice(values["rescale"], "l1", "none"),
        "scope": "tensor", "elect": "mass", "zero_sign": "plus",
    }  # fmt: skip


def _thinned(values: Mapping[str, Value], elect: bool) -> dict[str, Value]:
    """What DARE, DELLA and breadcrumbs have in common."""
    mean, total = ("ties", "ties_sum") if elect else ("mean", "sum")
    return {
        "weight": values["weight"], "density": _share(values["density"]), "scale": values["lambda"],
        "combine_by": _choice(values["normalize"], mean, total), "zero_sign": "plus",
        "rescale": _choice(values["rescale"], "l1", "none"),
    }  # fmt: skip


def _dare(elect: bool) -> Translation:
    return lambda values, setting: ("dare", {**_thinned(values, elect), "seed": setting.seed})


def _della(elect: bool) -> Translation:
    def into(values: Mapping[str, Value], setting: Setting) -> tuple[str, dict[str, Value]]:
        window = mapped(values["epsilon"], lambda half: 2.0 * float(half))
        return "della", {**_thinned(values, elect), "window": window, "rank": "row", "seed": setting.seed}

    return into


def _breadcrumbs(elect: bool) -> Translation:
    def into(values: Mapping[str, Value], _: Setting) -> tuple[str, dict[str, Value]]:
        return "breadcrumbs", {**_thinned(values, elect), "gamma": _share(values["gamma"]), "scope": "tensor"}

    return into


def _sce(values: Mapping[str, Value], setting: Setting) -> tuple[str, dict[str, Value]]:
    return "sce", {"density": _share(values["select_topk"]), "scale": 1.0, **_compat(setting)}


def _ram(values: Mapping[str, Value], _: Setting) -> tuple[str, dict[str, Value]]:
    return "ram", {"epsilon": values["epsilon"], "scale": 1.0}


def _ram_plus(values: Mapping[str, Value], _: Setting) -> tuple[str, dict[str, Value]]:
    return "ram_plus", {key: values[key] for key in ("r", "alpha", "epsilon")} | {"scope": "tensor", "scale": 1.0}


def _model_stock(values: Mapping[str, Value], setting: Setting) -> tuple[str, dict[str, Value]]:
    return "model_stock", {"by": _choice(values["filter_wise"], "row", "tensor"), **_compat(setting)}


def _nearswap(values: Mapping[str, Value], _: Setting) -> tuple[str, dict[str, Value]]:
    return "nearswap", {"t": values["t"]}


def _arcee_fusion(_: Mapping[str, Value], setting: Setting) -> tuple[str, dict[str, Value]]:
    return "arcee_fusion", _compat(setting)


def _passthrough(values: Mapping[str, Value], _: Setting) -> tuple[str, dict[str, Value]]:
    return "passthrough", {"scale": values["scale"]}


def _compat(setting: Setting) -> dict[str, Value]:
    return {"compat": "mergekit"} if setting.compat else {}


_T = Declared("t", required=True)
_GAMMA = Declared("gamma", scope="non_base", default=0.01)
_EPSILON = Declared("epsilon", scope="non_base", default=0.15)
_RAM_EPSILON = Declared("epsilon", default=1e-5)

#: Every method of mergekit 0.1.5.
METHODS: Mapping[str, Foreign] = {
    "linear": Foreign(
        _linear,
        (Declared("weight", scope="input", required=True), Declared("normalize", "bool", default=True)),
        "ignored",
    ),
    "slerp": Foreign(_slerp, (_T,), models=(1, 1), base_first=True),
    "nuslerp": Foreign(
        _nuslerp,
        (
            _WEIGHT,
            Declared("nuslerp_flatten", "bool", default=True),
            Declared("nuslerp_row_wise", "bool", default=False),
        ),
        "optional",
        (2, 2),
    ),
    "multislerp": Foreign(
        _multislerp,
        (_WEIGHT, Declared("normalize_weights", "bool", default=True), Declared("eps", default=1e-8, idle=True)),
        "optional",
    ),
    "karcher": Foreign(_karcher, (Declared("max_iter", "int", default=10), Declared("tol", default=1e-5)), "ignored"),
    "task_arithmetic": Foreign(_task_arithmetic, _sparse(False, False, idle=True)),
    "ties": Foreign(_ties, _sparse(True, False)),
    "dare_ties": Foreign(_dare(True), _sparse(False, True)),
    "dare_linear": Foreign(_dare(False), _sparse(False, True)),
    "breadcrumbs": Foreign(_breadcrumbs(False), _sparse(False, False, _GAMMA)),
    "breadcrumbs_ties": Foreign(_breadcrumbs(True), _sparse(False, False, _GAMMA)),
    "della": Foreign(_della(True), _sparse(True, True, _EPSILON)),
    "della_linear": Foreign(_della(False), _sparse(False, True, _EPSILON)),
    "sce": Foreign(
        _sce,
        (Declared("select_topk", default=1.0), _INT8),
        departs="Models are weighed by their energies however small; mergekit weighs them alike where these total less "
        "than 1e-6.",
    ),
    "ram": Foreign(_ram, (_RAM_EPSILON,)),
    "ramplus_tl": Foreign(_ram_plus, (Declared("r", default=0.1), Declared("alpha", default=0.2), _RAM_EPSILON)),
    "model_stock": Foreign(
        _model_stock,
        (Declared("filter_wise", "bool", default=False),),
        models=(2, None),
        departs="Short task vectors are compared by their true angles, and where models disagree the base is kept; "
        "mergekit floors the product of two lengths at 1e-6 and goes away from the mean.",
    ),
    "nearswap": Foreign(_nearswap, (_T,), models=(1, 1)),
    "arcee_fusion": Foreign(
        _arcee_fusion,
        models=(1, 1),
        base_first=True,
        departs="Divergences are computed in float64 and quantiles exactly; mergekit rounds to the input's dtype and "
        "draws a random million entries.",
    ),
    "passthrough": Foreign(_passthrough, (Declared("scale", scope="input", default=None),), "ignored", (1, 1)),
}

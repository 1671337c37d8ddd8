"""Statistics of models as plain data and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solera.errors import Fault, suggestion
from solera.methods.statistics import STATISTICS
from solera.params import Param, ParamSpec, Value, decode, encode
from solera.recipes.nodes import StatisticNode
from solera.recipes.order import node_fault

STATISTIC_KEYS = ("statistic", "of", "task", "split", "samples", "seed", "fingerprint", "note")


def statistic_to_plain(node: StatisticNode) -> dict[str, Any]:
    """``{"statistic": KIND, "of": NODE, "task", "split", "samples", "seed", <parameters>}``, what is usual left out."""
    plain: dict[str, Any] = {"statistic": node.statistic, "of": node.model, "task": node.task}
    if node.split != "train":
        plain["split"] = node.split
    plain |= {key: getattr(node, key) for key in ("samples", "seed", "fingerprint") if getattr(node, key)}
    return plain | {key: encode(node.params[key]) for key in sorted(node.params)}


def statistic_from_plain(id_: str, entry: Mapping[Any, Any], note: str, faults: list[Fault]) -> StatisticNode:
    """The inverse of :func:`statistic_to_plain`; faults of form are appended."""
    texts = {key: _text(id_, entry, key, faults) for key in ("statistic", "of", "task", "fingerprint")}
    split = _text(id_, entry, "split", faults) if "split" in entry else "train"
    samples, seed = (_whole(id_, entry, key, faults) for key in ("samples", "seed"))
    spec = STATISTICS.get(texts["statistic"])
    known = {param.name: param for param in spec.params} if spec is not None else {}
    params: dict[str, Value] = {}
    for key, plain in entry.items():
        if key in STATISTIC_KEYS:
            continue
        if key not in known and spec is not None:
            told = [*known, *STATISTIC_KEYS]
            message = f"The statistic '{spec.name}' has no parameter '{key}'.{suggestion(str(key), told)}"
            faults.append(node_fault("param.unknown-key", id_, str(key), message))
            continue
        declared = known.get(key) or ParamSpec(str(key), _kind(plain), param=Param())
        value = decode(plain, declared, f"nodes.{id_}.{key}", faults)
        if value is not None:
            params[str(key)] = value
    return StatisticNode(
        id_, "", texts["fingerprint"], note=note, model=texts["of"], statistic=texts["statistic"], task=texts["task"],
        split=split, samples=samples, seed=seed, params=params,
    )  # fmt: skip


def _text(id_: str, entry: Mapping[Any, Any], key: str, faults: list[Fault]) -> str:
    value = entry.get(key, "")
    if isinstance(value, str):
        return value
    faults.append(node_fault("recipe.text", id_, key, f"'{key}' is text, not {value!r}."))
    return ""


def _whole(id_: str, entry: Mapping[Any, Any], key: str, faults: list[Fault]) -> int:
    value = entry.get(key, 0)
    if type(value) is int:
        return value
    faults.append(node_fault("recipe.statistic", id_, key, f"'{key}' is a whole number, not {value!r}."))
    return 0


def _kind(plain: Any) -> Any:
    return "bool" if isinstance(plain, bool) else "str" if isinstance(plain, str) else "float"

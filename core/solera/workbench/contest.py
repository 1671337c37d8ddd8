"""A comparison of methods: every merging method that can merge these models, each tuned in how far it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from solera.errors import InputError
from solera.extend.manifest import Contribution

#: What says how far a merge goes from the base, and is tuned; the first of these that a method has.
REACH = ("scale", "alpha", "t")

#: Examples of each model's task that statistics are computed on.
EXAMPLES = 200


def contest(
    models: Mapping[str, Any],
    base: Any,
    tasks: Sequence[str],
    methods: Sequence[Contribution],
    *,
    names: Sequence[str] = (),
    steps: int = 5,
) -> dict[str, Any]:
    """The experiment that sets methods side by side on the same models, in plain form.

    Rows are the base, every model, and every method that takes as many models at its defaults, but for those whose
    inputs have roles and those that bring one task back. Those that need statistics take part where there are as many
    tasks as models: each model's are computed on the task in its place, on :data:`EXAMPLES` of its training data. A
    method with a parameter for how far it goes is tried at
    ``steps`` values over the range its author suggests for a search; its best on the selection split is reported.

    Args:
        models: What is merged, by name: checkpoints as an experiment names them.
        base: What the models were fine-tuned from; None leaves out what needs it.
        tasks: Names of tasks.
        methods: What is registered.
        names: Only these methods; all if empty.
        steps: How many values; 1 takes the default.

    Raises:
        InputError: No method is left, a name is unknown, or there are not two models.
    """
    if len(models) < 2 or steps < 1:
        raise InputError(f"A comparison of methods wants two models or more and one step or more; got {len(models)}.")
    known = {item.name: item for item in methods}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"No method is called '{unknown[0]}'; known: {', '.join(known)}.", name=unknown[0])
    own = list(tasks) if len(tasks) == len(models) else []
    chosen = [known[name] for name in names] or [item for item in methods if merges_peers(item, data=bool(own))]
    fitting = [item for item in chosen if takes(item, len(models), base is not None) and (own or not item.needs)]
    if not fitting or (names and len(fitting) < len(chosen)):
        left_out = ", ".join(item.name for item in chosen if item not in fitting)
        needy = "; what needs data takes one task for each model, in their order" if not own else ""
        raise InputError(
            f"Of {len(models)} models {'with' if base else 'without'} a base cannot be merged by {left_out}{needy}."
        )
    singles = {"base": base, **models} if base is not None else dict(models)
    entries = [{"name": name, "checkpoint": model, "single": True} for name, model in singles.items()]
    return {
        "solera": 1, "kind": "compare", "title": f"{len(fitting)} methods on {', '.join(models)}", "tasks": list(tasks),
        "entries": [*entries, *(_entry(item, models, base, own, steps) for item in fitting)], "keep_samples": True,
    }  # fmt: skip


def merges_peers(item: Contribution, *, data: bool = False) -> bool:
    """Whether a method makes one model of several whose order says nothing, from their weights alone or with data."""
    return not item.ordered and item.max_inputs != 1 and (data or not item.needs)


def takes(item: Contribution, count: int, based: bool) -> bool:
    """Whether a method takes so many models, with or without a base."""
    most = item.max_inputs
    return item.min_inputs <= count and (most is None or count <= most) and (based or item.base != "required")


def _entry(
    item: Contribution, models: Mapping[str, Any], base: Any, tasks: Sequence[str], steps: int
) -> dict[str, Any]:
    """A row: the method on the models, tuned if it has a parameter for how far it goes."""
    ids = [f"m{i}" for i in range(len(models))]
    nodes: dict[str, Any] = {id_: {"checkpoint": model} for id_, model in zip(ids, models.values(), strict=True)}
    merged: dict[str, Any] = {"method": item.name, "inputs": ids}
    if item.base == "required":
        nodes["base"] = {"checkpoint": base}
        merged["base"] = "base"
    if item.needs:
        merged["statistics"] = [f"s{i}" for i in range(len(ids))]
        nodes |= {
            f"s{i}": {"statistic": item.needs, "of": id_, "task": task, "samples": EXAMPLES}
            for i, (id_, task) in enumerate(zip(ids, tasks, strict=True))
        }
    reach = next((spec for name in REACH for spec in item.params if spec.name == name and spec.param.search), None)
    tune: dict[str, list[float]] = {}
    if reach is not None and reach.param.search is not None and steps > 1:
        low, high = reach.param.search
        values = [round(low + (high - low) * i / steps, 6) for i in range(1, steps + 1)]
        default = reach.default[0] if isinstance(reach.default, tuple) else reach.default
        merged[reach.name] = {"var": reach.name, "low": min(low, 0.0), "high": high, "init": default}
        tune = {reach.name: values}
    recipe = {"solera": 1, "nodes": {**nodes, "merged": merged}, "output": "merged"}
    return {"name": item.name, "recipe": recipe} | ({"tune": tune} if tune else {})

"""An experiment: what is explored or compared, on which tasks, how; plain data that can be run again anywhere."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from solera.errors import Fault, FaultsError, NotFoundError
from solera.recipes.emit import emit
from solera.tasks.scores import SPLITS, Split
from solera.tensors.specs import FLOATING

#: Version of the plain form; older ones are migrated by numbered steps, forward only.
EXPERIMENT_VERSION = 1

ExperimentKind = Literal["explore", "evaluate", "compare", "probe"]
BatchNormMode = Literal["frozen", "recalibrated"]

_MAX_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """An experiment as a person writes it, or as a run file keeps it.

    Attributes:
        kind: ``"explore"`` a family; ``"evaluate"`` one model; ``"compare"`` several; ``"probe"`` something else of
            them than scores.
        title: A line for a person.
        family: For ``"explore"``: ``Family.to_plain()``, or a short form of :data:`solera.families.forms.FORMS`,
            ``{"line": [A, B]}``, with its parameters and ``"bounds": {name: [low, high]}`` beside it. A, B, C are
            checkpoints (a path, ``library:NAME``), recipe files, or recipes in plain form.
        entries: For the others, the rows: ``{"name", "checkpoint" or "recipe"}``, with ``"single": true`` for a model
            that merging starts from and ``"tune": {variable: [values]}`` for what is chosen on ``split``.
        probe: For ``"probe"``: ``{"name": ..., "params": {...}}``; it takes at most one task, and ``split`` says
            which of its data.
        base: For ``"probe"``: the model the entries were made from, ``{"name", "checkpoint" or "recipe"}``.
        metric: For ``"compare"``: what is tuned for and averaged; the first of the first task if empty.
        tasks: Names of tasks of the project, in the order of the columns.
        split: What is chosen on.
        report: What chosen points are scored on afterwards; empty leaves that out.
        explorer: ``{"name": ..., "params": {...}}``.
        objectives: Columns to make good, ``"task"`` or ``"task.metric"``; the first metric of each task if empty.
        budget: Points a search may take, if the explorer's own number is not smaller; 0 is the explorer's own.
        seed: Root of the run's randomness.
        dtype: Storage dtype the scores are for; empty takes the recipe's.
        limit: Samples per task (a preview); 0 is all.
        keep_samples: Whether per-sample scores are stored, for paired comparisons.
        batchnorm: ``"frozen"``: running statistics are those of the family's recipe. ``"recalibrated"``: they are
            measured anew at every point, on the first task's training examples.
        batchnorm_samples: How many of those examples, a fixed stratified part; 0 is all.
        device: torch device; empty takes the settings'.
        factory: ``"package.module:function"`` that makes the network; empty goes by the checkpoints' config.
    """

    kind: ExperimentKind = "explore"
    title: str = ""
    family: Mapping[str, Any] = field(default_factory=dict)
    entries: tuple[Mapping[str, Any], ...] = ()
    probe: Mapping[str, Any] = field(default_factory=dict)
    base: Mapping[str, Any] = field(default_factory=dict)
    metric: str = ""
    tasks: tuple[str, ...] = ()
    split: Split = "selection"
    report: Split | Literal[""] = "report"
    explorer: Mapping[str, Any] = field(default_factory=dict)
    objectives: tuple[str, ...] = ()
    budget: int = 0
    seed: int = 0
    dtype: str = ""
    limit: int = 0
    keep_samples: bool = False
    batchnorm: BatchNormMode = "frozen"
    batchnorm_samples: int = 0
    device: str = ""
    factory: str = ""

    @property
    def explorer_name(self) -> str:
        """Registered name of the explorer; ``"grid"`` unless told."""
        return str(self.explorer.get("name", "grid"))

    @property
    def explorer_params(self) -> dict[str, Any]:
        """Its parameters, plain."""
        return dict(self.explorer.get("params", {}))

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready; what stands at its default is left out."""
        empty = Experiment()
        plain: dict[str, Any] = {"solera": EXPERIMENT_VERSION, "kind": self.kind}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name != "kind" and value != getattr(empty, item.name):
                plain[item.name] = _plain(value)
        return plain


def parse_experiment(plain: Any, faults: list[Fault]) -> Experiment:
    """Plain data as an experiment; every fault of form is appended. What it refers to is not looked at here."""
    if not isinstance(plain, Mapping):
        faults.append(Fault("experiment.form", "", "An experiment is a mapping with 'kind', 'tasks' and so on."))
        return Experiment()
    known = {item.name: item for item in dataclasses.fields(Experiment)}
    version = plain.get("solera")
    if version != EXPERIMENT_VERSION:
        message = f"The version 'solera:' is {version!r}; this Solera reads version {EXPERIMENT_VERSION}."
        faults.append(Fault("experiment.version", "solera", message, ("write 'solera: 1' at the top",)))
    values: dict[str, Any] = {}
    for key, value in plain.items():
        if key == "solera":
            continue
        if key not in known:
            message = f"'{key}' is not known here; known: {', '.join(known)}."
            faults.append(Fault("experiment.unknown-key", str(key), message))
            continue
        checked = _value(str(key), value, faults)
        if checked is not None:
            values[str(key)] = checked
    experiment = Experiment(**values)
    _check(experiment, faults)
    return experiment


def load_experiment(source: str | Path | Mapping[str, Any]) -> Experiment:
    """An experiment from a YAML file or from plain data.

    Raises:
        FaultsError: All its faults of form.
        NotFoundError: There is no such file.
    """
    faults: list[Fault] = []
    subject = "experiment"
    if isinstance(source, Mapping):
        plain: Any = source
    else:
        subject = f"experiment {Path(source).name}"
        plain = _read(Path(source), subject)
    experiment = parse_experiment(plain, faults)
    if faults:
        raise FaultsError(subject, faults)
    return experiment


def dump_experiment(experiment: Experiment) -> str:
    """An experiment as canonical YAML: equal ones give equal bytes."""
    return emit(experiment.to_plain())


def _read(path: Path, subject: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise FaultsError(subject, [Fault("experiment.size", "", "It is too large to be an experiment.")])
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no experiment at {path}.", path=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise FaultsError(subject, [Fault("experiment.read", "", f"It cannot be read: {error}.")]) from error
    try:
        return YAML(typ="safe", pure=True).load(io.StringIO(text))
    except (YAMLError, ValueError, RecursionError) as error:
        first = str(error).strip().replace("\n", " ")
        raise FaultsError(subject, [Fault("experiment.yaml", "", f"It is no YAML: {first}.")]) from error


def _value(key: str, value: Any, faults: list[Fault]) -> Any:
    wanted: str
    match key:
        case "kind":
            if value in get_args(ExperimentKind):
                return value
            wanted = f"one of {', '.join(get_args(ExperimentKind))}"
        case "tasks" | "objectives":
            if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
                return tuple(value)
            wanted = "a list of names"
        case "entries":
            if isinstance(value, (list, tuple)) and all(isinstance(item, Mapping) for item in value):
                return tuple({str(name): item for name, item in entry.items()} for entry in value)
            wanted = "a list of mappings"
        case "family" | "explorer" | "probe" | "base":
            if isinstance(value, Mapping):
                return {str(name): item for name, item in value.items()}
            wanted = "a mapping"
        case "budget" | "seed" | "limit" | "batchnorm_samples":
            whole = isinstance(value, int) and not isinstance(value, bool)
            if whole and (value >= 0 or key == "seed"):
                return value
            wanted = "a whole number" if key == "seed" else "a whole number, 0 or more"
        case "batchnorm":
            if value in get_args(BatchNormMode):
                return value
            wanted = f"one of {', '.join(get_args(BatchNormMode))}"
        case "keep_samples":
            if isinstance(value, bool):
                return value
            wanted = "true or false"
        case _:
            if isinstance(value, str):
                return value
            if value is None:
                return ""
            wanted = "text"
    faults.append(Fault("experiment.type", key, f"'{key}' must be {wanted}; got {value!r}."))
    return None


def _check(experiment: Experiment, faults: list[Fault]) -> None:
    for key in ("split", "report"):
        value = getattr(experiment, key)
        if value not in SPLITS and not (key == "report" and value == ""):
            faults.append(Fault("experiment.split", key, f"A split is one of {', '.join(SPLITS)}, not {value!r}."))
    if experiment.dtype and experiment.dtype not in FLOATING:
        faults.append(Fault("experiment.dtype", "dtype", f"'{experiment.dtype}' is no floating-point dtype."))
    if not experiment.tasks and experiment.kind != "probe":
        faults.append(Fault("experiment.tasks", "tasks", "Name one task or more."))
    if len(set(experiment.tasks)) < len(experiment.tasks):
        faults.append(Fault("experiment.tasks", "tasks", "A task is named twice."))
    for key, value in (("explorer", experiment.explorer), ("probe", experiment.probe)):
        unknown = sorted(set(value) - {"name", "params"})
        if unknown:
            message = f"'{key}' has 'name' and 'params', no {', '.join(unknown)}."
            faults.append(Fault("experiment.unknown-key", key, message))
    if experiment.kind == "explore":
        _check_family(experiment.family, faults)
    else:
        _check_entries(experiment, faults)
    if experiment.kind == "probe":
        _check_probe(experiment, faults)


def _check_probe(experiment: Experiment, faults: list[Fault]) -> None:
    if not isinstance(experiment.probe.get("name"), str):
        faults.append(Fault("experiment.probe", "probe", "Name what is measured: {name: ..., params: {...}}."))
    if len(experiment.tasks) > 1:
        message = f"A probe looks at the examples of one task, not of {len(experiment.tasks)}."
        faults.append(Fault("experiment.tasks", "tasks", message))
    if experiment.base:
        _check_model(experiment.base, "base", faults)


def _check_entries(experiment: Experiment, faults: list[Fault]) -> None:
    if not experiment.entries:
        message = "Name one model or more: {name: ..., checkpoint: ...} or {name: ..., recipe: ...}."
        faults.append(Fault("experiment.entries", "entries", message))
    names = [entry.get("name") for entry in experiment.entries]
    for i, entry in enumerate(experiment.entries):
        place = f"entries[{i}]"
        _check_model(entry, place, faults)
        if isinstance(entry.get("name"), str) and names.index(entry["name"]) < i:
            faults.append(Fault("experiment.entries", f"{place}.name", f"'{entry['name']}' is there twice."))
        if not isinstance(entry.get("single", False), bool):
            faults.append(Fault("experiment.type", f"{place}.single", "'single' must be true or false."))
        tune = entry.get("tune", {})
        if not isinstance(tune, Mapping) or not all(_are_numbers(values) for values in tune.values()):
            faults.append(Fault("experiment.tune", f"{place}.tune", "'tune' is {variable: [numbers to try]}."))
        elif tune and experiment.kind != "compare":
            message = f"Only 'compare' tunes; this is '{experiment.kind}'."
            faults.append(Fault("experiment.tune", f"{place}.tune", message))


def _check_model(entry: Mapping[str, Any], place: str, faults: list[Fault]) -> None:
    for key in entry:
        if key not in ("name", "checkpoint", "recipe", "single", "tune"):
            faults.append(Fault("experiment.unknown-key", f"{place}.{key}", f"'{key}' is not known here."))
    if not isinstance(entry.get("name"), str) or not entry["name"]:
        faults.append(Fault("experiment.entries", f"{place}.name", "Every entry needs a name."))
    if ("checkpoint" in entry) == ("recipe" in entry):
        faults.append(Fault("experiment.entries", place, "An entry has either 'checkpoint' or 'recipe'."))


def _check_family(family: Mapping[str, Any], faults: list[Fault]) -> None:
    if "version" in family:  # the full form checks itself when it is read
        return
    from solera.families.forms import check_form

    check_form(family, faults)
    bounds = family.get("bounds", {})
    if not isinstance(bounds, Mapping) or not all(_is_range(item) for item in bounds.values()):
        faults.append(Fault("experiment.bounds", "family.bounds", "Bounds are {name: [low, high]}."))


def _is_range(item: Any) -> bool:
    return _are_numbers(item) and len(item) == 2 and bool(item[0] < item[1])


def _are_numbers(item: Any) -> bool:
    if not isinstance(item, (list, tuple)) or not item:
        return False
    return all(isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x) for x in item)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value

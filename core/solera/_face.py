"""What a script works with: models that can be added and scaled, families, tasks, explorations."""

from __future__ import annotations

import atexit
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.context import QuietContext
from solera.errors import Fault, FaultsError, InputError, suggestion
from solera.families.family import Family
from solera.params import PerModel, Value, Var
from solera.projects.project import Project
from solera.recipes import algebra
from solera.recipes.nodes import UNION, AdapterNode, AlignedNode, CheckpointNode, Part, Recipe, TokenRow
from solera.recipes.views_algebra import laid_out, stacked
from solera.runs.reader import RunReader
from solera.workbench.outcome import result_of
from solera.workbench.workbench import Workbench

if TYPE_CHECKING:
    from torch import Tensor, nn

    from solera.checkpoints.checkpoint import Checkpoint
    from solera.methods.spec import MethodSpec
    from solera.tasks.scores import Score
    from solera.tasks.task import Task
    from solera.workbench.experiment import Experiment

__all__ = [
    "Model", "Project", "Statistic", "align", "connect", "curve", "explore", "line", "merge", "open", "plane",
    "polyline", "probe", "random_directions", "simplex", "stack", "statistic", "subset", "subspace", "task", "tokens",
    "trajectory_plane", "var",
]  # fmt: skip

_numbers = itertools.count(1)
_lock = threading.Lock()
_shared: list[Workbench] = []


class Model:
    """Weights, or a difference of weights, not made yet: a thin handle over a recipe.

    ``a + b``, ``a - b``, ``0.5 * a`` and ``-a`` give new models; nothing is read until weights are asked for.

    Attributes:
        recipe: How the weights are made.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def __repr__(self) -> str:
        free = ", ".join(variable.name for variable in self.recipe.variables)
        return f"<Model {self.name}{f' of {free}' if free else ''}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: where it comes from, and its recipe."""
        from solera.workbench.notebook import model_html

        return model_html(self.recipe, self.name, _bench())

    def __add__(self, other: Model) -> Model:
        return Model(algebra.add(self.recipe, other.recipe)) if isinstance(other, Model) else NotImplemented

    def __sub__(self, other: Model) -> Model:
        return Model(algebra.sub(self.recipe, other.recipe)) if isinstance(other, Model) else NotImplemented

    def __mul__(self, factor: float | Var) -> Model:
        if isinstance(factor, bool) or not isinstance(factor, (int, float, Var)):
            return NotImplemented
        return Model(algebra.scale(factor, self.recipe))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Model:
        return self * (1 / divisor)

    def __neg__(self) -> Model:
        return self * -1.0

    @property
    def name(self) -> str:
        """What a person reads: the recipe's name, or that of its output."""
        return self.recipe.name or self.recipe.output

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint this is, for a model that was opened: names, shapes and dtypes, numbers when asked.

        Raises:
            InputError: It is computed; ask for :meth:`state_dict`.
        """
        node = self.recipe.node(self.recipe.output)
        if not isinstance(node, CheckpointNode):
            raise InputError(f"'{self.name}' is computed, so it is no checkpoint; ask for its state_dict().")
        if isinstance(node, (AdapterNode, AlignedNode)):
            return _bench().checkpoints(self.recipe)[node.id]
        return _bench().inputs.open(node.source, node.strip)

    def named(self, name: str) -> Model:
        """The same model under another name."""
        return Model(replace(self.recipe, name=name))

    def at(self, **numbers: float) -> Model:
        """The model with free variables replaced by numbers.

        Raises:
            InputError: There is no such variable.
        """
        known = [variable.name for variable in self.recipe.variables]
        unknown = sorted(set(numbers) - set(known))
        if unknown:
            raise InputError(f"There is no variable {', '.join(unknown)}; there is: {', '.join(known) or 'none'}.")
        return Model(self.recipe.with_values(numbers))

    def check(self) -> tuple[Fault, ...]:
        """Everything that is wrong with it; empty if it can be made."""
        return _bench().check(self.recipe)

    def to_yaml(self) -> str:
        """Its recipe, as a file would say it."""
        from solera.recipes.yaml import dump_recipe

        return dump_recipe(self.recipe)

    def state_dict(self, device: str = "cpu", **numbers: float) -> dict[str, Tensor]:
        """The weights by name, in the dtype they would be saved in.

        Args:
            device: Where the tensors shall be.
            **numbers: Values of free variables; those absent take their ``init``.

        Raises:
            FaultsError: The recipe has faults.
            NumericError: A weight is NaN or infinite, or does not fit its dtype.
        """
        from solera.execution.memory import materialise

        self._require()
        bench = _bench()
        bench.inputs.measure(self.recipe, QuietContext(device))
        checkpoints = bench.checkpoints(self.recipe)
        return materialise(self.recipe, checkpoints, bench.registry.methods, numbers, device, QuietContext(device))

    def to_torch(self, device: str = "cpu", *, factory: str = "", **numbers: float) -> nn.Module:
        """A torch module with these weights, in evaluation mode, float32.

        Args:
            device: Where it shall be.
            factory: ``"package.module:function"`` that makes the module; empty goes by the checkpoint's config.
            **numbers: Values of free variables.

        Raises:
            MismatchError: No architecture is known for it.
        """
        from solera.checkpoints.memory import MemoryCheckpoint
        from solera.workbench.setting import make_network

        state = self.state_dict("cpu", **numbers)
        network = make_network(self.recipe, _bench().inputs, device, factory)
        network.load(MemoryCheckpoint.from_state_dict(state, self.name))
        module: nn.Module = network.module
        return module

    def save(
        self, out: str | Path, dtype: str = "", *, force: bool = False, memory_budget: int = 0, **numbers: float
    ) -> Path:
        """Write the weights as a checkpoint folder, streaming in bounded memory.

        Args:
            out: The folder to make.
            dtype: Storage dtype; empty keeps the recipe's.
            force: Replace a checkpoint that is there.
            memory_budget: Bytes it may hold; 0 is the default.
            **numbers: Values of free variables.

        Returns:
            The folder.

        Raises:
            FaultsError: The recipe has faults.
            OutputError: The folder exists or cannot be written.
        """
        from solera.execution.stream import execute

        bench = _bench()
        self._require()
        bench.inputs.measure(self.recipe, QuietContext())
        plan = bench.plan(self.recipe, numbers=numbers, dtype=dtype, memory_budget=memory_budget)
        known, learned = bench.inputs.known_fingerprints(self.recipe), dict[str, str]()
        folder = execute(plan, Path(out), QuietContext(), force=force, fingerprints=known, learned=learned)
        bench.inputs.remember_fingerprints(self.recipe, learned)
        return folder

    def evaluate(
        self, tasks: Task | str | Sequence[Task | str], split: str = "report", *, limit: int | None = None
    ) -> tuple[Score, ...]:
        """Scores with standard errors.

        Args:
            tasks: One or several; see :func:`task`.
            split: On which data.
            limit: Samples per task; None is all.
        """
        bench = _bench()
        return bench.score_point(self.recipe, _names(bench, tasks), limit, split=split)

    def family(self, **bounds: tuple[float, float]) -> Family:
        """The family over its free variables.

        Args:
            **bounds: Ranges by variable, instead of those the variables declare.

        Raises:
            FaultsError: It has no free variables, or one has no bounds.
        """
        from solera.families.variables import recipe_family

        return recipe_family(self.recipe, _bench().registry.methods).between(bounds)

    def _require(self) -> None:
        faults = self.check()
        if faults:
            raise FaultsError(f"model {self.name}", faults)


class Statistic:
    """What data say of a model: tensors by name, computed when they are asked for.

    Attributes:
        recipe: How it is made; its output is an Importance.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def __repr__(self) -> str:
        return f"<Statistic {self.recipe.output}>"

    def tensors(self, device: str = "cpu") -> dict[str, Tensor]:
        """The numbers, float32 by name of the weight (or layer) they are of.

        Args:
            device: Where to compute them, if they are not there yet.

        Raises:
            FaultsError: The model or the statistic has faults.
            TaskError: The task's data are missing, or it hands out no examples.
        """
        bench = _bench()
        faults = [fault for fault in bench.check(self.recipe) if fault.code != "recipe.output-delta"]
        if faults:
            raise FaultsError(f"statistic {self.recipe.output}", faults)
        bench.inputs.measure(self.recipe, QuietContext(device))
        found = bench.checkpoints(self.recipe)[self.recipe.output]
        return {name: ref.read() for name, ref in found.items()}


def open(
    source: str | Path | Mapping[str, Tensor] | nn.Module,
    *,
    base: Model | None = None,
    strip: str = "",
    name: str = "",
    config: Mapping[str, Any] | None = None,
    factory: Any = "",
) -> Model:
    """A model from a checkpoint, a recipe file, a state dict or a module; with a base, a difference from an adapter.

    Args:
        source: A checkpoint file or folder, a recipe (``.yaml``), tensors by name, or a torch module; with ``base``,
            the folder of a PEFT adapter.
        base: The model an adapter was trained on, opened from a checkpoint. The result is what the adapter adds to it:
            ``base + open("lora", base=base)`` is the merged model.
        strip: For a checkpoint: the declared view on its names, such as ``"module."``.
        name: What to call it.
        config: For weights in memory: what ``config.json`` would say, so that a network can be built.
        factory: What makes the module, a function or ``"package.module:function"``, where no config says it.

    Raises:
        NotFoundError: Nothing is at the path.
        CheckpointError: It is no checkpoint.
        FaultsError: It is a recipe with faults.
        InputError: It is an adapter and no base is given, or the other way round.
        MismatchError: The adapter does not fit the base.
    """
    bench = _bench()
    if base is not None:
        return _adapter(bench, source, base, name)
    if isinstance(source, (str, Path)):
        if Path(source).suffix in {".yaml", ".yml"}:
            return Model(bench.recipe(str(source), Path.cwd()))
        path = str(source) if str(source).startswith("library:") else str(Path(source).expanduser().absolute())
        bench.inputs.refuse_adapter(path)
        bench.inputs.open(path, strip)
        if factory:
            bench.inputs.factories[str(bench.inputs.path_of(path))] = factory
        return Model(algebra.leaf(path, name, strip=strip))
    return Model(algebra.leaf(_kept(bench, source, name, config, factory), name))


def _adapter(bench: Workbench, source: Any, base: Model, name: str) -> Model:
    node = base.recipe.node(base.recipe.output)
    if not isinstance(node, CheckpointNode) or isinstance(node, AdapterNode):
        raise InputError(
            f"The base of an adapter is a model that was opened, not one that is computed ('{base.name}')."
        )
    if not isinstance(source, (str, Path)):
        raise InputError(f"An adapter is opened from its folder, not from a {type(source).__name__}.")
    path = str(source) if str(source).startswith("library:") else str(Path(source).expanduser().absolute())
    bench.inputs.open_adapter(path, base.checkpoint)
    return Model(algebra.adapter(path, base.recipe, name))


def align(
    model: Model,
    to: Model,
    *,
    by: str = "weights",
    task: Task | str = "",
    seed: int = 0,
    tries: int = 1,
    hold: Sequence[str] = (),
    name: str = "",
) -> Model:
    """A model with its units where another's are: the same function, weights that can be averaged with the other's.

    Args:
        model: Opened from a checkpoint: what is permuted.
        to: Opened from a checkpoint: what it is compared with.
        by: ``"weights"``, or ``"activations"`` on a task's data.
        task: Whose training data the networks see; needed to match activations.
        seed: Of the order in which weight matching visits groups of units.
        tries: How many orders are tried; the best is kept.
        hold: Groups whose units stay where they are, by name: ``"stream"``.
        name: What to call it.

    Raises:
        InputError: One of them is computed, or the options do not go together.
    """
    from solera.alignment.rule import Rule

    bench = _bench()
    Rule(by, str(task) if isinstance(task, str) else task.name, seed, tries, tuple(hold))  # type: ignore[arg-type]
    (known,) = _names(bench, task) if task else ("",)
    rule = AlignedNode("", "", by=by, task=known, seed=seed, tries=tries, hold=tuple(hold))
    return Model(algebra.align(model.recipe, to.recipe, rule, name))


def merge(
    method: str | MethodSpec,
    inputs: Iterable[Model],
    base: Model | None = None,
    *,
    statistics: Iterable[Statistic] = (),
    name: str = "",
    **params: Value | Sequence[float],
) -> Model:
    """A merging method on models.

    Args:
        method: Its registered name (see ``solera methods``), or a function that :func:`solera.api.method` decorates in
            a script or notebook: then no manifest is needed. A cell that is run again replaces it.
        inputs: Models, or differences of models for a method that takes deltas.
        base: The base, for a method that needs one; then inputs may be models, and the result is a model.
        statistics: What data say of each input, for a method that needs it; see :func:`statistic`.
        name: What to call the result.
        **params: Its parameters: a number, a list with one per input, or a :func:`var`.

    Raises:
        InputError: There is no such method, a plugin's has that name, or it has no such parameter.
    """
    methods = _bench().registry.methods
    if not isinstance(method, str):
        owner = methods.plugin(method.name)
        if owner is not None and methods[method.name].function is not method.function:
            raise InputError(
                f"The plugin '{owner.name}' has a method '{method.name}'; give yours another name.", method=method.name
            )
        if owner is None:
            methods.provide(method.name, method)
        method = method.name
    if method not in methods:
        raise _unknown("method", method, methods, method=method)
    known = [spec.name for spec in methods[method].params]
    unknown = sorted(set(params) - set(known))
    if unknown:
        raise InputError(f"'{method}' has no parameter {', '.join(unknown)}; it has: {', '.join(known) or 'none'}.")
    values = {key: PerModel(tuple(item)) if isinstance(item, (list, tuple)) else item for key, item in params.items()}
    recipes, measured = [model.recipe for model in inputs], [one.recipe for one in statistics]
    foot = base.recipe if base else None
    return Model(algebra.apply(method, recipes, foot, values, name, measured))  # type: ignore[arg-type]


def statistic(
    kind: str, model: Model, task: Task | str, *, split: str = "train", samples: int = 0, seed: int = 0, **params: Value
) -> Statistic:
    """What data say of a model, for a method that needs it; computed when it is first asked for, and kept.

    Args:
        kind: ``"fisher"``, ``"gram"``, ``"mean"``, ``"moments"`` or ``"batchnorm"``.
        model: Weights without free variables.
        task: Whose examples; see :func:`task`.
        split: Which of its data.
        samples: How many, a fixed stratified part; 0 is all.
        seed: Of the part, and of what is drawn.
        **params: Parameters of the kind, such as ``labels="sampled"``.

    Raises:
        InputError: There is no such kind, or it has no such parameter.
    """
    from solera.methods.statistics import STATISTICS

    if kind not in STATISTICS:
        raise _unknown("statistic", kind, STATISTICS, statistic=kind)
    known = [spec.name for spec in STATISTICS[kind].params]
    unknown = sorted(set(params) - set(known))
    if unknown:
        raise InputError(f"'{kind}' has no parameter {', '.join(unknown)}; it has: {', '.join(known) or 'none'}.")
    (name,) = _names(_bench(), task)
    recipe = algebra.statistic(kind, model.recipe, name, split=split, samples=samples, seed=seed, params=params)
    return Statistic(recipe)


def stack(parts: Iterable[Model | tuple[Model, tuple[int, int] | str]], *, layers: str = "", name: str = "") -> Model:
    """A model whose layers are chosen layers of others, numbered anew.

    Args:
        parts: ``(model, (first, one_after_the_last))`` in the order of the result; ``(model, "vision.*")`` takes
            tensors by name, and a model alone gives whatever no other part does.
        layers: What stands before a layer's number (``"model.layers."``); empty is the longest numbered list.
        name: What to call the result.
    """
    chosen = []
    for part in parts:
        model, what = (part, None) if isinstance(part, Model) else part
        taken = Part("", names=what) if isinstance(what, str) else Part("", what)
        chosen.append((model.recipe, taken))
    return Model(stacked(chosen, layers, name or "stack"))


def tokens(
    model: Model,
    vocabulary: Model | str = "union",
    *,
    base: Model | None = None,
    among: Iterable[Model] = (),
    rows: Mapping[str, Mapping[str, Any]] | None = None,
    multiple: int = 1,
    name: str = "",
) -> Model:
    """A model with embedding and head laid out for another vocabulary.

    A row it lacks is that of the only model that has it, else the base's, else the mean of those that have it.

    Args:
        model: Whose weights.
        vocabulary: The model whose tokenizer the result has, or ``"union"``: the first one's and what the others add.
        base: The model whose rows go before the others'.
        among: The models that lend rows.
        rows: Tokens whose rows are said outright: ``{"<pad>": {"zero": True}, "<|im_end|>": {"node": chat}}``.
        multiple: Rows are filled up to a multiple of this.
        name: What to call the result.

    Raises:
        InputError: The vocabulary is neither a model nor ``"union"``.
    """
    if not isinstance(vocabulary, Model) and vocabulary != UNION:
        raise InputError(f"A vocabulary is that of a model, or 'union'; got {vocabulary!r}.")
    said = {
        token: (
            row["node"].recipe if "node" in row else None,
            TokenRow("", row.get("token"), bool(row.get("zero")), bool(row.get("force"))),
        )
        for token, row in (rows or {}).items()
    }
    whose = vocabulary.recipe if isinstance(vocabulary, Model) else None
    lenders = [lender.recipe for lender in among]
    return Model(
        laid_out(model.recipe, whose, base.recipe if base else None, lenders, said, multiple, name or "tokens")
    )


def var(
    name: str,
    low: float | None = None,
    high: float | None = None,
    init: float | None = None,
    *,
    log: bool = False,
    choices: Sequence[bool | float | str] = (),
) -> Var:
    """A free variable: a model that has one is a family.

    Args:
        name: An identifier.
        low: Lower bound of pictures and searches; None takes the parameter's.
        high: Upper bound.
        init: Where it stands until someone chooses.
        log: Search on a logarithmic scale.
        choices: What it chooses among, for a parameter that is a switch, a choice or the place of an input.
    """
    return Var(name, low, high, init, log, tuple(choices))


def line(a: Model, b: Model, *, margin: float = 0.0) -> Family:
    """The line from ``a`` (t = 0) to ``b`` (t = 1), and ``margin`` beyond both.

    Raises:
        InputError: They hold the same weights, or have free variables.
        MismatchError: Their tensors do not fit each other.
    """
    return _family("line", (a, b), margin=margin)


def plane(a: Model, b: Model, c: Model, *, margin: float = 0.2) -> Family:
    """The plane through three models; ``a`` at (0, 0), ``b`` at (1, 0).

    Raises:
        InputError: They lie on one line, or have free variables.
        MismatchError: Their tensors do not fit each other.
    """
    return _family("plane", (a, b, c), margin=margin)


def polyline(models: Iterable[Model], *, by: str = "index") -> Family:
    """Straight lines from each model to the next.

    Args:
        models: Two or more, in order.
        by: What the coordinate counts: ``"index"``, models from 0; ``"length"``, the way in weight space.

    Raises:
        InputError: There are fewer than two, or neighbours hold the same weights.
        MismatchError: Their tensors do not fit each other.
    """
    return _family("polyline", models, by=by)


def simplex(models: Iterable[Model], *, margin: float = 0.0) -> Family:
    """All blends of models; with three of them the soup triangle.

    The coordinates are the shares of all models but the first, whose share is what they leave to 1.

    Args:
        models: Two or more.
        margin: How far a share may lie below 0.

    Raises:
        InputError: One is a blend of the others.
        MismatchError: Their tensors do not fit each other.
    """
    return _family("simplex", models, margin=margin)


def subset(models: Iterable[Model]) -> Family:
    """Which of some models are in a soup of equal shares: a coordinate, 0 or 1, for each."""
    return _family("subset", models)


def random_directions(
    model: Model,
    dimensions: int = 2,
    *,
    seed: int = 0,
    normalise: str = "filter",
    vectors: str = "zero",
    reach: float = 1.0,
    frozen: str = "",
    transposed: str = "",
) -> Family:
    """Random directions around a model, each filter of them as long as the model's (Li et al. 2018).

    Args:
        model: The centre.
        dimensions: How many directions; 2 are a surface.
        seed: Which.
        normalise: ``"filter"``, ``"layer"``, ``"weight"`` or ``"none"``.
        vectors: What biases and norms do: ``"zero"`` (stay), ``"weight"`` (move along themselves), ``"noise"``.
        reach: How far to go along each direction, both ways.
        frozen: Globs, with commas between, of tensors that stay where they are.
        transposed: Globs of tensors whose outputs lie along the second axis.

    Raises:
        InputError: The model has free variables.
    """
    return _family(
        "random_directions", (model,), dimensions=dimensions, seed=seed, normalise=normalise, vectors=vectors,
        reach=reach, frozen=frozen, transposed=transposed,
    )  # fmt: skip


def trajectory_plane(models: Iterable[Model], *, margin: float = 0.2) -> Family:
    """The plane in which a run's checkpoints spread most, through the last of them.

    Args:
        models: Three or more, in order of training.
        margin: How far to go beyond the path, as a share of its extent.

    Raises:
        InputError: They lie on one line.
        MismatchError: Their tensors do not fit each other.
    """
    return _family("trajectory", models, margin=margin)


def curve(models: Iterable[Model], *, kind: str = "bezier") -> Family:
    """The curve from the first model to the last; those between are its bends.

    Args:
        models: Two ends and the bends between them, in order; see ``solera connect`` for how bends are trained.
        kind: ``"bezier"`` or ``"polyline"``.

    Raises:
        InputError: There are fewer than three, or the ends hold the same weights.
        MismatchError: Their tensors do not fit each other.
    """
    return _family("curve", models, kind=kind)


def connect(
    a: Model, b: Model, task: Task | str, out: str | Path, *, samples: int = 0, force: bool = False, **training: Any
) -> Family:
    """Train the bends of a curve of low loss between two models, write them, and give the curve.

    Args:
        a: One end.
        b: The other.
        task: On whose training data the loss is made small.
        out: The folder of the bend; with several bends, ``OUT-1``, ``OUT-2`` ...
        samples: How many training examples, a fixed part; 0 is all.
        force: Replace checkpoints that are there.
        **training: ``kind``, ``bends``, ``epochs``, ``rate``, ``momentum``, ``decay``, ``batch``, ``seed``.

    Raises:
        InputError: A number is out of range.
        SoleraError: It failed; of the class it failed with.
    """
    from solera.landscapes.bends import Training
    from solera.recipes.plain import to_plain
    from solera.workbench.connecting import submit_connect

    bench = _bench()
    (name,) = _names(bench, task)
    known = [key for key in training if key not in Training.__slots__]
    if known:
        raise InputError(f"A training has {', '.join(Training.__slots__)}; not {', '.join(known)}.")
    plain: Any = (to_plain(a.recipe), to_plain(b.recipe))
    folder = Path(out).expanduser().absolute()
    job = submit_connect(bench, plain, folder, name, Training(**training), samples=samples, force=force)
    bench.jobs.wait(job.id)
    result = result_of(job)
    return curve([a, *(open(bend) for bend in result["bends"]), b], kind=result["family"]["kind"])


def subspace(
    model: Model, dimensions: int = 10, *, law: str = "dense", seed: int = 0, reach: float = 1.0, frozen: str = ""
) -> Family:
    """A random subspace through a model: few coordinates that move all weights.

    Args:
        model: Where all coordinates are 0.
        dimensions: How many coordinates.
        law: ``"dense"``, columns of normal numbers of length 1, or ``"fastfood"``.
        seed: Which subspace.
        reach: Bounds of each coordinate, both ways: a distance in weight space.
        frozen: Globs, with commas between, of tensors that stay where they are.

    Raises:
        InputError: The model has free variables.
    """
    params = {"dimensions": dimensions, "law": law, "seed": seed, "reach": reach, "frozen": frozen}
    return _family("subspace", (model,), **params)


def _family(form: str, models: Iterable[Model], **params: Any) -> Family:
    from solera.families.forms import FORMS
    from solera.families.graph import Source

    bench = _bench()
    recipes = [model.recipe for model in models]
    return FORMS[form].family(recipes, Source(bench.checkpoints, bench.registry.methods), params)


def task(kind: str | Callable[[Any, Any], Any], name: str = "", **params: Any) -> Task:
    """A task of a registered kind, or any function of a network and samples.

    ``solera.task(function, "mine", samples=(x, y), metric="accuracy")`` scores by ``function(network, samples)``, which
    gives one number per sample, or with ``yields="aggregate"`` one number for all.

    Args:
        kind: See ``solera tasks``; or a function.
        name: What to call it; the kind's or function's name unless given.
        **params: Its parameters; with a function those of :class:`solera.tasks.callables.CallableTask`.

    Raises:
        InputError: There is no such kind, or the function's arguments do not fit.
        FaultsError: The parameters do not fit.
    """
    from solera.workbench.setting import plain_params, specs_of

    if callable(kind):
        return _function_task(kind, name, params)
    shelf = _bench().registry.tasks
    if kind not in shelf:
        raise _unknown("kind of task", kind, shelf, task=kind)
    made: Task = shelf[kind](name or kind, **plain_params(params, specs_of(shelf, kind), f"task {name or kind}"))
    return made


def _unknown(what: str, name: str, known: Iterable[str], **fields: str) -> InputError:
    """What to raise where nothing has a name."""
    names = list(known)
    return InputError(f"No {what} is called '{name}'; known: {', '.join(names)}.{suggestion(name, names)}", **fields)


def _function_task(function: Callable[[Any, Any], Any], name: str, params: dict[str, Any]) -> Task:
    import inspect

    from solera.tasks.callables import CallableTask

    known = [key for key in inspect.signature(CallableTask).parameters if key not in ("name", "function")]
    unknown = [key for key in params if key not in known]
    if unknown or "samples" not in params:
        got = f"not {', '.join(unknown)}" if unknown else "samples are needed"
        raise InputError(f"A task by a function takes {', '.join(known)}; {got}.", unknown=unknown)
    called = getattr(function, "__name__", "").strip("<>")
    return CallableTask(name or called or "function", function, **params)


def explore(
    family: Family | Model,
    tasks: Task | str | Sequence[Task | str],
    explorer: str = "grid",
    *,
    project: Project | str | Path | None = None,
    out: str | Path = "runs",
    title: str = "",
    split: str = "selection",
    report: str = "report",
    budget: int = 0,
    limit: int = 0,
    seed: int = 0,
    dtype: str = "",
    device: str = "",
    keep_samples: bool = False,
    batchnorm: str = "frozen",
    batchnorm_samples: int = 0,
    **params: Any,
) -> RunReader:
    """Explore a landscape and record it; waits until it is done.

    Args:
        family: A line, a plane, or a model with free variables.
        tasks: What to score on: tasks made by :func:`task`, or names of the project's.
        explorer: Who chooses the points; see ``solera explorers``.
        project: Where the run is recorded and tasks are looked up; an open project or its folder.
        out: Without a project, the folder for the run file.
        title: A line for a person.
        split: What is chosen on.
        report: What chosen points are scored on afterwards; empty leaves that out.
        budget: Most points; 0 leaves it to the explorer.
        limit: Samples per task; 0 is all.
        seed: Root of the randomness.
        dtype: Storage dtype the scores are for.
        device: torch device.
        keep_samples: Whether per-sample scores are stored.
        batchnorm: ``"frozen"``, or ``"recalibrated"``: running statistics are measured anew at every point.
        batchnorm_samples: On how many of the first task's training examples; 0 is all.
        **params: The explorer's parameters.

    Returns:
        The finished run.

    Raises:
        SoleraError: It failed; of the class it failed with.
        KeyboardInterrupt: What was scored until then is stored, and an equal call goes on with it in a project.
    """
    from solera.workbench.experiment import Experiment

    found = family.family() if isinstance(family, Model) else family
    with _recording(project, out) as bench:
        given = [tasks] if isinstance(tasks, str) or not isinstance(tasks, Sequence) else list(tasks)
        names = _names(bench, given)
        experiment = Experiment(
            title=title, family=found.to_plain(), tasks=names, split=split, report=report,  # type: ignore[arg-type]
            explorer={"name": explorer, "params": params}, budget=budget, limit=limit, seed=seed, dtype=dtype,
            device=device, keep_samples=keep_samples, batchnorm=batchnorm,  # type: ignore[arg-type]
            batchnorm_samples=batchnorm_samples, factory=_said_factory(bench, found.recipe),
        )  # fmt: skip
        by_name = project is not None and all(isinstance(item, str) for item in given)
        return _recorded(bench, experiment, fresh=not by_name)


def probe(
    name: str,
    models: Model | Sequence[Model],
    task: Task | str = "",
    *,
    base: Model | None = None,
    project: Project | str | Path | None = None,
    out: str | Path = "runs",
    title: str = "",
    split: str = "train",
    limit: int = 0,
    seed: int = 0,
    device: str = "",
    **params: Any,
) -> RunReader:
    """Measure something other than scores of one or several models and record it; waits until it is done.

    ``run.result()`` gives what was found as arrays.

    Args:
        name: The probe; see ``solera probes``.
        models: What is measured, without free variables.
        task: Whose examples are used, for a probe that needs networks on data.
        base: What they were made from, for a probe that takes one.
        project: Where the run is recorded and tasks are looked up; an open project or its folder.
        out: Without a project, the folder for the run file.
        title: A line for a person.
        split: Which of the task's data.
        limit: How many samples; 0 is all.
        seed: Root of what is drawn.
        device: torch device.
        **params: The probe's parameters.

    Returns:
        The finished run.

    Raises:
        SoleraError: It failed; of the class it failed with.
        KeyboardInterrupt: What was found until then is stored, and an equal call goes on with it in a project.
    """
    from solera.workbench.probing import named, probe_plain

    given = [models] if isinstance(models, Model) else list(models)
    with _recording(project, out) as bench:
        (known,) = _names(bench, task) if task else ("",)
        plain = probe_plain(
            name, named([model.name for model in given], [model.recipe for model in given]),
            base=(base.name, base.recipe) if base else None, task=known, params=params, title=title, split=split,
            limit=limit, seed=seed, device=device, factory=_said_factory(bench, given[0].recipe) if given else "",
        )  # fmt: skip
        return _recorded(bench, plain, fresh=project is None or not isinstance(task, str))


@contextmanager
def _recording(project: Project | str | Path | None, out: str | Path) -> Iterator[Workbench]:
    """A workbench that records into a project or a folder and knows what the script knows."""
    opened = project if isinstance(project, Project) or project is None else Project.open(project, lock=False)
    folder = None if opened else Path(out).expanduser().absolute()
    with Workbench(opened, registry=_bench().registry, runs_folder=folder, records=False) as bench:
        bench.inputs.share(_bench().inputs)
        yield bench


def _recorded(bench: Workbench, experiment: Experiment | Mapping[str, Any], *, fresh: bool) -> RunReader:
    """Submit an experiment and wait for its run."""
    from solera.workbench.notebook import wait_in_cell

    job = bench.submit(experiment, fresh=fresh)
    try:
        wait_in_cell(bench.jobs, job)
    except KeyboardInterrupt:
        bench.jobs.interrupt()
        bench.jobs.wait(job.id, 10.0)
        raise
    return RunReader(result_of(job)["path"])


def _said_factory(bench: Workbench, recipe: Recipe) -> str:
    """The factory a script gave for a recipe's models, if text can say it: whoever resumes the run needs it."""
    from solera.recipes.order import reference

    node = recipe.node(reference(recipe))
    factory = bench.inputs.factory_of(node.source) if isinstance(node, CheckpointNode) else ""
    return factory if isinstance(factory, str) else ""


def _names(bench: Workbench, tasks: Task | str | Sequence[Task | str]) -> tuple[str, ...]:
    """Names under which a workbench knows these tasks; those made in the script are made known."""
    given = [tasks] if isinstance(tasks, str) or not isinstance(tasks, Sequence) else list(tasks)
    names = []
    for item in given:
        if isinstance(item, str):
            names.append(item)
        else:
            bench.inputs.tasks[item.name] = item
            names.append(item.name)
    return tuple(names)


def _kept(bench: Workbench, source: Any, name: str, config: Mapping[str, Any] | None, factory: Any) -> str:
    """Weights in memory, made known to the workbench; their source."""
    from collections.abc import Mapping as AnyMapping

    from torch import nn

    from solera.checkpoints.memory import MemoryCheckpoint

    key = f"{name or 'model'}-{next(_numbers)}"
    if isinstance(source, nn.Module):
        checkpoint = MemoryCheckpoint.from_module(source, name or type(source).__name__, config)
    elif isinstance(source, AnyMapping):
        checkpoint = MemoryCheckpoint.from_state_dict(source, name or "memory", config)
    else:
        raise InputError(f"A model is opened from a path, a state dict or a module, not a {type(source).__name__}.")
    kept = bench.inputs.keep(checkpoint, key)
    if factory:
        bench.inputs.factories[kept] = factory
    return kept


def _bench() -> Workbench:
    """The workbench all models of the process share; it has no project."""
    with _lock:
        if not _shared:
            _shared.append(Workbench())
            atexit.register(_shared[0].close)
        return _shared[0]

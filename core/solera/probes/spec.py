"""What a probe declares: everything a form, a run and a conformance suite need to know of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from solera.errors import InputError
from solera.params import ParamSpec, specs_from_signature
from solera.runs.results import Axis, Finding, Measure, ResultKind, Row

if TYPE_CHECKING:
    from solera.probes.subject import Subject

Needs = Literal["weights", "task"]

#: What a probe function is: ``f(subject, *, parameters)``, yielding rows in a fixed order.
ProbeFunction = Callable[..., Iterable[Row | Finding]]

#: Which layers a result has: ``layers(subject, parameters) -> names``; reads no weights.
Layers = Callable[["Subject", Mapping[str, Any]], Sequence[str]]

#: Which axes each kind of result has, by what lies along them; None is free.
_AXES: dict[ResultKind, tuple[str, ...] | None] = {
    "scalars": ("model",), "layers": ("model", "layer"), "matrix": None, "curve": None, "table": None,
}  # fmt: skip


@dataclass(frozen=True)
class ProbeSpec:
    """A probe and what it declares.

    Attributes:
        name: Registered name, a lower-case identifier: ``"hessian_trace"``.
        title: What a person reads: ``"Hessian trace"``.
        function: ``function(subject, *, <parameters>)``: yields rows (and findings) in an order that depends on nothing
            but subject and parameters. What takes long is wrapped in :meth:`Subject.once`, so that a stopped run goes
            on from it.
        params: The declared parameters.
        kind: Which picture the result is.
        axes: Of the result, in order.
        measures: What it finds.
        needs: ``"weights"``: checkpoints alone, streamed; ``"task"``: networks on a task's examples.
        models: Fewest and most models; None is any number.
        base: Whether it takes a base model: ``"required"``, ``"optional"`` or ``"none"``.
        layers: Names the layers of an axis of layers.
        version: Goes up whenever the numbers change; part of what a recorded run is found by.
        paper: Citation, one line. url: Where it can be read. summary: One sentence.
    """

    name: str
    title: str
    function: ProbeFunction
    params: tuple[ParamSpec, ...]
    kind: ResultKind
    axes: tuple[Axis, ...]
    measures: tuple[Measure, ...]
    needs: Needs = "weights"
    models: tuple[int, int | None] = (1, None)
    base: Literal["required", "optional", "none"] = "none"
    layers: Layers | None = None
    version: int = 1
    paper: str = ""
    url: str = ""
    summary: str = ""

    def labelled(self, subject: Subject, params: Mapping[str, Any]) -> tuple[Axis, ...]:
        """The axes with the labels they have for a subject.

        Raises:
            MismatchError: The models have no layers of the kind.
        """
        labels = {"model": subject.names, "layer": ()}
        if self.layers is not None:
            labels["layer"] = tuple(self.layers(subject, params))
        return tuple(
            Axis(axis.name, axis.of, axis.title, axis.unit, labels.get(axis.of, axis.labels)) for axis in self.axes
        )


def probe(
    name: str,
    *,
    kind: ResultKind,
    measures: Sequence[Measure],
    axes: Sequence[Axis] = (),
    title: str = "",
    needs: Needs = "weights",
    models: tuple[int, int | None] = (1, None),
    base: Literal["required", "optional", "none"] = "none",
    layers: Layers | None = None,
    version: int = 1,
    paper: str = "",
    url: str = "",
) -> Callable[[ProbeFunction], ProbeSpec]:
    """Declare a plain function to be a probe.

    Its parameters are the function's keyword-only arguments. Works in a script or notebook without a manifest.

    Args:
        name: Registered name.
        kind: Which picture the result is.
        measures: What it finds.
        axes: Of the result; may be left out where the kind says them.
        title: What a person reads.
        needs: ``"weights"`` or ``"task"``.
        models: Fewest and most models.
        base: Whether it takes a base model.
        layers: Names the layers of an axis of layers.
        version: Goes up whenever the numbers change.
        paper: Citation, one line.
        url: Where it can be read.

    Raises:
        InputError: The declaration does not hang together, or the signature is not one a probe can have.
    """

    def declare(function: ProbeFunction) -> ProbeSpec:
        summary = (inspect.getdoc(function) or "").partition("\n")[0]
        if not summary:
            raise InputError(f"The probe '{name}' needs a docstring whose first line says what it does.")
        spec = ProbeSpec(
            name=name, title=title or name.replace("_", " ").capitalize(), function=function,
            params=specs_from_signature(function), kind=kind, axes=tuple(axes) or _axes_of(kind),
            measures=tuple(measures), needs=needs, models=models, base=base, layers=layers, version=version,
            paper=paper, url=url, summary=summary,
        )  # fmt: skip
        _check(spec)
        return spec

    return declare


def _axes_of(kind: ResultKind) -> tuple[Axis, ...]:
    if kind == "matrix":
        return (Axis("model", "model"), Axis("other", "model"))
    return tuple(Axis(of, of) for of in _AXES[kind] or ())  # type: ignore[arg-type]


def _check(spec: ProbeSpec) -> None:
    of = tuple(axis.of for axis in spec.axes)
    wanted = _AXES[spec.kind]
    said = ""
    if wanted is not None and of != wanted:
        said = f"a result of kind '{spec.kind}' has the axes {', '.join(wanted)}, not {', '.join(of) or 'none'}"
    elif spec.kind == "curve" and of.count("number") != 1:
        said = "a curve has exactly one axis of numbers"
    elif spec.kind == "matrix" and (len(of) != 2 or "number" in of):
        said = "a matrix has two labelled axes"
    elif not spec.axes or len({axis.name for axis in spec.axes}) < len(spec.axes):
        said = "axes are needed, each with a name of its own"
    elif "layer" in of and spec.layers is None:
        said = "an axis of layers needs 'layers', which names them"
    elif not spec.measures or len({each.name for each in spec.measures}) < len(spec.measures):
        said = "measures are needed, each with a name of its own"
    elif any(axis.of == "choice" and not axis.labels for axis in spec.axes):
        said = "an axis of choices needs their labels"
    if said:
        raise InputError(f"The probe '{spec.name}': {said}.", probe=spec.name)

"""The families there are, by name: how many models each goes through, its parameters, what makes it.

A script, an experiment, the command line and the documentation all read this one table. Nothing here imports torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from solera.errors import Fault, FaultsError, InputError
from solera.families import (
    blocks,
    curves,
    directions,
    frames,
    genomes,
    shares,
    simplices,
    stacks,
    trajectories,
)
from solera.families.family import Family
from solera.families.graph import Source
from solera.families.variables import recipe_family
from solera.params import ParamSpec, PerModel, decode_all, specs_from_signature
from solera.recipes.nodes import Recipe


@dataclass(frozen=True)
class Form:
    """A way to make a family.

    Attributes:
        name: What experiments and the command line call it.
        title: What a person reads.
        make: ``make(models, source, *, <parameters>) -> Family``.
        least: Fewest models.
        most: Most models; None is any number.
        models: What a person calls them: ``"A B"``.
    """

    name: str
    title: str
    make: Callable[..., Family]
    least: int
    most: int | None
    models: str

    @cached_property
    def params(self) -> tuple[ParamSpec, ...]:
        """Its parameters, from the signature."""
        return specs_from_signature(self.make)

    @property
    def summary(self) -> str:
        """One sentence."""
        return (inspect.getdoc(self.make) or "").partition("\n")[0]

    @property
    def count(self) -> str:
        """How many models, in words."""
        if self.most is None:
            return f"{self.least} models or more"
        return f"{self.least} model{'' if self.least == 1 else 's'}"

    def family(self, models: Sequence[Recipe], source: Source, given: Mapping[str, Any]) -> Family:
        """A family of this form.

        Args:
            models: What it goes through.
            source: What reads them.
            given: Parameters as plain data.

        Raises:
            FaultsError: Some parameters are unknown or out of range; all are named.
            InputError: The models make no such family.
        """
        faults: list[Fault] = []
        self.check_count(len(models), faults)
        params = decode_all(given, self.params, "family", faults)
        if faults:
            raise FaultsError(f"family {self.name}", faults)
        plain = {key: value.values if isinstance(value, PerModel) else value for key, value in params.items()}
        return self.make(models, source, **plain)

    def check_count(self, count: int, faults: list[Fault]) -> None:
        """Append a fault if so many models make no such family."""
        if count < self.least or (self.most is not None and count > self.most):
            message = f"A {self.name.replace('_', ' ')} goes through {self.count}; got {count}."
            faults.append(Fault("experiment.family", f"family.{self.name}", message))


def _line(models: Sequence[Recipe], source: Source, *, margin: frames.Margin = 0.0) -> Family:
    """The line through two models."""
    a, b = models
    return frames.line(a, b, source.checkpoints, source.methods, margin=margin)


def _plane(models: Sequence[Recipe], source: Source, *, margin: frames.Margin = frames.MARGIN) -> Family:
    """The plane through three models, in true distances."""
    a, b, c = models
    return frames.plane(a, b, c, source.checkpoints, source.methods, margin=margin)


def _recipe(models: Sequence[Recipe], source: Source) -> Family:
    """The free variables of a recipe."""
    (recipe,) = models
    return recipe_family(recipe, source.methods)


#: By name, in the order in which they are listed.
FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Form("recipe", "Variables of a recipe", _recipe, 1, 1, "R"),
        Form("line", "Line", _line, 2, 2, "A B"),
        Form("polyline", "Polyline", curves.polyline, 2, None, "A B ..."),
        Form("plane", "Plane", _plane, 3, 3, "A B C"),
        Form("simplex", "Simplex", simplices.simplex, 2, None, "A B ..."),
        Form("subset", "Subset", simplices.subset, 2, None, "A B ..."),
        Form("random_directions", "Random directions", directions.random_directions, 1, 1, "A"),
        Form("trajectory", "Trajectory plane", trajectories.trajectory, 3, None, "A B C ..."),
        Form("curve", "Curve with bends", curves.curve, 3, None, "A BEND ... B"),
        Form("shares", "Shares of an average", shares.shares, 2, None, "A B ..."),
        Form("blocks", "Ratios by blocks of layers", blocks.blocks, 2, 2, "BEFORE AFTER"),
        Form("genome", "Genome of a merge", genomes.genome, 2, None, "BASE A B ..."),
        Form("stack", "Stack of layers", stacks.stack, 1, None, "A B ..."),
        Form("subspace", "Random subspace", directions.subspace, 1, 1, "A"),
    )
}

#: What may stand beside any form in an experiment.
BESIDE = ("bounds",)


def form_of(plain: Mapping[str, Any]) -> Form:
    """Which form a family in short form is of.

    Raises:
        InputError: It names none, or several.
    """
    named = [name for name in FORMS if name in plain]
    if len(named) != 1:
        raise InputError(
            f"A family names exactly one of {', '.join(FORMS)}; this one has {', '.join(plain) or 'none'}."
        )
    return FORMS[named[0]]


def models_of(form: Form, plain: Any) -> list[Any]:
    """The models a family in short form names: a list, or one alone."""
    return list(plain) if isinstance(plain, (list, tuple)) else [plain]


def check_form(plain: Mapping[str, Any], faults: list[Fault]) -> None:
    """Append every fault of form of a family in short form; what it refers to is not looked at."""
    try:
        form = form_of(plain)
    except InputError as error:
        faults.append(Fault("experiment.family", "family", str(error)))
        return
    named = plain[form.name]
    if form.most == 1 or isinstance(named, (list, tuple)):
        form.check_count(len(models_of(form, named)), faults)
    else:
        faults.append(Fault("experiment.family", f"family.{form.name}", f"A {form.name} is a list of {form.count}."))
    known = [spec.name for spec in form.params]
    for key in plain:
        if key not in (form.name, *known, *BESIDE):
            message = f"'{key}' is not known beside '{form.name}'; known: {', '.join((*known, *BESIDE))}."
            faults.append(Fault("experiment.unknown-key", f"family.{key}", message))
    found: list[Fault] = []
    decode_all({key: plain[key] for key in known if key in plain}, form.params, "family", found)
    faults.extend(_as_before(fault) for fault in found)


def _as_before(fault: Fault) -> Fault:
    """A fault of the margin keeps the code it had when it was the only parameter."""
    return Fault("experiment.margin", fault.place, fault.message) if fault.place == "family.margin" else fault

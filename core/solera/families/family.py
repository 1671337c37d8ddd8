"""A family of models: a recipe whose free variables are coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from solera.errors import Fault, FaultsError, InputError
from solera.families.coords import Coord
from solera.families.geometry import Geometry
from solera.families.region import Region
from solera.recipes.nodes import Recipe
from solera.recipes.plain import from_plain as recipe_from_plain
from solera.recipes.plain import to_plain as recipe_to_plain

if TYPE_CHECKING:
    from solera.methods.spec import MethodSpec

FamilyKind = Literal[
    "recipe", "line", "polyline", "plane", "simplex", "subset", "directions", "trajectory", "curve", "subspace",
    "shares", "blocks", "genome", "stack",
]  # fmt: skip

#: Version of the plain form.
FAMILY_VERSION = 1


@dataclass(frozen=True, slots=True)
class Stop:
    """A model on a path that a picture draws over the family.

    Attributes:
        label: What it is called.
        at: The point of the family nearest to it.
        off: How far it is from that point, as a share of its distance from the path's last model; 0 if it lies there,
            and for the last model itself.
    """

    label: str
    at: tuple[float, ...]
    off: float = 0.0


@dataclass(frozen=True, slots=True)
class Family:
    """Coordinates -> weights.

    Attributes:
        recipe: With one free variable per coordinate.
        coords: The coordinates, in order.
        kind: How it was made.
        labels: Named models at coordinates.
        geometry: True distances, where there are any.
        region: Which points within the bounds belong to it; None is all of them.
        path: Models in order, such as those of a training run. They need not be points of the family.
        facts: What was found when it was made, for a person and for pictures, JSON-ready: explained variance, a seed.

    Raises:
        InputError: Coordinates and variables are not the same.
    """

    recipe: Recipe
    coords: tuple[Coord, ...]
    kind: FamilyKind = "recipe"
    labels: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    geometry: Geometry | None = None
    region: Region | None = None
    path: tuple[Stop, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        free, named = {var.name for var in self.recipe.variables}, [coord.name for coord in self.coords]
        if free != set(named) or len(named) != len(free) or not named:
            raise InputError(
                f"A family needs one coordinate per free variable of its recipe; the recipe has "
                f"{', '.join(sorted(free)) or 'none'}, the coordinates are {', '.join(named) or 'none'}.",
                variables=sorted(free),
                coords=named,
            )

    def numbers(self, coords: Sequence[float]) -> dict[str, float]:
        """Coordinates as values of the recipe's variables; those that are not real are taken to their nearest value.

        Raises:
            InputError: There are more or fewer than the family has, one is not finite, or a subset chooses nothing.
        """
        if len(coords) != len(self.coords) or not all(math.isfinite(value) for value in coords):
            names = ", ".join(coord.name for coord in self.coords)
            raise InputError(
                f"A point of this family is {len(self.coords)} finite numbers ({names}); got {list(coords)}."
            )
        if self.region is not None and self.region.kind == "subset" and not self.region.contains(coords):
            raise InputError(f"A point of this family takes one model or more; got {list(coords)}.")
        return {coord.name: coord.snap(float(value)) for coord, value in zip(self.coords, coords, strict=True)}

    def recipe_at(self, coords: Sequence[float]) -> Recipe:
        """The recipe of one point, without free variables.

        Raises:
            InputError: As :meth:`numbers`.
        """
        return self.recipe.with_values(self.numbers(coords))

    def label_at(self, coords: Sequence[float]) -> str:
        """The named model at exactly these coordinates; empty if there is none."""
        return next((label for label, at in self.labels.items() if tuple(at) == tuple(coords)), "")

    def between(self, bounds: Mapping[str, tuple[float, float]]) -> Family:
        """The same family over other ranges, by coordinate name; the others stay.

        Raises:
            InputError: A name is unknown, or bounds are no range.
        """
        unknown = sorted(set(bounds) - {coord.name for coord in self.coords})
        if unknown:
            raise InputError(f"The family has no coordinate {', '.join(unknown)}.", unknown=unknown)
        coords = (
            replace(coord, low=bounds[coord.name][0], high=bounds[coord.name][1]) if coord.name in bounds else coord
            for coord in self.coords
        )
        return replace(self, coords=tuple(coords))

    def to_plain(self) -> dict[str, Any]:
        """JSON-ready; sources of checkpoints stay as the recipe has them."""
        plain: dict[str, Any] = {
            "version": FAMILY_VERSION,
            "kind": self.kind,
            "recipe": recipe_to_plain(self.recipe),
            "coords": [coord.to_plain() for coord in self.coords],
            "labels": {label: list(at) for label, at in self.labels.items()},
            "geometry": self.geometry.to_plain() if self.geometry else None,
        }
        if self.region:
            plain["region"] = self.region.to_plain()
        if self.path:
            plain["path"] = [{"label": stop.label, "at": list(stop.at), "off": stop.off} for stop in self.path]
        return {**plain, "facts": dict(self.facts)} if self.facts else plain

    @staticmethod
    def from_plain(plain: Mapping[str, Any], methods: Mapping[str, MethodSpec]) -> Family:
        """The inverse of :meth:`to_plain`.

        Raises:
            FaultsError: It is no family, or its recipe has faults.
        """
        faults: list[Fault] = []
        if plain.get("version") != FAMILY_VERSION or plain.get("kind") not in get_args(FamilyKind):
            message = (
                f"This Solera reads families of version {FAMILY_VERSION}, kinds {', '.join(get_args(FamilyKind))}."
            )
            raise FaultsError("family", [Fault("family.version", "version", message)])
        recipe = recipe_from_plain(plain.get("recipe"), methods, faults)
        if faults:
            raise FaultsError("family", faults)
        if plain["kind"] == "stack":
            from solera.families.stacks import read_stack

            return read_stack(plain, recipe)
        return Family(
            recipe=recipe,
            coords=tuple(Coord.from_plain(coord) for coord in plain["coords"]),
            kind=plain["kind"],
            labels={str(label): tuple(map(float, at)) for label, at in plain.get("labels", {}).items()},
            geometry=Geometry.from_plain(plain["geometry"]) if plain.get("geometry") else None,
            region=Region.from_plain(plain["region"]) if plain.get("region") else None,
            path=tuple(
                Stop(str(stop["label"]), tuple(map(float, stop["at"])), float(stop.get("off", 0.0)))
                for stop in plain.get("path", ())
            ),
            facts=dict(plain.get("facts", {})),
        )

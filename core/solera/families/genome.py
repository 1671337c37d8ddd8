"""Genomes of merges: a value for each group of layers, model and parameter, laid over the tensors of a network.

The layout is that of mergekit-evolve: ``genes[group][model][set][parameter]``, where a group is so many layers one
after another, and a set is what a filter on names matches, the last set being all the rest. What comes before the
layers (embeddings) takes the values of the first group, what comes after them (final norm, head) those of the last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from solera.checkpoints.layers import LayerList, is_early, layer_lists
from solera.errors import InputError
from solera.params import Curve, PerModel, Rules, Value

#: One value per parameter, by set, by model, by group.
Genes = Sequence[Sequence[Sequence[Sequence[Value]]]]


@dataclass(frozen=True, slots=True)
class Evolved:
    """A method whose parameters are evolved.

    Attributes:
        method: Its registered name.
        genes: The parameters that have genes, in order.
        fixed: What the others stand at.
        base: Whether it needs a base.
    """

    method: str
    genes: tuple[str, ...]
    fixed: Mapping[str, Value] = field(default_factory=dict)
    base: bool = True


#: By the name mergekit-evolve has for them.
METHODS: Mapping[str, Evolved] = {
    "linear": Evolved("linear", ("weight",), {"normalize": True}, base=False),
    "task_arithmetic": Evolved("task_arithmetic", ("weight",), {"normalize": False}),
    "ties": Evolved("ties", ("weight", "density"), {"merge": "mean", "zero_sign": "plus", "scope": "tensor"}),
    "dare_ties": Evolved("dare", ("weight", "density"), {"combine_by": "ties", "zero_sign": "plus"}),
}


@dataclass(frozen=True, slots=True)
class Genome:
    """How genes lie over the tensors of a network.

    Attributes:
        layers: The network's layers.
        early: Names of the tensors before them.
        granularity: Layers in a group; 0 is one group of all.
        filters: Parts of names, each with genes of its own in every group.
        smooth: Whether the values of groups are knots that layers lie between, instead of steps.
    """

    layers: LayerList
    early: tuple[str, ...]
    granularity: int = 1
    filters: tuple[str, ...] = ()
    smooth: bool = False

    @staticmethod
    def of(names: Iterable[str], granularity: int = 1, filters: Sequence[str] = (), smooth: bool = False) -> Genome:
        """The genome of a network with tensors of these names.

        Raises:
            InputError: It has no numbered layers, or a smooth genome has filters.
        """
        known = list(names)
        lists = layer_lists(known)
        if not lists:
            raise InputError(
                "This network has no numbered layers (such as 'model.layers.0.'), so a genome has no groups."
            )
        if smooth and filters:
            raise InputError("A smooth genome runs over whole layers; leave out either its filters or 'smooth'.")
        early = tuple(name for name in known if lists[0].split(name) is None and is_early(name))
        return Genome(lists[0], early, granularity, tuple(filters), smooth)

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The numbers of the layers in each group."""
        numbers = self.layers.numbers
        size = self.granularity or len(numbers)
        return tuple(numbers[i : i + size] for i in range(0, len(numbers), size))

    @property
    def sets(self) -> int:
        """How many sets of names a group has."""
        return len(self.filters) + 1

    def params(self, genes: Genes, names: Sequence[str]) -> dict[str, Value]:
        """The genes as values of a method's parameters, one per model.

        Args:
            genes: Numbers or variables, ``genes[group][model][set][parameter]``.
            names: What the parameters are called.
        """
        models = range(len(genes[0]))
        return {
            name: PerModel(tuple(self._value(genes, model, place) for model in models))
            for place, name in enumerate(names)
        }

    def _value(self, genes: Genes, model: int, place: int) -> Value:
        """One parameter of one model, by the name of a tensor."""
        if self.smooth:
            return Curve(tuple(float(group[model][0][place]) for group in genes))  # type: ignore[arg-type]
        rest = self.sets - 1
        rules = [
            (f"{self.layers.prefix}{number}.*{part}*" if part else f"{self.layers.prefix}{number}.*", values[s][place])
            for group, values in zip(self.groups, (group[model] for group in genes), strict=True)
            for number in group
            for s, part in enumerate((*self.filters, ""))
        ]
        before = [(name, genes[0][model][rest][place]) for name in self.early]
        return Rules((*before, *rules), genes[-1][model][rest][place])


def decoded(gene: float, parameter: str, negative: bool = False) -> float:
    """A raw gene as a value: densities are clipped to 0 to 1, weights lose their sign unless it is wanted."""
    if parameter == "density":
        return min(max(abs(gene), 0.0), 1.0)
    return gene if negative else abs(gene)

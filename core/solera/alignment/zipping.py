"""ZipIt: units of several networks that fire alike become one, across networks and within them.

Stoica, Bolya, Bjorner, Ramesh, Hearn and Hoffman 2024, "ZipIt! Merging Models from Different Tasks without Training"
(https://arxiv.org/abs/2305.03053).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from solera.alignment.activations import Run, sites
from solera.alignment.permutations import part_of
from solera.alignment.symmetry import Axis, Group, Part, Symmetry, listed
from solera.errors import InputError, MismatchError

#: Least product of two standard deviations; units that never fire correlate with none.
EPSILON = 1e-7

#: How an axis begins along which units can be added up.
_PLAIN = ("cell", "unit")


@dataclass(frozen=True, slots=True)
class Zip:
    """How the units of all networks become those of one.

    Attributes:
        merge: M, float64 (units, networks * units): each row the mean of a cluster.
        unmerge: U, float64 (networks * units, units): each unit's cluster, 1 there and 0 elsewhere; ``M U = I``.
    """

    merge: Tensor
    unmerge: Tensor

    def of(self, network: int) -> tuple[Tensor, Tensor]:
        """The columns of M and the rows of U that are of one network."""
        size = self.merge.shape[0]
        own = slice(network * size, (network + 1) * size)
        return self.merge[:, own], self.unmerge[own]


def zip_units(
    correlation: Tensor, networks: int, *, within: float = 0.125, again: float = 0.3,
    check: Callable[[], None] = lambda: None,
) -> Zip:  # fmt: skip
    """Join the two units that correlate best until as many are left as one network has.

    What a joined unit correlates with is the least of what its two did, times ``again``; so units may be joined several
    times, but seldom. Where budgets leave no pair that may be joined, those that may not are, the nearest first.

    Args:
        correlation: (networks * units, networks * units), all units of the first network first; not changed.
        networks: How many.
        within: Budget of joints within each network, as a share of the joints it takes part in at most (beta).
        again: What is left of the correlation of a joined unit (alpha); 0: it is joined no more.
        check: Called at every joint; raises what is to end it.

    Raises:
        InputError: Units are joined once, and there are more than two networks.
        MismatchError: The correlations are not all numbers.
    """
    total = correlation.shape[0]
    size = total // networks
    if again <= 0 and networks > 2:
        raise InputError(f"Units of {networks} networks have to be joined several times; let 'again' be above 0.")
    if not bool(correlation.isfinite().all()):
        raise MismatchError("The activations of the units are not all numbers.")
    near = correlation.double().clone()
    near.fill_diagonal_(-torch.inf)
    barred = near.clone()  # the same without budgets
    owner = torch.arange(networks).repeat_interleave(size)
    budget = [int((total - size) // networks * within + 1e-4)] * networks
    for network in range(networks):
        if budget[network] <= 0:
            _part_ways(near, owner, network)
    clusters = torch.eye(total, dtype=torch.float64)
    alive = torch.ones(total, dtype=torch.bool)
    for _ in range(total - size):
        check()
        best = int(near.argmax())
        best = best if bool(near.reshape(-1)[best].isfinite()) else int(barred.argmax())
        i, j = sorted(divmod(best, total))
        clusters[:, i] += clusters[:, j]
        alive[j] = False
        for matrix, share in ((near, again), (barred, again or 1.0)):
            joined = torch.minimum(matrix[i], matrix[j]) * share if share > 0 else torch.full((total,), -torch.inf)
            matrix[i], matrix[:, i] = joined, joined
            matrix[i, i] = -torch.inf
            matrix[j], matrix[:, j] = -torch.inf, -torch.inf
        if owner[i] == owner[j]:
            mine = int(owner[i])
            budget[mine] -= 1
            if budget[mine] <= 0:
                _part_ways(near, owner, mine)
    unmerge = clusters[:, alive]
    return Zip((unmerge / unmerge.sum(0)).T.contiguous(), unmerge)


def _part_ways(near: Tensor, owner: Tensor, network: int) -> None:
    """Let units of a network be joined with each other no more."""
    mine = owner == network
    near[mine[:, None] & mine[None, :]] = -torch.inf


def zipped(
    symmetry: Symmetry, networks: Sequence[nn.Module], run: Run, groups: Collection[str] | None = None, *,
    within: float = 0.125, again: float = 0.3, check: Callable[[], None] = lambda: None,
) -> list[dict[str, Tensor]]:  # fmt: skip
    """Zip networks of one architecture: in each layer their units become those of one network.

    A merged layer is ``W' = sum_t M_t W_t U_t``: what it makes is merged by M of its own units, what it takes is
    unmerged by U of those before. Layers whose outputs are not zipped are averaged. Units in cells (heads, channels
    under a group normalisation) are not zipped but averaged where they lie: align such networks first.

    Args:
        symmetry: Of all.
        networks: In evaluation mode; not changed.
        run: Runs a module over the data.
        groups: Zip these alone (a partial zip): from the input on up to somewhere. Every network then keeps what comes
            after, and takes the shared units as its own. None: all.
        within: See :func:`zip_units`.
        again: See :func:`zip_units`.
        check: Called now and then; raises what is to end it.

    Returns:
        The tensors of the merged network; of a partial zip those of each network, equal in the shared layers.

    Raises:
        MismatchError: There is nothing to zip, or what is to be shared is made from what is not.
    """
    free = set(zippable(symmetry))
    wanted = free if groups is None else set(groups)
    if not wanted or wanted - free:
        raise MismatchError(
            f"{listed(sorted(wanted - free) or ['nothing'])} cannot be zipped. Units that can be are those of "
            f"{listed(sorted(free))}.",
            groups=sorted(wanted),
        )
    correlations = correlate(symmetry, networks, run, wanted)
    zips = {
        name: zip_units(each, len(networks), within=within, again=again, check=check)
        for name, each in correlations.items()
    }
    taken = _taken(symmetry, networks[0], wanted)
    states = [{name: each.detach() for name, each in network.state_dict().items()} for network in networks]
    if groups is None:
        return [{name: _merged(name, states, symmetry, zips, taken) for name in states[0]}]
    return _partly(states, symmetry, zips, taken)


def zippable(symmetry: Symmetry) -> list[str]:
    """The groups whose units may become others' sums: in no cells, and alone along their axes."""
    return [
        name
        for name, group in symmetry.groups.items()
        if group.cells == 1 and all(part.whole and part.axis.factors[:2] == _PLAIN for part in symmetry.where(name))
    ]


def correlate(
    symmetry: Symmetry, networks: Sequence[nn.Module], run: Run, groups: Collection[str]
) -> dict[str, Tensor]:  # fmt: skip
    """Correlations of the units of all networks with each other, float64, by group; positions count as samples."""
    wanted = {name: each for name, each in sites(networks[0], symmetry).items() if name in groups}
    sums: dict[str, list[Any]] = {}
    seen: dict[tuple[int, str, bool], Tensor] = {}
    handles = []

    def after() -> None:
        for name, each in wanted.items():
            for site in each:
                rows = []
                for k in range(len(networks)):
                    value = seen.get((k, site.module, site.made))
                    if value is not None:
                        part = Part(site.part.tensor, site.dim % value.ndim, site.part.axis)
                        rows.append(part_of(value, part, symmetry.groups[name]).double().cpu())
                if len(rows) == len(networks):
                    x = torch.cat(rows)
                    known = sums.setdefault(name, [0, 0.0, 0.0])
                    sums[name] = [known[0] + x.shape[1], known[1] + x.sum(1), known[2] + x @ x.T]
        seen.clear()

    for k, network in enumerate(networks):
        for module, made in {(site.module, site.made) for each in wanted.values() for site in each}:

            def keep(_: nn.Module, *values: Any, key: tuple[int, str, bool] = (k, module, made)) -> None:
                seen[key] = values[-1] if key[2] else values[0][0]

            layer = network.get_submodule(module)
            handles.append(layer.register_forward_hook(keep) if made else layer.register_forward_pre_hook(keep))
    try:
        run(_Together(networks, after).eval())
    finally:
        for handle in handles:
            handle.remove()
    return {name: _correlation(*each) for name, each in sums.items()}


def _correlation(count: int, total: Tensor, products: Tensor) -> Tensor:
    means = total / count
    covariance = products / count - torch.outer(means, means)
    deviations = covariance.diagonal().clamp_min(0).sqrt()
    return covariance / torch.outer(deviations, deviations).clamp_min(EPSILON)


class _Together(nn.Module):
    """Several networks on the same inputs; gives what the first gives."""

    def __init__(self, networks: Sequence[nn.Module], after: Any) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self._after = after

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        results = [network(*args, **kwargs) for network in self.networks]
        self._after()
        return results[0]


def _taken(symmetry: Symmetry, network: nn.Module, groups: Collection[str]) -> set[tuple[str, int]]:
    """``(tensor, axis)`` along which a layer takes units, and does not make them."""
    found = sites(network, symmetry)
    return {(site.part.tensor, site.part.number) for name in groups for site in found[name] if not site.made}


def _along(tensor: Tensor, i: int, axis: Axis, group: Group, matrix: Tensor) -> Tensor:
    """A tensor with the units of an axis multiplied by a matrix (new units, old units)."""
    rest = tensor.shape[i] // group.size
    front = tensor.movedim(i, 0)
    inner = front.shape[1:]
    made = matrix @ front.reshape(group.size, -1)  # units are outermost on their axis
    return made.reshape(matrix.shape[0] * rest, *inner).movedim(0, i)


def _axes(name: str, symmetry: Symmetry, zips: Mapping[str, Zip]) -> list[tuple[int, Axis]]:
    places = enumerate(symmetry.axes.get(name, ()))
    return [(i, place) for i, place in places if isinstance(place, Axis) and place.group in zips]


def _turned(
    name: str, tensor: Tensor, network: int, symmetry: Symmetry, zips: Mapping[str, Zip], taken: set[tuple[str, int]]
) -> tuple[Tensor, bool]:
    """``M_t W_t U_t``, and whether M was in it."""
    made, found = tensor.double(), False
    for i, axis in _axes(name, symmetry, zips):
        merge, unmerge = zips[axis.group].of(network)
        takes = (name, i) in taken
        made = _along(made, i, axis, symmetry.groups[axis.group], unmerge.T if takes else merge)
        found = found or not takes
    return made, found


def _merged(
    name: str, states: Sequence[Mapping[str, Tensor]], symmetry: Symmetry, zips: Mapping[str, Zip],
    taken: set[tuple[str, int]],
) -> Tensor:  # fmt: skip
    """``sum_t M_t W_t U_t``, or where nothing merges what it makes, the mean; numbers that are counted stay."""
    own = states[0][name]
    if not own.is_floating_point():
        return own.clone()
    turned = [_turned(name, state[name], t, symmetry, zips, taken) for t, state in enumerate(states)]
    total = torch.stack([each for each, _ in turned]).sum(0)
    return (total if turned[0][1] else total / len(states)).to(own.dtype)


def _partly(
    states: Sequence[Mapping[str, Tensor]], symmetry: Symmetry, zips: Mapping[str, Zip], taken: set[tuple[str, int]]
) -> list[dict[str, Tensor]]:
    """Shared layers for all, the rest of each."""
    shared = {name for name in states[0] if any((name, i) not in taken for i, _ in _axes(name, symmetry, zips))}
    for name in sorted(shared):
        loose = [
            place.group
            for i, place in enumerate(symmetry.axes[name])
            if isinstance(place, Axis) and place.group not in zips
        ]
        if loose:
            raise MismatchError(
                f"'{name}' is to be shared, but takes the units of {listed(loose)}, which are not. Zip those too, or "
                "less.",
                tensor=name, groups=loose,
            )  # fmt: skip
    trunk = {name: _merged(name, states, symmetry, zips, taken) for name in shared}
    found = []
    for t, state in enumerate(states):
        own = {}
        for name, tensor in state.items():
            turned = _turned(name, tensor, t, symmetry, zips, taken)[0].to(tensor.dtype) if name not in shared else None
            own[name] = trunk[name] if turned is None else turned if tensor.is_floating_point() else tensor
        found.append(own)
    return found

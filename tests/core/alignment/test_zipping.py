"""ZipIt against an obvious twin, and on networks where what must come out is known."""

import pytest
import torch
from torch import nn

from solera.alignment.permutations import drawn, permuted
from solera.alignment.tracing import trace_symmetry
from solera.alignment.zipping import correlate, zip_units, zipped
from solera.errors import InputError, MismatchError
from solera.seeds import Seed

X = torch.randn(200, 6, generator=torch.Generator().manual_seed(0)).double()


def twin(correlation, networks, within, again):
    """The definition: clusters as lists, their likenesses in a dictionary."""
    total = len(correlation)
    size = total // networks
    near = {(i, j): float(correlation[i, j]) for i in range(total) for j in range(i + 1, total)}
    freely = dict(near)  # the same without budgets
    clusters = {i: [i] for i in range(total)}
    budget = [int((total - size) // networks * within + 1e-4)] * networks
    final: set[int] = set()

    def bar(network):
        near.update({pair: -torch.inf for pair in near if {unit // size for unit in pair} == {network}})

    for network in range(networks):
        if budget[network] <= 0:
            bar(network)
    while len(clusters) > size:
        there = [pair for pair in near if set(pair) <= set(clusters)]
        allowed = [pair for pair in there if not set(pair) & final and near[pair] > -torch.inf]
        i, j = max(allowed, key=near.__getitem__) if allowed else max(there, key=freely.__getitem__)
        clusters[i] += clusters.pop(j)
        for k in set(clusters) - {i}:
            a, b = (min(i, k), max(i, k)), (min(j, k), max(j, k))
            near[a] = min(near[a], near[b]) * again
            freely[a] = min(freely[a], freely[b]) * (again or 1.0)
        if again == 0:
            final.add(i)
        if i // size == j // size:
            budget[i // size] -= 1
            if budget[i // size] <= 0:
                bar(i // size)
    return sorted(sorted(each) for each in clusters.values())


def correlations(seed, networks, size):
    rows = torch.randn(networks * size, 40, generator=torch.Generator().manual_seed(seed)).double()
    return torch.corrcoef(rows + 0.5 * rows.roll(3, 0))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("networks", "within", "again"), [(2, 0.0, 0.0), (2, 0.5, 0.0), (2, 0.5, 0.3), (3, 0.3, 0.9)])
def test_clusters_are_those_of_the_definition(seed, networks, within, again):
    given = correlations(seed, networks, 7)
    kept = given.clone()
    found = zip_units(given, networks, within=within, again=again)
    assert torch.equal(given, kept)
    clusters = sorted(sorted(column.nonzero().reshape(-1).tolist()) for column in found.unmerge.T)
    assert clusters == twin(given, networks, within, again)
    torch.testing.assert_close(found.merge @ found.unmerge, torch.eye(7, dtype=torch.float64))
    if within == 0:
        assert all({unit // 7 for unit in each} == set(range(networks)) or len(each) == 1 for each in clusters)


def test_units_of_three_networks_have_to_be_joined_again():
    with pytest.raises(InputError, match="several times"):
        zip_units(correlations(0, 3, 4), 3, again=0.0)
    with pytest.raises(MismatchError, match="not all numbers"):
        zip_units(torch.full((4, 4), torch.nan), 2)


class Residual(nn.Module):
    """A stream with a block around which it goes, a normalisation by batches, a flatten."""

    def __init__(self):
        super().__init__()
        self.stem, self.n0 = nn.Conv1d(1, 8, 3, padding=1), nn.BatchNorm1d(8)
        self.c1, self.n1 = nn.Conv1d(8, 10, 3, padding=1), nn.BatchNorm1d(10)
        self.c2, self.head = nn.Conv1d(10, 8, 1), nn.Linear(48, 3)

    def forward(self, x):
        x = self.n0(self.stem(x[:, None])).relu()
        return self.head((x + self.c2(self.n1(self.c1(x)).relu())).relu().flatten(1))


def network(make, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = make().double().eval()
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.3 * torch.rand_like(tensor))
    return module


def mlp():
    return nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, 3))


def moved(make, module, symmetry, seed):
    places = drawn(symmetry, Seed(seed))
    other = make().double().eval()
    other.load_state_dict(
        {
            k: permuted(t, symmetry.axes.get(k, (None,) * t.ndim), symmetry, places)
            for k, t in module.state_dict().items()
        }
    )
    return other


def run(module):
    with torch.no_grad():
        module(X)


@pytest.mark.parametrize("make", [mlp, Residual])
@pytest.mark.parametrize("copies", [1, 2])
def test_copies_with_units_in_other_places_are_zipped_to_what_they_compute(make, copies):
    first = network(make, 0)
    symmetry = trace_symmetry(first, X[:2])
    others = [moved(make, first, symmetry, seed) for seed in range(copies)]
    state = zipped(symmetry, [first, *others], run, within=0.0, again=1.0)[0]
    made = make().double().eval()
    made.load_state_dict(state)
    with torch.no_grad():
        torch.testing.assert_close(made(X), first(X), rtol=1e-6, atol=1e-6)


def test_units_that_are_twice_in_one_network_are_zipped_within_it():
    first, second = network(mlp, 0), network(mlp, 1)
    for module in (first, second):
        with torch.no_grad():
            for layer, after in ((module[0], module[2]), (module[2], module[4])):
                half = layer.out_features // 2
                for tensor in (layer.weight, layer.bias):
                    tensor[half : 2 * half] = tensor[:half]
    symmetry = trace_symmetry(first, X[:2])
    zips = {
        name: zip_units(each, 2, within=1.0, again=0.9)
        for name, each in correlate(symmetry, [first, second], run, symmetry.groups).items()
    }
    for name, found in zips.items():
        size = symmetry.groups[name].size
        inside = [column.nonzero().reshape(-1) // size for column in found.unmerge.T]
        assert sum(len(set(each.tolist())) == 1 for each in inside) >= 2 * (size // 2)


def test_a_partial_zip_shares_the_first_layers_and_leaves_each_its_own():
    first, second = network(mlp, 0), network(mlp, 1)
    symmetry = trace_symmetry(first, X[:2])
    one, two = zipped(symmetry, [first, second], run, ["0"], within=0.0)
    assert torch.equal(one["0.weight"], two["0.weight"])
    assert torch.equal(one["2.bias"], first.state_dict()["2.bias"])
    assert torch.equal(two["4.weight"], second.state_dict()["4.weight"])
    copy = moved(mlp, first, symmetry, 3)
    for state, module in zip(zipped(symmetry, [first, copy], run, ["0"]), (first, copy), strict=True):
        made = mlp().double()
        made.load_state_dict(state)
        torch.testing.assert_close(made(X), module(X), rtol=1e-6, atol=1e-6)
    with pytest.raises(MismatchError, match=r"takes the units of 0"):
        zipped(symmetry, [first, second], run, ["2"])
    with pytest.raises(MismatchError, match="cannot be zipped"):
        zipped(symmetry, [first, second], run, ["nose"])

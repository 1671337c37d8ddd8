"""Similarity by weights and by what networks compute, against slow twins."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.errors import NumericError
from solera.extend.registry import Registry
from solera.probes import weights as streaming
from solera.probes.measuring import measured
from solera.probes.subject import Probed, Subject
from solera.tensors.reductions import BLOCK
from solera.testing.golden_networks import subject_of
from solera.testing.golden_similarity import Given
from solera_plugins.probes.connectivity import _closing_in

PROBES = Registry.discover().probes


def checkpoints(states, base=None):
    models = [Probed(f"m{i}", MemoryCheckpoint.from_state_dict(state)) for i, state in enumerate(states)]
    foot = Probed("base", MemoryCheckpoint.from_state_dict(base)) if base is not None else None
    return Subject(models, QuietContext(), base=foot)


def drawn(seed, shapes=((5, 7), (11,), (2, 3, 2))):
    generator = np.random.default_rng(seed)
    # Few values, so that many are equal: ties at the threshold, changes of exactly zero.
    return {f"t{k}": torch.from_numpy(generator.integers(-4, 5, shape) / 8).float() for k, shape in enumerate(shapes)}


def flat(state):
    return np.concatenate([each.double().numpy().ravel() for each in state.values()])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 0.95))
def test_task_vectors_are_those_of_a_slow_twin(seed, density):
    base, a, b = (drawn(seed + k) for k in range(3))
    result, _ = measured(PROBES["task_vectors"], checkpoints([a, b], base), density=density)
    x, y = flat(a) - flat(base), flat(b) - flat(base)
    kept = int(density * x.size)
    masks = []
    for each in (x, y):
        mask = np.zeros(x.size, dtype=bool)
        mask[np.argsort(-np.abs(each), kind="stable")[:kept]] = True
        masks.append(mask)
    both, shared = (x != 0) & (y != 0), masks[0] & masks[1]
    wanted = {
        "cosine": x @ y / np.sqrt((x @ x) * (y @ y)),
        "signs": (np.sign(x) == np.sign(y))[both].mean(),
        "signs_all": (np.sign(x) == np.sign(y)).mean(),
        "signs_top": (np.sign(x) == np.sign(y))[shared].mean() if shared.any() else np.nan,
        "overlap": shared.sum() / (masks[0] | masks[1]).sum() if kept else np.nan,
        "overlap_chance": (kept / x.size) / (2 - kept / x.size),
        "norm": np.linalg.norm(x),
        "distance": np.linalg.norm(x - y),
    }
    for name, value in wanted.items():
        np.testing.assert_allclose(result.grid(name)[0, 1], value, atol=1e-12, err_msg=name)
    assert result.grid("cosine")[0, 0] == pytest.approx(1)


def test_pieces_do_not_change_the_numbers(monkeypatch):
    base, a, b = (drawn(k, ((700, 400), (3,))) for k in range(3))
    subject = checkpoints([a, b], base)
    names = ("task_vectors", "norms", "delta_magnitudes")
    before = [measured(PROBES[name], subject)[0].values for name in names]
    monkeypatch.setattr(streaming, "PIECE", BLOCK)
    after = [measured(PROBES[name], subject)[0].values for name in names]
    for x, y in zip(before, after, strict=True):
        np.testing.assert_array_equal(x, y)


def test_layers_are_described_as_numpy_describes_them():
    base, a = drawn(1), drawn(2)
    norms, _ = measured(PROBES["norms"], checkpoints([a]))
    sizes, _ = measured(PROBES["delta_magnitudes"], checkpoints([a], base), first=0.2, second=0.3, third=0.6)
    ranks, _ = measured(PROBES["matrix_ranks"], checkpoints([a]))
    for j, name in enumerate(a):
        x, d = a[name].double().numpy(), np.abs(a[name].double().numpy() - base[name].double().numpy())
        assert norms.grid("norm")[0, j] == pytest.approx(np.linalg.norm(x))
        assert norms.grid("norm_per_root")[0, j] == pytest.approx(np.sqrt((x**2).mean()))
        assert norms.grid("mean_size")[0, j] == pytest.approx(np.abs(x).mean())
        assert norms.grid("largest")[0, j] == np.abs(x).max()
        assert [sizes.grid(key)[0, j] for key in ("zero", "small", "middle", "large")] == pytest.approx(
            [(d == 0).mean(), (d < 0.2).mean(), (d < 0.3).mean(), (d < 0.6).mean()]
        )
        assert sizes.grid("percentile_99")[0, j] == pytest.approx(np.sort(d.ravel())[-int(np.ceil(d.size / 100))])
    assert ranks.axes[1].labels == ("t0", "t2")
    values = np.linalg.svd(a["t2"].double().numpy().reshape(2, -1), compute_uv=False)
    assert ranks.grid("top_2")[0, 1] == pytest.approx(values[1])
    lines = measured(PROBES["singular_values"], checkpoints([a]), top=2)[0].lines("value")
    np.testing.assert_allclose(lines["m0", "t2"][1], values)


def test_a_matrix_of_zeros_has_no_rank():
    result, _ = measured(PROBES["matrix_ranks"], checkpoints([{"w": torch.zeros(3, 2)}]))
    assert result.column("numerical_rank").tolist() == [0]
    assert np.isnan(result.column("effective_rank")).all()


def test_a_weight_that_is_no_number_is_named():
    bad = {"w": torch.tensor([[1.0, float("nan")]])}
    with pytest.raises(NumericError, match="'w'"):
        measured(PROBES["norms"], checkpoints([bad]))


def pairs(x, y):
    return subject_of({"x": Given(x), "y": Given(y)}, torch.arange(len(x)))


def test_cka_refuses_too_few_samples_and_leaves_a_small_rest_out():
    x, y = torch.randn(11, 4), torch.randn(11, 3)
    with pytest.raises(ValueError, match="needs 4 samples in a batch; there are 3"):
        measured(PROBES["cka"], pairs(x[:3], y[:3]))
    with pytest.raises(ValueError, match="needs 4 samples"):
        measured(PROBES["cka"], pairs(x, y), batch=3)
    whole, _ = measured(PROBES["cka"], pairs(x, y), batch=8)
    assert whole.grid("samples")[0, 1] == 8
    part, _ = measured(PROBES["cka"], pairs(x[:8], y[:8]))
    assert whole.grid("cka")[0, 1] == pytest.approx(part.grid("cka")[0, 1])
    with pytest.raises(ValueError, match="has no layer 'head'"):
        measured(PROBES["cka"], pairs(x, y), layer="head")


def test_layers_of_one_network_are_most_like_themselves():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    subject = subject_of({"a": net, "b": net}, torch.randn(40, 6))
    result, _ = measured(PROBES["cka_layers"], subject)
    table = result.grid("cka")
    assert result.axes[0].labels == ("0", "1", "2", "3", "4")
    np.testing.assert_allclose(np.diag(table), 1)
    assert (table <= 1 + 1e-12).all()


def test_a_way_between_equal_functions_is_flat_after_alignment_only():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 3))
    inputs = torch.randn(60, 5)
    order = torch.randperm(9)
    twin = nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 3))
    state = net.state_dict()
    twin.load_state_dict({
        "0.weight": state["0.weight"][order], "0.bias": state["0.bias"][order],
        "2.weight": state["2.weight"][:, order], "2.bias": state["2.bias"],
    })  # fmt: skip
    labels = net(inputs).argmax(1)
    subject = subject_of({"a": net, "b": twin}, inputs, labels)
    result, findings = measured(PROBES["mode_connectivity"], subject, points=5, refine=4)
    lines = result.lines("loss")
    assert len(lines["direct",][0]) == 9
    assert findings["chord of the loss, direct"] > 0.01
    assert findings["chord of the loss, aligned"] < 1e-6
    np.testing.assert_allclose(lines["aligned",][1], lines["aligned",][1][0], atol=1e-6)
    coarse, rough = measured(PROBES["mode_connectivity"], subject, points=5, refine=0, align=False)
    assert len(coarse) == 5
    assert findings["chord of the loss, direct"] >= rough["chord of the loss, direct"]
    square, _ = measured(PROBES["barriers"], subject, points=5, align=True)
    assert square.grid("loss")[0, 1] == pytest.approx(rough["chord of the loss, direct"])
    assert square.grid("aligned_loss")[1, 0] < 1e-6


def test_networks_that_differ_cannot_be_connected():
    subject = subject_of({"a": nn.Linear(5, 3), "b": nn.Linear(5, 4)}, torch.randn(6, 5))
    with pytest.raises(ValueError, match="weight"):
        measured(PROBES["mode_connectivity"], subject)


def test_a_large_network_is_looked_at_along_random_directions_only():
    net = nn.Sequential(nn.Linear(40, 130), nn.ReLU(), nn.Linear(130, 2))
    subject = subject_of({"net": net}, torch.randn(30, 40))
    with pytest.raises(MemoryError, match="5,000"):
        measured(PROBES["functional_dimension"], subject)
    result, _ = measured(PROBES["functional_dimension"], subject, directions=20)
    assert result.column("rank").tolist() == [20]
    part, _ = measured(PROBES["functional_dimension"], subject, only="2.*")
    assert part.column("rank").tolist() == [60]
    assert np.isnan(part.column("bound")).all()


def test_a_barrier_is_closed_in_on_and_no_place_asked_for_twice():
    def at(t):
        told[t] = (t**1.748 * (1 - t) ** 2.252, 0.0)  # highest at 0.437, no loss at the ends
        return told[t][0]

    told: dict[float, tuple[float, ...]] = {}
    for t in np.linspace(0, 1, 11).tolist():
        at(t)
    asked = list(_closing_in(told, at, 8))
    assert len(asked) == 8
    assert np.diff(sorted(asked)).min() > 1e-4
    assert abs(max(told, key=lambda t: told[t][0]) - 0.437) < 0.01

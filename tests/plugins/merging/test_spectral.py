"""Methods on singular values against twins in NumPy, and where the formulas are ill-posed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from solera.methods.spec import Piece

SHAPES = [(8, 5), (5, 8), (6, 6)]


def matrices(shape, count, seed=0):
    return list(torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))


def polar(x):
    u, _, v = np.linalg.svd(x, full_matrices=False)
    return u @ v


def close(got, want):
    torch.testing.assert_close(got.double(), torch.from_numpy(np.asarray(want)), atol=1e-9, rtol=1e-7)


@pytest.mark.parametrize("shape", SHAPES)
def test_iso_c(run, shape):
    deltas = matrices(shape, 3)
    u, s, v = np.linalg.svd(sum(d.numpy() for d in deltas), full_matrices=False)
    made = run("iso_c")(deltas, scale=1.5)
    close(made, 1.5 * s.mean() * u @ v)
    values = torch.linalg.svdvals(made)
    torch.testing.assert_close(values, values.mean().expand_as(values))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("common", [0.0, 0.5, 0.8, 1.0])
def test_iso_cts(run, shape, common):
    deltas, rank = matrices(shape, 2), min(shape)
    own = min(round((rank - int(common * rank)) / 2), rank // 2)
    k = rank - 2 * own
    u, s, v = np.linalg.svd(sum(d.numpy() for d in deltas), full_matrices=False)
    us, ss, vs = [u[:, :k]], [s[:k]], [v[:k]]
    for d in deltas:
        a, b, c = np.linalg.svd(d.numpy() - u[:, :k] @ u[:, :k].T @ d.numpy(), full_matrices=False)
        us, ss, vs = [*us, a[:, :own]], [*ss, b[:own]], [*vs, c[:own]]
    want = polar(np.concatenate(us, 1)) @ polar(np.concatenate(vs, 0)) * np.concatenate(ss).mean()
    close(run("iso_cts")(deltas, common=common), want)
    if common == 1.0:
        close(run("iso_cts")(deltas, common=1.0), run("iso_c")(deltas).numpy())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lossless", [False, True])
def test_tsv_m(run, shape, lossless):
    deltas = matrices(shape, 2)
    keep = min(shape) if lossless else min(shape) // 2
    parts = [np.linalg.svd(d.numpy(), full_matrices=False) for d in deltas]
    left = polar(np.concatenate([p[0][:, :keep] for p in parts], 1))
    right = polar(np.concatenate([p[2][:keep] for p in parts], 0))
    want = left * np.concatenate([p[1][:keep] for p in parts]) @ right
    close(run("tsv_m")(deltas, lossless=lossless), want)


def test_one_task_is_itself(run):
    (delta,) = matrices((6, 4), 1)
    close(run("tsv_m")([delta]), delta.numpy())
    torch.testing.assert_close(run("knots")([delta], density=1.0), delta, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", ["input", "output"])
def test_knots_changes_nothing_for_plain_means(run, side):
    """The rotation is linear: where all signs agree in the common directions TIES at density 1 is a mean."""
    delta = matrices((7, 4), 1)[0]
    made = run("knots")([delta, 3 * delta], density=1.0, side=side)
    torch.testing.assert_close(made, 2 * delta, atol=1e-5, rtol=1e-5)


def test_knots_against_its_definition(run):
    deltas = matrices((5, 4), 3)
    u, s, v = np.linalg.svd(np.concatenate([d.numpy() for d in deltas], 1), full_matrices=False)
    blocks = [torch.from_numpy(s[:, None] * v[:, 4 * i : 4 * i + 4]).float() for i in range(3)]
    merged = run("ties")(blocks, density=0.5)
    made = run("knots")(deltas, density=0.5)
    torch.testing.assert_close(made, torch.from_numpy(u) @ merged.double(), atol=1e-5, rtol=1e-5)


def slow_wudi(deltas, rate, steps):
    """The loss as it stands, its gradient by torch, torch's Adam."""
    tau = sum(deltas).clone().requires_grad_()
    adam = torch.optim.Adam([tau], lr=rate)
    for _ in range(steps):
        adam.zero_grad()
        sum((((tau - d) @ d.T) ** 2).sum() / (d**2).sum() for d in deltas if float((d**2).sum())).backward()
        adam.step()
    return tau.detach()


def test_wudi(run):
    deltas = matrices((6, 4), 3)
    made = run("wudi")(deltas, iterations=25, rate=1e-3)
    torch.testing.assert_close(made, slow_wudi(deltas, 1e-3, 25), atol=1e-7, rtol=1e-6)
    with_zero = run("wudi")([*deltas, torch.zeros(6, 4)], iterations=25, rate=1e-3)
    torch.testing.assert_close(with_zero, made)


@pytest.mark.parametrize("name", ["iso_c", "iso_cts", "tsv_m", "knots", "wudi"])
def test_guards(run, name):
    d = matrices((6, 5), 1)[0]
    zero = torch.zeros(6, 5, dtype=torch.float64)
    for deltas in ([d, d], [d, -d], [zero, zero], [d, zero], [torch.outer(d[:, 0], d[0])] * 2):
        made = run(name)(deltas)
        assert made.shape == (6, 5)
        assert made.isfinite().all()
    assert run(name)([zero, zero]).abs().sum() == 0
    for shape in ((0, 3), (1,), (), (1, 1), (2, 3, 3)):
        assert run(name)([torch.ones(shape), torch.ones(shape)]).shape == shape


@pytest.mark.parametrize("name", ["iso_c", "iso_cts", "tsv_m"])
def test_other_tensors_and_skipped_names_are_averaged(run, name):
    vectors = [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 0.0])]
    assert run(name)(vectors).tolist() == [2.0, 1.0]
    some = matrices((4, 3), 2)
    close(run(name)(some, piece=Piece("visual.text_projection")), (some[0] + some[1]).numpy() / 2)


def test_fewer_ranks_than_tasks(run):
    deltas = matrices((6, 2), 5)
    assert run("tsv_m")(deltas).abs().sum() == 0
    close(run("iso_cts")(deltas, common=0.0), run("iso_c")(deltas).numpy())

"""Sharpness against closed forms that are written down here, and against each other."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from solera.extend.registry import Registry
from solera.probes.measuring import measured
from solera.testing.conformance_probes import tiny_subject
from solera.testing.golden_networks import subject_of

PROBES = Registry.discover().probes


@pytest.fixture(scope="module")
def subject():
    generator = torch.Generator().manual_seed(1)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    with torch.no_grad():
        for each in net.parameters():
            each.copy_(torch.randn(each.shape, generator=generator, dtype=torch.float64))
    inputs = torch.randn(20, 3, generator=generator)
    return subject_of({"net": net}, inputs, torch.arange(20) % 3, chunk=7)


def value(name, subject, measure, **params):
    result, _ = measured(PROBES[name], subject, dtype="float64", **params)
    return float(result.column(measure)[0]), float(result.errors[0, [m.name for m in result.measures].index(measure)])


def test_groups_are_means_of_their_own_steps(subject):
    objective = subject.objective(subject.models[0], dtype="float64")
    rises = []
    for start in range(0, 20, 6):
        rows = slice(start, min(start + 6, 20))
        gradient = objective.gradient(objective.theta, rows)
        moved = objective.theta + 0.1 * gradient / gradient.norm()
        rises.append(objective.loss(moved, rows) - objective.loss(objective.theta, rows))
    got, error = value("sam_sharpness", subject, "sharpness", rho=0.1, m=6)
    assert got == pytest.approx(np.mean(rises), abs=1e-9)
    assert error == pytest.approx(np.std(rises, ddof=1) / 2, abs=1e-9)
    with pytest.raises(ValueError, match="Groups of 21 samples"):
        value("sam_sharpness", subject, "sharpness", m=21)


def test_the_worst_case_is_no_better_than_any_place_that_is_tried(subject):
    objective = subject.objective(subject.models[0], dtype="float64")
    base = objective.loss(objective.theta)
    generator = torch.Generator().manual_seed(2)
    for norm, scale in (("l2", "one"), ("linf", "weights"), ("l2", "weights_plus_one")):
        worst, _ = value("worst_sharpness", subject, "sharpness", rho=0.2, norm=norm, scale=scale)
        size = {"one": torch.ones(()), "weights": objective.theta.abs(), "weights_plus_one": objective.theta.abs() + 1}
        for _ in range(40):
            step = torch.randn(objective.theta.shape, generator=generator, dtype=torch.float64)
            step = 0.2 * (step / step.norm() if norm == "l2" else step.sign())
            assert objective.loss(objective.theta + size[scale] * step) - base <= worst
        one_step, _ = value("sam_sharpness", subject, "sharpness", rho=0.2)
        assert norm != "l2" or scale != "one" or worst >= one_step


def test_average_case_goes_to_the_second_order_estimate_for_small_steps(subject):
    trace, _ = value("hessian_trace", subject, "trace", draws=100)
    exact, _ = value("average_sharpness", subject, "second_order", size=1e-3, draws=100, second_order=True)
    assert exact == pytest.approx(0.5e-6 * trace, rel=1e-9)
    drawn, error = value("average_sharpness", subject, "sharpness", size=1e-3, draws=100)
    assert abs(drawn - exact) < 4 * error
    sphere, _ = value(
        "average_sharpness", subject, "second_order", size=1e-3, draws=100, where="sphere", second_order=True
    )
    assert sphere == pytest.approx(exact / 31, rel=1e-9)


def test_rescaling_units_changes_the_trace_but_not_relative_flatness(subject):
    net = subject.models[0].network.module.double()
    state = {key: each.clone() for key, each in net.state_dict().items()}
    state["0.weight"][1] *= 3
    state["0.bias"][1] *= 3
    state["2.weight"][:, 1] /= 3
    twin = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    twin.load_state_dict(state)
    examples = subject.examples
    other = subject_of({"net": twin}, examples.inputs, examples.targets)
    before, after = (
        value("relative_flatness", each, "flatness", layer="0.weight", draws=16)[0] for each in (subject, other)
    )
    assert after == pytest.approx(before, rel=1e-4)
    drawn, error = value("relative_flatness", subject, "flatness", layer="0.weight", draws=11)
    assert abs(drawn - before) < 5 * error
    plain, rescaled = (value("hessian_trace", each, "trace", draws=100)[0] for each in (subject, other))
    assert abs(rescaled - plain) > 0.01 * abs(plain)


def test_relative_flatness_is_its_definition(subject):
    objective = subject.objective(subject.models[0], dtype="float64", only="2.weight")
    size = objective.theta.numel()
    hessian = torch.stack([objective.hvp(objective.theta, axis) for axis in torch.eye(size, dtype=torch.float64)])
    blocks = hessian.view(3, 4, 3, 4).diagonal(dim1=1, dim2=3).sum(-1)
    rows = objective.theta.view(3, 4)
    wanted = float((blocks * (rows @ rows.T)).sum())
    got, _ = value("relative_flatness", subject, "flatness", layer="2.weight", draws=size)
    assert got == pytest.approx(wanted, rel=1e-9)
    trace, _ = value("relative_flatness", subject, "trace", layer="2.weight", draws=size)
    assert trace == pytest.approx(float(hessian.trace()), rel=1e-9)


def test_normalised_logits_take_no_notice_of_their_scale(subject):
    net = subject.models[0].network.module.double()
    state = {key: each * (5 if key.startswith("2.") else 1) for key, each in net.state_dict().items()}
    twin = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    twin.load_state_dict(state)
    examples = subject.examples
    other = subject_of({"net": twin}, examples.inputs, examples.targets)
    losses = [value("sam_sharpness", each, "loss", normalise=True)[0] for each in (subject, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert not math.isclose(*(value("sam_sharpness", each, "loss")[0] for each in (subject, other)), rel_tol=0.05)


def test_every_probe_on_networks_names_each_model_once():
    for name in ("sam_sharpness", "average_sharpness", "relative_flatness"):
        result, _ = measured(PROBES[name], tiny_subject(PROBES[name]))
        assert result.at[:, 0].tolist() == [0, 1]

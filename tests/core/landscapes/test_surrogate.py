"""Surrogates against slow obvious twins."""

from typing import Literal

import numpy as np
import pytest

from solera.errors import InputError
from solera.landscapes.quadratic import coefficients, design, fit_linked, fit_ridge
from solera.landscapes.residual_process import _objective, fit_process
from solera.landscapes.surrogate import Transform, fit_surrogate, left_out, transforms_of
from solera.tasks.scores import Column


def wavy(points):
    return 1.0 + points[:, 0] ** 2 - 0.5 * points[:, 0] * points[:, 1] + 0.3 * np.sin(3 * points[:, 1])


@pytest.fixture
def drawn():
    points = np.random.default_rng(4).uniform(-1, 1, (24, 2))
    return points, wavy(points)


def test_terms_are_squares_cross_products_linear_constant():
    assert design([[2.0, 3.0, 5.0]]).tolist() == [[4, 9, 25, 6, 10, 15, 2, 3, 5, 1]]
    assert design([[2.0, 3.0, 5.0]], "squares").tolist() == [[4, 9, 25, 2, 3, 5, 1]]
    assert [coefficients(d) for d in (2, 4, 6, 10)] == [6, 15, 28, 66]
    assert [coefficients(d, "squares") for d in (7, 10)] == [15, 21]


def test_too_few_points_say_how_many_are_needed():
    with pytest.raises(InputError, match=r"has 6 coefficients; 5 points cannot fit it\. Score 6 points or more"):
        fit_linked(np.zeros((5, 2)), np.zeros(5))


def test_a_quadratic_under_a_link_is_found_again():
    generator = np.random.default_rng(0)
    points, true = generator.random((40, 3)), generator.standard_normal(10)
    links: tuple[Literal["softplus", "identity"], ...] = ("softplus", "identity")
    for link in links:
        seen = design(points) @ true
        seen = np.logaddexp(0, seen) if link == "softplus" else seen
        fit = fit_linked(points, seen, link)
        assert fit(points) == pytest.approx(seen, abs=1e-6)


def test_the_leave_one_out_error_of_the_ridge_is_that_of_fits_without_each_point(drawn, monkeypatch):
    points, values = drawn
    fit = fit_ridge(points, values)
    terms = design(points)[:, :-1]
    x, y = terms - terms.mean(axis=0), values - values.mean()
    # The strength it chose, from its own weights: (X'X + s I) w = X'y.
    s = float((x.T @ y - x.T @ x @ fit.weights) @ fit.weights / (fit.weights @ fit.weights))
    for i in range(len(values)):
        rest = np.delete(np.arange(len(values)), i)
        full = np.hstack([terms[rest], np.ones((len(rest), 1))])
        penalty = np.diag([s] * terms.shape[1] + [0.0])
        weights = np.linalg.solve(full.T @ full + penalty, full.T @ values[rest])
        assert values[i] - np.append(terms[i], 1) @ weights == pytest.approx(fit.left_out[i], rel=1e-6, abs=1e-9)
    assert fit.hat @ values == pytest.approx(fit(points), abs=1e-9)


def test_the_gradient_of_the_likelihood_is_that_of_differences(drawn):
    points, values = drawn
    squares, y = (points[:, None] - points[None]) ** 2, values - values.mean()
    theta, centre = np.array([0.2, -0.3, np.log(0.02)]), np.zeros(2)
    _, gradient = _objective(theta, squares, y, centre)
    for k in range(3):
        step = np.eye(3)[k] * 1e-5
        up, down = (_objective(theta + sign * step, squares, y, centre)[0] for sign in (1, -1))
        assert gradient[k] == pytest.approx((up - down) / 2e-5, rel=1e-5)


def test_the_error_of_trend_and_process_is_that_of_both_fitted_without_each_point(drawn):
    points, values = drawn
    ridge = fit_ridge(points, values)
    process = fit_process(points, values - ridge(points))
    found = left_out(ridge, values - ridge(points), process)
    between = process.between(points) + process.noise * np.eye(len(values))
    for i in (0, 7, 23):
        rest = np.delete(np.arange(len(values)), i)
        trend = values - ridge.hat @ values + ridge.hat[:, i] * ridge.left_out[i]
        solved = np.linalg.solve(between[np.ix_(rest, rest)], trend[rest])
        assert found[i] == pytest.approx(trend[i] - between[i, rest] @ solved, rel=1e-6, abs=1e-9)


def test_the_process_learns_what_the_quadratic_cannot(drawn):
    points, values = drawn
    fit = fit_surrogate(points, values, [Transform("log")])
    new = np.random.default_rng(9).uniform(-0.9, 0.9, (200, 2))
    assert fit.process is not None
    gap = np.sqrt(((fit(new) - wavy(new)) ** 2).mean())
    trend = np.sqrt(((np.exp(fit.ridge(new)) - wavy(new)) ** 2).mean())
    assert gap < 0.5 * trend
    assert fit.error < np.sqrt((fit.ridge.left_out**2).mean())
    assert fit.process.deviation(points).max() < fit.process.deviation(np.array([[3.0, 3.0]]))[0]


def test_an_exact_quadratic_needs_no_process():
    points = np.random.default_rng(1).uniform(-1, 1, (20, 2))
    fit = fit_surrogate(points, 2 + design(points) @ np.arange(6.0), [Transform("identity")])
    assert fit.error < 1e-5


@pytest.mark.parametrize(
    ("metric", "scale", "values"),
    [("cross_entropy", "log", [0.1, 2.0]), ("accuracy", "logit", [-0.95, -0.2]), ("perplexity", "log", [1.5, 40.0])],
)
def test_each_metric_is_seen_where_it_is_nearest_to_a_quadratic(metric, scale, values):
    transform, plain = transforms_of(Column("t", metric, "selection", 100), 100)
    assert plain.scale == "identity"
    assert transform.scale == scale
    assert transform.back(transform.there(values)) == pytest.approx(values)
    if scale == "logit":
        assert np.isfinite(transform.there([-1.0, 0.0])).all()
        assert (np.diff(transform.there([-1.0, -0.5, 0.0])) > 0).all()


@pytest.mark.parametrize("scale", ["log", "identity"])
def test_the_scale_is_chosen_on_which_left_out_points_are_likelier(scale):
    points = np.random.default_rng(2).uniform(-1, 1, (20, 2))
    y = (
        1.5
        + design(points) @ np.array([1.0, 0.8, 0.1, -0.4, 0.2, 0.3])
        + 0.01 * np.random.default_rng(3).standard_normal(20)
    )
    fit = fit_surrogate(points, np.exp(2 * y) if scale == "log" else y, [Transform("log"), Transform("identity")])
    assert fit.transform.scale == scale

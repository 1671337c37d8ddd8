import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.landscapes.pareto import nondominated
from solera_app.views.facts import columns as column_facts
from solera_app.views.fronts import Errors, comparable, front_of, front_of_two, within_noise
from solera_app.views.snapshot import Snapshot


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=30), st.integers(0, 3))
def test_the_front_is_the_cores(pairs: list[tuple[int, int]], holes: int) -> None:
    points = np.array(pairs, dtype=float).reshape(-1, 2)
    points[:holes, 0] = np.nan
    assert front_of_two(points).tolist() == nondominated(points).tolist()


def independent(errors: np.ndarray) -> Errors:
    return lambda column, a, b: np.hypot(errors[a, column][:, None], errors[b, column][None, :])


def test_a_front_of_three_scores_holds_what_two_of_them_would_not() -> None:
    points = np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 0.0], [2.0, 2.0, 2.0]])
    assert front_of(points).tolist() == [True, True, False]
    assert front_of(points[:, :2]).tolist() == [True, False, False]


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.floats(0, 0.5))
def test_within_noise_is_not_beaten_twice_over(seed: int, error: float) -> None:
    rng = np.random.default_rng(seed)
    points, errors = rng.random((60, 2)), np.full((60, 2), error)
    if seed % 2:  # a long front
        points[:, 1] = 1 - points[:, 0] + 0.1 * points[:, 1]
    front = front_of_two(points)
    doubt = within_noise(points, independent(errors), front)
    for row in range(60):
        beaten = any(
            all(points[row, k] - points[other, k] > 2 * np.hypot(error, error) for k in (0, 1))
            for other in np.nonzero(front)[0]
        )
        assert doubt[row] == (not beaten and not front[row])


def test_without_errors_nothing_strictly_worse_is_in_doubt() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    doubt = within_noise(points, independent(np.zeros((3, 2))), front_of_two(points))
    assert doubt.tolist() == [False, False, True]  # worse in one score only


def test_points_on_fewer_samples_than_others_are_on_no_front(snapshots: dict[str, Snapshot]) -> None:
    snapshot = snapshots["three"]
    shown, points = column_facts(snapshot.header), snapshot.points
    whole = front_of(comparable(points, shown))
    counts = points.counts.copy()
    counts[np.flatnonzero(whole)[0]] = 30
    part = front_of(comparable(dataclasses.replace(points, counts=counts), shown))
    assert not part[np.flatnonzero(whole)[0]]
    assert part.any()
    assert np.isnan(comparable(points, shown)[7]).all()

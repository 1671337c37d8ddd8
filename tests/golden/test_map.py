"""Published fixtures of MAP and of evaluation noise."""

from pathlib import Path

import pytest

from solera.testing.goldens import verify

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    ("kind", "count"), [("map_surrogate", 6), ("map_bayesian", 5), ("map_nsga3", 2), ("eval_noise", 2)]
)
def test_all_pass(kind, count):
    results = list(verify(DATA / "map" / kind, {}))
    assert [(r.case, r.note) for r in results if r.outcome != "passed"] == []
    assert len(results) == count

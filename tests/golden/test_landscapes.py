"""Fixtures of landscapes and of random subspaces, by the adapters that `solera verify` runs."""

from pathlib import Path

import pytest

from solera.testing.golden_analysis import AnalysisCase, Findings
from solera.testing.golden_landscapes import run_landscape
from solera.testing.goldens import Unsupported, verify

DATA = Path(__file__).parent / "data" / "analysis"


@pytest.mark.parametrize("kind", ["landscape", "intrinsic_dim"])
def test_what_was_published_is_met(kind):
    results = {result.case: result for result in verify(DATA / kind, {})}
    left = {case for case, result in results.items() if result.outcome == "unsupported"}
    assert left <= {"landscape/peer_quirks"}, "recorded by its source as what not to do"
    assert {case: result.note for case, result in results.items() if result.outcome == "failed"} == {}
    assert sum(result.outcome == "passed" for result in results.values()) == {"landscape": 6, "intrinsic_dim": 1}[kind]


def test_a_case_of_another_form_is_refused(tmp_path):
    case = AnalysisCase("landscape/other", "landscape", tmp_path / "other.json", {"loss": [1.0]})
    with pytest.raises(Unsupported, match="no form of landscape is known with loss"):
        run_landscape(case, Findings())

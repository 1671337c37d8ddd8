"""Every fixture of alignment that we have."""

import json
import shutil
from pathlib import Path

import pytest

from solera.testing.goldens import verify

DATA = Path(__file__).parent / "data" / "symmetry"


def test_every_case_passes():
    results = {result.case: result for result in verify(DATA, {})}
    assert set(results) == {f"symmetry/{file.stem}" for file in DATA.glob("*.json")}
    assert {result.outcome for result in results.values()} == {"passed"}, results
    assert max(result.error for result in results.values()) < 1e-12


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("weight_matching_mlp", "P_0 differs"),
        ("repair_mlp", "loss_repaired is"),
        ("activation_matching_mlp", "differs"),
    ],
)
def test_a_wrong_value_is_noticed(case, said, tmp_path):
    folder = tmp_path / "symmetry"
    shutil.copytree(DATA, folder)
    for file in folder.glob("*.json"):
        if file.stem != case:
            file.unlink()
    facts = json.loads((folder / f"{case}.json").read_text())
    if case == "repair_mlp":
        facts["loss_repaired"] += 1e-5
    else:
        perm = facts["runs"][0]["perm"] if "runs" in facts else facts["P_0"]
        key = "P_0" if "runs" in facts else "perm"
        perm[key][0], perm[key][1] = perm[key][1], perm[key][0]
    (folder / f"{case}.json").write_text(json.dumps(facts))
    (result,) = verify(folder, {})
    assert result.outcome == "failed"
    assert said in result.note


def test_cases_of_other_kinds_are_told_apart(tmp_path):
    (tmp_path / "symmetry").mkdir()
    (tmp_path / "symmetry" / "other.json").write_text('{"source": "somewhere"}')
    (result,) = verify(tmp_path / "symmetry", {})
    assert result.outcome == "unsupported"

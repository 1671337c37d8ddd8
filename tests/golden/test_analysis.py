"""The registry of adapters for fixtures of analysis."""

import importlib
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from solera.extend.registry import Registry
from solera.testing.golden_analysis import ADAPTERS, KINDS, AnalysisCase, Findings
from solera.testing.goldens import Unsupported, verify

DATA = Path(__file__).parent / "data" / "analysis"

#: What is known and not to be reproduced: the errors of a peer.
REFUSED = {"landscape/peer_quirks"}


@pytest.mark.parametrize("kind", sorted(path.name for path in DATA.iterdir()))
def test_every_case_passes(kind):
    results = {result.case: result for result in verify(DATA / kind, {}, probes=Registry.discover().probes)}
    assert set(results) == {f"{kind}/{file.stem}" for file in (DATA / kind).glob("*.json")}
    left = {case: result.outcome for case, result in results.items() if result.outcome != "passed"}
    assert left == {case: "unsupported" for case in results if case in REFUSED}


def test_every_adapter_is_there():
    assert set(ADAPTERS) <= set(KINDS)
    for targets in ADAPTERS.values():
        for target in targets:
            module, _, function = target.partition(":")
            assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("kind", KINDS)
def test_a_form_that_nobody_knows_is_reported_by_name(kind, tmp_path):
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "other.json").write_text('{"source": "somewhere"}')
    (result,) = verify(tmp_path, {})
    assert (result.case, result.outcome) == (f"{kind}/other", "unsupported")
    assert result.note


def test_data_of_another_case_are_found(tmp_path):
    for kind in ("hessian", "sharpness"):
        (tmp_path / kind).mkdir()
        np.savez(tmp_path / kind / "net.npz", x=np.full(2, float(len(kind))))
    case = AnalysisCase("sharpness/one", "sharpness", tmp_path / "sharpness" / "one.json", {})
    assert case.tensors("net")["x"].tolist() == [9, 9]
    assert case.tensors("hessian/net")["x"].tolist() == [7, 7]
    with pytest.raises(Unsupported, match="sharpness/one"):
        case.tensors()


@pytest.mark.parametrize(
    ("got", "wanted", "noted"),
    [
        (1.0, 1.0 + 1e-12, ""),
        (1.0, 1.1, "it is 1 instead of 1.1"),
        ([1.0, float("nan")], [1.0, 2.0], "it is nan instead of 2"),
        ([1.0], [1.0, 2.0], "it has shape"),
    ],
)
def test_what_is_off_is_noted(got, wanted, noted):
    found = Findings()
    found.near("it", got, wanted, 1e-9)
    assert found.compared == 1
    assert [note.startswith(noted) for note in found.notes] == [True] * bool(noted)


def test_a_case_of_which_nothing_is_compared_fails(tmp_path, monkeypatch):
    module = types.ModuleType("adapters_of_a_test")
    module.nothing = lambda case, found: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(ADAPTERS, "llc", (f"{module.__name__}:nothing",))
    (tmp_path / "llc").mkdir()
    (tmp_path / "llc" / "other.json").write_text(json.dumps({}))
    (result,) = verify(tmp_path, {})
    assert (result.outcome, result.note) == ("failed", "nothing to compare")

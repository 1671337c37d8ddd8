"""The surface benchmark runs, and is right; how fast it was is for `solera bench landscape` to say."""

import importlib.util
import json

import pytest

from solera.errors import InputError
from solera.testing import bench_landscape
from solera.testing.bench import Row, run_bench

needs_peer = pytest.mark.skipif(importlib.util.find_spec("loss_landscapes") is None, reason="needs the extra bench")


@needs_peer
def test_a_small_slice_gives_whole_rows(monkeypatch):
    monkeypatch.setattr(bench_landscape, "SLICE", 2)
    monkeypatch.setattr(bench_landscape, "TRIALS", 1)
    said: list[str] = []
    found = json.loads(json.dumps(run_bench("landscape", said.append)))
    assert set(found) == {"bench", "version", "machine", "rows"}
    time, error = found["rows"]
    assert time["ours"] > 0
    assert time["ratio"] == pytest.approx(time["ours"] / time["peer"])
    assert time["floor"] > 0
    assert time["met"] == (time["ratio"] <= 1.0)
    assert error["ours"] < error["target"] == 2e-5
    assert error["met"]
    assert len(said) == 2


def test_a_missing_peer_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "loss_landscapes", None)
    with pytest.raises(InputError, match=r"pip install 'solera\[bench,demo\]'"):
        run_bench("landscape")


def test_a_row_judges_its_ratio_and_without_one_its_figure():
    assert Row.of("c", "m", "s", 2.0, peer=4.0, floor=1.0, target=1.0).ratio == 0.5
    assert Row.of("c", "m", "s", 2.0, floor=1.0, target=1.5).met is False
    assert Row.of("c", "m", "s", 2.0, target=3.0).met is True
    assert Row.of("c", "m", "s", 2.0).met is None


def test_an_unknown_benchmark_is_a_sentence():
    with pytest.raises(InputError, match="No benchmark is called 'soup'; known: "):
        run_bench("soup")

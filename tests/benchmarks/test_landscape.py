"""The surface benchmark runs, and is right; how fast it was is for `solera bench landscape` to say."""

import importlib.util
import json

import pytest

from solera.errors import InputError
from solera.landscapes import calibration
from solera.testing import bench_landscape, landscape_subjects
from solera.testing.bench import Row, report, run_bench
from solera.testing.bench_landscape_page import write_page

needs_peer = pytest.mark.skipif(importlib.util.find_spec("loss_landscapes") is None, reason="needs the extra bench")


@needs_peer
def test_a_small_slice_gives_whole_rows(monkeypatch, tmp_path):
    monkeypatch.setattr(bench_landscape, "SLICE", 2)
    monkeypatch.setattr(bench_landscape, "SLICES", {})
    monkeypatch.setattr(bench_landscape, "TRIALS", 1)
    monkeypatch.setattr(bench_landscape, "PICTURES", {"MLP": {5: (None, None, None)}})
    monkeypatch.setattr(calibration, "WORTH", 1e9)
    monkeypatch.setattr(landscape_subjects, "EPOCHS", 2)
    said: list[str] = []
    rows = bench_landscape.landscape(said.append, only=("MLP",), cells=9)
    found = json.loads(json.dumps(report("landscape", rows)))
    assert set(found) == {"bench", "version", "machine", "rows"}
    by_metric = {row["metric"]: row for row in found["rows"]}
    time, error = by_metric["CPU time"], by_metric["largest relative error of the loss against float64"]
    assert time["ours"] > 0
    assert time["ratio"] == pytest.approx(time["ours"] / time["peer"])
    assert time["floor"] > 0
    assert time["met"] == (time["ratio"] <= 1.0)
    assert error["ours"] < error["target"] == 2e-5
    assert error["met"]
    assert by_metric["largest relative error of the loss, 9 cells"]["ours"] < 10
    page = tmp_path / "page.md"
    write_page(found, page)
    assert "| MLP, 51x51 plane, 1797 samples | CPU time |" in page.read_text()
    assert page.with_suffix(".svg").read_text().startswith("<svg")


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

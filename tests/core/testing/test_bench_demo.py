import pytest

from solera.errors import InputError
from solera.testing.bench_demo import DemoResult, bench_demo, document, markdown


def row(name, value, gain=None, noise=False):
    plain = {"name": name, "single": gain is None, "numbers": {}, "tried": 0, "mean": {"value": value, "stderr": 0.01}}
    plain["scores"] = {"turned.accuracy": {"value": value}, "turned.cross_entropy": {"value": 1.0}}
    return plain | ({"gain": {"value": gain, "stderr": 0.01, "within_noise": noise}} if gain is not None else {})


RESULT = DemoResult(
    "digits",
    (
        {"metric": "accuracy", "rows": [row("base", 0.5), row("average", 0.6, 0.1)]},
        {"metric": "accuracy", "rows": [row("base", 0.6), row("average", 0.62, 0.02, noise=True)]},
    ),
    "| a table |",
    (10.0, 12.0),
)


def test_cells_are_means_and_deviations_over_seeds():
    lines = markdown(RESULT).splitlines()
    assert lines[0] == "| model | turned | mean | gain over best single | seeds beyond noise |"
    assert lines[2] == "| base | 55.0 ± 7.1 | 55.0 ± 7.1 |  |  |"
    assert lines[3] == "| average | 61.0 ± 1.4 | 61.0 ± 1.4 | +6.0 ± 5.7 | 1 of 2 |"


def test_the_page_says_how_it_was_made():
    page = document([RESULT], threads=2)
    assert "bench_demo 2 docs/reference/demo-results.md" in page
    assert "10 / 12 s" in page
    assert "| a table |" in page


def test_unknown_examples_are_refused():
    with pytest.raises(InputError, match="No demo is called letters"):
        bench_demo(1, ["letters"])


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_it_trains_and_compares():
    (result,) = bench_demo(1, ["digits"])
    rows = {row["name"]: row for row in result.comparisons[0]["rows"]}
    for merged in ("average", "task arithmetic", "TIES"):
        assert rows[merged]["gain"]["value"] > 0
        assert not rows[merged]["gain"]["within_noise"]

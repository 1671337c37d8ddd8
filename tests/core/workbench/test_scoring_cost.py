"""What explorations, evaluations and comparisons will take, before they start; and refusals with numbers."""

from typing import Any

from solera.settings import Settings
from solera.workbench import Workbench

NUMEL = 103_130
PLANE = [f"checkpoints/digits-{name}" for name in ("base", "rotated", "inverted")]


def explored(points: int, **more: Any) -> dict[str, Any]:
    return {
        "solera": 1, "kind": "explore", "title": "a line", "family": {"line": PLANE[:2]}, "tasks": ["rotated"],
        "report": "", "limit": 32, "explorer": {"name": "grid", "params": {"points": points}}, **more,
    }  # fmt: skip


def test_points_bytes_and_time_are_told_by_a_former_run(bench: Workbench) -> None:
    first = bench.jobs.wait(bench.submit(explored(3)).id, 120)
    assert first.state == "done", first.error
    told = bench.estimate(bench.jobs.wait(bench.submit(explored(7)).id, 120))
    assert told.points == 7
    assert told.reads == 2 * 4 * NUMEL
    assert told.holds >= 4 * NUMEL * 4, "both models, the point and the network"
    assert told.seconds is not None
    assert told.seconds > 0
    other = bench.submit(explored(7, tasks=["inverted"], limit=16))
    assert bench.estimate(other).seconds is None, "no run on this task yet"
    bench.jobs.wait(other.id, 120)


def test_a_comparison_and_an_evaluation_are_told_too(bench: Workbench) -> None:
    entries = [{"name": path, "checkpoint": path} for path in PLANE]
    plain = {"solera": 1, "kind": "compare", "entries": entries, "tasks": ["rotated"], "limit": 32}
    told = bench.estimate(bench.jobs.wait(bench.submit(plain).id, 120))
    assert (told.points, told.reads, told.holds) == (3, 3 * 4 * NUMEL, 2 * 4 * NUMEL)
    one = bench.submit_evaluate(bench.inputs.recipe(PLANE[0]), ["rotated"])
    told = bench.estimate(bench.jobs.wait(one.id, 120))
    assert (told.points, told.reads) == (1, 4 * NUMEL)


def test_what_cannot_fit_is_refused_with_numbers_before_and_when_it_runs(bench: Workbench) -> None:
    bench.use(Settings(threads=1, memory=1_000_000))
    job = bench.submit(explored(3))
    told = bench.estimate(job)
    assert "'a line' needs" in told.refusal
    assert "the memory budget is 1 MB" in told.refusal
    done = bench.jobs.wait(job.id, 120)
    assert done.state == "failed"
    assert done.error is not None
    assert "the memory budget is 1 MB" in str(done.error)
    assert bench.jobs.ledger.held == 0

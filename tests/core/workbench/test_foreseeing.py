import pytest

from solera.errors import FaultsError, InputError, TaskError
from solera.runs.reader import RunReader
from solera.workbench import Workbench
from solera.workbench.foreseeing import Foreseen
from solera.workbench.outcome import result_of

PLAIN = {
    "solera": 1,
    "kind": "explore",
    "family": {"line": ["library:digits-rotated", "library:digits-inverted"]},
    "tasks": ["rotated", "inverted"],
    "explorer": {"name": "grid", "params": {"points": 4}},
}


def test_what_an_exploration_would_be_is_what_it_is(bench: Workbench) -> None:
    assert bench.foresee(PLAIN) == Foreseen(("t",), 4)
    job = bench.submit({**PLAIN, "limit": 8, "report": ""})
    bench.jobs.wait(job.id, 60)
    points = RunReader(result_of(job)["path"]).points()
    assert points.coords.shape == (4, 1)
    assert bench.foresee({**PLAIN, "budget": 3}).points == 3


def test_what_does_not_go_together_is_said_before_anything_is_scored(bench: Workbench) -> None:
    with pytest.raises(InputError, match=r"Make a family of which models are in: \{subset"):
        bench.foresee({**PLAIN, "explorer": {"name": "greedy_soup"}})
    with pytest.raises(InputError, match="has no numbered layers"):
        bench.foresee({**PLAIN, "family": {"stack": ["library:digits-rotated"]}, "budget": 4})
    with pytest.raises(TaskError, match="is not known"):
        bench.foresee({**PLAIN, "tasks": ["nothing"]})
    with pytest.raises(FaultsError, match="line goes through 2 models"):
        bench.foresee({**PLAIN, "family": {"line": ["library:digits-rotated"]}})
    with pytest.raises(InputError, match="two objectives or more"):
        bench.foresee({**PLAIN, "tasks": ["rotated"], "explorer": {"name": "pareto"}})

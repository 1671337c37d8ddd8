from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import FaultsError, NotFoundError
from solera.workbench.experiment import Experiment, dump_experiment, load_experiment

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
EXPERIMENTS = st.builds(
    Experiment,
    title=st.text(max_size=20),
    family=st.one_of(
        st.fixed_dictionaries({"line": st.just(["a", "b"]), "margin": st.floats(0, 2)}),
        st.fixed_dictionaries({"recipe": st.just("r.yaml"), "bounds": st.just({"x": [0.0, 1.5]})}),
    ),
    tasks=st.lists(NAMES, min_size=1, max_size=3, unique=True).map(tuple),
    split=st.sampled_from(["selection", "train"]),
    report=st.sampled_from(["report", ""]),
    explorer=st.fixed_dictionaries({"name": NAMES, "params": st.dictionaries(NAMES, st.integers(0, 9), max_size=2)}),
    budget=st.integers(0, 1000),
    seed=st.integers(-5, 2**40),
    keep_samples=st.booleans(),
)


@given(EXPERIMENTS)
@settings(max_examples=60)
def test_an_experiment_survives_its_own_file(tmp_path_factory: pytest.TempPathFactory, experiment: Experiment) -> None:
    text = dump_experiment(experiment)
    file = tmp_path_factory.mktemp("e") / "experiment.yaml"
    file.write_text(text, encoding="utf-8")
    loaded = load_experiment(file)
    assert loaded.to_plain() == experiment.to_plain()
    assert dump_experiment(loaded) == text


def codes(plain: object, tmp_path: Path) -> set[tuple[str, str]]:
    with pytest.raises(FaultsError) as caught:
        load_experiment(plain)  # type: ignore[arg-type]
    return {(fault.code, fault.place) for fault in caught.value.faults}


def test_all_faults_at_once(tmp_path: Path) -> None:
    plain = {
        "kind": "explore",
        "family": {"line": ["a"], "margin": -1, "colour": 3, "bounds": {"t": [1, 0]}},
        "tasks": ["a", "a"],
        "split": "holdout",
        "budget": -4,
        "explorer": {"nme": "grid"},
        "speed": 3,
        "dtype": "int8",
    }
    assert codes(plain, tmp_path) == {
        ("experiment.version", "solera"),
        ("experiment.family", "family.line"),
        ("experiment.margin", "family.margin"),
        ("experiment.unknown-key", "family.colour"),
        ("experiment.bounds", "family.bounds"),
        ("experiment.tasks", "tasks"),
        ("experiment.split", "split"),
        ("experiment.type", "budget"),
        ("experiment.unknown-key", "explorer"),
        ("experiment.unknown-key", "speed"),
        ("experiment.dtype", "dtype"),
    }


def test_faults_of_entries(tmp_path: Path) -> None:
    entries = [
        {"name": "a", "checkpoint": "x", "recipe": "y"},
        {"name": "a", "checkpoint": "x", "colour": 1},
        {"checkpoint": "x", "tune": {"s": []}},
    ]
    found = codes({"solera": 1, "kind": "compare", "tasks": ["t"], "entries": entries}, tmp_path)
    assert found == {
        ("experiment.entries", "entries[0]"),
        ("experiment.entries", "entries[1].name"),
        ("experiment.unknown-key", "entries[1].colour"),
        ("experiment.entries", "entries[2].name"),
        ("experiment.tune", "entries[2].tune"),
    }


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2", "\x00", "x: !!python/object:os.system {}"])
def test_files_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "e.yaml").write_text(text)
    with pytest.raises(FaultsError):
        load_experiment(tmp_path / "e.yaml")
    with pytest.raises(NotFoundError):
        load_experiment(tmp_path / "missing.yaml")

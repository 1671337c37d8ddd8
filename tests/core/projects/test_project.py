import multiprocessing
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from solera.checkpoints.fingerprint import fingerprint
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.errors import (
    CheckpointError,
    FaultsError,
    InputError,
    LockedError,
    NotFoundError,
    OutputError,
    SoleraError,
)
from solera.execution.writer import write_checkpoint
from solera.projects.project import Project
from solera.projects.project_file import FILE


def make(path: Path, value: float = 1.0, config: dict | None = None) -> Path:
    return write_checkpoint({"weight": torch.full((4, 2), value)}, path, config=config)


def test_a_new_project_has_its_folders_and_is_found_from_inside(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p", "My project") as project:
        assert project.name == "My project"
        assert {path.name for path in project.folder.iterdir() if path.is_dir()} == {
            "recipes", "experiments", "runs", "artifacts", "outputs",
        }  # fmt: skip
        assert Project.find(project.runs_folder / "deep") == project.folder
    assert Project.find(tmp_path) is None
    with pytest.raises(OutputError, match="already"):
        Project.create(tmp_path / "p")
    with pytest.raises(NotFoundError, match="solera new"):
        Project.open(tmp_path)


def test_the_library_keeps_paths_relative_inside_and_absolute_outside(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p") as project:
        inside = project.library.add(make(project.folder / "checkpoints" / "in", config={"architecture": "tiny"}))
        outside = project.library.add(make(tmp_path / "out"), "far")
        assert project.library.add(tmp_path / "out") == outside
        assert {item.path for item in project.file.library.values()} == {"checkpoints/in", str(tmp_path / "out")}
        assert (inside.name, inside.format, inside.architecture) == ("in", "safetensors", "tiny")
        assert (inside.numel, inside.dtype, inside.nbytes) == (8, "float32", 32)
    (tmp_path / "p").rename(tmp_path / "moved")
    with Project.open(tmp_path / "moved") as project:
        assert project.library.get("in").path == tmp_path / "moved" / "checkpoints" / "in"
        assert not project.library.get("in").missing


def test_a_known_fingerprint_is_listed(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p") as project:
        entry = project.library.add(make(tmp_path / "a"))
        assert entry.fingerprint == ""
        with open_checkpoint(entry.path) as checkpoint:
            known = fingerprint(checkpoint, cache=project.fingerprints, context=QuietContext())
        assert project.library.get("a").fingerprint == known


def test_a_missing_file_is_flagged_and_can_be_relocated(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p") as project:
        project.library.add(make(tmp_path / "a"))
        (tmp_path / "a").rename(tmp_path / "b")
        entry = project.library.get("a")
        assert entry.missing
        assert "relocate" in entry.trouble
        assert not project.library.relocate("a", tmp_path / "b").missing
        with pytest.raises(NotFoundError):
            project.library.relocate("a", tmp_path / "nowhere")
        project.library.remove("a")
        assert project.library.entries() == []
        assert (tmp_path / "b").exists()


def test_what_is_no_checkpoint_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "torn.safetensors").write_bytes(b"\x10")
    with Project.create(tmp_path / "p") as project:
        for path, error in (
            ("nowhere", NotFoundError),
            ("notes.txt", CheckpointError),
            ("torn.safetensors", CheckpointError),
        ):
            with pytest.raises(error):
                project.library.add(tmp_path / path)
        with pytest.raises(InputError):
            project.library.add(make(tmp_path / "a"), "a name")
        assert project.library.entries() == []
        project.library.add(tmp_path / "a")
        with pytest.raises(InputError, match="already"):
            project.library.add(make(tmp_path / "b"), "a")


def test_outputs_are_listed_even_without_a_record(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p") as project:
        make(project.outputs / "blend")
        (project.outputs / ".blend.solera").mkdir()
        project.library.record_made(project.outputs / "blend", {"run": "r1"})
        make(project.outputs / "older")
        entries = project.library.entries()
        assert [(e.name, e.role, dict(e.lineage)) for e in entries] == [
            ("outputs/blend", "made", {"run": "r1"}),
            ("outputs/older", "made", {}),
        ]
        with pytest.raises(NotFoundError, match="outputs/blend"):
            project.library.get("blended")


def _try_to_open(folder: Path, outcome: multiprocessing.SimpleQueue) -> None:
    try:
        Project.open(folder).close()
        outcome.put("opened")
    except LockedError as error:
        outcome.put(str(error))


def test_a_second_process_may_read_only(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("spawn")
    outcome = fork.SimpleQueue()
    with Project.create(tmp_path / "p") as project:
        project.set_task("rotated", "digits", {"transform": "rotation"})
        process = fork.Process(target=_try_to_open, args=(project.folder, outcome))
        process.start()
        assert "in use by process" in outcome.get()
        process.join()
        second = Project.open(project.folder, read_only=True)
        assert second.tasks["rotated"].params == {"transform": "rotation"}
        with pytest.raises(LockedError, match="read-only"):
            second.set_task("other", "digits")
        shared = Project.open(project.folder, lock=False)
        with pytest.raises(LockedError):
            shared.set_task("other", "digits")
    shared.set_task("other", "digits")
    with Project.open(tmp_path / "p") as project:
        assert list(project.tasks) == ["rotated", "other"]


def test_all_faults_of_the_file_at_once(tmp_path: Path) -> None:
    Project.create(tmp_path / "p").close()
    (tmp_path / "p" / FILE).write_text('solera = 1\nname = 3\ncolour = "x"\n[tasks.a]\n[library."a b"]\npath = "x"\n')
    with pytest.raises(FaultsError) as caught:
        Project.open(tmp_path / "p")
    assert {(fault.code, fault.place) for fault in caught.value.faults} == {
        ("project.type", "name"),
        ("project.unknown-key", "colour"),
        ("project.type", "tasks.a.task"),
        ("project.name", "library.a b"),
    }
    (tmp_path / "p" / FILE).write_text("solera = 99")
    with pytest.raises(FaultsError, match="Update Solera"):
        Project.open(tmp_path / "p")


NAMES = st.sampled_from(["a", "b", "llama-3.1", "c_d"])
PARAMS = st.dictionaries(
    NAMES, st.one_of(st.integers(), st.booleans(), st.text(max_size=5), st.floats(-1, 1)), max_size=2
)


class ProjectMachine(RuleBasedStateMachine):
    """A project's file against a dict: what is set is there, also after opening anew."""

    tasks = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name) / "p"
        self.project = Project.create(self.folder)
        self.model: dict[str, tuple[str, dict]] = {}

    @rule(name=NAMES, kind=NAMES, params=PARAMS)
    def set_task(self, name: str, kind: str, params: dict) -> None:
        params = {key: value for key, value in params.items() if key != "task"}
        self.project.set_task(name, kind, params)
        self.model[name] = (kind, params)

    @rule(name=NAMES)
    def remove_task(self, name: str) -> None:
        if name in self.model:
            self.project.remove_task(name)
            del self.model[name]
        else:
            with pytest.raises(SoleraError):
                self.project.remove_task(name)

    @rule()
    def reopen(self) -> None:
        self.project.close()
        self.project = Project.open(self.folder)

    @invariant()
    def agrees(self) -> None:
        assert {n: (t.task, dict(t.params)) for n, t in self.project.tasks.items()} == self.model

    def teardown(self) -> None:
        self.project.close()
        self.temporary.cleanup()


TestProjectMachine = ProjectMachine.TestCase
TestProjectMachine.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)

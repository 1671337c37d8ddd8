from typing import get_args

from solera.events import JobState
from solera.jobs.job import Job
from solera.jobs.records import JobRecords
from solera.jobs.spec import JobSpec


def test_unfinished_jobs_of_the_dead_are_found(tmp_path):
    dead = JobRecords(tmp_path / "jobs")
    states: tuple[JobState, ...] = ("queued", "running", "paused", "failed", "interrupted", "done", "cancelled")
    assert set(states) == set(get_args(JobState))
    for n, state in enumerate(states):
        dead.save(Job(JobSpec("k", state, {"n": n}), id=state, state=state, run=f"r{n}", created=float(n)))
    assert JobRecords(tmp_path / "jobs").load() == []  # its process lives
    dead.close()
    found = JobRecords(tmp_path / "jobs").load()
    assert [(job.id, job.state) for job in found] == [
        ("queued", "interrupted"), ("running", "interrupted"), ("paused", "interrupted"), ("failed", "failed"),
        ("interrupted", "interrupted"),
    ]  # fmt: skip
    assert found[1].spec == JobSpec("k", "running", {"n": 1})
    assert found[1].run == "r1"


def test_a_finished_job_is_forgotten(tmp_path):
    records = JobRecords(tmp_path)
    job = Job(JobSpec("k", "t"), state="running")
    records.save(job)
    job.state = "done"
    records.save(job)
    records.close()
    assert list(tmp_path.iterdir()) == []


def test_damaged_and_foreign_files_are_left_out(tmp_path, caplog):
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.json").write_text("[]")
    (tmp_path / "c.json").write_text('{"session": "x", "format": 99}')
    assert JobRecords(tmp_path).load() == []
    assert JobRecords(tmp_path / "none").load() == []


def test_a_folder_that_cannot_be_written_does_not_fail_the_job(tmp_path):
    (tmp_path / "file").touch()
    records = JobRecords(tmp_path / "file" / "jobs")
    records.save(Job(JobSpec("k", "t")))
    assert not records.folder.exists()

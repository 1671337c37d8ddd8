import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from solera.projects.project import Project
from solera.settings import Settings
from solera.workbench import Workbench


@pytest.fixture(scope="session")
def digits_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits example in a project, made once."""
    folder = tmp_path_factory.mktemp("template") / "digits"
    with Project.create(folder) as project, Workbench(project, settings=Settings(threads=1)) as bench:
        job = bench.jobs.wait(bench.submit_demo("digits").id, 120)
        assert job.state == "done", job.error
    return folder


@pytest.fixture
def folder(digits_template: Path, tmp_path: Path) -> Path:
    """A project of the test's own."""
    return Path(shutil.copytree(digits_template, tmp_path / "project"))


@pytest.fixture
def bench(folder: Path) -> Iterator[Workbench]:
    """A workbench on it, holding its lock."""
    with Project.open(folder) as project, Workbench(project, settings=Settings(threads=1)) as workbench:
        yield workbench

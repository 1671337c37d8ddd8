"""What the examples of the documentation begin with: the first half of the demo."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits example as a project, made once; its checkpoints come with Solera."""
    from solera.projects.project import Project
    from solera.settings import Settings
    from solera.workbench import Workbench

    folder = tmp_path_factory.mktemp("docs") / "demo-project"
    with Project.create(folder) as project, Workbench(project, settings=Settings(), safe_mode=True) as bench:
        job = bench.jobs.wait(bench.submit_demo("digits").id, 120.0)
        assert job.state == "done", job.error
    return folder

"""What the examples of the documentation run in: a folder of their own, with a copy of the demo's first half."""

import os
import shutil
import sys
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


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a person who has just installed Solera and set nothing."""
    quiet = {key: value for key, value in os.environ.items() if not key.startswith(("SOLERA_", "PYTEST_"))}
    return quiet | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SOLERA_CONFIG": str(tmp_path / "config" / "settings.toml"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "QT_QPA_PLATFORM": "offscreen",
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "error::DeprecationWarning:solera",
    }


@pytest.fixture
def project(demo: Path, tmp_path: Path) -> Path:
    """A copy of the demo project that an example may change."""
    return Path(shutil.copytree(demo, tmp_path / "work" / "demo-project"))

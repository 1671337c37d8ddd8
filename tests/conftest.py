"""For all tests: a home of their own, and no tests of the window where Qt is absent."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.warm import Warm

# By the clock Hypothesis would tell a busy machine from an idle one, and nothing of ours.
settings.register_profile("solera", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("solera")

_NEEDS_QT = re.compile(
    r"^\s*(from|import) (PySide6|pyqtgraph|solera_app|pytestqt|tests\.flows\.(monkey|person))|\bqtbot\b", re.MULTILINE
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without pytest-qt (see tests/run.py), leave out every file that needs Qt."""
    if config.pluginmanager.hasplugin("pytest-qt"):
        return None
    if collection_path == Path(__file__).parent / "app":
        return True
    if collection_path.suffix != ".py":
        return None
    if collection_path.name == "conftest.py" or not collection_path.is_file():
        return None
    return True if _NEEDS_QT.search(collection_path.read_text(encoding="utf-8")) else None


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """Runs commands in processes that need not import torch again."""
    made = Warm()
    yield made
    made.end()


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the settings and caches of the person who runs it."""
    home = tmp_path_factory.mktemp("home", numbered=True)
    monkeypatch.setenv("SOLERA_CONFIG", str(home / "config" / "settings.toml"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))

"""Every example of the documentation that is marked runs, in order, as a reader would run it.

A mark is an HTML comment on the line before a fenced block:

- ``<!-- run -->``: the block is run: ``python`` as a script, ``sh`` by bash, in the page's folder.
- ``<!-- run: expect N -->``: the same, and it exits with N.
- ``<!-- file: PATH -->``: the block is written to PATH first.

A page begins in a folder that holds ``demo-project``, or, with ``<!-- examples in: demo-project -->`` anywhere in it,
inside that project.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.warm import Warm

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(
    r"^<!-- (?P<mark>run|file)(?:: (?P<what>[^\n]+?))? -->\n+```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_WHERE = re.compile(r"<!-- examples in: (\S+) -->")
_MARK = re.compile(r"^<!-- (run|file)\b", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A marked block."""

    mark: str
    what: str
    language: str
    text: str
    line: int


def examples(page: Path) -> list[Example]:
    text = page.read_text(encoding="utf-8")
    found = [
        Example(hit["mark"], hit["what"] or "", hit["language"], hit["text"], text.count("\n", 0, hit.start()) + 1)
        for hit in _BLOCK.finditer(text)
    ]
    assert len(found) == len(_MARK.findall(text)), f"{page}: a mark stands before no fenced block"
    return found


def with_examples() -> list[Path]:
    return [page for page in PAGES if _MARK.search(page.read_text(encoding="utf-8"))]


def run_page(page: Path, demo: Path, folder: Path, warm: Warm) -> str:
    """Run a page's examples in order; what went wrong, or nothing."""
    where = _WHERE.search(page.read_text(encoding="utf-8"))
    shutil.copytree(demo, folder / "work" / "demo-project")
    here = folder / "work" / (where[1] if where else "")
    for example in examples(page):
        if example.mark == "file":
            target = here / example.what
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(example.text, encoding="utf-8")
            continue
        variables = environment(folder, warm)
        if example.language == "python":
            done = warm.run(["-c", example.text], cwd=here, env=variables, timeout=240)
        else:
            command = ["bash", "-euo", "pipefail", "-c", example.text]
            done = subprocess.run(
                command, cwd=here, env=variables, capture_output=True, text=True, timeout=240, check=False
            )
        if done.returncode != int(example.what.removeprefix("expect ") or 0):
            said = f"stdout: {done.stdout[-2000:]}\nstderr: {done.stderr[-4000:]}"
            return f"{page}:{example.line} ended with {done.returncode}\n{example.text}\n{said}"
    return ""


def environment(folder: Path, warm: Warm) -> dict[str, str]:
    """The environment of a person who has just installed Solera and set nothing, and does not wait for torch."""
    quiet = {key: value for key, value in os.environ.items() if not key.startswith(("SOLERA_", "PYTEST_"))}
    without_qt = {} if "pytestqt" in sys.modules else {"PYTEST_ADDOPTS": "-p no:pytest-qt"}  # it needs Qt to load
    return (
        quiet
        | without_qt
        | {
            "PATH": os.pathsep.join(
                [str(warm.shim(folder / "bin")), str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            "SOLERA_CONFIG": str(folder / "config" / "settings.toml"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "QT_QPA_PLATFORM": "offscreen",
            "OMP_NUM_THREADS": "1",
        }
    )


@pytest.fixture(scope="session")
def outcomes(
    request: pytest.FixtureRequest, demo: Path, warm: Warm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Path, Future[str]]]:
    """What came of each page; a page per core at a time."""
    chosen = " ".join(item.nodeid for item in request.session.items)
    wanted = [page for page in with_examples() if f"[{page.relative_to(ROOT)}]" in chosen]
    warm.start()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield {page: pool.submit(run_page, page, demo, tmp_path_factory.mktemp(page.stem), warm) for page in wanted}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("page", with_examples(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_run(page: Path, outcomes: dict[Path, Future[str]]) -> None:
    if page.stem == "write-a-view":
        pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    assert outcomes[page].result() == ""


def test_readme_and_every_tutorial_have_examples() -> None:
    pages = {page.relative_to(ROOT).as_posix() for page in with_examples()}
    tutorials = {page.relative_to(ROOT).as_posix() for page in PAGES if page.parent.name == "tutorials"}
    assert {"README.md", *tutorials} <= pages

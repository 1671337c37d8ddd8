"""Every example of the documentation that is marked runs, in order, as a reader would run it.

A mark is an HTML comment on the line before a fenced block:

- ``<!-- run -->``: the block is run: ``python`` as a script, ``sh`` by bash, in the page's folder.
- ``<!-- run: expect N -->``: the same, and it exits with N.
- ``<!-- file: PATH -->``: the block is written to PATH first.

A page begins in a folder that holds ``demo-project``, or, with ``<!-- examples in: demo-project -->`` anywhere in it,
inside that project.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("page", with_examples(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_examples_of_a_page_run(page: Path, project: Path, environment: dict[str, str]) -> None:
    inside = _WHERE.search(page.read_text(encoding="utf-8"))
    folder = project.parent / inside[1] if inside else project.parent
    for example in examples(page):
        if example.mark == "file":
            target = folder / example.what
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(example.text, encoding="utf-8")
            continue
        command = {
            "python": [sys.executable, "-c", example.text],
            "sh": ["bash", "-euo", "pipefail", "-c", example.text],
        }[example.language]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        wanted = int(example.what.removeprefix("expect ")) if example.what else 0
        said = f"{page}:{example.line}\n{example.text}\nstdout: {done.stdout[-2000:]}\nstderr: {done.stderr[-4000:]}"
        assert done.returncode == wanted, said


def test_readme_and_every_tutorial_have_examples() -> None:
    pages = {page.relative_to(ROOT).as_posix() for page in with_examples()}
    tutorials = {page.relative_to(ROOT).as_posix() for page in PAGES if page.parent.name == "tutorials"}
    assert {"README.md", *tutorials} <= pages

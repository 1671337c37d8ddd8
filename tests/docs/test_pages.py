"""The documentation is current, whole and linked."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
DOCS = ROOT / "docs"

_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(#[^)\s]*)?\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_parts_are_current(generate: ModuleType) -> None:
    stale = [str(page.relative_to(ROOT)) for page, _ in generate.stale()]
    assert stale == [], "run: make docs"


def test_every_generated_part_is_used(generate: ModuleType) -> None:
    used = {
        name for page in generate.pages() for name in re.findall(r"<!-- generated: ([a-z-]+) -->", page.read_text())
    }
    assert used == set(generate.PARTS)


def test_the_generator_restores_what_was_changed(generate: ModuleType) -> None:
    page = (DOCS / "reference" / "methods.md").read_text(encoding="utf-8")
    assert generate.renewed(page.replace("Weighted average", "Something else")) == page


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    for path, anchor in _LINK.findall(text):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page}: {path}"
        if anchor and target.suffix == ".md":
            assert anchor[1:] in anchors(target), f"{page}: {path}{anchor}"


def test_every_picture_is_shown_on_a_page() -> None:
    shown = {name for page in PAGES for name in re.findall(r"images/([\w-]+\.png)", page.read_text(encoding="utf-8"))}
    assert {path.name for path in (DOCS / "images").iterdir()} == shown, "run: python docs/pictures.py PROJECT"


@pytest.mark.parametrize("folder", ["tutorials", "how-to", "reference", "explanation", "decisions"])
def test_the_index_names_every_page(folder: str) -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in sorted((DOCS / folder).glob("*.md")) if f"({folder}/{page.name})" not in index]
    assert missing == []


def test_headings_are_in_sentence_case_and_nobody_shouts() -> None:
    for page in PAGES:
        text = _CODE.sub("", page.read_text(encoding="utf-8"))
        assert "!" not in text.replace("<!--", "").replace("![", ""), page
        assert text.startswith("# "), page


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(page.name[:4]) for page in sorted((DOCS / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))

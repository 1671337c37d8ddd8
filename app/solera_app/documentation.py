"""The documentation without a network: pages of the docs folder, searched and shown in a window of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QSplitter,
    QTextBrowser,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from solera.errors import NotFoundError
from solera_app.bridge.slots import guarded
from solera_app.docks.row_view import RowView
from solera_app.models.rows import Row
from solera_app.theme import icon, themes
from solera_app.typeset import typeset

#: Folders of the documentation in the order they are listed, and what each is for.
SECTIONS = {
    "tutorials": "Learn", "how-to": "Get something done", "reference": "Look up", "reference/methods": "Methods",
    "explanation": "Understand",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """One page.

    Attributes:
        id: Its path in the folder: ``"how-to/read-a-run.md"``.
        title: Its first heading.
        section: Of :data:`SECTIONS`.
        path: The file.
    """

    id: str
    title: str
    section: str
    path: Path


def folder() -> Path:
    """Where the pages lie: in the installed package, or in the source tree beside it.

    Raises:
        NotFoundError: They were not installed.
    """
    here = Path(str(files("solera_assets")))
    for place in (here / "docs", here.parents[1] / "docs"):
        if (place / "README.md").is_file():
            return place
    raise NotFoundError("The documentation was not installed with Solera; it is in the folder 'docs' of its sources.")


def pages() -> list[Page]:
    """Every page, by section and title."""
    root = folder()
    found = []
    for section in SECTIONS:
        listed = sorted((root / section).glob("*.md"))
        made = [Page(path.relative_to(root).as_posix(), _title(path), section, path) for path in listed]
        found += sorted(made, key=lambda page: page.title.lower())
    return found


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        for text in file:
            if text.startswith("# "):
                return text[2:].strip().replace("`", "")
    return path.stem.replace("-", " ").capitalize()


class Documentation(QDialog):
    """A list of pages at the left, the page at the right.

    Args:
        parent: The window.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Documentation")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.resize(1080, 720)
        self.setMinimumSize(640, 420)
        self._pages = {page.id: page for page in pages()}
        self._texts: dict[str, str] = {}
        self.search = QLineEdit(placeholderText="Search the documentation", clearButtonEnabled=True)
        self.search.setAccessibleName("Search the documentation")
        self.search.setToolTip("Words anywhere on a page")
        self.view = RowView("Pages")
        self.text = QTextBrowser()
        self.text.setOpenLinks(False)
        self.text.setAccessibleName("Page")
        self.back = QToolButton()
        self.back.setToolTip("The page before (Alt+Left)")
        self.back.setAccessibleName("The page before")
        self.back.setShortcut("Alt+Left")
        self._way: list[str] = []
        self._lay_out()
        self.search.textChanged.connect(lambda _: self._show_list())
        self.view.chosen.connect(guarded(self._chosen))
        self.text.anchorClicked.connect(guarded(self._follow))
        self.back.clicked.connect(guarded(lambda _=False: self._back()))
        themes().changed.connect(self._recolour)
        self._recolour()
        self._show_list()

    def _lay_out(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.addWidget(self.back)
        head.addWidget(self.search, 1)
        column.addLayout(head)
        column.addWidget(self.view, 1)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(self.text)
        split.setSizes([320, 760])
        split.setChildrenCollapsible(False)
        row = QVBoxLayout(self)
        row.setContentsMargins(12, 12, 12, 12)
        row.addWidget(split)

    def _recolour(self) -> None:
        self.back.setIcon(icon("undo", "text-2"))
        if self.shown:
            place = self.text.verticalScrollBar().value()
            self.open_page(self.shown)
            self.text.verticalScrollBar().setValue(place)

    def _text(self, page: Page) -> str:
        if page.id not in self._texts:
            self._texts[page.id] = page.path.read_text(encoding="utf-8")
        return self._texts[page.id]

    def _show_list(self) -> None:
        words = self.search.text().lower().split()
        rows: list[Row] = []
        section = ""
        for page in self._pages.values():
            if words and not all(word in f"{page.title}\n{self._text(page)}".lower() for word in words):
                continue
            if page.section != section:
                section = page.section
                rows.append(Row(f"section:{section}", SECTIONS[section], section=True))
            rows.append(Row(page.id, page.title, tip=page.title))
        if not rows:
            rows = [Row("section:none", f"No match for '{self.search.text()}'", section=True)]
        self.view.rows_model.set_rows(rows)

    @property
    def shown(self) -> str:
        """Id of the page shown; empty before any is."""
        return self._way[-1] if self._way else ""

    def open_page(self, id_: str) -> None:
        """Show a page by its path in the folder.

        Raises:
            NotFoundError: There is none.
        """
        page = self._pages.get(id_)
        if page is None:
            raise NotFoundError(f"The documentation has no page '{id_}'.", page=id_)
        if self.shown != id_:
            self._way.append(id_)
        self.text.setSearchPaths([str(page.path.parent)])
        text = re.sub(r"<!--.*?-->", "", self._text(page), flags=re.DOTALL)
        head, _, rest = text.partition("\n")  # code in a heading would be drawn as small as code in a line
        self.text.setMarkdown(f"{head.replace('`', '')}\n{rest}")
        typeset(self.text.document())
        self.back.setEnabled(len(self._way) > 1)
        self.view.choose(id_)

    def _chosen(self, id_: str) -> None:
        if id_ in self._pages and id_ != self.shown:
            self.open_page(id_)

    def _back(self) -> None:
        if len(self._way) > 1:
            self._way.pop()
            self.open_page(self._way[-1])

    def _follow(self, url: QUrl) -> None:
        """A link: another page, a place on this one, or something outside."""
        if url.scheme() in {"http", "https", "mailto"}:
            QDesktopServices.openUrl(url)
            return
        path = url.path()
        if path:
            here = self._pages[self.shown].path.parent if self.shown else folder()
            target = (here / path).resolve()
            inside = folder().resolve()
            if inside in target.parents and target.relative_to(inside).as_posix() in self._pages:
                self.open_page(target.relative_to(inside).as_posix())
            elif target.exists():
                QDesktopServices.openUrl(QUrl.fromLocalFile(str(target)))
                return
            else:
                raise NotFoundError(f"The documentation has no page '{path}'.", page=path)
        if url.hasFragment():
            self.text.scrollToAnchor(url.fragment())

"""The library: sections, search, what a drag carries, what may be dropped, tags."""

import json
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from solera_app.canvases.gestures.drop import LIBRARY_MIME as CANVAS_MIME
from solera_app.canvases.gestures.drop import dropped_files
from solera_app.docks.library import LIBRARY_MIME, LibraryDock
from solera_app.models.rows import Row

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def library(shown: Any, entry: Any) -> LibraryDock:
    made: LibraryDock = shown(LibraryDock())
    made.set_entries(
        [
            entry("base", Path("/models/base"), numel=8_030_000_000, dtype="bfloat16", nbytes=16_060_000_000),
            entry("math"),
            entry("tone", role="adapter", adapter="LoRA, rank 16", base="org/base"),
            entry("outputs/blend", role="made"),
            entry("gone", missing=True),
            entry("cut", trouble="/models/cut is truncated."),
        ]
    )
    return made


def rows(library: LibraryDock) -> list[Row]:
    return list(library.view.rows_model.rows)


def test_sections_and_facts(library: LibraryDock) -> None:
    assert [(row.title, row.right) for row in rows(library) if row.section] == [
        ("Checkpoints", "3"), ("Adapters", "1"), ("Made here", "1"), ("Not found", "1"),
    ]  # fmt: skip
    base = library.row_of("base")
    assert base is not None
    assert base.facts == "8.03 B · bf16 · 16.1 GB"
    tone = library.row_of("tone")
    assert tone is not None
    assert tone.facts.startswith("LoRA, rank 16 · ")
    assert tone.icon == "adapter"
    assert "Trained on org/base" in tone.tip
    gone = library.row_of("gone")
    assert gone is not None
    assert (gone.right, gone.dim) == ("Relocate…", True)
    cut = library.row_of("cut")
    assert cut is not None
    assert cut.icon_token == "error"
    assert "truncated" in cut.tip


def test_search_keeps_what_matches_and_says_so_when_nothing_does(library: LibraryDock) -> None:
    QTest.keyClicks(library.search, "MATH")
    assert [row.title for row in rows(library) if not row.section] == ["math"]
    QTest.keyClicks(library.search, "zzz")
    assert [row.title for row in rows(library)] == ["No match for 'MATHzzz'"]
    library.search.clear()
    assert len(rows(library)) == 10


def test_a_drag_carries_names_and_paths_of_what_is_there(library: LibraryDock) -> None:
    assert LIBRARY_MIME == CANVAS_MIME
    library.view.selectAll()
    everything = library.view.mime(library.view.selected_ids())
    carried = json.loads(bytes(everything.data(LIBRARY_MIME).data()))
    assert [entry["name"] for entry in carried] == ["base", "math", "cut", "tone", "outputs/blend"], "not what is gone"
    assert library.view.mime(["gone"]).urls() == []
    carried = json.loads(bytes(library.view.mime(["base", "math"]).data(LIBRARY_MIME).data()))
    assert carried == [{"name": "base", "path": "/models/base"}, {"name": "math", "path": "/models/x"}]
    mime = library.view.mime(["base", "math"])
    assert [url.toLocalFile() for url in mime.urls()] == ["/models/base", "/models/x"], "for a file manager"
    assert dropped_files(mime) == [], "for this window they are entries, not files to add again"


def test_files_may_be_dropped_text_may_not(library: LibraryDock, qtbot: Any) -> None:
    files, text = QMimeData(), QMimeData()
    files.setUrls([QUrl.fromLocalFile("/a/model.safetensors"), QUrl("https://example.org/x")])
    text.setText("hello")
    for mime, welcome in ((files, True), (text, False)):
        event = QDragEnterEvent(library.rect().center(), Qt.DropAction.CopyAction, mime, LEFT, PLAIN)
        event.ignore()
        QApplication.sendEvent(library, event)
        assert event.isAccepted() is welcome
    drop = QDropEvent(QPointF(20, 200), Qt.DropAction.CopyAction, files, LEFT, PLAIN)
    with qtbot.waitSignal(library.filesDropped) as told:
        QApplication.sendEvent(library, drop)
    assert told.args == [["/a/model.safetensors"]]


def test_a_double_click_opens_and_roles_are_tags(library: LibraryDock, qtbot: Any) -> None:
    view = library.view
    place = view.visualRect(view.rows_model.find("math")).center()
    with qtbot.waitSignal(library.opened) as told:
        QTest.mouseClick(view.viewport(), LEFT, PLAIN, place)
        QTest.mouseDClick(view.viewport(), LEFT, PLAIN, place)
    assert told.args == ["math"]
    library.set_roles({"base": "base", "math": "corner 1"})
    base, math = library.row_of("base"), library.row_of("math")
    assert base is not None
    assert math is not None
    assert (base.right, base.boxed, math.right, math.boxed) == ("base", True, "corner 1", False)
    assert view.selected_ids() == ["math"]


def test_the_empty_library_says_what_to_do(shown: Any, qtbot: Any) -> None:
    library = shown(LibraryDock())
    button = library._stack.empty.button
    assert button.isVisible()
    with qtbot.waitSignal(library.addRequested):
        QTest.mouseClick(button, LEFT)

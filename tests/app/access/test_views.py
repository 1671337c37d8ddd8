"""Every registered view, where a person meets it: named, explained, reached by keys, nothing clipped, in both themes.

The views stand alone, without the application's window, and a theme is put on once for all of them: what takes long is
to dress a whole window anew.
"""

import weakref

import pytest
from PySide6.QtCore import QEvent, QSize
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from tests.app.access.problems import clipped, helpless, out_of_reach, unnamed
from tests.app.views.conftest import RUNS, taken

from solera.extend.registry import Registry
from solera.runs.reader import RunReader
from solera_app.theme import themes
from solera_app.views.host import RunView
from solera_app.views.snapshot import Snapshot

VIEWS = Registry.discover(safe_mode=True).views
SNAPSHOTS: dict[str, Snapshot] = {name: taken(*made()) for name, made in RUNS.items()}
#: What half of a small window leaves for a view.
SMALL = QSize(520, 420)


def shown(name: str) -> RunView:
    """A view of the first run that it accepts, in its frame."""
    run = next(snapshot for snapshot in SNAPSHOTS.values() if VIEWS[name].accepts(snapshot.header))
    host = RunView(RunReader, {name: VIEWS[name]})
    host.resize(SMALL)
    host.show_snapshot(run)
    host.show()
    QApplication.processEvents()
    return host


@pytest.fixture(scope="module", params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(autouse=True)
def _dressed(_leaves_nothing: None, theme: str) -> None:
    themes().apply(theme)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(VIEWS))
def test_one_can_use_a_view_without_eyes_mouse_and_a_large_screen(qtbot: QtBot, theme: str, name: str) -> None:
    host = shown(name)
    qtbot.addWidget(host)
    view = host.current
    assert view is not None
    problems = [*unnamed(host), *helpless(host), *out_of_reach(host), *clipped(host)]
    least = view.minimumSizeHint().expandedTo(view.minimumSize())
    if least.width() > SMALL.width() or least.height() > SMALL.height():
        problems.append(f"does not fit {SMALL.toTuple()}: wants {least.toTuple()}")
    ground, paper = host.grab().toImage().pixelColor(3, SMALL.height() - 3), themes().current.colour("base")
    if ground != paper:
        problems.append(f"not in the {theme} theme: {ground.name()} for {paper.name()}")
    if not all(plot.accessibleName() and plot.accessibleDescription() for plot in view.plots()):
        problems.append("a plot does not say what it shows")
    assert problems == []


@pytest.mark.parametrize("name", list(VIEWS))
def test_a_view_that_is_closed_is_gone_at_once(qtbot: QtBot, name: str) -> None:
    host = shown(name)
    parts = [weakref.ref(each) for each in (host, *host.findChildren(QWidget))]
    host.close()
    host.deleteLater()
    del host
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert [part() for part in parts if part() is not None] == []

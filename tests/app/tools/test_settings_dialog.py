"""The settings dialog gives back what was chosen and keeps the rest."""

from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from solera.settings import Settings
from solera_app.settings_dialog import SettingsDialog, devices_of

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def parent(qtbot: Any) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    return made


def test_what_is_not_touched_stays(parent: QWidget) -> None:
    before = Settings(
        log_level="debug", memory=5_000_000_123, threads=3, plugin_folders=("/a",), device="cuda:3", theme="dark",
        disabled_plugins=("x",), safe_mode=True,
    )  # fmt: skip
    assert SettingsDialog(before, ("cpu",), "/x/settings.toml", parent).settings() == before


def test_what_is_chosen_comes_back(parent: QWidget, monkeypatch: pytest.MonkeyPatch) -> None:
    dialog = SettingsDialog(Settings(plugin_folders=("/a", "/b")), ("cpu", "cuda:0", "cuda:1"), "", parent)
    dialog.show()
    dialog.theme.setCurrentIndex(dialog.theme.findData("dark"))
    dialog.device.setCurrentIndex(dialog.device.findData("all"))
    dialog.threads.setValue(4)
    dialog.memory.setValue(8_000)
    QTest.mouseClick(dialog.safe, LEFT, pos=QPoint(8, dialog.safe.height() // 2))
    monkeypatch.setattr("PySide6.QtWidgets.QFileDialog.getExistingDirectory", lambda *a: "/c")
    QTest.mouseClick(dialog.add, LEFT)
    QTest.mouseClick(dialog.add, LEFT)  # twice the same is once
    assert not dialog.remove.isEnabled()
    dialog.folders.setCurrentRow(0)
    QTest.mouseClick(dialog.remove, LEFT)
    chosen = dialog.settings()
    assert (chosen.theme, chosen.device, chosen.threads, chosen.memory) == ("dark", "all", 4, 8_000_000_000)
    assert chosen.plugin_folders == ("/b", "/c")
    assert chosen.safe_mode
    dialog.close()


def test_a_device_that_is_not_there_is_still_told() -> None:
    assert devices_of(("cpu",), "auto") == {"auto": "automatic (cpu)", "cpu": "cpu"}
    assert devices_of(("cpu", "cuda:0"), "cuda:7")["cuda:7"] == "cuda:7 (not there)"
    assert devices_of(("cpu", "cuda:0"), "auto")["auto"] == "automatic (cuda:0)"

"""What the window remembers between two starts: layout, recent projects, open tabs. One small JSON file."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from solera.documents.files import write_text
from solera.settings import config_folder

#: Goes up when the docks change so that an old layout would not fit.
LAYOUT = 1
_RECENT = 12


class SessionStore:
    """The session file; a broken one is treated as empty.

    Args:
        file: Where; the settings folder by default.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or config_folder() / "session.json"
        self._content: dict[str, Any] = {}
        try:
            loaded = json.loads(self._file.read_text(encoding="utf-8"))
            if isinstance(loaded, dict):
                self._content = loaded
        except (OSError, ValueError):
            pass

    @property
    def recent(self) -> list[Path]:
        """Recent projects, latest first."""
        return [Path(item) for item in _strings(self._content.get("recent"))]

    def remember_project(self, folder: Path) -> None:
        """Put a project at the head of the recent ones."""
        others = [str(path) for path in self.recent if path != folder]
        self._content["recent"] = [str(folder), *others][:_RECENT]
        self.save()

    def forget_project(self, folder: Path) -> None:
        """Take a project off the recent ones."""
        self._content["recent"] = [str(path) for path in self.recent if path != folder]
        self.save()

    def clear_recent(self) -> None:
        """Forget the recent projects."""
        self._content["recent"] = []
        self.save()

    def layout(self) -> tuple[bytes, bytes] | None:
        """Window geometry and dock state, if they fit this version."""
        if self._content.get("layout") != LAYOUT:
            return None
        try:
            geometry, state = (base64.b64decode(self._content[key], validate=True) for key in ("geometry", "state"))
        except (KeyError, ValueError, TypeError):
            return None
        return geometry, state

    def keep_layout(self, geometry: bytes, state: bytes) -> None:
        """Remember window geometry and dock state."""
        self._content["layout"] = LAYOUT
        self._content["geometry"] = base64.b64encode(geometry).decode()
        self._content["state"] = base64.b64encode(state).decode()
        self.save()

    def tabs(self, project: Path) -> list[str]:
        """Recipes that were open in a project, as paths."""
        return _strings(self._tabs().get(str(project)))

    def keep_tabs(self, project: Path, paths: list[str]) -> None:
        """Remember which recipes are open in a project."""
        self._content["tabs"] = {**self._tabs(), str(project): paths}
        self.save()

    def work(self, project: Path) -> list[str]:
        """What else was open in a project, in the order of the tabs: ``"run:ID"``, ``"interpolation:PATH"``."""
        work = self._content.get("work")
        return _strings(work.get(str(project))) if isinstance(work, dict) else []

    def front(self, project: Path) -> str:
        """Key of the tab that was in front; empty if none is known."""
        front = self._content.get("front")
        found = front.get(str(project)) if isinstance(front, dict) else ""
        return found if isinstance(found, str) else ""

    def keep_work(self, project: Path, keys: list[str], front: str) -> None:
        """Remember every tab of a project by its key, and which is in front."""
        for name, value in (("work", keys), ("front", front)):
            held = self._content.get(name)
            self._content[name] = {**(held if isinstance(held, dict) else {}), str(project): value}
        self.save()

    def _tabs(self) -> dict[str, Any]:
        tabs = self._content.get("tabs")
        return tabs if isinstance(tabs, dict) else {}

    def save(self) -> None:
        """Write the file; failing to is not worth stopping for."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._file, json.dumps(self._content, indent=1))
        except OSError:  # OutputError is one too
            pass


def _strings(value: Any) -> list[str]:
    """The strings of a list; empty if it is none."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

"""The shortcuts in force: those of the table, and what a person has put in their place."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtGui import QKeySequence

from solera.errors import InputError
from solera.files import replace_text
from solera.settings import config_folder
from solera_app.actions.table import ACTIONS

#: Keys that lists, fields and canvases use by themselves; no command can have them.
TAKEN = {
    "Esc": "leaves what one is at",
    "Return": "opens what is chosen",
    "Enter": "opens what is chosen",
    "Space": "pans a canvas",
    "Backspace": "deletes",
    "Left": "goes left",
    "Right": "goes right",
    "Up": "goes up",
    "Down": "goes down",
    "Shift+Tab": "goes to the control before",
    "Ctrl+X": "cuts",
    "Ctrl+D": "duplicates nodes",
    "Ctrl+Return": "runs the recipe",
    "Ctrl++": "zooms in",
    "Ctrl+-": "zooms out",
    "Ctrl+0": "shows a canvas at full size",
}
_TITLES = {row.id: row.title.rstrip("…") for row in ACTIONS}
_DEFAULTS = {row.id: row.shortcut for row in ACTIONS}


def plain(keys: str) -> str:
    """A shortcut in the one form it is compared in; empty if these are no keys."""
    read = QKeySequence(keys, QKeySequence.SequenceFormat.PortableText)
    text = read.toString(QKeySequence.SequenceFormat.PortableText)
    return "" if "Unknown" in text or any(ord(letter) > 0xFFFF for letter in text) else text


class Shortcuts:
    """Which keys each action has. Only what differs from the table is kept, in one small file.

    Args:
        file: Where; ``shortcuts.json`` beside the settings by default. A broken one is treated as empty.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or config_folder() / "shortcuts.json"
        self._own: dict[str, str] = {}
        try:
            loaded = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        for id_, keys in loaded.items() if isinstance(loaded, dict) else ():
            if id_ in _DEFAULTS and isinstance(keys, str) and (not keys or plain(keys)):
                self._own[id_] = plain(keys)

    def of(self, id_: str) -> str:
        """The keys of an action; empty if it has none."""
        return self._own.get(id_, _DEFAULTS.get(id_, ""))

    def is_own(self, id_: str) -> bool:
        """Whether a person gave this action other keys than the table's."""
        return id_ in self._own

    def holder(self, keys: str, but: str = "") -> str:
        """Id of the action that has these keys, other than ``but``; empty if none has."""
        wanted = plain(keys)
        return next((id_ for id_ in _DEFAULTS if id_ != but and wanted and plain(self.of(id_)) == wanted), "")

    def set(self, id_: str, keys: str) -> None:
        """Give an action other keys; none if they are empty.

        Raises:
            InputError: They are no keys, or something else has them; the sentence says what.
        """
        wanted = plain(keys)
        title = _TITLES[id_]
        if keys and not wanted:
            raise InputError(f"'{title}' needs keys like 'Ctrl+J', not '{keys}'.", keys=keys)
        if wanted.count(",") and not wanted.endswith(","):
            raise InputError(f"'{title}' takes one combination of keys, not several after each other.", keys=keys)
        default = plain(_DEFAULTS[id_])
        if wanted in TAKEN and wanted != default:
            raise InputError(f"{wanted} {TAKEN[wanted]} everywhere; choose other keys for '{title}'.", keys=wanted)
        if other := self.holder(wanted, but=id_):
            raise InputError(
                f"{wanted} belongs to '{_TITLES[other]}'; take it from there first, or give '{title}' others.",
                keys=wanted,
                holder=other,
            )
        if wanted == default:
            self._own.pop(id_, None)
        else:
            self._own[id_] = wanted
        self._save()

    def reset(self, id_: str = "") -> None:
        """Go back to the table's keys, for one action or for all.

        Raises:
            InputError: Another action was given the keys of this one meanwhile.
        """
        if id_:
            self.set(id_, _DEFAULTS[id_])
        else:
            self._own.clear()
            self._save()

    def _save(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(self.file, json.dumps(self._own, indent=1, sort_keys=True))

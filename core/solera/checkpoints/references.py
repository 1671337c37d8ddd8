"""Models as people write them: a path, a hub id, ``id@revision``, ``model+adapter``.

In Solera's own recipes a model of the Hugging Face hub is ``"hub:org/name@revision"``, and a model with an adapter
``"MODEL+ADAPTER"``, each half a path or a hub id.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from solera.errors import InputError

#: What a source on the hub begins with.
HUB = "hub:"

#: ``name`` or ``organisation/name``, as the hub allows them.
_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?", re.ASCII)

_REVISION = re.compile(r"[\w.][\w./-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """A model on disk or on the hub, perhaps with an adapter.

    Attributes:
        model: A path, or with ``hub`` an id.
        revision: Branch, tag or commit on the hub; empty for its main branch.
        hub: Whether it is an id on the hub.
        adapter: What is added to it.
    """

    model: str
    revision: str = ""
    hub: bool = False
    adapter: Reference | None = None

    @property
    def source(self) -> str:
        """As a recipe writes it."""
        at = f"@{self.revision}" if self.revision else ""
        plus = f"+{self.adapter.source}" if self.adapter else ""
        return f"{HUB}{self.model}{at}{plus}" if self.hub else f"{self.model}{plus}"


def read_source(text: str) -> Reference:
    """A source of Solera's own recipes, paths as they stand.

    A ``+`` parts model and adapter where a hub id stands on one of its sides, or where no file of the whole name is
    there but one of the first half's is.

    Raises:
        InputError: What follows ``hub:`` is no id.
    """
    model, plus, adapter = text.partition("+")
    if plus and (text.startswith(HUB) or adapter.startswith(HUB) or _two_paths(text)):
        return replace(read_source(model), adapter=read_source(adapter))
    if not text.startswith(HUB):
        return Reference(text)
    return _hub_id(text.removeprefix(HUB), text)


def read_foreign(text: str, find: Callable[[str], str]) -> Reference:
    """A model as other tools write it: ``PATH_OR_ID[@REVISION][+PATH_OR_ID[@REVISION]]``.

    What is on disk under the whole name is a path, whatever marks are in it.

    Args:
        text: What was written.
        find: Gives the path a name stands for, or an empty text if nothing is there.

    Raises:
        InputError: It is neither a path that is there nor an id.
    """
    found = find(text)
    if found:
        return Reference(found)
    model, plus, adapter = text.partition("+")
    if plus:
        return replace(read_foreign(model, find), adapter=read_foreign(adapter, find))
    bare, _, revision = text.partition("@")
    found = find(bare)
    if found and revision:
        return Reference(found)  # a folder has no revisions; other tools ignore it too
    if text.startswith((".", "/", "~")) or text.count("/") > 1 or "\\" in text:
        raise InputError(f"There is no file or folder {text}. Check the path.", path=text)
    return _hub_id(text, text)


def _two_paths(text: str) -> bool:
    model, _, adapter = text.partition("+")
    return bool(adapter) and not Path(text).expanduser().exists() and Path(model).expanduser().exists()


def _hub_id(text: str, written: str) -> Reference:
    model, at, revision = text.partition("@")
    if not _ID.fullmatch(model) or ".." in model or (at and not _good_revision(revision)):
        raise InputError(
            f"'{written}' is neither a path that is there nor a model on the hub, which is written org/name or "
            "org/name@revision.",
            source=written,
        )
    return Reference(model, revision, hub=True)


def _good_revision(text: str) -> bool:
    return _REVISION.fullmatch(text) is not None and ".." not in text and not os.path.isabs(text)

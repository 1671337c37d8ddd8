"""Models as people write them: a path, a hub id, ``id@revision``, ``model+adapter``.

In Solera's own recipes a model of the Hugging Face hub is ``"hub:org/name@revision"``; an adapter is a node of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from solera.errors import InputError, NotFoundError

#: What a source on the hub begins with.
HUB = "hub:"

#: ``name`` or ``organisation/name``, as the hub allows them.
_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?", re.ASCII)

_REVISION = re.compile(r"\w[\w.-]*(?:/[\w.-]+)*", re.ASCII)


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
        """As a recipe writes it, the adapter apart."""
        return f"{HUB}{self.model}{f'@{self.revision}' if self.revision else ''}" if self.hub else self.model


def read_hub(source: str) -> Reference:
    """A source that begins with ``hub:``.

    Raises:
        InputError: What follows is no id.
    """
    return _hub_id(source.removeprefix(HUB), source)


def read_foreign(text: str, find: Callable[[str], str]) -> Reference:
    """A model as other tools write it: ``PATH_OR_ID[@REVISION][+PATH_OR_ID[@REVISION]]``.

    What is on disk under the whole name is a path, whatever marks are in it.

    Args:
        text: What was written.
        find: Gives the path a name stands for, or an empty text if nothing is there.

    Raises:
        NotFoundError: It is a path, and nothing is there.
        InputError: It is neither a path nor an id.
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
        return Reference(found)  # a folder has no revisions, and other tools pass over one as well
    if text.startswith((".", "/", "~")) or bare.count("/") > 1 or "\\" in text:
        raise NotFoundError(f"There is no file or folder {text}. Check the path.", path=text)
    return _hub_id(text, text)


def _hub_id(text: str, written: str) -> Reference:
    model, at, revision = text.partition("@")
    good = _ID.fullmatch(model) and ".." not in text and (not at or _REVISION.fullmatch(revision))
    if not good:
        raise InputError(
            f"'{written}' is neither a path that is there nor a model on the hub, which is written org/name or "
            "org/name@revision.",
            source=written,
        )
    return Reference(model, revision, hub=True)

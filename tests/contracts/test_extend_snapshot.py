"""The face of view plugins is frozen as that of authors is: one version, ``API_VERSION``, holds for both.

Write it anew with ``python tests/contracts/test_extend_snapshot.py``.
"""

import ast
import inspect
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.contracts.faces import snapshot

from solera import api
from solera_app import extend

SNAPSHOT = Path(__file__).with_name("extend_snapshot.txt")


def test_names_and_signatures_are_the_frozen_ones() -> None:
    said = "solera_app.extend changed: log it in CHANGELOG.md and renew the snapshot"
    assert snapshot(extend) == SNAPSHOT.read_text(), said


def test_both_faces_have_one_version() -> None:
    assert extend.API_VERSION == api.API_VERSION


def test_every_name_is_imported_once_and_offered() -> None:
    tree = ast.parse(Path(extend.__file__).read_text())
    seen = [
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    assert sorted(seen) == sorted(extend.__all__)


def test_every_class_and_function_says_what_it_is() -> None:
    things = {name: getattr(extend, name) for name in extend.__all__}
    told = {name: thing for name, thing in things.items() if inspect.isclass(thing) or inspect.isfunction(thing)}
    assert [name for name, thing in told.items() if not thing.__doc__] == []


if __name__ == "__main__":
    SNAPSHOT.write_text(snapshot(extend))

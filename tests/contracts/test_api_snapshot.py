"""The authors' face is frozen: names and signatures may change only with a line in the changelog and this snapshot.

Write it anew with ``python tests/contracts/test_api_snapshot.py``.
"""

import ast
import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.contracts.faces import snapshot

from solera import api

SNAPSHOT = Path(__file__).with_name("api_snapshot.txt")


def test_names_and_signatures_are_the_frozen_ones() -> None:
    assert snapshot(api) == SNAPSHOT.read_text(), "solera.api changed: log it in CHANGELOG.md and renew the snapshot"


def test_the_lazy_table_equals_the_imports_that_checkers_see() -> None:
    tree = ast.parse(Path(api.__file__).read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        (node.module, alias.name) for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert seen == {(module, name) for module, names in api._HOMES.items() for name in names}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = api.no_such_thing


def test_importing_the_face_imports_nothing_heavy() -> None:
    code = "import sys, solera.api; print([m for m in ('torch', 'h5py', 'optuna', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_class_and_function_says_what_it_is() -> None:
    things = {name: getattr(api, name) for name in api.__all__}
    described = {name: thing for name, thing in things.items() if inspect.isclass(thing) or inspect.isfunction(thing)}
    silent = [name for name, thing in described.items() if not thing.__doc__]
    assert silent == []
    assert all(dataclasses.is_dataclass(things[name]) for name in ("MethodSpec", "Param", "Score"))


if __name__ == "__main__":
    SNAPSHOT.write_text(snapshot(api))

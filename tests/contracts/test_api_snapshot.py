"""The authors' face is frozen: names and signatures may change only with a line in the changelog and this snapshot.

Write it anew with ``python tests/contracts/test_api_snapshot.py``.
"""

import ast
import dataclasses
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from solera import api

SNAPSHOT = Path(__file__).with_name("api_snapshot.txt")


def _describe(name: str, thing: Any) -> list[str]:
    if inspect.ismodule(thing):
        public = {
            key: value
            for key, value in vars(thing).items()
            if not key.startswith("_") and getattr(value, "__module__", "") == thing.__name__
        }
        lines = [line for key in sorted(public) for line in _describe(key, public[key])]
        return [f"module {name}", *(f"  {line}" for line in lines)]
    if inspect.isclass(thing):
        lines = [f"class {name}{_signature(thing)}"]
        members = {**thing.__annotations__, **vars(thing)} if "__annotations__" in vars(thing) else dict(vars(thing))
        for member in sorted(members):
            if member.startswith("_") and member != "__call__":
                continue
            value = inspect.getattr_static(thing, member, None)
            if isinstance(value, (staticmethod, classmethod)):
                value = value.__func__
            if inspect.isfunction(value):
                lines.append(f"  {member}{_signature(value)}")
            else:
                lines.append(f"  {member}")
        return lines
    if callable(thing):
        return [f"def {name}{_signature(thing)}"]
    return [f"{name}: {type(thing).__name__}" + (f" = {thing!r}" if isinstance(thing, (str, int)) else "")]


def _signature(thing: Any) -> str:
    try:
        signature = inspect.signature(thing)
    except (TypeError, ValueError):
        return "(...)"
    if inspect.isclass(thing):
        signature = signature.replace(return_annotation=inspect.Signature.empty)
        if issubclass(thing, BaseException):
            return "(message, **fields)"
    arguments = [
        p.replace(default=inspect.Parameter.empty if p.default is p.empty else _Default(p.default))
        for p in signature.parameters.values()
    ]
    return str(signature.replace(parameters=arguments))


class _Default:
    """A default printed alike on every machine."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        if isinstance(self.value, (str, int, float, bool, tuple, type(None))):
            return repr(self.value)
        return f"<{type(self.value).__name__}>"


def snapshot() -> str:
    lines = []
    for name in api.__all__:
        lines += _describe(name, getattr(api, name))
    return "\n".join(lines) + "\n"


def test_names_and_signatures_are_the_frozen_ones() -> None:
    assert snapshot() == SNAPSHOT.read_text(), "solera.api changed: log it in CHANGELOG.md and renew the snapshot"


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
    SNAPSHOT.write_text(snapshot())

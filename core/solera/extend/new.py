"""The template of a plugin: a package with one method, its manifest and a test that passes."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from solera.errors import InputError, OutputError
from solera.extend.manifest import API_VERSION, MANIFEST

_PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "solera-{dashed}"
version = "0.1.0"
description = "A plugin for Solera."
requires-python = ">=3.11"
dependencies = ["solera"]

[project.entry-points."solera.plugins"]
{name} = "{name}"

[tool.hatch.build.targets.wheel]
packages = ["{name}"]
"""

_README = """\
# {name}

A plugin for Solera.

    solera plugin build .     # after a change of parameters: writes them into {name}/plugin.toml
    solera plugin check .     # manifest, imports, signatures, and each method on tiny models
    python -m pytest tests

To use it, either `pip install -e .` beside Solera, or put this folder into Solera's plugin folder
(`solera plugin list` prints where that is).
"""

_METHOD = '''\
"""A method: a plain function from tensors to a tensor. It knows no file, device or recipe."""

from typing import Annotated

from torch import Tensor

from solera.api import Param, method


@method("{name}", takes="delta", base="required", granularity="element", inputs=(1, None))
def {name}(
    deltas: list[Tensor],
    *,
    scale: Annotated[float, Param(0, 2, step=0.05, help="Factor on the mean of the differences from the base.")] = 1.0,
) -> Tensor:
    """The mean of the task vectors, times a factor.

    Args:
        deltas: One per model, float32, one shape.
        scale: The factor.
    """
    total = deltas[0].clone()
    for delta in deltas[1:]:
        total += delta
    return total * (scale / len(deltas))
'''

_TEST = '''\
"""Tests of the plugin: its numbers, and the suite that every plugin passes."""

from pathlib import Path

import torch
from {name}.methods import {name}

from solera.testing.conformance import check_plugin


def test_the_method_does_what_it_says() -> None:
    ones = [torch.ones(3), torch.full((3,), 3.0)]
    assert torch.equal({name}.function(ones, scale=0.5), torch.ones(3))


def test_the_plugin_conforms() -> None:
    assert check_plugin(Path(__file__).parents[1] / "{name}") == []
'''

_CONFTEST = """\
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
"""

_MANIFEST = """\
# `solera plugin build` writes the params; the rest is yours.
name = "{name}"
version = "0.1.0"
api = "{api}"
summary = "A plugin for Solera."

[[contributions]]
kind = "method"
name = "{name}"
title = "{title}"
object = "{name}.methods:{name}"
summary = "The mean of the task vectors, times a factor."
method = {{ takes = "delta", base = "required", inputs = [1] }}
params = [
    {{ name = "scale", kind = "float", default = 1.0, low = 0, high = 2, step = 0.05, help = "Factor on the mean of the differences from the base." }},
]
"""  # noqa: E501


def new_plugin(name: str, parent: Path) -> Path:
    """Write the template of a plugin into ``parent/name``.

    Args:
        name: A lower-case identifier; also the name of its package and its method.
        parent: An existing or new folder.

    Returns:
        The new folder.

    Raises:
        InputError: The name is none that a package can have.
        OutputError: The folder exists or cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise InputError(f"A plugin's name is a lower-case identifier like 'my_plugin', not {name!r}.", name=name)
    folder = parent / name
    if folder.exists():
        raise OutputError(f"{folder} exists; choose another name or remove it.", path=str(folder))
    words = {"name": name, "dashed": name.replace("_", "-"), "title": name.replace("_", " ").capitalize()}
    files = {
        "pyproject.toml": _PYPROJECT,
        "README.md": _README,
        f"{name}/__init__.py": '"""A plugin for Solera."""\n',
        f"{name}/methods.py": _METHOD,
        f"{name}/{MANIFEST}": _MANIFEST,
        "tests/conftest.py": _CONFTEST,
        f"tests/test_{name}.py": _TEST,
    }
    try:
        for relative, template in files.items():
            file = folder / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(template.format(**words, api=API_VERSION), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}.", path=str(folder)) from error
    return folder

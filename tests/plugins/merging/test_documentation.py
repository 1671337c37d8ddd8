"""Every method says its formula, parameters, paper and pitfalls where it is written."""

from __future__ import annotations

import inspect
import re

import pytest

from solera.extend.registry import Registry

METHODS = Registry.discover().methods
SHIPPED = [name for name in METHODS if METHODS.describe(name).object.startswith("solera_plugins.merging.")]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_method_is_documented(name):
    spec = METHODS[name]
    doc = inspect.getdoc(spec.function) or ""
    formula = doc.partition("\n")[2].partition("Args:")[0]
    assert formula.strip(), "no formula"
    told = re.findall(r"^ {4}(\w+): \S", doc.partition("Args:\n")[2].partition("\n\n")[0], re.MULTILINE)
    wanted = [key for key in inspect.signature(spec.function).parameters if key not in {"state", "piece"}]
    assert [key for key in wanted if key not in told] == [], "arguments without a description"
    assert re.search(r"^Pitfalls:\n    - \S", doc, re.MULTILINE), "no pitfalls"
    assert spec.paper, "no paper"
    assert re.match(r"[A-Za-z&. -]+ \d{4}, ", spec.paper), "a paper is 'Authors year, title'"
    assert spec.url.startswith("https://")
    for param in spec.params:
        assert param.param.help.endswith(".") or not param.param.help[-1].isalnum(), param.name

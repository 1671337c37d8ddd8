"""What holds for everything that is registered, whoever contributed it."""

import pytest

from solera.extend.build import build
from solera.extend.check import check_plugin
from solera.extend.registry import Plugin, Registry
from solera.params import ParamSpec, json_schema
from solera.testing.conformance import conformance

REGISTRY = Registry.discover()
SHIPPED = [plugin for plugin in REGISTRY.plugins if plugin.found.origin == "shipped"]
CONTRIBUTIONS = [(plugin, item) for plugin in REGISTRY.plugins for item in plugin.contributions]
IDS = [f"{item.kind}-{item.name}" for _, item in CONTRIBUTIONS]


def test_there_is_what_the_first_slice_promises() -> None:
    assert {"linear", "task_arithmetic", "ties", "slerp"} <= set(REGISTRY.methods)
    assert {"grid", "pareto"} <= set(REGISTRY.explorers)
    assert {"hessian_eigenvalues", "hessian_trace", "hessian_density"} <= set(REGISTRY.probes)
    assert {"classification", "language", "digits", "prose_code"} <= set(REGISTRY.tasks)
    assert {"function", "regression", "contrastive", "multiple_choice", "generation", "harness"} <= set(REGISTRY.tasks)
    assert {"curve", "surface", "pareto", "table"} <= set(REGISTRY.views)
    assert {"safetensors", "torch"} <= set(REGISTRY.formats)
    assert {"digits", "prose_code"} <= set(REGISTRY.examples)
    assert REGISTRY.faults == []


@pytest.mark.parametrize("plugin", SHIPPED, ids=lambda plugin: plugin.name)
def test_a_plugin_is_built_and_conforms(plugin: Plugin) -> None:
    assert plugin.found.folder is not None
    _, changed = build(plugin.found.folder, write=False)
    assert not changed, f"run: solera plugin build {plugin.found.folder}"
    needs_qt = any(item.kind == "view" for item in plugin.contributions)
    faults = check_plugin(plugin.found.folder)
    if needs_qt:
        faults = tuple(fault for fault in faults if not fault.place.startswith("view "))
    assert faults == ()


@pytest.mark.parametrize(("plugin", "item"), CONTRIBUTIONS, ids=IDS)
def test_a_contribution_says_what_it_is(plugin: Plugin, item) -> None:
    assert item.summary.endswith("."), "a summary is a sentence"
    assert item.title
    if item.kind in {"method", "explorer", "probe", "task"}:
        for spec in item.params:
            assert spec.param.help, f"'{spec.name}' has no help"
            assert ParamSpec.from_plain(spec.to_plain()) == spec
    schema = json_schema(item.params)
    assert set(schema["properties"]) == {spec.name for spec in item.params}


@pytest.mark.parametrize("name", list(REGISTRY.formats))
def test_a_builtin_format_conforms(name: str) -> None:
    assert REGISTRY.formats[name].name == name
    assert conformance("format", REGISTRY.formats[name]) == []

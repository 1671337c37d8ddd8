import re
import sys
from pathlib import Path

import pytest

from solera.errors import InputError, OutputError, PluginError
from solera.extend.build import build, plugin_folder
from solera.extend.manifest import read_manifest
from solera.extend.new import new_plugin
from solera.testing.conformance import check_plugin

README = Path(__file__).parents[3] / "README.md"


def test_the_template_is_built_already(tmp_path: Path) -> None:
    folder = new_plugin("plug_template", tmp_path)
    before = (folder / "plug_template" / "plugin.toml").read_text()
    manifest, changed = build(folder)
    assert not changed
    assert before == (folder / "plug_template" / "plugin.toml").read_text()
    assert [spec.name for spec in manifest.contributions[0].params] == ["scale"]


def test_the_template_and_the_example_of_the_readme_pass_the_suite(tmp_path: Path) -> None:
    folder = new_plugin("my_merge", tmp_path)
    assert check_plugin(folder / "my_merge") == []
    code = re.search(r"## A plugin.*?```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert code is not None
    other = new_plugin("readme_merge", tmp_path)
    (other / "readme_merge" / "methods.py").write_text(code[1].replace("my_merge", "readme_merge"))
    build(other)
    assert check_plugin(other / "readme_merge") == []


def test_build_writes_the_parameters_of_the_signature(tmp_path: Path) -> None:
    folder = new_plugin("plug_build", tmp_path)
    code = folder / "plug_build" / "methods.py"
    code.write_text(code.read_text().replace("*,\n", '*,\n    power: Annotated[int, Param(1, 9, unit="steps")] = 2,\n'))
    file = folder / "plug_build" / "plugin.toml"
    _, changed = build(folder)
    assert changed
    assert file.read_text().startswith("# `solera plugin build`")
    power, scale = read_manifest(file).contributions[0].params
    assert (power.name, power.kind, power.default, power.param.high, power.param.unit) == (
        "power",
        "int",
        2,
        9,
        "steps",
    )
    assert scale.name == "scale"
    assert build(folder)[1] is False


def test_build_names_what_cannot_be_imported(tmp_path: Path) -> None:
    folder = new_plugin("plug_unbuildable", tmp_path)
    (folder / "plug_unbuildable" / "methods.py").write_text("raise RuntimeError('no')")
    with pytest.raises(PluginError, match="RuntimeError: no"):
        build(folder)


def test_new_refuses_bad_names_and_existing_folders(tmp_path: Path) -> None:
    for name in ("My Plugin", "class", "1st", "../up"):
        with pytest.raises(InputError):
            new_plugin(name, tmp_path)
    new_plugin("plug_once", tmp_path)
    with pytest.raises(OutputError):
        new_plugin("plug_once", tmp_path)
    with pytest.raises(PluginError):
        plugin_folder(tmp_path / "plug_once" / "tests")


@pytest.fixture(autouse=True)
def _leave_sys_path_alone() -> object:
    path = list(sys.path)
    yield
    sys.path[:] = path

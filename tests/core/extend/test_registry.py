import subprocess
import sys
import threading
from pathlib import Path

import pytest

from solera.errors import PluginError
from solera.extend.discovery import discover, read_plugin
from solera.extend.registry import Registry, UnknownContribution

MANIFEST = """
name = "{name}"
version = "1"
api = "{api}"
[[contributions]]
kind = "task"
name = "{thing}"
object = "{name}.stuff:thing"
"""


def write_plugin(parent: Path, name: str, code: str, *, api: str = "0", thing: str = "") -> Path:
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "stuff.py").write_text(code)
    (folder / "plugin.toml").write_text(MANIFEST.format(name=name, api=api, thing=thing or name))
    return folder


def test_a_contribution_is_imported_on_first_use_only(tmp_path: Path) -> None:
    write_plugin(tmp_path, "plug_lazy", "thing = object()")
    registry = Registry(discover([tmp_path]))
    assert "plug_lazy" in registry.tasks
    assert registry.tasks.describe("plug_lazy").object == "plug_lazy.stuff:thing"
    assert registry.plugin("plug_lazy").state == "discovered"
    assert "plug_lazy" not in sys.modules
    assert registry.tasks["plug_lazy"] is registry.tasks["plug_lazy"]
    assert registry.plugin("plug_lazy").state == "loaded"
    with pytest.raises(KeyError):
        registry.tasks["nothing"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        ("raise SystemExit(7)", "SystemExit"),
        ("x = 1", "AttributeError"),
        ("def", "SyntaxError"),
    ],
)
def test_a_broken_plugin_is_a_state_and_a_sentence(tmp_path: Path, code: str, reason: str) -> None:
    name = f"plug_{reason.lower()}"
    write_plugin(tmp_path, name, code)
    write_plugin(tmp_path, f"{name}_good", "thing = 1")
    registry = Registry(discover([tmp_path]))
    with pytest.raises(PluginError, match="solera plugin disable"):
        registry.tasks[name]
    broken = registry.plugin(name)
    assert broken.state == "failed"
    assert broken.reason.startswith(reason)
    assert "Traceback" in broken.traceback
    assert registry.tasks[f"{name}_good"] == 1


def test_an_unreadable_manifest_fails_alone(tmp_path: Path) -> None:
    write_plugin(tmp_path, "plug_fine", "thing = 1")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "plugin.toml").write_text("name = ")
    registry = Registry(discover([tmp_path]))
    assert registry.plugin("torn").state == "failed"
    assert "TOML" in registry.plugin("torn").reason
    assert registry.tasks["plug_fine"] == 1


def test_states_of_plugins_that_are_not_used(tmp_path: Path) -> None:
    write_plugin(tmp_path, "plug_off", "thing = 1")
    write_plugin(tmp_path, "plug_old", "thing = 1", api="99")
    registry = Registry(discover([tmp_path]), disabled=["plug_off"])
    assert (registry.plugin("plug_off").state, registry.plugin("plug_old").state) == ("disabled", "incompatible")
    assert not {"plug_off", "plug_old"} & set(registry.tasks)
    assert "api 99" in registry.plugin("plug_old").reason
    safe = Registry(discover([tmp_path]), safe_mode=True)
    assert {plugin.state for plugin in safe.plugins if plugin.found.origin == "folder"} == {"disabled"}
    assert {plugin.state for plugin in safe.plugins if plugin.found.origin == "shipped"} <= {"discovered"}


def test_the_first_of_a_name_wins_and_the_other_is_told(tmp_path: Path) -> None:
    write_plugin(tmp_path, "plug_a", "thing = 'a'", thing="same")
    write_plugin(tmp_path, "plug_b", "thing = 'b'", thing="same")
    registry = Registry(discover([tmp_path]))
    assert registry.tasks["same"] == "a"
    assert [(fault.code, fault.place) for fault in registry.faults] == [("plugin.name-taken", "plug_b")]


def test_a_project_folder_may_lie_in_the_plugin_folder(tmp_path: Path) -> None:
    write_plugin(tmp_path / "my-checkout", "plug_nested", "thing = 5")
    found = discover([tmp_path])
    assert [item.name for item in found if item.origin == "folder"] == ["plug_nested"]
    assert Registry(found).tasks["plug_nested"] == 5


def test_things_can_be_provided_without_a_manifest() -> None:
    registry = Registry(())
    registry.tasks.provide("mine", 3)
    assert list(registry.tasks) == ["mine"]
    assert registry.tasks["mine"] == 3
    assert registry.tasks.plugin("mine") is None


def test_discovery_imports_no_plugin_and_nothing_heavy() -> None:
    code = (
        "import sys; from solera.extend.registry import Registry; r = Registry.discover(); list(r.methods);"
        "print([m for m in sys.modules if m.split('.')[0] in"
        " {'torch', 'h5py', 'pydantic', 'optuna', 'solera_plugins', 'PySide6'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_reading_a_folder_without_a_manifest(tmp_path: Path) -> None:
    assert read_plugin(tmp_path).faults[0].code == "not-found"


METHOD = """
from solera.api import method
@method("{name}", inputs=(1, None))
def thing(tensors):
    \"\"\"The first model{end}\"\"\"
    return tensors[0].clone()
"""


def test_a_method_from_elsewhere_carries_a_digest_of_its_plugins_code(tmp_path: Path) -> None:
    """Its version is its author's to forget; a result of other code must not pass for one of this."""
    digests = []
    for i, end in enumerate((".", ".", "!")):
        folder = write_plugin(tmp_path / str(i), f"plug_method{i}", METHOD.format(name=f"plug_method{i}", end=end))
        manifest = folder / "plugin.toml"
        manifest.write_text(manifest.read_text().replace('"task"', '"method"'))
        stuff = folder / "stuff.py"
        stuff.write_text(stuff.read_text().replace(f"plug_method{i}", "plug_method"))
        digests.append(Registry(discover([tmp_path / str(i)])).methods[f"plug_method{i}"].source)
    assert digests[0] == digests[1] != digests[2]
    shipped = Registry.discover().methods
    assert {shipped[name].source for name in ("linear", "ties")} == {""}


def test_so_does_a_method_of_a_script() -> None:
    from dataclasses import replace

    registry = Registry.discover()
    linear = registry.methods["linear"]
    found = set()
    for function in (lambda tensors: tensors[0], lambda tensors: tensors[0] + 1):
        registry.methods.provide("mine", replace(linear, name="mine", function=function))
        found.add(registry.methods["mine"].source)
    assert len(found) == 2
    assert all(found)


def test_reload_reads_the_code_anew_in_place(tmp_path: Path) -> None:
    folder = write_plugin(tmp_path, "plug_again", "thing = 1")
    registry = Registry.discover([tmp_path])
    shelf = registry.tasks
    assert shelf["plug_again"] == 1
    shelf.provide("mine", 7)
    assert registry.reload([tmp_path]) == ()
    assert shelf["plug_again"] == 1
    (folder / "stuff.py").write_text("thing = 22")
    write_plugin(tmp_path, "plug_new", "thing = 3")
    assert registry.reload([tmp_path]) == ("plug_again", "plug_new")
    assert (shelf["plug_again"], shelf["plug_new"], shelf["mine"]) == (22, 3, 7)
    assert registry.reload([tmp_path], disabled=("plug_new",)) == ("plug_new",)
    assert "plug_new" not in shelf
    assert "plug_again" in registry.reload([tmp_path], safe_mode=True)
    assert "plug_again" not in shelf
    assert "mine" in shelf


def test_what_a_plugin_brings_that_is_switched_off_is_missed_in_a_sentence(tmp_path: Path) -> None:
    write_plugin(tmp_path, "plug_off", "thing = 1")
    registry = Registry(discover([tmp_path]), disabled=("plug_off",))
    for look in (registry.tasks.__getitem__, registry.tasks.describe):
        with pytest.raises(UnknownContribution, match="plugin 'plug_off', which is not in use"):
            look("plug_off")
        with pytest.raises(KeyError, match=r"No task is called 'nothing'\."):
            look("nothing")
    assert registry.tasks.get("plug_off") is None


def test_nobody_sees_an_empty_shelf_while_plugins_are_read_again() -> None:
    """A job that runs meanwhile looks its methods up as before."""
    registry, missed, over = Registry.discover(), [], threading.Event()

    def look() -> None:
        while not over.is_set():
            if "linear" not in registry.methods or not len(registry.methods):
                missed.append(True)

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(5):
        registry.reload()
    over.set()
    looking.join()
    assert missed == []

from pathlib import Path

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from solera.errors import Fault, FaultsError, NotFoundError
from solera.extend.manifest import Contribution, Manifest, parse_manifest, read_manifest
from solera.params import Param, ParamSpec

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
PARAMS = st.builds(
    ParamSpec,
    name=NAMES,
    kind=st.just("float"),
    default=NUMBERS,
    param=st.builds(Param, low=st.none() | NUMBERS, high=st.none() | NUMBERS, help=st.text(max_size=20)),
)
CONTRIBUTIONS = st.builds(
    Contribution,
    kind=st.sampled_from(["method", "task", "explorer"]),
    name=NAMES,
    title=st.text(min_size=1, max_size=10),
    object=st.just("some.module:thing"),
    summary=st.text(max_size=20),
    params=st.lists(PARAMS, max_size=3, unique_by=lambda spec: spec.name).map(tuple),
)
MANIFESTS = st.builds(
    Manifest,
    name=NAMES,
    version=st.just("1.2"),
    api=st.just("0"),
    summary=st.text(max_size=20),
    contributions=st.lists(CONTRIBUTIONS, max_size=4, unique_by=lambda item: (item.kind, item.name)).map(tuple),
)


@given(MANIFESTS)
@settings(max_examples=50)
def test_a_manifest_survives_its_own_file(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> None:
    file = tmp_path_factory.mktemp("plugin") / "plugin.toml"
    file.write_text(tomli_w.dumps(manifest.to_plain()), encoding="utf-8")
    assert read_manifest(file) == manifest


def test_all_faults_are_reported_with_their_places(tmp_path: Path) -> None:
    file = tmp_path / "plugin.toml"
    file.write_text(
        """
        name = "Bad Name"
        version = 3
        colour = "red"
        [[contributions]]
        kind = "spoon"
        name = "a"
        object = "no colon"
        [[contributions]]
        kind = "method"
        name = "b"
        object = "m:b"
        params = [{ name = "x" }]
        [[contributions]]
        kind = "view"
        name = "c"
        object = "m:c"
        accepts = { kind = ["explore"] }
        """
    )
    with pytest.raises(FaultsError) as caught:
        read_manifest(file)
    assert {(fault.code, fault.place) for fault in caught.value.faults} == {
        ("manifest.name", "name"),
        ("manifest.type", "version"),
        ("manifest.missing", "api"),
        ("manifest.unknown-key", "colour"),
        ("manifest.kind", "contributions[0].kind"),
        ("manifest.object", "contributions[0].object"),
        ("manifest.params", "contributions[1].params[0]"),
        ("manifest.unknown-key", "contributions[2].accepts.kind"),
    }


def test_the_same_name_twice_is_a_fault() -> None:
    entry = {"kind": "method", "name": "a", "object": "m:a"}
    faults: list[Fault] = []
    parse_manifest({"name": "p", "version": "1", "api": "0", "contributions": [entry, entry]}, faults)
    assert [fault.code for fault in faults] == ["manifest.twice"]


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b""])
def test_a_file_that_is_no_manifest_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plugin.toml").write_bytes(content)
    with pytest.raises(FaultsError):
        read_manifest(tmp_path / "plugin.toml")
    with pytest.raises(NotFoundError):
        read_manifest(tmp_path / "missing.toml")

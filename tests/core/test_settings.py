from pathlib import Path

import pytest

from solera.errors import FaultsError, InputError
from solera.settings import Settings, load_settings, parse_bytes, save_settings


@pytest.fixture(autouse=True)
def _own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLERA_CONFIG", str(tmp_path / "deep" / "settings.toml"))


def test_what_is_saved_is_loaded() -> None:
    assert load_settings({}) == Settings()
    mine = Settings(threads=3, disabled_plugins=("a", "b"), theme="dark", memory=2**33)
    save_settings(mine)
    assert load_settings({}) == mine


def test_the_environment_goes_before_the_file() -> None:
    save_settings(Settings(threads=3, theme="dark"))
    loaded = load_settings({"SOLERA_THREADS": "5", "SOLERA_DISABLED_PLUGINS": "x:y"})
    assert (loaded.threads, loaded.theme, loaded.disabled_plugins) == (5, "dark", ("x", "y"))


def test_all_faults_at_once(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "settings.toml").write_text('theme = "pink"\nthread = 4\nmemory = -1\n')
    with pytest.raises(FaultsError) as caught:
        load_settings({"SOLERA_THREADS": "many"})
    assert [fault.code for fault in caught.value.faults] == [
        "settings.type", "settings.unknown-key", "settings.type", "settings.type",
    ]  # fmt: skip
    assert "system, light, dark" in str(caught.value)


@pytest.mark.parametrize(("text", "bytes_"), [("512M", 2**29), ("8GiB", 2**33), ("2e9", 2 * 10**9), ("1.5kb", 1536)])
def test_bytes_as_people_write_them(text: str, bytes_: int) -> None:
    assert parse_bytes(text) == bytes_


@pytest.mark.parametrize("text", ["", "much", "-1G", "nan", "inf"])
def test_what_is_no_number_of_bytes(text: str) -> None:
    with pytest.raises(InputError):
        parse_bytes(text)

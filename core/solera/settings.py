"""What a person has set for good: one file, one schema.

Precedence, highest first: an option on the command line; an environment variable ``SOLERA_<NAME>``; the settings file
(``$SOLERA_CONFIG`` or ``$XDG_CONFIG_HOME/solera/settings.toml`` or ``~/.config/solera/settings.toml``); the default.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from solera.errors import Fault, FaultsError, InputError, OutputError
from solera.files import replace_text

Theme = Literal["system", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings.

    Attributes:
        device: torch device of jobs that name none: ``"auto"`` (the first accelerator, else the CPU), ``"cpu"``,
            ``"cuda:0"``; several (``"cuda:0,cuda:1"``, or ``"all"`` accelerators) share a merge, and other jobs take
            the first; with ``+`` between (``"cuda:0+cuda:1"``) they hold one network together where it is scored.
        threads: CPU threads for tensor work; 0 is one per core.
        memory: Bytes all jobs together may hold; 0 is three quarters of the machine's.
        plugin_folders: Folders whose subfolders are plugins, besides the one beside the settings file.
        disabled_plugins: Names of plugins that are switched off.
        safe_mode: Whether only the plugins that come with Solera are loaded.
        theme: Of the window.
        log_level: ``"debug"``, ``"info"``, ``"warning"`` or ``"error"``.
    """

    device: str = "auto"
    threads: int = 0
    memory: int = 0
    plugin_folders: tuple[str, ...] = ()
    disabled_plugins: tuple[str, ...] = ()
    safe_mode: bool = False
    theme: Theme = "system"
    log_level: str = "info"

    @property
    def all_plugin_folders(self) -> tuple[Path, ...]:
        """The user's own plugin folder, then those in the settings."""
        return (config_folder() / "plugins", *(Path(item).expanduser() for item in self.plugin_folders))


_CHOICES: dict[str, tuple[str, ...]] = {
    "theme": ("system", "light", "dark"),
    "log_level": ("debug", "info", "warning", "error"),
}


_KINDS = {tuple: "a list of text", int: "a whole number, 0 or more", bool: "true or false"}


def settings_file() -> Path:
    """Where the settings are kept; it need not exist."""
    named = os.environ.get("SOLERA_CONFIG")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "solera" / "settings.toml"


def config_folder() -> Path:
    """The folder of the settings file; the user's plugins are in its ``plugins/``."""
    return settings_file().parent


def cache_folder() -> Path:
    """Where what can be computed again is kept: fingerprints of files outside any project."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "solera"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in force: file, then environment.

    Raises:
        FaultsError: The file or a variable is faulty; all faults are named.
    """
    file, faults = settings_file(), []
    plain: dict[str, Any] = {}
    try:
        plain = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        faults.append(Fault("settings.read", str(file), f"The settings cannot be read: {error}."))
    values = _checked(plain, str(file), faults)
    variables = os.environ if environ is None else environ
    given = {
        field.name: _from_text(variables[f"SOLERA_{field.name.upper()}"], getattr(Settings(), field.name))
        for field in dataclasses.fields(Settings)
        if f"SOLERA_{field.name.upper()}" in variables
    }
    values |= _checked(given, "environment", faults)
    if faults:
        raise FaultsError("settings", faults)
    return Settings(**values)


def save_settings(settings: Settings) -> Path:
    """Write the settings file; only what differs from the defaults.

    Raises:
        OutputError: It cannot be written.
    """
    import tomli_w

    file, default = settings_file(), Settings()
    plain = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in dataclasses.asdict(settings).items()
        if value != getattr(default, key)
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, tomli_w.dumps(plain))
    except OSError as error:
        raise OutputError(f"The settings {file} cannot be written: {error.strerror}.", path=str(file)) from error
    return file


def parse_bytes(text: str) -> int:
    """A number of bytes as people write it: ``"512M"``, ``"8GiB"``, ``"2e9"``; K, M, G, T are powers of 1024.

    Raises:
        InputError: It is none.
    """
    units = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
    body = text.strip().upper().removesuffix("IB").removesuffix("B")
    unit = body[-1:] if body[-1:] in units and body[-1:] else ""
    try:
        number = float(body.removesuffix(unit)) * units[unit]
    except ValueError:
        number = -1.0
    if not 0 <= number < 2**63:
        raise InputError(f"A number of bytes is like '512M' or '8GiB', not {text!r}.", text=text)
    return int(number)


_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _from_text(text: str, default: Any) -> Any:
    if isinstance(default, bool):
        return _TRUTHS.get(text.strip().lower(), text)
    if isinstance(default, int):
        return int(text) if text.lstrip("-").isdigit() else text
    if isinstance(default, tuple):
        return [part for part in text.split(os.pathsep) if part]
    return text


def _checked(plain: Mapping[str, Any], place: str, faults: list[Fault]) -> dict[str, Any]:
    default, values = Settings(), dict[str, Any]()
    known = [field.name for field in dataclasses.fields(Settings)]
    for key, value in plain.items():
        where = f"{place}: {key}"
        if key not in known:
            message = f"No setting is called '{key}'; known: {', '.join(known)}."
            faults.append(Fault("settings.unknown-key", where, message))
            continue
        wanted = getattr(default, key)
        if isinstance(wanted, tuple):
            fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
        elif isinstance(wanted, bool):
            fits = isinstance(value, bool)
        elif isinstance(wanted, int):
            fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        else:
            fits = isinstance(value, str) and value in _CHOICES.get(key, (value,))
        if not fits:
            kinds = ", ".join(_CHOICES.get(key, ())) or _KINDS.get(type(wanted), "text")
            faults.append(Fault("settings.type", where, f"'{key}' must be {kinds}; got {value!r}."))
            continue
        values[key] = tuple(value) if isinstance(wanted, tuple) else value
    return values

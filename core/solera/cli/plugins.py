"""``solera plugin``: what is installed, and the workshop for authors."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from solera.cli.screen import Json, say, show, show_json, show_table

plugin = typer.Typer(help="Plugins: list, make, build, check, switch on and off.", no_args_is_help=True)

Where = Annotated[Path, typer.Argument(help="The plugin's folder.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(plugin, name="plugin", rich_help_panel="What is there")


@plugin.command("list")
def list_(json: Json = False) -> None:
    """The plugins that were found, and their states."""
    from solera.extend.registry import Registry
    from solera.settings import config_folder, load_settings

    settings = load_settings()
    registry = Registry.discover(
        settings.all_plugin_folders, disabled=settings.disabled_plugins, safe_mode=settings.safe_mode
    )
    if json:
        show_json([item.to_plain() for item in registry.plugins])
        return
    rows = []
    for item in registry.plugins:
        manifest = item.found.manifest
        rows.append(
            (item.name, manifest.version if manifest else "", item.found.origin, item.state,
             item.reason or (manifest.summary if manifest else ""))
        )  # fmt: skip
    show_table(("plugin", "version", "from", "state", ""), rows)
    for fault in registry.faults:
        say(str(fault))
    show(f"\nYour own plugins go into {config_folder() / 'plugins'}")


@plugin.command()
def new(
    name: Annotated[str, typer.Argument(help="A lower-case identifier.")],
    folder: Annotated[Path, typer.Argument(help="Where its folder is made.")] = Path(),
) -> None:
    """Make a plugin from the template: one method and a test that passes."""
    from solera.extend.new import new_plugin

    made = new_plugin(name, folder)
    show(f"Made {made}. Next: edit {made / name / 'methods.py'}, then solera plugin check {made}")


@plugin.command()
def build(
    path: Where,
    check_only: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if it would change.")] = False,
) -> None:
    """Write the parameters of its contributions into plugin.toml, from their signatures."""
    from solera.extend.build import build as build_plugin

    manifest, changed = build_plugin(path, write=not check_only)
    if not changed:
        show(f"{manifest.name} is up to date.")
        return
    show(f"{manifest.name}: plugin.toml {'differs from the signatures' if check_only else 'was written anew'}.")
    if check_only:
        raise typer.Exit(1)


@plugin.command()
def check(path: Where, json: Json = False) -> None:
    """Check a plugin: its manifest, its imports, its signatures, and each contribution's conformance."""
    from solera.extend.check import check_plugin

    faults = check_plugin(path)
    if json:
        show_json([{"code": item.code, "place": item.place, "message": item.message} for item in faults])
    else:
        for fault in faults:
            show(fault.told)
        show(f"{len(faults)} fault{'' if len(faults) == 1 else 's'}." if faults else "The plugin conforms.")
    if faults:
        raise typer.Exit(1)


@plugin.command()
def disable(name: str) -> None:
    """Switch a plugin off."""
    _switch(name, on=False)


@plugin.command()
def enable(name: str) -> None:
    """Switch a plugin on again."""
    _switch(name, on=True)


def _switch(name: str, *, on: bool) -> None:
    from solera.extend.registry import Registry
    from solera.settings import load_settings, save_settings

    settings = load_settings({})  # the file alone: what the environment says must not be written down
    if not on:
        Registry.discover(settings.all_plugin_folders).plugin(name)
    off = [item for item in settings.disabled_plugins if item != name]
    save_settings(dataclasses.replace(settings, disabled_plugins=tuple(off if on else [*off, name])))
    show(f"{name} is {'on' if on else 'off'}.")

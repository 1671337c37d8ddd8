"""``solera new``: an empty project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from solera.cli.screen import show


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("new", rich_help_panel="Projects")(new)


def new(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    name: Annotated[str, typer.Option(help="The project's name; the folder's unless given.")] = "",
) -> None:
    """Make an empty project."""
    from solera.projects.project import Project

    with Project.create(folder, name) as project:
        show(f"Made the project '{project.name}' in {project.folder}")

"""``solera demo``: from an empty folder to merged models, landscapes and a front, in one command."""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solera.cli.screen import in_time, say, show

if TYPE_CHECKING:
    from solera.workbench import Workbench

#: The examples, and the experiments of each, by the beginning of their names.
EXAMPLES = {"digits": "digits-", "prose_code": "text-"}

#: What an installed package of commands offers beside its commands: ``render_run(run_path, out_dir) -> list[Path]``
#: draws a run without a display; ``open_demo(folder, examples)`` opens the window on a project whose first example is
#: made, makes the others as jobs there, and runs the experiments of each.
RENDER, OPEN = "render_run", "open_demo"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo", rich_help_panel="Projects")(demo)


def demo(
    folder: Annotated[Path, typer.Argument(help="The demo project; made if it is not there.")] = Path("demo-project"),
    headless: Annotated[bool, typer.Option("--headless", help="Open no window.")] = False,
    example: Annotated[str, typer.Option(help="digits, prose_code or all.")] = "all",
) -> None:
    """Make the demo project, run its experiments, print the tables, and open the window.

    What is there already is used again: a second call computes nothing anew.
    """
    from solera.errors import InputError

    if example not in (*EXAMPLES, "all"):
        raise InputError(f"An example is one of {', '.join(EXAMPLES)} and all, not '{example}'.", example=example)
    chosen = tuple(EXAMPLES) if example == "all" else (example,)
    display = _display()
    module = _offering(OPEN) if display and not headless else None
    if module is None:
        if not headless:
            missing = "The window is not installed" if display else "There is no display"
            say(f"{missing}: all is made without it; tables are printed, pictures are drawn into files.")
        _headless(folder, chosen)
        return
    _make_first(folder, chosen)
    getattr(importlib.import_module(module), OPEN)(folder, chosen)


def _headless(folder: Path, examples: tuple[str, ...]) -> None:
    from solera.cli.work import submit_and_run, workbench
    from solera.projects.project import Project

    start = time.monotonic()
    _ensure_project(folder)
    runs: list[dict[str, Any]] = []
    with workbench(folder) as bench:
        for example in examples:
            say(f"{bench.registry.examples.describe(example).title}")
            submit_and_run(bench, lambda name=example: bench.submit_demo(name))
            for name, path in bench.experiments().items():
                if name.startswith(EXAMPLES[example]):
                    runs.append(_experiment(bench, path))
        where = bench.project.folder if isinstance(bench.project, Project) else folder
    _pictures(where, runs)
    reused = sum(bool(run["reused"]) for run in runs)
    again = f", {reused} of {len(runs)} runs recorded before" if reused else ""
    show(f"Done in {in_time(time.monotonic() - start)}{again}. Open the window with: solera app {where}")


def _make_first(folder: Path, examples: tuple[str, ...]) -> None:
    """Before the window opens, only the first example's checkpoints: they take seconds."""
    from solera.cli.work import submit_and_run, workbench

    _ensure_project(folder)
    with workbench(folder) as bench:
        submit_and_run(bench, lambda: bench.submit_demo(examples[0]))


def _ensure_project(folder: Path) -> None:
    from solera.projects.project import Project
    from solera.projects.project_file import FILE

    if not (folder / FILE).is_file():
        Project.create(folder, "Demo").close()


def _experiment(bench: Workbench, path: Path) -> dict[str, Any]:
    from solera.cli.work import submit_and_run
    from solera.workbench.experiment import load_experiment

    loaded = load_experiment(path)
    say(f"  {loaded.title}")
    result = submit_and_run(bench, lambda: bench.submit(loaded))
    show(f"\n{loaded.title}{' (recorded before)' if result['reused'] else ''}")
    if "text" in result:
        show(result["text"])
    else:
        show(result["summary"])
    return result


def _pictures(folder: Path, runs: list[dict[str, Any]]) -> None:
    """Draw every run that is not drawn yet; pictures are kept under artifacts/pictures/RUN."""
    module = _offering(RENDER)
    if module is None:
        say("No pictures: the window's package is not installed; get it with: pip install 'solera[app]'")
        return
    pictures = folder / "artifacts" / "pictures"
    new = [run for run in runs if not any((pictures / run["run"]).glob("*"))]
    say("  Drawing the pictures" if new else "  The pictures are there already")
    trouble = _draw(module, [(run["path"], str(pictures / run["run"])) for run in new])
    if trouble:
        say(f"Some pictures could not be drawn: {trouble}")
    show("\nPictures")
    for run in runs:
        for path in sorted((pictures / run["run"]).glob("*.png")):
            show(str(path.absolute()))
    show()


#: Run in a process of its own: Qt aborts the whole process when a system library is missing.
_DRAW = f"""
import importlib, json, pathlib, sys
draw = getattr(importlib.import_module(sys.argv[1]), {RENDER!r})
for run, out in json.loads(sys.argv[2]):
    draw(pathlib.Path(run), pathlib.Path(out))
"""


def _draw(module: str, pairs: list[tuple[str, str]]) -> str:
    """Draw runs without a display; returns what went wrong, empty if nothing did."""
    import json
    import subprocess

    if not pairs:
        return ""
    environ = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-c", _DRAW, module, json.dumps(pairs)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    if done.returncode == 0:
        return ""
    last = (done.stderr.strip().splitlines() or [f"the process ended with {done.returncode}"])[-1]
    return f"{last} (README.md names the system packages that pictures need)"


def _display() -> bool:
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _offering(name: str) -> str | None:
    """The module of commands that offers a function of this name; None if none does."""
    from solera.runs.figure import offering

    found = offering(name)
    return None if found is None else found.__module__

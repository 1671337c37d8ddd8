"""The entry point of ``solera``: parses, runs, and turns errors into sentences and exit codes.

Exit codes: 0 done; 1 failed; 2 wrong usage or input; 3 stopped by a signal, and what is stored can be resumed; 4 a
requirement on a score is not met.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

    from solera.errors import SoleraError

DONE, FAILED, USAGE, STOPPED = 0, 1, 2, 3

#: Commands that cannot do without torch.
_COMPUTING = frozenset(
    {"align", "compare", "connect", "evaluate", "explore", "extract", "merge", "probe", "statistic", "zip"}
)

#: Entry point group by which installed packages add commands; each names a function ``register(app: typer.Typer)``.
GROUP = "solera.commands"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    Args:
        arguments: The words of a command; None for a program of its own, which ends here.
    """
    if arguments is not None:
        return _guarded(list(arguments))
    # It makes few cycles: looking for them takes a third of a second of a start.
    gc.set_threshold(200_000, 50, 100)
    code = _guarded(sys.argv[1:])
    _leave(code)
    return code


def _leave(code: int) -> None:
    """End the program at once: to take apart all that torch brought along takes half a second and more."""
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are not daemons, as any end does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed, or nobody reads
            stream.flush()
    os._exit(code)


def _guarded(words: list[str]) -> int:
    """Run one command; what goes wrong becomes a sentence and an exit code."""
    debug = bool(os.environ.get("SOLERA_DEBUG"))
    from solera.errors import FaultsError, InputError, Interrupted, NotFoundError, SoleraError

    try:
        return _run(words)
    except Interrupted as error:
        _tell(error, words, who="")
        return STOPPED
    except SoleraError as error:
        if debug:
            raise
        _tell(error, words)
        return USAGE if isinstance(error, (InputError, FaultsError, NotFoundError)) else FAILED
    except BrokenPipeError:
        # Whoever read us has gone (``| head``); keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _tell(error: SoleraError, words: Sequence[str], who: str = "solera: ") -> None:
    """A sentence on stderr for a person; where JSON was asked for also a line on stdout for a program."""
    from solera.cli.screen import show_error

    sys.stderr.write(f"{who}{error}\n")
    if "--json" in words:
        show_error(error)


def build_app() -> typer.Typer:
    """The command line with everything that is registered; imports nothing heavy."""
    import typer

    from solera.cli import (
        adapters,
        alignment,
        benches,
        checkpoints,
        comparisons,
        connecting,
        demos,
        explorations,
        plugins,
        probes,
        projects,
        recipes,
        registered,
        runs,
        statistics,
        verify,
    )

    app = typer.Typer(
        name="solera",
        help="A workbench for weight space: merge, interpolate and explore checkpoints.",
        no_args_is_help=False,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback(invoke_without_command=True)
    def _options(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
        if version:
            from importlib.metadata import version as installed

            sys.stdout.write(f"solera {installed('solera')}\n")
            raise typer.Exit

    for module in (
        demos,
        projects,
        checkpoints,
        recipes,
        adapters,
        alignment,
        connecting,
        statistics,
        explorations,
        comparisons,
        probes,
        runs,
        registered,
        plugins,
        verify,
        benches,
    ):
        module.register(app)
    _add_contributed(app)
    return app


def _run(words: list[str]) -> int:
    if words and words[0] in _COMPUTING:
        from solera.jobs.torch_ahead import load_torch_ahead

        load_torch_ahead()
    import typer

    app = build_app()
    commands, groups = app.registered_commands, app.registered_groups
    names = {command.name for command in commands} | {group.name for group in groups}
    words = _with_command(words, {str(name) for name in names})
    if words[0] in names:
        # Reading the parameters of forty commands to run one takes as long as a small merge.
        app.registered_commands = [command for command in commands if command.name == words[0]]
        app.registered_groups = [group for group in groups if group.name == words[0]]
    command = typer.main.get_command(app)
    # The root of typer's usage errors has no public name of its own.
    usage: Any = next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "ClickException")
    try:
        code = command.main(words, prog_name="solera", standalone_mode=False)
    except usage as error:
        error.show()
        if "--json" in words:
            from solera.cli.screen import show_line

            show_line("error", {"code": "usage", "message": error.format_message(), "fields": {}})
        return USAGE
    except typer.Abort:
        sys.stderr.write("Stopped.\n")
        return STOPPED
    return code if isinstance(code, int) else DONE


def _with_command(words: list[str], names: set[str]) -> list[str]:
    """``solera`` and ``solera FOLDER`` mean ``solera app``, if there is a window; else help."""
    if not words:
        return ["app"] if "app" in names else ["--help"]
    if words[0] not in names and not words[0].startswith("-") and (Path(words[0]) / "solera.toml").is_file():
        return ["app", *words] if "app" in names else words
    return words


def _add_contributed(app: typer.Typer) -> None:
    """Commands of other installed packages; a broken one is named and left out."""
    from importlib.metadata import entry_points

    from solera.extend.loading import Failure, call_safely, load_object

    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        register = load_object(f"{point.module}:{point.attr}")
        outcome = register if isinstance(register, Failure) else call_safely(register, app)
        if isinstance(outcome, Failure):
            sys.stderr.write(f"solera: the commands of '{point.module}' are left out ({outcome.reason}).\n")

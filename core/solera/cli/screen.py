"""What the command line shows: tables and sentences for people, one JSON object for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from solera.errors import SoleraError

#: The option that every command with an answer has.
Json = Annotated[bool, typer.Option("--json", help="Print the answer as one JSON value.")]

#: The option of commands that run a job.
JsonEvents = Annotated[
    bool,
    typer.Option("--json", help="Print events as JSON, one a line, the result last; with --quiet the result alone."),
]

#: Version of the lines ``result`` and ``error``; those of other events have their own. Fields are only ever added.
LINE_VERSION = 1


def show_json(value: Any) -> None:
    """One JSON value to stdout."""
    json.dump(value, sys.stdout, indent=1, default=str, ensure_ascii=False)
    sys.stdout.write("\n")


def show_line(kind: str, fields: Mapping[str, Any], version: int = LINE_VERSION) -> None:
    """One JSON object on a line of its own to stdout: ``{"event": kind, "v": version, ...}``."""
    text = json.dumps({"event": kind, "v": version, **_plain(fields)}, default=str, ensure_ascii=False)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show_error(error: SoleraError) -> None:
    """An error as a line for programs: its code, its sentence and its facts."""
    plain = error.to_plain()
    fields = {key: value for key, value in plain["fields"].items() if key != "traceback"}
    show_line("error", {"code": plain["code"], "message": plain["message"], "fields": fields})


def show(line: str = "") -> None:
    """A line to stdout."""
    sys.stdout.write(f"{line}\n")


def say(line: str) -> None:
    """A line to stderr: what goes on, and what went wrong."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def show_table(heads: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "") -> None:
    """A table to stdout: drawn by rich on a terminal, aligned columns elsewhere."""
    texts = [[str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table(*heads, title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for row in texts:
            table.add_row(*(cell.replace("[", "\\[") for cell in row))
        Console().print(table)
        return
    widths = [max(len(row[i]) for row in [list(heads), *texts]) for i in range(len(heads))]
    if title:
        show(title)
    for row in [list(heads), *texts]:
        show("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def show_facts(facts: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        show(f"{name.ljust(width)}  {value}")


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity; they become null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def in_bytes(count: float) -> str:
    """A number of bytes as people read it: ``"1.4 GB"`` (powers of 1000)."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def in_count(count: float) -> str:
    """A number of parameters as people read it: ``"1.24 B"``."""
    for unit in ("", " K", " M", " B"):
        if abs(count) < 1000:
            return f"{count:.3g}{unit}"
        count /= 1000
    return f"{count:.3g} T"


def in_time(seconds: float) -> str:
    """A duration as people read it: ``"2 min 5 s"``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def time_of(cost: Mapping[str, Any]) -> str:
    """``"takes about 12 s, by a former one of this kind on this machine"``: of ``seconds`` and ``basis``."""
    if cost["seconds"] is None:
        return f"how long is not known: {cost['basis']}"
    return f"takes about {in_time(cost['seconds'])}, by {cost['basis']}"


def with_error(value: float, stderr: float, percent: bool = False) -> str:
    """A number with its standard error, rounded to what the error supports: ``"0.842 ± 0.011"``."""
    scale, unit = (100, " %") if percent else (1, "")
    value, stderr = value * scale, stderr * scale
    if math.isfinite(stderr) and stderr > 0:
        digits = min(max(0, 1 - math.floor(math.log10(stderr))), 6)
        return f"{value:.{digits}f} ± {stderr:.{digits}f}{unit}"
    return f"{value:.4g}{unit}"

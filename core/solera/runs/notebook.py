"""What a notebook shows of a run: its facts in a table, and its first picture."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from solera.errors import SoleraError
from solera.runs.figure import DRAW, offering

if TYPE_CHECKING:
    from solera.runs.reader import RunReader

_SIZE = (720, 480)


def facts_table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """A title and facts as HTML without a style of its own, so that it is right in light and dark notebooks."""
    lines = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in rows
        if value
    )
    return f"<div><strong>{escape(title)}</strong><table>{lines}</table></div>"


def run_facts(run: RunReader) -> list[tuple[str, str]]:
    """What a run is, in a few lines: name and value; a value may be empty."""
    header = run.header
    explorer = header.experiment.get("explorer", {})
    method = str(explorer.get("name", "")) if isinstance(explorer, dict) else ""
    planned = f" of {header.planned:,}" if header.planned and run.count < header.planned else ""
    splits = sorted({str(column["split"]) for column in header.columns if column.get("split")})
    return [
        ("run", header.id),
        ("kind", header.kind),
        ("state", run.state),
        ("started", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(header.created))),
        ("points", f"{run.count:,}{planned}"),
        ("explorer", method),
        ("coordinates", ", ".join(header.coord_names)),
        ("scores", ", ".join(header.column_names)),
        ("split", ", ".join(splits)),
        ("seed", str(header.experiment.get("seed", ""))),
        ("outcome", run.summary),
        ("file", str(run.path)),
    ]


def run_html(run: RunReader) -> str:
    """Facts and, where the window's package is installed, the run's first picture."""
    table = facts_table(run.header.title or run.header.id, run_facts(run))
    if not run.count or offering(DRAW) is None:
        return table
    try:
        png = base64.b64encode(run.figure(size=_SIZE).content("png")).decode()
    except SoleraError as error:  # a run that no view shows, a machine without Qt's packages: the facts remain
        return f"{table}<p>No picture: {escape(str(error))}</p>"
    title = escape(run.header.title or run.header.id, quote=True)
    return f'{table}<img alt="{title}" width="{_SIZE[0]}" height="{_SIZE[1]}" src="data:image/png;base64,{png}"/>'

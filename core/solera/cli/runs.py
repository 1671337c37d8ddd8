"""``solera runs``: what was recorded."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solera.cli.explorations import Device, ProjectFolder, Quiet
from solera.cli.screen import Json, JsonEvents, show, show_facts, show_json, show_line, show_table
from solera.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from solera.runs.catalogue import RunInfo
    from solera.runs.reader import RunReader

runs = typer.Typer(help="Runs: list, show, export, check, resume.", no_args_is_help=True)

Run = Annotated[str, typer.Argument(help="The run's id, its beginning, or its file.")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(runs, name="runs", rich_help_panel="Scores and landscapes")


@runs.command("list")
def list_(project: ProjectFolder = None, json: Json = False) -> None:
    """The runs of a project, newest first."""
    from solera.runs.catalogue import Catalogue

    catalogue = Catalogue(_folder(project))
    catalogue.refresh()
    found = catalogue.list()
    catalogue.close()
    if json:
        show_json([_plain(info) for info in found])
        return
    rows = ((i.id, i.kind, i.state, _extent(i.count, i.planned), i.title, i.summary) for i in found)
    show_table(("run", "kind", "state", "points", "title", "what came out"), rows)


@runs.command("show")
def show_run(run: Run, project: ProjectFolder = None, json: Json = False) -> None:
    """One run: where it comes from, and what came out."""
    from solera.runs.provenance import summary_of

    reader = _open(run, project)
    header = reader.header
    if json:
        show_json({**_points(reader), "state": reader.state, "summary": reader.summary, "count": reader.count})
        return
    show_facts(
        {
            "run": header.id,
            "title": header.title,
            "kind": header.kind,
            "state": reader.state,
            "started": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(header.created)),
            "points": _extent(reader.count, header.planned),
            "coordinates": ", ".join(header.coord_names) or "none",
            "columns": ", ".join(header.column_names) or "none",
            "made with": summary_of(header.provenance),
            "outcome": reader.summary or "none yet",
            "file": reader.path,
        }
    )
    for fact in reader.log():
        if fact.level != "debug":
            show(f"{fact.level}: {fact.text}")


@runs.command("compare")
def compare_runs(
    run: Annotated[list[str], typer.Argument(help="Ids of runs, their beginnings, or their files.")],
    project: ProjectFolder = None,
    json: Json = False,
) -> None:
    """Runs beside each other: the settings that differ, and what each found."""
    import dataclasses

    from solera.workbench.beside import beside

    found = beside([_open(each, project) for each in run])
    if json:
        show_json(dataclasses.asdict(found))
        return
    rows = [
        (line.name, *(line.values or [f"{each.value:.4g} ± {each.stderr:.2g}" for each in line.found]),
         "within noise" if line.noise else "")
        for line in found.lines
    ]  # fmt: skip
    show_table(("", *found.titles, ""), rows)
    show("1 setting is equal." if found.equal == 1 else f"{found.equal} settings are equal.")


@runs.command()
def again(
    run: Run,
    set_: Annotated[list[str] | None, typer.Option("--set", help="A setting and its value: seed=1.")] = None,
    project: ProjectFolder = None,
    device: Device = "",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Do what made a run once more, with other settings, such as --set seed=1 --set explorer.params.points=41."""
    from solera.cli.work import submit_and_run, workbench

    changes = dict(_setting(text) for text in set_ or ())
    with workbench(project, device=device) as bench:
        id_ = _open(run, project).header.id
        result = submit_and_run(bench, lambda: bench.again(id_, changes), quiet=quiet)
    show_json(result) if json else show(f"{result['summary']}\nrun {result['run']}: {result['path']}")


def _setting(text: str) -> tuple[str, Any]:
    import json

    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set is NAME=VALUE, such as seed=1; not '{text}'.")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()


@runs.command()
def export(
    run: Run,
    out: Annotated[Path, typer.Argument(help="A .csv, .json or .nc file; a picture's is .png, .svg or .pdf.")],
    view: Annotated[str, typer.Option(help="Draw this view; see solera views.")] = "",
    theme: Annotated[str, typer.Option(help="Of a picture: light or dark.")] = "light",
    size: Annotated[str, typer.Option(help="Of a picture: WIDTHxHEIGHT in pixels.")] = "1000x700",
    choose: Annotated[list[str] | None, typer.Option(help="Of a picture: what is shown, as score=TASK.METRIC.")] = None,
    beside: Annotated[str, typer.Option(help="Of a picture: another run, at the right on linked axes.")] = "",
    among: Annotated[
        list[str] | None, typer.Option(help="Of hypervolume: another seed's run, in the same picture.")
    ] = None,
    project: ProjectFolder = None,
) -> None:
    """Write a run's points as CSV, JSON or netCDF, or a view of it as PNG, SVG or PDF; which one, the ending says.

    Beside a picture lie the numbers in it (.csv) and the script that makes it again (.py).
    """
    from solera.runs.export import to_csv, to_xarray

    reader = _open(run, project)
    if view or out.suffix.lower() in (".png", ".svg", ".pdf"):
        others = [_open(name, project) for name in among or ()]
        _draw(reader, view, out, theme, size, choose or [], _open(beside, project) if beside else None, others)
        return
    match out.suffix.lower():
        case ".csv":
            to_csv(reader, out)
        case ".nc":
            to_xarray(reader).to_netcdf(out, engine="h5netcdf")
        case ".json":
            import json

            out.write_text(json.dumps(_points(reader), indent=1), encoding="utf-8")
        case other:
            raise InputError(
                f"A run is exported to .csv, .json or .nc, a picture to .png, .svg or .pdf; not to '{other}'.",
                path=str(out),
            )
    show(f"Wrote {out.absolute()}")


def _draw(
    reader: RunReader,
    view: str,
    out: Path,
    theme: str,
    size: str,
    choose: list[str],
    beside: RunReader | None,
    among: list[RunReader],
) -> None:
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise InputError(f"--size is WIDTHxHEIGHT, not '{size}'.")
    choices = dict(choice.partition("=")[::2] for choice in choose)
    figure = reader.figure(view, theme=theme, size=(int(width), int(height)), beside=beside, among=among, **choices)  # type: ignore[arg-type]
    path = figure.save(out)
    further = "" if path.suffix == ".csv" else f", {path.with_suffix('.csv').name} and {path.with_suffix('.py').name}"
    show(f"Wrote {path}{further}")


@runs.command()
def check(
    run: Annotated[str, typer.Argument(help="A run; all unless given.")] = "",
    project: ProjectFolder = None,
    recover: Annotated[bool, typer.Option("--recover", help="Mend the files of killed runs.")] = False,
    json: Json = False,
) -> None:
    """See whether run files can be read; with --recover mend those whose writer was killed."""
    from solera.errors import SoleraError
    from solera.runs import recover as recovery
    from solera.runs.reader import RunReader

    files = [_file(run, project)] if run else sorted(_folder(project).glob("*.h5"))
    rows, broken = [], 0
    for file in files:
        try:
            if recover:
                recovery.recover(file)
            reader = RunReader(file)
            rows.append({"run": reader.header.id, "state": reader.state, "points": reader.count, "trouble": ""})
        except SoleraError as error:
            broken += 1
            rows.append({"run": file.stem, "state": "unreadable", "points": 0, "trouble": str(error)})
    if json:
        show_json(rows)
    else:
        show_table(("run", "state", "points", "trouble"), (row.values() for row in rows))  # type: ignore[misc]
    if broken:
        raise typer.Exit(1)


@runs.command()
def resume(
    run: Run, project: ProjectFolder = None, device: Device = "", quiet: Quiet = False, json: JsonEvents = False
) -> None:
    """Go on with an exploration that was stopped or killed."""
    from solera.cli.work import submit_and_run, workbench

    file = _file(run, project)
    with workbench(_project_of(project), device=device) as bench:
        result = submit_and_run(bench, lambda: bench.resume(file.stem), quiet=quiet, json=json)
    if json:
        show_line("result", result)
    else:
        show(f"{result['summary']}\nrun {result['run']}: {result['path']}")


def _points(reader: RunReader) -> dict[str, Any]:
    points = reader.points()
    return {
        "header": reader.header.to_plain(),
        "coords": points.coords.tolist(),
        "values": points.values.tolist(),
        "stderrs": points.stderrs.tolist(),
        "counts": points.counts.tolist(),
        "phase": points.phase.tolist(),
        "labels": points.labels.tolist(),
    }


def _extent(count: int, planned: int | None) -> str:
    return f"{count} of {planned}" if planned and count < planned else str(count)


def _project_of(project: Path | None) -> Path:
    from solera.projects.project import Project

    found = project or Project.find(Path.cwd())
    if found is None:
        raise NotFoundError("There is no project around here; name one with --project.")
    return found


def _folder(project: Path | None) -> Path:
    from solera.projects.project import Project

    with Project.open(_project_of(project), read_only=True) as opened:
        return opened.runs_folder


def _file(run: str, project: Path | None) -> Path:
    if Path(run).suffix == ".h5" and Path(run).is_file():
        return Path(run)
    folder = _folder(project)
    found = sorted(folder.glob(f"{run}*.h5"))
    if len(found) != 1:
        why = f"{len(found)} runs begin so" if found else "there is none"
        raise NotFoundError(f"No single run '{run}' in {folder}: {why}. See solera runs list.", run=run)
    return found[0]


def _open(run: str, project: Path | None) -> RunReader:
    from solera.runs.reader import RunReader

    return RunReader(_file(run, project))


def _plain(info: RunInfo) -> dict[str, Any]:
    import dataclasses

    return {**dataclasses.asdict(info), "path": str(info.path), "tags": list(info.tags)}

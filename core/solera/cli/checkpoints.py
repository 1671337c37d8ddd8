"""``solera inspect``: what is in a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from solera.cli.screen import Json, in_bytes, in_count, show, show_facts, show_json, show_table

if TYPE_CHECKING:
    from solera.checkpoints.adapters.adapter import Adapter
    from solera.checkpoints.checkpoint import Checkpoint


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("inspect", rich_help_panel="Checkpoints and recipes")(inspect)


def inspect(
    path: Annotated[str, typer.Argument(help="A file or folder, or an entry of the project's library.")],
    stats: Annotated[
        bool, typer.Option("--stats", help="Read the values: range, mean, norm, what is not finite.")
    ] = False,
    tensors: Annotated[bool, typer.Option("--tensors", help="List every tensor.")] = False,
    json: Json = False,
) -> None:
    """Show what is in a checkpoint; reads headers only unless --stats is given."""
    from solera.cli.work import workbench

    with workbench() as bench:
        checkpoint = bench.open(path)
        facts = _facts(checkpoint)
        listed = _tensors(checkpoint, stats) if stats or tensors or json else []
    if json:
        show_json({**facts, "tensors": listed})
        return
    show_facts(
        {
            "name": facts["name"], "path": facts["path"], "format": facts["format"],
            **({"adapter": facts["adapter"], "trained on": facts["base"] or "unknown"} if facts["adapter"] else {}),
            "architecture": facts["architecture"] or "unknown",
            "parameters": f"{in_count(facts['parameters'])} in {facts['count']} tensors",
            "dtypes": ", ".join(f"{name} {in_count(count)}" for name, count in facts["dtypes"].items()),
            "bytes": in_bytes(facts["bytes"]),
            "tied": ", ".join(f"{a} = {b}" for a, b in facts["ties"].items()) or "none",
        }
    )  # fmt: skip
    for note in facts["notes"]:
        show(f"note: {note}")
    if listed:
        show()
        heads = ("tensor", "shape", "dtype", *(("min", "max", "mean", "norm", "not finite") if stats else ()))
        show_table(heads, (_row(item, stats) for item in listed))


def _facts(checkpoint: Checkpoint) -> dict[str, Any]:
    from solera.projects.library import architecture_of

    adapter = _adapter(checkpoint)
    return {
        "name": checkpoint.name,
        "path": str(checkpoint.path or ""),
        "format": checkpoint.format,
        "architecture": architecture_of(checkpoint.config),
        "adapter": adapter.description if adapter else "",
        "base": adapter.config.base if adapter else "",
        "parameters": checkpoint.numel,
        "count": len(checkpoint),
        "bytes": checkpoint.nbytes,
        "dtypes": dict(checkpoint.dtypes),
        "ties": dict(checkpoint.ties),
        "strip": checkpoint.strip,
        "metadata": dict(checkpoint.metadata),
        "notes": list(checkpoint.notes),
    }


def _adapter(checkpoint: Checkpoint) -> Adapter | None:
    """The adapter whose folder was opened; None if it is none. One that cannot be used says so here."""
    from solera.checkpoints.adapters.adapter import is_adapter, open_adapter

    return open_adapter(checkpoint.path) if checkpoint.path is not None and is_adapter(checkpoint.path) else None


def _tensors(checkpoint: Checkpoint, stats: bool) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    for name, ref in checkpoint.items():
        item: dict[str, Any] = {"name": name, "shape": list(ref.shape), "dtype": ref.dtype, "kind": ref.kind}
        if stats and ref.numel and name not in checkpoint.ties:
            item |= _stats(ref)
        listed.append(item)
    return listed


def _stats(ref: Any) -> dict[str, Any]:
    import torch

    from solera.tensors.reductions import norm, reduce_sum

    values = ref.read().float() if ref.dtype != "float64" else ref.read()
    finite = torch.isfinite(values)
    bad = int((~finite).sum())
    kept = values if bad == 0 else torch.where(finite, values, torch.zeros_like(values))
    low, high = torch.aminmax(values[finite]) if bad < values.numel() else (torch.tensor(0.0), torch.tensor(0.0))
    count = max(values.numel() - bad, 1)
    return {
        "min": float(low), "max": float(high), "mean": reduce_sum(kept) / count, "norm": norm(kept), "not_finite": bad,
    }  # fmt: skip


def _row(item: dict[str, Any], stats: bool) -> list[str]:
    row = [item["name"], "x".join(map(str, item["shape"])) or "scalar", item["dtype"]]
    if stats:
        row += [f"{item[key]:.4g}" if key in item else "" for key in ("min", "max", "mean", "norm", "not_finite")]
    return row

"""A recipe that pins its checkpoints by content hash is not merged from anything else."""

import dataclasses
from pathlib import Path

from solera.context import QuietContext
from solera.workbench import Workbench


def test_a_pinned_checkpoint_must_hold_what_it_held(bench: Workbench, tmp_path: Path) -> None:
    recipe = bench.recipe("library:digits-base")
    node = recipe.checkpoints[0]
    found = bench.inputs.fingerprints(recipe, QuietContext())[node.id]

    def pinned(to: str) -> object:
        job = bench.submit_merge(dataclasses.replace(recipe, nodes=(dataclasses.replace(node, fingerprint=to),)), out)
        return bench.jobs.wait(job.id, 60)

    out = tmp_path / "other"
    job = pinned("sha256-tree:" + "0" * 64)
    assert job.state == "failed"  # type: ignore[attr-defined]
    assert "pins" in job.error["message"]  # type: ignore[attr-defined]
    job = pinned("sha256:" + "0" * 64)
    assert job.error["code"] == "input"  # type: ignore[attr-defined]
    assert f"pin it to {found}" in job.error["message"]  # type: ignore[attr-defined]
    assert not out.exists()
    assert pinned(found).state == "done"  # type: ignore[attr-defined]

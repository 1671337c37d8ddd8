from dataclasses import replace

import numpy as np
import pytest

from solera_app.run_desk import _about, coordinate_lines
from solera_app.views.facts import (
    columns,
    coordinate_title,
    family_kind,
    family_words,
    format_value,
    point_words,
    sample_words,
    scale,
    state_words,
    subtitle,
)
from solera_app.views.snapshot import Snapshot


def test_columns_in_words(snapshots: dict[str, Snapshot]) -> None:
    loss, accuracy, *_ = columns(snapshots["line"].header)
    assert (loss.name, loss.short) == ("rotated.cross_entropy", "Rotated cross-entropy")
    assert loss.axis == "Rotated cross-entropy (nats), lower is better"
    assert accuracy.axis == "Rotated accuracy (%), higher is better"
    assert (accuracy.percent, accuracy.lower, loss.split) == (True, False, "selection")


def test_a_metric_nobody_registered_is_shown_plainly(snapshots: dict[str, Snapshot]) -> None:
    import dataclasses

    header = dataclasses.replace(snapshots["line"].header, columns=({"name": "edge.max_drop"},))
    (column,) = columns(header)
    assert column.name == "edge.max_drop"
    assert "lower is better" in column.axis


def test_a_place_is_told_by_its_label(snapshots: dict[str, Snapshot]) -> None:
    assert coordinate_lines(snapshots["layers"], 7) == [("model", "rotated"), ("layer", "block.1.weight")]
    assert coordinate_lines(snapshots["line"], 5) == [("rotated to inverted", "0.5")]
    assert coordinate_lines(snapshots["comparison"], 0) == [("row", "0")]  # what has no place is left out


def test_the_line_of_a_picture_accounts_for_every_point(snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["three"]
    shown = columns(run.header)
    assert point_words(run, shown) == "20 of 20 points: 19 shown, 1 failed"
    assert point_words(run, shown[1:]) == "20 of 20 points"
    assert point_words(run, shown, outside=4) == "20 of 20 points: 15 shown, 1 failed, 4 outside"


def test_families_are_told_in_words(snapshots: dict[str, Snapshot]) -> None:
    told = {name: family_words(run.header) for name, run in snapshots.items()}
    assert told["line"] == "line"
    assert told["search"] == "recipe of 3 variables"
    assert told["simplex4"] == "simplex of 4 models"
    assert told["soup"] == "subset of 4 models"
    assert told["trajectory"] == "trajectory of 5 checkpoints"
    assert told["comparison"] == ""


def test_the_subtitle_says_split_samples_points_and_seed(snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["search"]
    words = subtitle(run, columns(run.header)[::2])
    told = "rotated and inverted · selection split · n = 300 each · pareto · 30 of 40 points · seed 0"
    assert words == f"recipe of 3 variables · {told}"


def test_a_score_on_fewer_samples_says_so(snapshots: dict[str, Snapshot]) -> None:
    import dataclasses

    run = snapshots["line"]
    run = dataclasses.replace(run, points=dataclasses.replace(run.points, counts=np.full_like(run.points.counts, 64)))
    assert sample_words(run, columns(run.header)[:1]) == "n = 64 of 300"


@pytest.mark.parametrize(
    ("state", "words"),
    [("running", ("Running 27 %", "accent")), ("done", ("Done", "success")), ("failed", ("Failed", "error"))],
)
def test_the_state_in_words(snapshots: dict[str, Snapshot], state: str, words: tuple[str, str]) -> None:
    import dataclasses

    run = snapshots["line"]
    few = run.points.rows(slice(0, 3))
    assert state_words(dataclasses.replace(run, state=state, points=few)) == words


def test_lengths_are_taken_from_the_family(snapshots: dict[str, Snapshot]) -> None:
    assert scale(snapshots["plane"].header) == (8.0, 6.0)
    assert scale(snapshots["line"].header) == ()
    assert family_kind(snapshots["plane"].header) == "plane"
    assert coordinate_title({"name": "density", "unit": "share"}) == "Density (share)"


def test_a_model_that_is_scored_again_is_named_once(snapshots: dict[str, Snapshot]) -> None:
    front = snapshots["search"]
    points = front.points
    labels = np.full(len(points), "", dtype="<U8")
    labels[[0, 1, 5, len(points) - 1]] = ["base", "rotated", "base", "base"]
    named = replace(front, points=replace(points, labels=labels))
    everything = np.ones(len(points), dtype=bool)
    assert named.names(everything) == {int(points.index[0]): "base", int(points.index[1]): "rotated"}
    later = everything.copy()
    later[0] = False
    assert named.names(later) == {int(points.index[1]): "rotated"}


def test_values_in_their_metrics_form() -> None:
    assert format_value(0.9322, 0.0061, "accuracy") == "93.2 ± 0.6 %"
    assert format_value(2.957, 0.0093, "loss") == "2.957 ± 0.009"
    assert format_value(2.957, 0.0093) == "2.957 ± 0.009"


def test_a_run_counts_what_was_planned_and_what_was_scored_again(snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["search"]
    lines = dict(_about(run)["Run"])
    assert lines["Points"].startswith(f"{int(run.search.sum()):,}")
    assert lines.get("Scored again", "") == (
        f"{int(run.report.sum()):,} on the report split" if run.report.any() else ""
    )

"""Filters of the table: words in names, bounds on numbers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from solera.errors import InputError
from solera_app.pictures import registered
from solera_app.views.snapshot import Snapshot
from solera_plugins.pictures.views.filters import Bound, Filter, parse

VIEWS = registered()
TITLES = ["Point", "Model", "Split", "scale", "Rotated loss (nats)", "Rotated accuracy (%)"]


def table(qtbot: QtBot, snapshot: Snapshot) -> Any:
    view = VIEWS["table"]()
    qtbot.addWidget(view)
    view.resize(900, 500)
    view.set_run(snapshot)
    view.show()
    return view


def numbers(view: Any) -> list[int]:
    rows = view.view.model()
    return [rows.index(row, 0).data() for row in range(rows.rowCount())]


def test_terms_are_words_and_bounds() -> None:
    found = parse("Ties rotatedloss<=0.5 scale>−1 accuracy>=90", TITLES)
    assert found == Filter(("ties",), (Bound(4, "<=", 0.5), Bound(3, ">", -1.0), Bound(5, ">=", 90.0)))
    assert parse("  ", TITLES) == Filter()
    assert parse("loss<", TITLES) == Filter(("loss<",))  # not finished yet


def test_what_cannot_be_read_is_a_sentence() -> None:
    with pytest.raises(InputError, match="No column has 'bleu'"):
        parse("bleu>3", TITLES)
    with pytest.raises(InputError, match=r"'high' in 'loss>high' is no number"):
        parse("loss>high", TITLES)


@given(st.floats(), st.floats(-10, 10), st.sampled_from(["<", "<=", ">", ">=", "="]))
def test_a_bound_compares_as_its_sign_says_and_nan_meets_none(value: float, bound: float, sign: str) -> None:
    held = Bound(0, sign, bound).holds(value)
    finite = abs(value) < float("inf")
    by_hand = {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound, "=": value == bound}
    assert held == (finite and by_hand[sign])


def test_rows_are_kept_by_what_is_written(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["three"]
    view = table(qtbot, run)
    values = run.points.values[:, 1]
    view.filter.setText("code<1.5")
    assert numbers(view) == [i + 1 for i in range(20) if values[i] < 1.5]
    assert f"{len(numbers(view))} rows kept" in view.header.subtitle
    view.filter.setText("prose>0")
    assert 8 not in numbers(view)  # its score is not finite
    view.filter.setText("average")
    assert numbers(view) == [4]
    view.filter.setText("bleu<1")
    assert "No column has 'bleu' in its title" in view.header.subtitle
    view.filter.clear()
    assert len(numbers(view)) == 20


def test_percents_are_compared_as_they_are_read(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    run = snapshots["search"]
    view = table(qtbot, run)
    view.filter.setText("rotatedaccuracy>50")
    assert numbers(view) == [i + 1 for i in range(31) if run.points.values[i, 1] > 0.5]


def test_a_probe_is_told_by_its_labels(qtbot: QtBot, snapshots: dict[str, Snapshot]) -> None:
    view = table(qtbot, snapshots["layers"])
    assert view.model.titles() == ["Row", "Split", "model", "layer", "Cosine", "Size"]
    assert view.view.isColumnHidden(1)
    cells = [view.model.data(view.model.index(7, column)) for column in (2, 3)]
    assert cells == ["rotated", "block.1.weight"]
    assert "Made up" in view.header.subtitle
    assert not view.model._good.any()
    view.filter.setText("inverted block.5")
    assert numbers(view) == [18]
    names, rows = view.table()
    assert list(names)[:5] == ["index", "model", "split", "model", "layer"]
    assert next(iter(rows))[3:5] == ["base", "block.0.weight"]

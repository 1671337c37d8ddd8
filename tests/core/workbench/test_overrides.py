"""Entries of an experiment by name, and times."""

import pytest

from solera.errors import InputError
from solera.workbench.overrides import overridden, read_seconds

PLAIN = {"solera": 1, "seed": 0, "explorer": {"name": "grid", "params": {"points": 5}}, "tasks": ["a"]}


def test_entries_change_by_name_and_nothing_else_does():
    made = overridden(
        PLAIN, ["seed=3", "explorer.params.points=40", 'tasks=["a", "b"]', "family.margin=0.5", "title=x y"]
    )
    assert made == {
        "solera": 1, "seed": 3, "explorer": {"name": "grid", "params": {"points": 40}}, "tasks": ["a", "b"],
        "family": {"margin": 0.5}, "title": "x y",
    }  # fmt: skip
    assert PLAIN["seed"] == 0
    assert PLAIN["explorer"] == {"name": "grid", "params": {"points": 5}}


@pytest.mark.parametrize(("item", "match"), [("seed", "KEY=VALUE"), (".a=1", "KEY=VALUE"), ("seed.x=1", "no entries")])
def test_what_cannot_be_set_is_said(item, match):
    with pytest.raises(InputError, match=match):
        overridden(PLAIN, [item])


def test_times_are_read_as_people_write_them():
    assert [read_seconds(text) for text in ("90", "90s", "5m", "1.5h")] == [90, 90, 300, 5400]
    for text in ("", "0", "-3", "soon", "5 days"):
        with pytest.raises(InputError, match="A time limit is written"):
            read_seconds(text)

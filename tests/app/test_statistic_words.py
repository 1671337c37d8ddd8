"""What a statistic costs, as its node and the inspector say it."""

from __future__ import annotations

from solera_app.statistic_words import statistic_facts, statistic_short

PENDING = {
    "ready": False, "examples": 1200, "passes": "1 gradient", "holds": 4_000_000, "seconds": 12.4, "path": "",
    "basis": "a former one of this kind on this machine",
}  # fmt: skip


def test_before_it_is_computed_its_cost_is_shown():
    assert statistic_short(PENDING) == "1,200 examples · about 12 s"
    facts = dict(statistic_facts(PENDING))
    assert (facts["Each takes"], facts["Holds"], facts["Time"]) == ("1 gradient", "at most 4.00 MB", "about 12 s")


def test_a_time_that_cannot_be_told_says_why():
    unknown = {**PENDING, "seconds": None, "basis": "none of this kind was computed on this machine yet"}
    assert statistic_short(unknown) == "1,200 examples"
    assert dict(statistic_facts(unknown))["Time"] == "not known: none of this kind was computed on this machine yet"


def test_what_is_there_says_so():
    assert statistic_short({**PENDING, "ready": True}) == "Computed"
    assert dict(statistic_facts({**PENDING, "ready": True, "path": "/a/b"}))["File"] == "/a/b"

"""The conformance suite for methods notices what is wrong with one."""

from __future__ import annotations

import pytest

from solera.methods.spec import method
from solera.testing.conformance_methods import method_complaints


def declared(function, **facts):
    return method("tried", takes="weights", **{"granularity": "element", **facts})(function)


def average(tensors):
    """Average the models.

    Args:
        tensors: One per model.
    """
    return sum(tensors) / len(tensors)


def in_place(tensors):
    """Overwrite the first.

    Args:
        tensors: One per model.
    """
    return tensors[0].mul_(1.0).add_(1e-3)


def by_mean(tensors):
    """Take the mean off, which a chunk does not have.

    Args:
        tensors: One per model.
    """
    return tensors[0] - (tensors[0].mean() if tensors[0].numel() else 0.0)


def silent(tensors, *, share: float = 0.5):
    """Say nothing of the share.

    Args:
        tensors: One per model.
    """
    return tensors[0] * share


def of_norm(tensors):
    """Divide by a norm that may be 0.

    Args:
        tensors: One per model.
    """
    return tensors[0] / tensors[0].norm()


def fragile(tensors):
    """Fail on NaN with an error of Python's.

    Args:
        tensors: One per model.
    """
    if not tensors[0].isfinite().all() or not tensors[-1].isfinite().all():
        raise ValueError("no")
    return tensors[0].clone()


def of_sizes(tensors, *, state=0.0):
    """Shift by what the first pass found.

    Args:
        tensors: One per model.
    """
    return tensors[0] + state


def hoard(passes):
    """Keep pieces for later, when their numbers are gone."""
    return sum(float(piece.double().sum()) for piece in [tensors[0] for _, tensors in passes]) / passes.numel


def test_a_first_pass_that_keeps_pieces_is_told_of():
    facts = {"prepare": hoard, "inputs": (1, 1), "promise": "tolerance"}
    complaints = method_complaints(declared(of_sizes, **facts))
    assert any("a piece is valid until the next step" in text for text in complaints)


def test_a_good_method_has_nothing_wrong_with_it():
    assert method_complaints(declared(average)) == []


@pytest.mark.parametrize(
    ("function", "facts", "words"),
    [
        (in_place, {}, "changes its inputs"),
        (by_mean, {}, "a chunk of a tensor comes out otherwise"),
        (silent, {}, "does not describe the argument 'share'"),
        (of_norm, {"granularity": "tensor"}, "It fails: The result overflows in 'zeros'"),
        (fragile, {}, "NaN in an input ends in ValueError: no"),
    ],
)
def test_what_is_wrong_is_said(function, facts, words):
    assert any(words in text for text in method_complaints(declared(function, **facts)))


def test_no_method_and_no_default_are_said():
    assert "not a method" in method_complaints(average)[0]

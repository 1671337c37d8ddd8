"""Declaring a method: what is read from a plain function."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest

from solera.errors import InputError
from solera.methods.spec import method
from solera.params import Param


def test_everything_is_read_from_the_signature():
    @method("pull", takes="delta", prepare=lambda passes, **_: 1, prepare_when=lambda params: params["deep"])
    def pull(
        deltas,
        *,
        share: Annotated[tuple[float, ...], Param(0, 1, per_model=True)] = (0.5,),
        mode: Literal["a", "b"] = "a",
        deep: bool = False,
        state=None,
        piece=None,
    ):
        """Pull together.

        More words.
        """

    assert [param.name for param in pull.params] == ["share", "mode", "deep"]
    assert pull.param("share").default == 0.5  # one number stands for every model
    assert pull.param("mode").choices == ("a", "b")
    assert pull.arguments == {"state", "piece"}
    assert pull.summary == "Pull together."
    assert pull.title == "Pull"
    assert pull.needs_prepare({"deep": True})
    assert not pull.needs_prepare({"deep": False})
    with pytest.raises(InputError, match="no parameter 'depth'"):
        pull.param("depth")


def test_a_method_without_prepare_never_needs_it():
    @method("plain")
    def plain(tensors):
        """Do nothing."""

    assert not plain.needs_prepare({})
    assert plain.arguments == frozenset()


def test_a_method_says_what_it_does():
    with pytest.raises(InputError, match="docstring"):

        @method("silent")
        def silent(tensors):
            pass


def test_parameters_need_types_we_know():
    with pytest.raises(InputError, match="not understood"):

        @method("odd")
        def odd(tensors, *, x: dict = {}):
            """Odd."""

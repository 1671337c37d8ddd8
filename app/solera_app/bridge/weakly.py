"""What a part holds of its whole: nothing that keeps it alive, so that a closed tab is gone at once.

A cycle of references waits for the cycle collector, and the window sets aside, unwalked, whatever is there when
something is imported (:mod:`solera_app.bridge.collector`): a cycle that was set aside stays until the window closes.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Whole = TypeVar("Whole")
Call = TypeVar("Call", bound=Callable[..., Any])


class Weakly(Generic[Whole]):
    """An attribute of a part: the whole it belongs to, which outlives it."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"{name}:weakly"

    def __set__(self, part: Any, whole: Whole) -> None:
        vars(part)[self._name] = weakref.ref(whole)

    @overload
    def __get__(self, part: None, owner: type) -> Weakly[Whole]: ...

    @overload
    def __get__(self, part: object, owner: type) -> Whole: ...

    def __get__(self, part: Any, owner: type) -> Weakly[Whole] | Whole:
        if part is None:
            return self
        whole: Whole | None = vars(part)[self._name]()
        if whole is None:
            raise ReferenceError(f"What this {owner.__name__} belongs to is gone; it must not be used any more.")
        return whole


class WeakCall(Generic[Call]):
    """An attribute that is called: a method is held as Qt holds a slot, without its object; anything else is kept."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = f"{name}:weakly"

    def __set__(self, part: Any, call: Call | None) -> None:
        vars(part)[self._name] = weakref.WeakMethod(call) if inspect.ismethod(call) else (lambda: call)

    @overload
    def __get__(self, part: None, owner: type) -> WeakCall[Call]: ...

    @overload
    def __get__(self, part: object, owner: type) -> Call | None: ...

    def __get__(self, part: Any, owner: type) -> WeakCall[Call] | Call | None:
        if part is None:
            return self
        called: Call | None = vars(part)[self._name]()
        return called

"""Read the structure of a pickle without executing it.

A pickle is a program for a small stack machine. ``pickle`` runs it and calls whatever it names; this reader runs the
same program, but calling a name only *notes* the call (:class:`Inert`). The one thing that is really made of calls,
tensors, is put together by the functions that the caller allows. Nothing is imported, no ``__setstate__`` runs, and
the memo is a dict, so that no opcode can claim memory that the file does not hold.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from solera.errors import CheckpointError

#: A larger pickle beside the tensors is not one that a training script made.
MAX_PICKLE = 256_000_000


@dataclass(frozen=True, slots=True)
class Global:
    """The name of something importable; never imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Inert:
    """What a call would have made: the name that was called, and everything it was given.

    Attributes:
        what: The name called.
        args: Positional arguments.
        state: What ``__setstate__`` or ``__dict__`` would have received.
        items: Keys set on it, as on a dict.
        elements: Values appended to it, as to a list or set.
    """

    what: Any
    args: tuple[Any, ...] = ()
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)
    elements: list[Any] = field(default_factory=list)


class _Mark:
    pass


_MARK = _Mark()

#: Opcodes whose argument is the value.
_CONSTANTS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip

_FIXED: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_DICTS = frozenset({Global("collections", "OrderedDict"), Global("builtins", "dict"), Global("__builtin__", "dict")})


class PickleReader:
    """Runs one pickle's program on inert values.

    Args:
        allowed: What calls may really do: name -> function of the (already read) arguments.
        load: What a persistent id stands for.
    """

    def __init__(self, allowed: Mapping[Global, Callable[..., Any]], load: Callable[[Any], Any]) -> None:
        self._allowed = allowed
        self._load = load
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self, data: bytes) -> Any:
        """The structure a pickle describes.

        Returns:
            Dicts, lists, tuples, sets, constants, :class:`Inert`, and what the allowed functions made.

        Raises:
            CheckpointError: It is malformed.
        """
        if len(data) > MAX_PICKLE:
            raise CheckpointError(f"The pickle has {len(data):,} bytes; more than {MAX_PICKLE:,} is refused.")
        try:
            for opcode, argument, _ in pickletools.genops(io.BytesIO(data)):
                if opcode.name == "STOP":
                    return self._stack.pop()
                self._step(opcode.name, argument)
        except CheckpointError:
            raise
        except (ValueError, TypeError, IndexError, KeyError, AttributeError, RecursionError, MemoryError) as error:
            raise CheckpointError(f"The pickle is malformed: {error or type(error).__name__}.") from None
        raise CheckpointError("The pickle ends too early.")

    def _step(self, name: str, argument: Any) -> None:
        push = self._stack.append
        if name in _CONSTANTS:
            push(argument)
        elif name in _FIXED:
            push(_FIXED[name])
        elif name == "MARK":
            push(_MARK)
        elif name in {"PUT", "BINPUT", "LONG_BINPUT"}:
            self._memo[int(argument)] = self._stack[-1]
        elif name == "MEMOIZE":
            self._memo[len(self._memo)] = self._stack[-1]
        elif name in {"GET", "BINGET", "LONG_BINGET"}:
            push(self._memo[int(argument)])
        elif name == "GLOBAL":
            module, _, attribute = argument.partition(" ")
            push(Global(module, attribute))
        elif name == "PERSID":
            push(self._load(argument))
        elif name not in {"PROTO", "FRAME"}:
            action = _ACTIONS.get(name)
            if action is None:
                raise CheckpointError(f"The pickle uses the opcode {name}, which no checkpoint needs.")
            action(self)

    # --- containers ---

    def _to_mark(self) -> list[Any]:
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                items = self._stack[place + 1 :]
                del self._stack[place:]
                return items
        raise CheckpointError("The pickle is malformed: no mark on the stack.")

    def _new_list(self) -> None:
        self._stack.append([])

    def _new_dict(self) -> None:
        self._stack.append({})

    def _new_set(self) -> None:
        self._stack.append(set())

    def _list(self) -> None:
        self._stack.append(self._to_mark())

    def _dict(self) -> None:
        items = self._to_mark()
        self._stack.append({})
        self._update(self._stack[-1], items)

    def _frozenset(self) -> None:
        self._stack.append(frozenset(map(_as_key, self._to_mark())))

    def _tuple(self) -> None:
        self._stack.append(tuple(self._to_mark()))

    def _tuple_of(self, count: int) -> None:
        items = tuple(self._pop() for _ in range(count))
        self._stack.append(items[::-1])

    def _append(self) -> None:
        value = self._pop()
        self._extend(self._stack[-1], [value])

    def _appends(self) -> None:
        values = self._to_mark()
        self._extend(self._stack[-1], values)

    def _extend(self, target: Any, values: list[Any]) -> None:
        if isinstance(target, Inert):
            target.elements.extend(values)
        elif isinstance(target, set):
            target.update(map(_as_key, values))
        else:
            _expect(target, list).extend(values)

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._update(self._stack[-1], [key, value])

    def _set_items(self) -> None:
        values = self._to_mark()
        self._update(self._stack[-1], values)

    def _update(self, target: Any, values: list[Any]) -> None:
        into = target.items if isinstance(target, Inert) else _expect(target, dict)
        into.update(zip(map(_as_key, values[::2]), values[1::2], strict=True))

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise CheckpointError("The pickle is malformed: a mark where a value should be.")
        return value

    def _drop(self) -> None:
        self._stack.pop()

    def _drop_to_mark(self) -> None:
        self._to_mark()

    def _duplicate(self) -> None:
        self._stack.append(self._stack[-1])

    # --- calls, noted or allowed ---

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        self._stack.append(Global(_expect(module, str), _expect(name, str)))

    def _persistent(self) -> None:
        self._stack.append(self._load(self._pop()))

    def _call(self) -> None:
        args, what = self._pop(), self._pop()
        self._stack.append(self._called(what, args))

    def _call_with_names(self) -> None:
        names, args, what = self._pop(), self._pop(), self._pop()
        made = self._called(what, args)
        if isinstance(made, Inert):
            made.state = names
        self._stack.append(made)

    def _call_to_mark(self) -> None:
        what, *args = self._to_mark()
        self._stack.append(self._called(what, tuple(args)))

    def _called(self, what: Any, args: Any) -> Any:
        args = _expect(args, tuple)
        if isinstance(what, Global):
            if what in _DICTS and not args:
                return {}
            function = self._allowed.get(what)
            if function is not None:
                return function(*args)
        return Inert(what, args)

    def _build(self) -> None:
        state, target = self._pop(), self._stack[-1]
        if isinstance(target, Inert):
            target.state = state


def _as_key(value: Any) -> Any:
    """The value, or something that stands for it: hashing a deeply nested tuple would overflow the C stack."""
    simple = value is None or isinstance(value, (str, int, float, bytes, Global, Inert))
    return value if simple else Inert(None, (value,))


def _expect(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise CheckpointError(f"The pickle is malformed: {type(value).__name__} where {kind.__name__} should be.")
    return value


_ACTIONS: dict[str, Callable[[PickleReader], None]] = {
    "EMPTY_LIST": PickleReader._new_list, "EMPTY_DICT": PickleReader._new_dict, "EMPTY_SET": PickleReader._new_set,
    "LIST": PickleReader._list, "DICT": PickleReader._dict, "FROZENSET": PickleReader._frozenset,
    "TUPLE": PickleReader._tuple, "TUPLE1": lambda reader: reader._tuple_of(1),
    "TUPLE2": lambda reader: reader._tuple_of(2), "TUPLE3": lambda reader: reader._tuple_of(3),
    "APPEND": PickleReader._append, "APPENDS": PickleReader._appends, "ADDITEMS": PickleReader._appends,
    "SETITEM": PickleReader._set_item, "SETITEMS": PickleReader._set_items,
    "POP": PickleReader._drop, "POP_MARK": PickleReader._drop_to_mark, "DUP": PickleReader._duplicate,
    "STACK_GLOBAL": PickleReader._stack_global, "BINPERSID": PickleReader._persistent,
    "REDUCE": PickleReader._call, "NEWOBJ": PickleReader._call, "NEWOBJ_EX": PickleReader._call_with_names,
    "OBJ": PickleReader._call_to_mark, "BUILD": PickleReader._build,
}  # fmt: skip

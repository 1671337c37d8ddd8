"""A tape: the arithmetic at one element, as a straight line of operations on registers; and what it is played for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from solera.kernels import codes
from solera.kernels.library import Loop, loop

#: A number at every element: an input, or what an operation made of others.
TapeValue = int

Doubles = np.ndarray[tuple[int], np.dtype[np.float64]]
Words = np.ndarray[tuple[int], np.dtype[np.int32]]
Longs = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(slots=True)
class _Operation:
    code: int
    made: TapeValue
    a: TapeValue = 0
    b: TapeValue = 0
    factor: float = 0.0
    more: tuple[int, ...] = ()

    @property
    def used(self) -> tuple[TapeValue, ...]:
        """The values it looks at."""
        if self.code == codes.READ:
            return ()
        both = self.code in {codes.ADD, codes.SUBTRACT, codes.MULTIPLY, codes.DIVIDE, codes.MAXIMUM}
        return (self.a, self.b) if both or self.code == codes.ADD_SCALED else (self.a,)


class Tape:
    """Operations on numbers at an element, in float32; each rounds as the torch operation of its name.

    A method puts its formula on a tape value by value, and it is played over all elements at once. Values are handles;
    none is ever changed.
    """

    def __init__(self) -> None:
        self.inputs: list[str] = []
        self._operations: list[_Operation] = []
        self._read: dict[str, TapeValue] = {}
        self._refused: list[TapeValue] = []

    def read(self, input: str) -> TapeValue:
        """An input's numbers, widened to float32."""
        if input not in self._read:
            self._read[input] = self._put(codes.READ, len(self.inputs))
            self.inputs.append(input)
        return self._read[input]

    def add(self, a: TapeValue, b: TapeValue) -> TapeValue:
        """``a + b``."""
        return self._put(codes.ADD, a, b)

    def subtract(self, a: TapeValue, b: TapeValue) -> TapeValue:
        """``a - b``."""
        return self._put(codes.SUBTRACT, a, b)

    def multiply(self, a: TapeValue, b: TapeValue) -> TapeValue:
        """``a * b``."""
        return self._put(codes.MULTIPLY, a, b)

    def divide(self, a: TapeValue, b: TapeValue) -> TapeValue:
        """``a / b``."""
        return self._put(codes.DIVIDE, a, b)

    def maximum(self, a: TapeValue, b: TapeValue) -> TapeValue:
        """The larger of two."""
        return self._put(codes.MAXIMUM, a, b)

    def scale(self, a: TapeValue, factor: float) -> TapeValue:
        """``a * factor``."""
        return a if factor == 1.0 else self._put(codes.SCALE, a, factor=factor)

    def at_least(self, a: TapeValue, least: float) -> TapeValue:
        """``a``, or ``least`` where it is less."""
        return self._put(codes.AT_LEAST, a, factor=least)

    def sign(self, a: TapeValue) -> TapeValue:
        """-1, 0 or 1."""
        return self._put(codes.SIGN, a)

    def abs(self, a: TapeValue) -> TapeValue:
        """``|a|``."""
        return self._put(codes.ABS, a)

    def equals(self, a: TapeValue, number: float) -> TapeValue:
        """1 where ``a`` is the number, else 0."""
        return self._put(codes.EQUALS, a, factor=number)

    def divide_by(self, a: TapeValue, number: float) -> TapeValue:
        """``a / number``."""
        return self._put(codes.DIVIDE_BY, a, factor=number)

    def refuse(self, a: TapeValue) -> None:
        """Do not play a piece in which ``a`` is not 0 everywhere: the method's function computes it instead."""
        self._refused.append(self._put(codes.REFUSE, a))

    def trim(self, a: TapeValue, threshold: float, until: int | None) -> TapeValue:
        """``a`` where its magnitude is above a threshold, else 0; of those at the threshold, the first ones stay.

        Args:
            a: What is trimmed.
            threshold: 0 or more.
            until: Place in the tensor before which those at the threshold stay; None is all of them, 0 none.
        """
        if until is None:
            return self._put(codes.NOT_SMALLER, a, factor=threshold)
        if until <= 0:
            return self._put(codes.LARGER, a, factor=threshold)
        return self._put(codes.TRIM, a, factor=threshold, more=(until,))

    def keep_bits(self, a: TapeValue, bits: np.ndarray[Any, np.dtype[np.uint8]]) -> TapeValue:
        """``a`` where the bit of its place in the tensor is set, else 0.

        Args:
            a: What is kept or not.
            bits: One bit for each element of the tensor, the lowest of a byte first; they must outlive the tape.
        """
        return self._put(codes.BITS, a, more=(bits.ctypes.data,))

    def thin(self, a: TapeValue, words: tuple[int, int], bound: int) -> TapeValue:
        """``a`` where the number drawn for its place is below a bound, else 0.

        Args:
            a: What is thinned.
            words: The key of :mod:`solera.tensors.hashing`, the second word mixed with the high word of the places.
            bound: From 0 to 2^32, of which all are below.
        """
        if bound >= 1 << 32:
            return a
        return self._put(codes.THIN, a, more=(words[0], words[1], bound))

    def weighted_sum(self, values: Sequence[TapeValue], weights: Sequence[float]) -> TapeValue:
        """``sum_i weights[i] * values[i]``, added in order; products and sums are rounded one by one."""
        total = self._put(codes.SCALE, values[0], factor=weights[0])
        for value, weight in zip(values[1:], weights[1:], strict=True):
            total = self._put(codes.ADD_SCALED, value, total, factor=weight)
        return total

    def finish(self, results: Sequence[TapeValue]) -> FinishedTape:
        """The tape as it is played.

        Args:
            results: The values that are wanted, in order.
        """
        wanted = {*results, *self._refused}
        needed: list[_Operation] = []
        for operation in reversed(self._operations):
            if operation.made in wanted:
                wanted.update(operation.used)
                needed.append(operation)
        return _laid_out(needed[::-1], results, tuple(self.inputs))

    def _put(
        self, code: int, a: TapeValue, b: TapeValue = 0, factor: float = 0.0, more: tuple[int, ...] = ()
    ) -> TapeValue:
        made = len(self._operations)
        self._operations.append(_Operation(code, made, a, b, factor, more))
        return made


def _laid_out(operations: Sequence[_Operation], results: Sequence[TapeValue], inputs: tuple[str, ...]) -> FinishedTape:
    """Give every value a register: one whose value is not needed any more, if there is one."""
    last = {value: at for at, operation in enumerate(operations) for value in operation.used}
    last.update(dict.fromkeys(results, len(operations)))
    place: dict[TapeValue, int] = {}
    free: list[int] = []
    registers = 0
    table = np.zeros((max(len(operations), 1), codes.WIDTH), dtype=np.int64)
    for at, operation in enumerate(operations):
        a, b = operation.a, operation.b
        if operation.code != codes.READ:
            a = place[a]
            b = place[b] if len(operation.used) > 1 else 0
        ending = [value for value in dict.fromkeys(operation.used) if last[value] == at]
        if operation.code == codes.ADD_SCALED:  # adds to the register of its total, which nobody else may need
            assert operation.b in ending
            to = place[operation.b]
            ending.remove(operation.b)
        elif operation.code == codes.REFUSE:
            to = 0
        elif free:
            to = free.pop()
        else:  # none that is read: a compiler makes slow code of loops that overwrite what they read
            to, registers = registers, registers + 1
        free.extend(place[value] for value in ending)
        place[operation.made] = to
        table[at, :4] = operation.code, to, a, b
        table[at, 4 : 4 + len(operation.more)] = operation.more
    factors = np.array([operation.factor for operation in operations] or [0.0], dtype=np.float32)
    return FinishedTape(table, len(operations), factors, tuple(place[value] for value in results), registers, inputs)


@dataclass(frozen=True, eq=False)
class FinishedTape:
    """Operations with their registers. Thread rule: any thread.

    Attributes:
        table: int64, (operations, :data:`codes.WIDTH`).
        length: How many operations.
        factors: float32, one for each.
        results: The registers of what is wanted.
        registers: How many there are.
        inputs: What is read, in order of their numbers.
    """

    table: np.ndarray[Any, np.dtype[np.int64]]
    length: int
    factors: np.ndarray[Any, np.dtype[np.float32]]
    results: tuple[int, ...]
    registers: int
    inputs: tuple[str, ...]

    def play(self, rows: Rows, origin: int, count: int, kind: int, address: int) -> bool:
        """Compute elements and store them.

        Args:
            rows: The inputs' numbers.
            origin: Place of the first element in its tensor.
            count: How many.
            kind: Of :data:`codes.KINDS`: how results are stored.
            address: Where.

        Returns:
            Whether all that was read and written is finite.
        """
        return _needed("play")(*self._begin(rows, origin, count), self.results[0], kind, address)

    def products(self, rows: Rows, origin: int, count: int, totals: Doubles) -> bool:
        """Add to the inner products of the results: float64, all pairs (i, j) with i up to j, j slowest."""
        return self._add("products", rows, origin, count, totals)

    def sizes(self, rows: Rows, origin: int, count: int, totals: Doubles) -> bool:
        """Add to the sums of magnitudes of the results: float64, one each."""
        return self._add("sizes", rows, origin, count, totals)

    def sift(
        self, rows: Rows, origin: int, count: int, ranges: Sequence[tuple[int, int]]
    ) -> list[tuple[int, int, Words, Words]] | None:  # fmt: skip
        """Sort the magnitudes of each result into a range of bit patterns.

        Returns:
            For each how many are above its range, the largest pattern, and patterns (int32) and places of those in it,
            good until the same thread asks again; None if something is not finite.
        """
        models, room = len(self.results), count + 1
        kept = _OWN.sieve(2 * models * room * 4)
        tallies = np.zeros((models, 3), dtype=np.int64)
        limits = np.array(ranges, dtype=np.int64)
        places = kept.address + models * room * 4
        where = self._which.ctypes.data, models, limits.ctypes.data, kept.address, places, room, tallies.ctypes.data
        if not _needed("sieve")(*self._begin(rows, origin, count), *where):
            return None
        words = kept.bytes[: 2 * models * room * 4].view(np.int32).reshape(2, models, room)
        return [
            (int(over), int(largest), words[0, i, :held], words[1, i, :held])
            for i, (over, largest, held) in enumerate(tallies)
        ]

    def _add(self, loop: str, rows: Rows, origin: int, count: int, totals: Doubles) -> bool:
        where = self._which.ctypes.data, len(self.results), totals.ctypes.data, _OWN.lanes(totals.size)
        return _needed(loop)(*self._begin(rows, origin, count), *where)

    @cached_property
    def _which(self) -> Longs:
        return np.array(self.results, dtype=np.int64)

    @cached_property
    def _head(self) -> tuple[int, int, int]:
        return self.table.ctypes.data, self.length, self.factors.ctypes.data

    def _begin(self, rows: Rows, origin: int, count: int) -> tuple[int, ...]:
        return *self._head, *rows.where, origin, count, _OWN.registers(self.registers)


#: Bytes of a number, by kind.
_SIZES = np.array([2, 2, 4], dtype=np.int64)


class Rows:
    """Where the numbers of a tape's inputs lie, and how they are stored.

    Args:
        count: How many inputs.
    """

    def __init__(self, count: int) -> None:
        self._kinds = np.zeros(max(count, 1), dtype=np.int64)
        self._addresses = np.zeros(max(count, 1), dtype=np.int64)
        self.where = self._kinds.ctypes.data, self._addresses.ctypes.data

    def put(self, number: int, kind: int, address: int) -> None:
        """Say it of one input."""
        self._kinds[number] = kind
        self._addresses[number] = address

    def skip(self, count: int) -> None:
        """Go on by so many elements of each input."""
        self._addresses += count * np.take(_SIZES, self._kinds)


class _Own(threading.local):
    """Memory of each thread for registers and for lanes of sums."""

    def __init__(self) -> None:
        self._registers = _Memory()
        self._lanes = _Memory()
        self._sieve = _Memory()

    def registers(self, count: int) -> int:
        """The address of so many registers."""
        return self._registers.at_least(count * codes.TILE * 4).address

    def lanes(self, sums: int) -> int:
        """The address of lanes for so many sums."""
        return self._lanes.at_least(sums * codes.LANES * 8).address

    def sorting(self, columns: int) -> int:
        """The address of room to sort so many numbers."""
        return self._lanes.at_least((2048 + 4 * columns) * 4).address

    def sieve(self, count: int) -> _Memory:
        """So many bytes for what is sifted out."""
        return self._sieve.at_least(count)


class _Memory:
    """Bytes that begin at a line of the cache.

    Attributes:
        bytes: uint8.
        address: Of the first one.
    """

    def __init__(self) -> None:
        self.bytes = np.empty(0, dtype=np.uint8)
        self.address = 0

    def at_least(self, count: int) -> _Memory:
        """Itself, with so many bytes."""
        if self.bytes.size < count:
            whole = np.empty(count + 64, dtype=np.uint8)
            first = -whole.ctypes.data % 64
            self.bytes, self.address = whole[first : first + count], whole.ctypes.data + first
        return self


_OWN = _Own()


def dot(x: int, y: int, count: int) -> float | None:
    """The inner product of float32 numbers at two addresses, as :meth:`FinishedTape.products`; None without loops."""
    found, total = loop("dot"), np.zeros(1)
    if found is None:
        return None
    found(x, y, count, total.ctypes.data, _OWN.lanes(1))
    return float(total[0])


def size(x: int, count: int) -> float | None:
    """The sum of magnitudes of float32 numbers, as :meth:`FinishedTape.sizes`; None without loops."""
    found, total = loop("size"), np.zeros(1)
    if found is None:
        return None
    found(x, count, total.ctypes.data, _OWN.lanes(1))
    return float(total[0])


def rank(sizes: int, rows: int, columns: int, table: int, ranked: int) -> bool:
    """See :func:`solera.kernels.loops.rank`; False without loops."""
    found = loop("rank")
    return found is not None and found(sizes, rows, columns, table, ranked, _OWN.sorting(columns))


def playable() -> bool:
    """Whether tapes can be played on this machine."""
    return loop("play") is not None


def _needed(name: str) -> Loop:
    found = loop(name)
    if found is None:
        raise RuntimeError(f"The loop '{name}' cannot be had on this machine.")
    return found

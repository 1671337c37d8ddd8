"""The loops, as numba compiles them; run only to be compiled (see :mod:`solera.kernels.library`).

All arguments are integers: addresses, counts and codes. Nothing here allocates, raises or knows of Python.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from solera.kernels.codes import (
    ABS,
    ADD,
    ADD_SCALED,
    AT_LEAST,
    BITS,
    DIVIDE,
    DIVIDE_BY,
    EQUALS,
    INFINITE,
    LANES,
    LARGER,
    MAXIMUM,
    MULTIPLY,
    NOT_SMALLER,
    READ,
    REFUSE,
    SCALE,
    SIGN,
    SUBTRACT,
    THIN,
    TILE,
    TRIM,
    WIDTH,
)

_I16, _I32, _F16, _F32 = ir.IntType(16), ir.IntType(32), ir.HalfType(), ir.FloatType()

#: Numbers looked at together, to see whether any is in a range.
GROUP = 32

#: Nothing that a loop could call from Python, which would tie it to numba's own run time.
_PLAIN: Any = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

part: Callable[[Any], Any] = njit(**_PLAIN)


def _pointer(item: Any) -> Any:
    """``pointer(address) -> numbers of a type``, to be indexed."""
    pointer: Any = types.CPointer(item)  # type: ignore[no-untyped-call]

    def give(_: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return pointer(types.int64), generate

    return intrinsic(give)


def _convert(given: Any, made: Any, how: Callable[[Any, Any], Any]) -> Any:
    """A conversion of one number."""

    def convert(_: Any, value: Any) -> Any:
        return made(given), lambda __, builder, ___, arguments: how(builder, arguments[0])

    return intrinsic(convert)


def _word(value: int) -> Any:
    return ir.Constant(_I32, value)


def _round_bf16(builder: Any, value: Any) -> Any:
    bits = builder.bitcast(value, _I32)
    odd = builder.and_(builder.lshr(bits, _word(16)), _word(1))
    return builder.trunc(builder.lshr(builder.add(builder.add(bits, _word(0x7FFF)), odd), _word(16)), _I16)


_floats, _doubles = _pointer(types.float32), _pointer(types.float64)
_halves, _words, _longs, _bytes = (
    _pointer(types.uint16), _pointer(types.uint32), _pointer(types.int64), _pointer(types.uint8)
)  # fmt: skip

_from_bf16 = _convert(
    types.uint16, types.float32, lambda b, x: b.bitcast(b.shl(b.zext(x, _I32), _word(16)), _F32)
)  # fmt: skip
_from_f16 = _convert(types.uint16, types.float32, lambda b, x: b.fpext(b.bitcast(x, _F16), _F32))
_to_bf16 = _convert(types.float32, types.uint16, _round_bf16)
_to_f16 = _convert(types.float32, types.uint16, lambda b, x: b.bitcast(b.fptrunc(x, _F16), _I16))
#: The bits of a float32 without its sign: in the order of magnitudes, NaN last.
_size = _convert(types.float32, types.uint32, lambda b, x: b.and_(b.bitcast(x, _I32), _word(0x7FFFFFFF)))
_as_float = _convert(types.uint32, types.float32, lambda b, x: b.bitcast(x, _F32))
_low_word = _convert(types.int64, types.uint32, lambda b, x: b.trunc(x, _I32))
_wide = _convert(types.uint32, types.int64, lambda b, x: b.zext(x, ir.IntType(64)))


@part
def _read(kind: int, address: int, start: int, count: int, to: Any) -> Any:
    """Widen numbers; the largest bits of them."""
    if kind == 0:
        halves = _halves(address)
        for i in range(count):
            to[i] = _from_bf16(halves[start + i])
    elif kind == 1:
        halves = _halves(address)
        for i in range(count):
            to[i] = _from_f16(halves[start + i])
    else:
        floats = _floats(address)
        for i in range(count):
            to[i] = floats[start + i]
    worst = types.uint32(0)
    for i in range(count):
        worst = max(worst, _size(to[i]))
    return worst


@part
def _write(kind: int, address: int, start: int, count: int, made: Any) -> Any:
    """Round numbers; the largest bits of what they became."""
    worst = types.uint32(0)
    if kind == 0:
        halves = _halves(address)
        for i in range(count):
            stored = _to_bf16(made[i])
            halves[start + i] = stored
            worst = max(worst, _size(_from_bf16(stored)))
        for i in range(count):
            worst = max(worst, _size(made[i]))  # rounding may hide what is not a number
    elif kind == 1:
        halves = _halves(address)
        for i in range(count):
            stored = _to_f16(made[i])
            halves[start + i] = stored
            worst = max(worst, _size(_from_f16(stored)))
    else:
        floats = _floats(address)
        for i in range(count):
            floats[start + i] = made[i]
            worst = max(worst, _size(made[i]))
    return worst


@part
def _mix(x: Any) -> Any:
    """The mixing function of :mod:`solera.tensors.hashing`."""
    x = types.uint32(x ^ (x >> types.uint32(16)))
    x = types.uint32(x * types.uint32(0x7FEB352D))
    x = types.uint32(x ^ (x >> types.uint32(15)))
    x = types.uint32(x * types.uint32(0x846CA68B))
    return types.uint32(x ^ (x >> types.uint32(16)))


@part
def _drawn(first: Any, i: int, key: Any, then: Any) -> Any:
    """The bits of the place ``i`` after the first."""
    return _mix(types.uint32(_mix(types.uint32(types.uint32(first + types.uint32(i)) ^ key)) + then))


@part
def _thin(to: Any, x: Any, count: int, first: Any, key: Any, then: Any, bound: Any) -> None:
    for i in range(count):
        drawn = _drawn(first, i, key, then)
        to[i] = x[i] if drawn < bound else types.float32(0.0)


@part
def _bits(to: Any, x: Any, count: int, start: int, bits: Any) -> None:
    """What has its bit, the lowest of a byte first; the place of the first number is a multiple of 8."""
    zero, one = types.float32(0.0), types.uint32(1)
    for first in range(0, count, 32):
        # Of a length that is not known beforehand: a compiler unrolls others, and then finds no vectors in them.
        size = min(32, count - first)
        at = (start + first) // 8
        word = types.uint32(0)
        for k in range((size + 7) // 8):
            word = types.uint32(word | types.uint32(types.uint32(bits[at + k]) << types.uint32(8 * k)))
        for k in range(size):
            to[first + k] = x[first + k] if types.uint32(word >> types.uint32(k)) & one else zero


@part
def _keep(to: Any, x: Any, start: int, stop: int, bound: Any, equal: bool) -> None:
    """What is larger than a bound, or as large; 0 where it is not."""
    least = _size(bound)
    if not equal:
        least = types.uint32(least + types.uint32(1))
    for i in range(start, stop):
        to[i] = x[i] if _size(x[i]) >= least else types.float32(0.0)


@part
def _refused(x: Any, count: int) -> Any:
    """The bits of infinity if any number is not 0."""
    largest = types.uint32(0)
    for i in range(count):
        largest = max(largest, _size(x[i]))
    return types.uint32(INFINITE) if largest > types.uint32(0) else types.uint32(0)


@part
def _arithmetic(code: int, to: Any, x: Any, y: Any, factor: Any, count: int) -> None:
    if code == ADD:
        for i in range(count):
            to[i] = x[i] + y[i]
    elif code == SUBTRACT:
        for i in range(count):
            to[i] = x[i] - y[i]
    elif code == MULTIPLY:
        for i in range(count):
            to[i] = x[i] * y[i]
    elif code == DIVIDE:
        for i in range(count):
            to[i] = x[i] / y[i]
    elif code == SCALE:
        for i in range(count):
            to[i] = x[i] * factor
    elif code == ADD_SCALED:
        for i in range(count):
            to[i] = to[i] + x[i] * factor


@part
def _choice(code: int, to: Any, x: Any, y: Any, factor: Any, count: int) -> None:
    zero, one = types.float32(0.0), types.float32(1.0)
    if code == MAXIMUM:
        for i in range(count):
            to[i] = x[i] if x[i] > y[i] else y[i]
    elif code == AT_LEAST:
        for i in range(count):
            to[i] = factor if x[i] < factor else x[i]
    elif code == DIVIDE_BY:
        for i in range(count):
            to[i] = x[i] / factor
    elif code == SIGN:
        for i in range(count):
            to[i] = (one if x[i] > zero else zero) - (one if x[i] < zero else zero)
    elif code == ABS:
        for i in range(count):
            to[i] = _as_float(_size(x[i]))
    elif code == EQUALS:
        for i in range(count):
            to[i] = one if x[i] == factor else zero
    elif code == LARGER:
        _keep(to, x, 0, count, factor, False)
    elif code == NOT_SMALLER:
        _keep(to, x, 0, count, factor, True)


@part
def _tile(
    operations: int, length: int, factors: int, kinds: int, addresses: int, origin: int, start: int, count: int,
    registers: int,
) -> Any:  # fmt: skip
    """Play a tape over one tile; the largest bits of what was read."""
    steps, numbers, stored, inputs = _longs(operations), _floats(factors), _longs(kinds), _longs(addresses)
    size = TILE * 4
    worst = types.uint32(0)
    for k in range(length):
        at = k * WIDTH
        code, a, b, factor = steps[at], steps[at + 2], steps[at + 3], numbers[k]
        to = _floats(registers + steps[at + 1] * size)
        if code == READ:
            worst = max(worst, _read(stored[a], inputs[a], start, count, to))
            continue
        x, y = _floats(registers + a * size), _floats(registers + b * size)
        if code == REFUSE:
            worst = max(worst, _refused(x, count))
        elif code == THIN:
            key, then, bound = _low_word(steps[at + 4]), _low_word(steps[at + 5]), _low_word(steps[at + 6])
            _thin(to, x, count, _low_word(origin + start), key, then, bound)
        elif code == BITS:
            if origin % 8 != 0:
                worst = types.uint32(INFINITE)
            else:
                _bits(to, x, count, origin + start, _bytes(steps[at + 4]))
        elif code == TRIM:
            ties = min(max(steps[at + 4] - origin - start, 0), count)
            _keep(to, x, 0, ties, factor, True)
            _keep(to, x, ties, count, factor, False)
        elif code <= ADD_SCALED:
            _arithmetic(code, to, x, y, factor, count)
        else:
            _choice(code, to, x, y, factor, count)
    return worst


@part
def _dot(x: Any, y: Any, count: int, lanes: Any) -> None:
    """Add products to sums in float64, each to the lane of its place."""
    whole = count - count % LANES
    for i in range(0, whole, LANES):
        for k in range(LANES):
            lanes[k] = lanes[k] + types.float64(x[i + k]) * types.float64(y[i + k])
    for i in range(whole, count):
        lanes[i - whole] = lanes[i - whole] + types.float64(x[i]) * types.float64(y[i])


@part
def _total_size(x: Any, count: int, lanes: Any) -> None:
    """Add magnitudes to sums in float64, each to the lane of its place."""
    whole = count - count % LANES
    for i in range(0, whole, LANES):
        for k in range(LANES):
            lanes[k] = lanes[k] + abs(types.float64(x[i + k]))
    for i in range(whole, count):
        lanes[i - whole] = lanes[i - whole] + abs(types.float64(x[i]))


@part
def _clear(lanes: Any, count: int) -> None:
    for i in range(count):
        lanes[i] = 0.0


@part
def _sum(lanes: Any) -> Any:
    """The sum of the lanes: the upper half is added to the lower one, again and again."""
    half = LANES // 2
    while half > 0:
        for k in range(half):
            lanes[k] = lanes[k] + lanes[k + half]
        half //= 2
    return lanes[0]


@part
def _sieve(x: Any, count: int, start: int, low: Any, high: Any, kept: Any, places: Any, held: int, tally: Any) -> int:
    """Count magnitudes above a range and keep those in it; how many are kept. ``tally``: those above, the largest."""
    largest, width = types.uint32(0), types.uint32(high - low)
    over = types.uint32(0)
    for i in range(count):
        bits = _size(x[i])
        largest = max(largest, bits)
        over = types.uint32(over + (types.uint32(1) if bits > high else types.uint32(0)))
    for first in range(0, count, GROUP):
        stop = min(first + GROUP, count)
        inside = types.uint32(0)
        for i in range(first, stop):
            near = types.uint32(_size(x[i]) - low) <= width
            inside = types.uint32(inside + (types.uint32(1) if near else types.uint32(0)))
        if inside > types.uint32(0):  # seldom: the range is narrow
            for i in range(first, stop):
                bits = _size(x[i])
                kept[held] = bits
                places[held] = types.uint32(start + i)
                held += 1 if types.uint32(bits - low) <= width else 0
    tally[0] += _wide(over)
    tally[1] = max(tally[1], _wide(largest))
    return held


def play(
    operations: int, length: int, factors: int, kinds: int, addresses: int, origin: int, count: int, registers: int,
    result: int, kind: int, address: int,
) -> int:  # fmt: skip
    """Compute so many elements and store them; 1 if all that was read and written is finite.

    ``operations``: int64, :data:`WIDTH` for each of ``length``. ``factors``: float32, one each. ``kinds`` and
    ``addresses``: int64, for each input. ``origin``: where the piece begins in its tensor. ``registers``: their memory.
    """
    worst = types.uint32(0)
    for start in range(0, count, TILE):
        size = min(TILE, count - start)
        worst = max(worst, _tile(operations, length, factors, kinds, addresses, origin, start, size, registers))
        worst = max(worst, _write(kind, address, start, size, _floats(registers + result * (TILE * 4))))
    return 1 if worst < types.uint32(INFINITE) else 0


def products(
    operations: int, length: int, factors: int, kinds: int, addresses: int, origin: int, count: int, registers: int,
    vectors: int, vector_count: int, totals: int, lanes: int,
) -> int:  # fmt: skip
    """Add the inner products of some registers, all pairs (i, j) with i up to j, j slowest; 1 if all read is finite.

    ``vectors``: int64, the registers. ``totals``: float64, added to. ``lanes``: room for :data:`LANES` float64 of each.
    """
    which, sums = _longs(vectors), _doubles(totals)
    pairs = vector_count * (vector_count + 1) // 2
    _clear(_doubles(lanes), pairs * LANES)
    worst = types.uint32(0)
    for start in range(0, count, TILE):
        size = min(TILE, count - start)
        worst = max(worst, _tile(operations, length, factors, kinds, addresses, origin, start, size, registers))
        at = lanes
        for j in range(vector_count):
            for i in range(j + 1):
                x = _floats(registers + which[i] * (TILE * 4))
                y = _floats(registers + which[j] * (TILE * 4))
                _dot(x, y, size, _doubles(at))
                at += LANES * 8
    for k in range(pairs):
        sums[k] += _sum(_doubles(lanes + k * (LANES * 8)))
    return 1 if worst < types.uint32(INFINITE) else 0


def sizes(
    operations: int, length: int, factors: int, kinds: int, addresses: int, origin: int, count: int, registers: int,
    vectors: int, vector_count: int, totals: int, lanes: int,
) -> int:  # fmt: skip
    """Add the magnitudes of some registers; 1 if all that was read is finite."""
    which, sums = _longs(vectors), _doubles(totals)
    _clear(_doubles(lanes), vector_count * LANES)
    worst = types.uint32(0)
    for start in range(0, count, TILE):
        size = min(TILE, count - start)
        worst = max(worst, _tile(operations, length, factors, kinds, addresses, origin, start, size, registers))
        for i in range(vector_count):
            _total_size(_floats(registers + which[i] * (TILE * 4)), size, _doubles(lanes + i * (LANES * 8)))
    for k in range(vector_count):
        sums[k] += _sum(_doubles(lanes + k * (LANES * 8)))
    return 1 if worst < types.uint32(INFINITE) else 0


def sieve(
    operations: int, length: int, factors: int, kinds: int, addresses: int, origin: int, count: int, registers: int,
    vectors: int, vector_count: int, ranges: int, kept: int, places: int, room: int, tallies: int,
) -> int:  # fmt: skip
    """Sort the magnitudes of some registers into ranges, one for each; 1 if all that was read is finite.

    ``ranges``: two int64 for each, lowest and highest bits. ``kept``, ``places``: ``room`` uint32 for each, the bits of
    those in the range and their places, from the beginning; ``room`` is ``count + 1`` at least. ``tallies``: three
    int64 for each: how many are above its range, the largest bits, how many are kept; all are added to.
    """
    which, limits, tally = _longs(vectors), _longs(ranges), _longs(tallies)
    worst = types.uint32(0)
    for start in range(0, count, TILE):
        size = min(TILE, count - start)
        worst = max(worst, _tile(operations, length, factors, kinds, addresses, origin, start, size, registers))
        for i in range(vector_count):
            tally[3 * i + 2] = _sieve(
                _floats(registers + which[i] * (TILE * 4)), size, start, _low_word(limits[2 * i]),
                _low_word(limits[2 * i + 1]), _words(kept + i * room * 4), _words(places + i * room * 4),
                tally[3 * i + 2], _longs(tallies + i * 24),
            )  # fmt: skip
    return 1 if worst < types.uint32(INFINITE) else 0


def dot(x: int, y: int, count: int, total: int, lanes: int) -> int:
    """Add the inner product of float32 numbers to a float64 one, as :func:`products` does; 1."""
    _clear(_doubles(lanes), LANES)
    _dot(_floats(x), _floats(y), count, _doubles(lanes))
    _doubles(total)[0] += _sum(_doubles(lanes))
    return 1


def size(x: int, count: int, total: int, lanes: int) -> int:
    """Add the magnitudes of float32 numbers to a float64 one, as :func:`sizes` does; 1."""
    _clear(_doubles(lanes), LANES)
    _total_size(_floats(x), count, _doubles(lanes))
    _doubles(total)[0] += _sum(_doubles(lanes))
    return 1


def choose(key: int, then: int, first: int, count: int, bound: int, chosen: int) -> int:
    """Bytes that are 1 where the number drawn for a place is below a bound (of 33 bits), else 0; 1."""
    out = _bytes(chosen)
    mixed, added, low = _low_word(key), _low_word(then), _low_word(first)
    if bound > 0xFFFFFFFF:
        for i in range(count):
            out[i] = 1
        return 1
    limit = _low_word(bound)
    for i in range(count):
        drawn = _drawn(low, i, mixed, added)
        out[i] = 1 if drawn < limit else 0
    return 1


def draw(key: int, then: int, first: int, count: int, drawn: int) -> int:
    """The 32 random bits of so many places; 1."""
    out = _words(drawn)
    mixed, added, low = _low_word(key), _low_word(then), _low_word(first)
    for i in range(count):
        out[i] = _drawn(low, i, mixed, added)
    return 1


@part
def _scatter(words: Any, to: Any, count: int, shift: int, tally: Any) -> None:
    """Sort words by ten bits, of equal ones the first staying first. ``tally``: how many there are of each digit."""
    before = types.uint32(0)
    for digit in range(1024):
        here = tally[digit]
        tally[digit] = before
        before = types.uint32(before + here)
    for i in range(count):
        word = words[i]
        digit = (word >> shift) & 1023
        at = tally[digit]
        tally[digit] = types.uint32(at + types.uint32(1))
        to[at] = word


@part
def _fill(x: Any, words: Any, count: int) -> None:
    """Magnitude and place of each number in one word."""
    for i in range(count):
        words[i] = (_wide(_size(x[i])) << 32) | i


@part
def _count(words: Any, count: int, low: int, tally: Any, high: int, more: Any) -> None:
    """How many words there are of each of two digits."""
    one = types.uint32(1)
    for digit in range(1024):
        tally[digit] = types.uint32(0)
        more[digit] = types.uint32(0)
    for i in range(count):
        word = words[i]
        first, second = (word >> low) & 1023, (word >> high) & 1023
        tally[first] = types.uint32(tally[first] + one)
        more[second] = types.uint32(more[second] + one)


@part
def _by_digits(words: Any, spare: Any, count: int, low: int, high: int, tally: Any, more: Any) -> None:
    """Sort words by ten bits, then by ten higher ones."""
    _count(words, count, low, tally, high, more)
    _scatter(words, spare, count, low, tally)
    _scatter(spare, words, count, high, more)


@part
def _settle(words: Any, count: int, most: int) -> bool:
    """Sort words that are nearly sorted, by insertion; False as soon as that takes more moves than ``most``."""
    moves = 0
    for i in range(1, count):
        word = words[i]
        at = i
        while at > 0 and words[at - 1] > word:
            words[at] = words[at - 1]
            at -= 1
        words[at] = word
        moves += i - at
        if moves > most:
            return False
    return True


def rank(sizes: int, rows: int, columns: int, table: int, ranked: int, room: int) -> int:
    """For each number of a row what a table says of its rank by magnitude, of equal ones the first the lower; 1.

    ``sizes``: float32, (rows, columns). ``table``: float32, one for each rank, 0 the smallest. ``ranked``: float32,
    like ``sizes``. ``room``: for 2048 + 4 columns uint32.

    Sorted by the upper twenty bits a row is nearly in order; where it is not, it is sorted by the lower ones first.
    """
    places, low, high = _floats(table), _words(room), _words(room + 4096)
    words, spare = _longs(room + 8192), _longs(room + 8192 + columns * 8)
    for row in range(rows):
        x, to = _floats(sizes + row * columns * 4), _floats(ranked + row * columns * 4)
        _fill(x, words, columns)
        _by_digits(words, spare, columns, 43, 53, low, high)
        if not _settle(words, columns, 8 * columns):
            _fill(x, words, columns)
            _by_digits(words, spare, columns, 32, 42, low, high)
            _by_digits(words, spare, columns, 43, 53, low, high)
        for i in range(columns):
            to[words[i] & 0xFFFFFFFF] = places[i]
    return 1


#: What can be called from outside.
LOOPS = (play, products, sizes, sieve, dot, size, choose, draw, rank)


def object_of(loop: Callable[..., int]) -> tuple[bytes, str, int]:
    """One loop as an object file for this machine's processor, its symbol there, and how many integers it takes."""
    count = loop.__code__.co_argcount
    made = njit(types.int64(*[types.int64] * count), **_PLAIN)(loop)
    result: Any
    (result,) = made.overloads.values()
    return result.library._get_compiled_object(), result.fndesc.llvm_func_name, count


def _main(name: str) -> None:
    code, symbol, count = object_of(next(loop for loop in LOOPS if loop.__name__ == name))
    sys.stdout.buffer.write(f"{symbol} {count}\n".encode() + code)


if __name__ == "__main__":
    _main(sys.argv[1])

"""What is agreed between tapes and the loops that play them."""

from __future__ import annotations

#: Numbers in a register: some dozens of registers stay in the nearest cache.
TILE = 1024

#: Sums of many numbers run in so many lanes, which are added up at the end: part of the promise of equal bytes.
LANES = 64

#: How numbers are stored, by dtype name.
KINDS = {"bfloat16": 0, "float16": 1, "float32": 2}

#: Operations. ``a`` and ``b`` are registers, ``f`` is a float32, ``n`` are further integers.
(
    READ,  # input a
    ADD,  # a + b
    SUBTRACT,  # a - b
    MULTIPLY,  # a * b
    DIVIDE,  # a / b
    SCALE,  # a * f
    ADD_SCALED,  # itself + a * f
    MAXIMUM,  # the larger of a and b
    AT_LEAST,  # a, but f where it is less
    SIGN,  # -1, 0 or 1
    ABS,  # |a|
    EQUALS,  # 1 where a is f, else 0
    LARGER,  # a where |a| is more than f, else 0
    NOT_SMALLER,  # a where |a| is f or more, else 0
    TRIM,  # NOT_SMALLER before place n of the tensor, LARGER from there on
    DIVIDE_BY,  # a / f
    REFUSE,  # nothing; the piece is not played where a is not 0
    BITS,  # a where the bit of its place in the tensor is set, else 0; n: the address of the bits
    THIN,  # a where the number drawn for its place is below a bound, else 0; n: two words of the key, the bound
) = range(19)

#: Integers of an operation: code, register written, a, b, and four more.
WIDTH = 8

#: Bits of infinity; what is less is finite.
INFINITE = 0x7F800000

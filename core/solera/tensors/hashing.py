r"""Random numbers by hashing: the same for an element whatever the order, chunk, thread or device of drawing.

The number of an element is a pure function of ``(seed, tensor name, model, flat index)``:

1. *Key.* SHA-256 of ``f"{seed}\x1f{name}\x1f{model}"`` in UTF-8; its first three little-endian 32-bit words are
   ``k0, k1, k2``.
2. *Index.* 64 bits, split into ``low`` and ``high`` words. ``h = mix(high + k2)``, once for a run of 2^32.
3. *Bits.* ``mix(mix(low ^ k0) + (k1 ^ h))``, all modulo 2^32, where ``mix`` is an invertible mixing function of two
   multiplications: ``x ^= x >> 16; x *= 0x7feb352d; x ^= x >> 15; x *= 0x846ca68b; x ^= x >> 16``.

A uniform number is the upper 24 bits divided by 2^24; a normal one the inverse distribution function of
``(bits + 1/2) / 2^32``. Test vectors are in the tests. All is 32-bit integer arithmetic, the same on CPU and GPU;
normals are drawn on the CPU, for logarithms differ between devices.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from torch import Tensor

from solera.kernels.library import loop

_MULTIPLIERS = (0x7FEB352D, 0x846CA68B)
_WORD = 1 << 32

#: Elements made at a time on a CPU: what they take stays in the nearer cache.
_RUN = 2**15

Words = np.ndarray[tuple[int], np.dtype[np.uint32]]


def _signed(word: int) -> int:
    """The int32 with these 32 bits."""
    return word - _WORD if word >= _WORD // 2 else word


def _mix(word: int) -> int:
    """The mixing function on one word, in plain integers: the definition."""
    word ^= word >> 16
    word = word * _MULTIPLIERS[0] % _WORD
    word ^= word >> 15
    word = word * _MULTIPLIERS[1] % _WORD
    return word ^ word >> 16


def _mix_(x: Tensor, spare: Tensor) -> None:
    """The mixing function on an int32 tensor, in place; ``spare`` is overwritten."""
    for shift, multiplier in ((16, _MULTIPLIERS[0]), (15, _MULTIPLIERS[1]), (16, None)):
        # torch shifts int32 arithmetically; the mask makes it logical.
        torch.bitwise_right_shift(x, shift, out=spare)
        spare.bitwise_and_((1 << (32 - shift)) - 1)
        x.bitwise_xor_(spare)
        if multiplier is not None:
            x.mul_(_signed(multiplier))


def key(seed: int, name: str, model: int) -> tuple[int, int, int]:
    """The three words that stand for a tensor of a model under a seed."""
    digest = hashlib.sha256(f"{seed}\x1f{name}\x1f{model}".encode()).digest()
    return (
        int.from_bytes(digest[0:4], "little"),
        int.from_bytes(digest[4:8], "little"),
        int.from_bytes(digest[8:12], "little"),
    )


def bits(seed: int, name: str, model: int, start: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """32 random bits for each of the elements ``start`` to ``start + count`` of a flat tensor.

    Args:
        seed: Any integer.
        name: The tensor's name.
        model: Which of several models; any integer.
        start: First flat index, from 0 to 2^64.
        count: How many.
        device: Where to make them; does not change them.

    Returns:
        int32, shape ``(count,)``.
    """
    k0, k1, k2 = key(seed, name, model)
    out = torch.empty(count, dtype=torch.int32, device=device)
    drawn = loop("draw") if out.device.type == "cpu" and start + count <= _WORD else None
    if drawn is not None:
        drawn(*words(seed, name, model), start, count, out.data_ptr())
        return out
    if out.device.type == "cpu":
        _fill((k0, k1, k2), start, out.numpy().view(np.uint32))
        return out
    spare = torch.empty_like(out)
    done = 0
    while done < count:
        high, low = divmod(start + done, _WORD)
        # int32 ranges must not cross 2^31; a piece lies in one half of the words.
        half = _WORD // 2
        size = min(count - done, half - low % half)
        piece, room = out[done : done + size], spare[done : done + size]
        torch.arange(_signed(low), _signed(low) + size, out=piece)
        piece.bitwise_xor_(_signed(k0))
        _mix_(piece, room)
        piece.add_(_signed(k1 ^ _mix((high + k2) % _WORD)))
        _mix_(piece, room)
        done += size
    return out


def _fill(keys: tuple[int, int, int], start: int, out: Words) -> None:
    """:func:`bits` on a CPU, where unsigned words take half of the operations."""
    k0, k1, k2 = keys
    first = np.arange(min(_RUN, out.size), dtype=np.uint32)
    spare = np.empty_like(first)
    done = 0
    while done < out.size:
        high, low = divmod(start + done, _WORD)
        size = min(out.size - done, _RUN, _WORD - low)
        piece, room = out[done : done + size], spare[:size]
        np.add(first[:size], np.uint32(low), out=piece)
        np.bitwise_xor(piece, np.uint32(k0), out=piece)
        _mix_words(piece, room)
        np.add(piece, np.uint32(k1 ^ _mix((high + k2) % _WORD)), out=piece)
        _mix_words(piece, room)
        done += size


def _mix_words(x: Words, spare: Words) -> None:
    """The mixing function on unsigned words, in place; ``spare`` is overwritten."""
    for shift, multiplier in ((16, _MULTIPLIERS[0]), (15, _MULTIPLIERS[1]), (16, None)):
        np.right_shift(x, np.uint32(shift), out=spare)
        np.bitwise_xor(x, spare, out=x)
        if multiplier is not None:
            np.multiply(x, np.uint32(multiplier), out=x)


def uniform(seed: int, name: str, model: int, start: int, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Uniform numbers in [0, 1) for elements of a flat tensor: multiples of 2^-24. Arguments as :func:`bits`.

    Returns:
        float32, shape ``(count,)``.
    """
    words = bits(seed, name, model, start, count, device)
    return words.bitwise_right_shift_(8).bitwise_and_((1 << 24) - 1).to(torch.float32).mul_(2.0**-24)


def words(seed: int, name: str, model: int) -> tuple[int, int]:
    """What :func:`bits` mixes into the low words of places below 2^32: ``k0``, and ``k1 ^ mix(k2)``."""
    k0, k1, k2 = key(seed, name, model)
    return k0, k1 ^ _mix(k2)


def bound(share: float) -> int:
    """What the bits of an element must be below, of 2^32, to be chosen with this probability."""
    # The uppermost 24 bits are below share * 2^24 where the whole word is below this.
    return min(max(math.ceil(float(np.float32(share)) * 2**24), 0) << 8, _WORD)


def chosen(seed: int, name: str, model: int, start: int, count: int, share: float) -> Tensor:
    """Elements of a flat tensor, each chosen with the same probability: where :func:`uniform` is less than it.

    ``share`` is the probability, rounded to float32; the other arguments are those of :func:`bits`, on the CPU.

    Returns:
        bool, shape ``(count,)``.
    """
    least, drawn = bound(share), loop("choose")
    if drawn is not None and start + count <= _WORD:
        mask = torch.empty(count, dtype=torch.bool)
        drawn(*words(seed, name, model), start, count, least, mask.data_ptr())
        return mask
    out = np.empty(count, dtype=np.uint32)
    _fill(key(seed, name, model), start, out)
    return torch.from_numpy(np.less(out, np.uint32(least)) if least < _WORD else np.ones(count, dtype=bool))


def normal(seed: int, name: str, model: int, start: int, count: int) -> Tensor:
    """Standard normal numbers for elements of a flat tensor, drawn on the CPU. Arguments as :func:`bits`.

    Returns:
        float32, shape ``(count,)``.
    """
    words = bits(seed, name, model, start, count).double()
    probability = torch.where(words < 0, words + _WORD, words).add_(0.5).mul_(2.0**-32)
    numbers: Tensor = torch.special.ndtri(probability)
    return numbers.to(torch.float32)

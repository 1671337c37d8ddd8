"""The generator's numbers are part of saved recipes: these vectors may never change."""

from __future__ import annotations

import hashlib

import pytest
import torch

from solera.tensors.hashing import bits, chosen, key, normal, uniform

MASK = 2**32 - 1


def twin(seed, name, model, index):
    """The definition in the module's docstring, in plain integers."""

    def mix(x):
        x ^= x >> 16
        x = x * 0x7FEB352D & MASK
        x ^= x >> 15
        x = x * 0x846CA68B & MASK
        return x ^ (x >> 16)

    digest = hashlib.sha256(f"{seed}\x1f{name}\x1f{model}".encode()).digest()
    k0, k1, k2 = (int.from_bytes(digest[i : i + 4], "little") for i in (0, 4, 8))
    high, low = divmod(index, 2**32)
    return mix((mix(low ^ k0) + (k1 ^ mix((high + k2) & MASK))) & MASK)


def unsigned(tensor):
    return [value & MASK for value in tensor.tolist()]


@pytest.mark.parametrize("start", [0, 1, 12345, 2**31 - 4, 2**32 - 4, 2**33 + 7, 2**63])
@pytest.mark.parametrize(("seed", "name", "model"), [(0, "w", 0), (-5, "modèle.poids", 3), (2**70, "", 1)])
def test_bits_are_the_definition(seed, name, model, start):
    assert unsigned(bits(seed, name, model, start, 9)) == [twin(seed, name, model, start + i) for i in range(9)]


def test_vectors():
    assert key(0, "layer.weight", 0) == VECTOR_KEY
    assert unsigned(bits(0, "layer.weight", 0, 0, 4)) == VECTOR_BITS
    assert uniform(0, "layer.weight", 0, 0, 4).tolist() == [word // 256 / 2**24 for word in VECTOR_BITS]
    assert normal(0, "layer.weight", 0, 0, 4).tolist() == pytest.approx(VECTOR_NORMAL, rel=1e-6)


def test_chunks_do_not_matter():
    whole = uniform(1, "w", 2, 100, 50_000)
    parts = [uniform(1, "w", 2, 100 + start, 12_500) for start in range(0, 50_000, 12_500)]
    assert torch.equal(whole, torch.cat(parts))
    assert torch.equal(normal(1, "w", 2, 0, 101), torch.cat([normal(1, "w", 2, 0, 50), normal(1, "w", 2, 50, 51)]))
    assert uniform(1, "w", 2, 0, 0).shape == (0,)


def test_they_look_random():
    n = 400_000
    u = uniform(7, "w", 0, 0, n).double()
    assert 0 <= u.min()
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < 5 / (12 * n) ** 0.5
    assert abs(u.var() * 12 - 1) < 0.02
    histogram = torch.histc(u, 100, 0, 1)
    assert ((histogram - n / 100) ** 2 / (n / 100)).sum() < 99 + 6 * (2 * 99) ** 0.5
    for lag in (1, 2, 7, 1024):
        assert abs(torch.corrcoef(torch.stack([u[:-lag], u[lag:]]))[0, 1]) < 6 / n**0.5
    for other in (
        uniform(8, "w", 0, 0, n),
        uniform(7, "v", 0, 0, n),
        uniform(7, "w", 1, 0, n),
        uniform(7, "w", 0, 2**32, n),
    ):
        assert abs(torch.corrcoef(torch.stack([u, other.double()]))[0, 1]) < 6 / n**0.5
    words = bits(7, "w", 0, 0, n)
    for shift in range(32):
        assert abs(float(((words >> shift) & 1).double().mean()) - 0.5) < 3 / n**0.5
    z = normal(7, "w", 0, 0, n).double()
    assert torch.isfinite(z).all()
    assert abs(z.mean()) < 5 / n**0.5
    assert abs(z.var() - 1) < 0.02
    assert abs((z**4).mean() - 3) < 0.15


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_same_bits():
    assert torch.equal(bits(3, "w", 1, 2**32 - 50, 100, "cuda").cpu(), bits(3, "w", 1, 2**32 - 50, 100))
    assert torch.equal(uniform(3, "w", 1, 0, 100, "cuda").cpu(), uniform(3, "w", 1, 0, 100))


VECTOR_KEY = (671576738, 2483828958, 383116429)
VECTOR_BITS = [3793243572, 1763968981, 1310779990, 2421156766]
VECTOR_NORMAL = [1.191052, -0.2257292, -0.5095318, 0.1604063]


@pytest.mark.parametrize("share", [0.0, 1e-9, 0.1, 0.5, 0.8, 1 - 2**-24, 1.0])
def test_elements_are_chosen_where_the_uniform_number_is_less(share: float) -> None:
    numbers = uniform(7, "w", 2, 1000, 200_000)
    assert torch.equal(chosen(7, "w", 2, 1000, 200_000, share), numbers < share)

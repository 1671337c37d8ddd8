import pytest

from solera.errors import CapacityError
from solera.jobs.ledger import MemoryLedger, available_memory, gigabytes


def test_reservations_add_up_and_come_back():
    ledger = MemoryLedger(100)
    with ledger.reserve(60, "a buffer", "j1"):
        assert (ledger.held, ledger.fits(40), ledger.fits(41)) == (60, True, False)
        with pytest.raises(CapacityError) as caught, ledger.reserve(50, "a model", "j2"):
            pass
        assert str(caught.value).startswith("a model needs 50 B; the memory budget is 100 B, 60 B of it held")
        assert "a buffer: 60 B" in str(caught.value)
        assert caught.value.fields == {"wanted": 50, "held": 60, "budget": 100}
        with ledger.reserve(40, "rest", "j2"):
            assert ledger.held == 100
    assert ledger.held == 0
    assert ledger.entries() == ()


def test_a_job_draws_on_its_claim_first():
    ledger = MemoryLedger(100)
    assert ledger.claim("j1", 70)
    assert not ledger.claim("j2", 31)
    with ledger.reserve(70, "all of it", "j1"):
        assert ledger.held == 70
        with ledger.reserve(20, "more", "j1"):
            assert ledger.held == 90
    ledger.release("j1")
    assert ledger.held == 0


def test_a_budget_of_its_own():
    free = available_memory()
    assert free > 10**6
    assert 0 < MemoryLedger().budget < free * 1.5
    assert [gigabytes(n) for n in (0, 999, 1500, 2_000_000, 1_500_000_000, 3 * 10**12)] == [
        "0 B", "999 B", "1.5 kB", "2 MB", "1.5 GB", "3 TB",
    ]  # fmt: skip

from dataclasses import replace

import pytest
import torch

from solera.api import QuietContext, Seed
from solera.errors import Cancelled
from solera_plugins.digits.training import EXPERTS, Training, train_base, train_expert

TINY = Training(width=8, base_epochs=1, expert_epochs=1)


def silent(step):
    return None


def base(seed=0, training=TINY, context=None, tell=silent):
    return train_base(training, Seed(seed), context or QuietContext(), tell)


def expert(start, name="rotated", seed=0):
    return train_expert(name, start, TINY, Seed(seed), QuietContext(), silent)


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_training_is_reproducible_to_the_byte():
    first, second = base(), base()
    assert same(first, second)
    assert same(expert(first), expert(second))
    assert not same(first, base(seed=1))


def test_global_random_state_is_not_touched():
    before = torch.get_rng_state()
    expert(base())
    assert torch.equal(before, torch.get_rng_state())


def test_experts_keep_the_head_and_the_base():
    start = base()
    kept = {name: tensor.clone() for name, tensor in start.items()}
    made = {name: expert(start, name) for name in EXPERTS}
    assert same(start, kept)
    for state in made.values():
        assert torch.equal(state["head.weight"], start["head.weight"])
        assert not torch.equal(state["conv2.weight"], start["conv2.weight"])
    assert not same(made["rotated"], made["mirrored"])


def test_progress_ends_at_the_promised_number_of_steps():
    told: list[int] = []
    base(training=replace(TINY, base_epochs=2), tell=told.append)
    assert told[0] == 0
    assert told[-1] == replace(TINY, base_epochs=2).steps("base") == 40
    assert told == sorted(told)


def test_a_cancel_stops_it_within_a_step():
    class Stopping(QuietContext):
        calls = 0

        def check(self):
            self.calls += 1
            if self.calls > 3:
                raise Cancelled("stop")

    with pytest.raises(Cancelled):
        base(context=Stopping())

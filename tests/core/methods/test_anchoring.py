"""Losses and decay that hold training near its start: against torch's own Adam, and slow twins."""

from __future__ import annotations

import math

import pytest
import torch

from solera.errors import InputError
from solera.methods.anchoring import AdamR, consolidation, distillation


def test_without_decay_adamr_is_adam():
    start = [torch.randn(3, 4), torch.randn(5)]
    for largest in (False, True):
        weights = [torch.nn.Parameter(w.clone()) for w in start]
        theirs = torch.optim.Adam(weights, lr=0.01, amsgrad=largest)
        ours, own = AdamR(start, rate=0.01, decay=0.0, largest=largest), start
        for step in range(5):
            gradients = [torch.randn(w.shape, generator=torch.Generator().manual_seed(step)) for w in start]
            own = ours.step(own, gradients)
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient
            theirs.step()
        for got, want in zip(own, weights, strict=True):
            torch.testing.assert_close(got, want.detach(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("norm", [1, 2])
def test_decay_pulls_to_the_start(norm):
    start, weights = [torch.zeros(4)], [torch.tensor([2.0, -1.0, 0.5, 0.0])]
    made = AdamR(start, rate=0.1, decay=1.0, norm=norm).step(weights, [torch.zeros(4)])[0]
    # No gradient ever: the root counts as 1.
    want = weights[0] * 0.9 if norm == 2 else weights[0] - 0.1 * weights[0].sign()
    torch.testing.assert_close(made, want)
    assert torch.equal(weights[0], torch.tensor([2.0, -1.0, 0.5, 0.0]))


def test_adamr_wants_what_it_began_with():
    with pytest.raises(InputError, match="Wanted 2"):
        AdamR([torch.zeros(2), torch.zeros(3)]).step([torch.zeros(2)], [torch.zeros(2)])


def test_distillation():
    student, teacher = torch.randn(2, 4, 6)
    total = 0.0
    for row_s, row_t in zip(student.tolist(), teacher.tolist(), strict=True):
        wanted = [math.exp(x / 3) / sum(math.exp(y / 3) for y in row_t) for x in row_t]
        got = [math.log(math.exp(x / 3) / sum(math.exp(y / 3) for y in row_s)) for x in row_s]
        total -= sum(w * g for w, g in zip(wanted, got, strict=True)) / 4 * 9
    assert float(distillation(student, teacher, 3.0)) == pytest.approx(total, rel=1e-5)
    student.requires_grad_()
    distillation(student, student.detach(), 3.0).backward()
    assert float(student.grad.abs().max()) < 1e-6, "least where both agree"
    for wrong in ((student, teacher[:2], 2.0), (student[0], teacher[0], 2.0), (student, teacher, 0.0)):
        with pytest.raises(InputError, match="two matrices"):
            distillation(*wrong)


def test_consolidation():
    weights, start = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(3.0)}, {"a": torch.zeros(2), "b": torch.ones(())}
    assert float(consolidation(weights, start)) == 9.0
    for wrong in ({}, {"c": torch.ones(1)}):
        with pytest.raises(InputError, match="lacks"):
            consolidation(wrong, start)

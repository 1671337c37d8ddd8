"""Adaptive averaging by blocks: ratios of a fixed mean, with torch's own Adam as the twin."""

import dataclasses

import numpy as np
import pytest
import torch

from solera.errors import InputError
from solera.families.coords import Coord
from solera.landscapes.explorer import History, Space
from solera.methods.coefficients import block_ratios
from solera.seeds import Seed
from solera.tasks.scores import Column
from solera_plugins.explorers.adaptive_blocks import AdaptiveBlocks

COORDS = tuple(Coord(f"ratio_{k}", 0.0, 1.0) for k in range(3))
COLUMNS = (Column("kept", "loss", "selection"), Column("gained", "loss", "selection"))
SPACE = Space(COORDS, COLUMNS, {}, (0, 1), kind="blocks", no_slopes="")
GOOD = np.array([0.1, 0.9, 0.4])


def losses(coords):
    """The first objective wants each block elsewhere, the second wants the second model everywhere."""
    points = np.asarray(coords)
    return np.stack([((points - GOOD) ** 2).sum(axis=1), points.mean(axis=1)], axis=1)


def run(explorer, space=SPACE, history=None):
    history = history or History(np.empty((0, 3)), np.empty((0, 2)), slopes=np.empty((0, 4)))
    extent = explorer.plan(space)
    while len(history) < extent.total:
        start, size = extent.round_at(len(history))
        asks = explorer.ask(space, history.until(start), size, Seed(0))[len(history) - start :]
        new = np.array([ask.coords for ask in asks])
        slope = np.hstack([2 * (new - GOOD), np.zeros((len(new), 1))])
        slope[[ask.slope is None for ask in asks]] = np.nan
        history = History(
            np.vstack([history.coords, new]), np.vstack([history.values, losses(new)]),
            slopes=np.vstack([history.slopes, slope]),
        )  # fmt: skip
    return history


def test_ratios_keep_their_mean_whatever_the_logits_are():
    ratios = block_ratios([-3.0, 0.0, 5.0, 1.0], 0.35)
    assert np.mean(ratios) == pytest.approx(0.35)
    assert max(ratios) / min(ratios) <= 1.2 / 0.2
    assert sorted(ratios) == [ratios[0], ratios[1], ratios[3], ratios[2]]
    assert block_ratios([2.0, 2.0], 0.5) == pytest.approx((0.5, 0.5))


def test_it_begins_with_both_models_and_the_even_averages_and_keeps_every_mean():
    history = run(AdaptiveBlocks(means=3, steps=4))
    assert len(history) == 2 + 3 * 5
    assert history.coords[:2].tolist() == [[1.0] * 3, [0.0] * 3]
    np.testing.assert_allclose(history.coords[2:5], [[0.25] * 3, [0.5] * 3, [0.75] * 3])
    below_one = history.coords[2:][history.coords[2:].max(axis=1) < 1.0]
    assert set(np.round(below_one.mean(axis=1), 9)) <= {0.25, 0.5, 0.75}


def test_a_chain_is_torchs_adam_on_the_same_logits():
    history = run(AdaptiveBlocks(means=1, steps=8, rate=0.2, penalty=0.05))
    u = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([u], lr=0.2)
    for step in range(9):
        shares = torch.sigmoid(u) + 0.2
        ratios = 0.5 * 3 * shares / shares.sum()
        np.testing.assert_allclose(history.coords[2 + step], ratios.detach().numpy(), atol=1e-9)
        loss = ((ratios - torch.tensor(GOOD)) ** 2).sum() + 0.05 * (ratios - 0.5).abs().mean()
        adam.zero_grad()
        loss.backward()
        if step == 0:  # the distance has no slope at the start, where every ratio is the mean: torch says 0, so do we
            assert u.grad is not None
        adam.step()


def test_it_beats_plain_averaging_at_every_mean():
    explorer = AdaptiveBlocks(means=4, steps=20)
    history = run(explorer)
    chosen = explorer.chosen(SPACE, history)
    assert len(chosen) == 8
    plain, best = losses(chosen[0::2])[:, 0], losses(chosen[1::2])[:, 0]
    assert (best < plain - 0.02).all()


@pytest.mark.parametrize("no_slopes", ["", "the task 'x' hands out no examples, only scores"])
@pytest.mark.parametrize("cut", [1, 6, 9, 14])
def test_a_fresh_explorer_goes_on_bit_for_bit(cut, no_slopes):
    space = dataclasses.replace(SPACE, no_slopes=no_slopes)
    whole = run(AdaptiveBlocks(means=3, steps=5), space)
    again = run(AdaptiveBlocks(means=3, steps=5), space, whole.until(cut))
    np.testing.assert_array_equal(again.coords, whole.coords)


def test_without_gradients_ratios_move_by_chance_and_gain():
    space = dataclasses.replace(SPACE, no_slopes="the task 'x' hands out no examples, only scores")
    explorer = AdaptiveBlocks(means=2, steps=40)
    assert not explorer.plan(space).slopes
    history = run(explorer, space)
    plain, best = (losses(explorer.chosen(space, history)[k::2])[:, 0] for k in (0, 1))
    assert (best < plain - 0.02).all()
    assert "moved by chance" in explorer.remark(space, history.until(3)).text


def test_one_objective_or_one_block_is_refused():
    with pytest.raises(InputError, match="two objectives or more"):
        AdaptiveBlocks().plan(dataclasses.replace(SPACE, objectives=(0,)))
    with pytest.raises(InputError, match="two blocks or more"):
        AdaptiveBlocks().plan(dataclasses.replace(SPACE, coords=COORDS[:1]))

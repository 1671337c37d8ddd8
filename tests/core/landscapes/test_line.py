"""The line explorer on a real curve."""

import numpy as np
import pytest

from solera.landscapes.barriers import barriers
from solera.landscapes.explorer import History
from solera.landscapes.summary import line_barriers
from solera.seeds import Seed
from solera_plugins.explorers.line import Line


def test_real_curves(build, context):
    from solera.landscapes.explore import explore

    t = np.linspace(0, 1, 201)
    for ends in ("AB", "BC"):
        landscape = build(ends)
        truth = barriers(t, [landscape.evaluate((x,), context)[0].value for x in t])
        found = explore(build(ends), Line(), run="r", seed=Seed(0), context=context)
        near = barriers(found.history.coords[:, 0], found.history.values[:, 0])
        for kind, barrier in truth.items():
            assert near[kind].height == pytest.approx(barrier.height, rel=0.01), (ends, kind)
            assert near[kind].at == pytest.approx(barrier.at, abs=0.01), (ends, kind)


def test_points_on_part_of_the_samples_make_no_barrier(build):
    t, losses = np.array([0.0, 0.5, 1.0, 0.0, 0.25, 1.0]), np.array([1.0, 9.0, 1.0, 2.0, 3.0, 2.0])
    counts = np.repeat([[30, 30], [512, 512]], 3, axis=0)
    space, values = build("AB").space(), np.stack([losses, losses], axis=1)
    history = History(t[:, None], values, counts=counts)
    found = line_barriers(space, history)["as-is.cross_entropy"]
    assert (found["chord"].height, found["chord"].at) == (1.0, 0.25)
    assert line_barriers(space, history.until(4)) == {}  # one end only is scored in full

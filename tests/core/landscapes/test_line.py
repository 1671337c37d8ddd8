"""The line explorer on a real curve."""

import numpy as np
import pytest

from solera.landscapes.barriers import barriers
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

"""Depth from names."""

from __future__ import annotations

import pytest

from solera.execution.depth import depths


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            [
                "model.embed_tokens.weight",
                "model.layers.0.a",
                "model.layers.2.a",
                "model.layers.1.mlp.0.w",
                "norm",
                "lm_head.w",
            ],
            [0.0, 0.0, 1.0, 0.5, 1.0, 1.0],
        ),
        (["conv1.weight", "blocks.3.w", "blocks.7.w", "blocks.5.w", "head.0.w"], [0.0, 0.0, 1.0, 0.5, 1.0]),
        (["0.weight", "1.weight", "2.weight"], [0.0, 0.5, 1.0]),
        (["wte.weight", "head.weight"], [0.0, 1.0]),
        (["layers.0.w"], [0.0]),
        ([], []),
    ],
)
def test_depths(names, expected):
    assert list(depths(names).values()) == expected

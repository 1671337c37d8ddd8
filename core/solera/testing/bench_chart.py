"""Bars of seconds, ours above a peer's, as SVG."""

from __future__ import annotations

from collections.abc import Mapping

from solera.testing.bench_page import svg

_BAR, _GAP, _LEFT, _WIDTH = 14, 12, 130, 620


def bars(pairs: Mapping[str, tuple[float, float]], legend: str) -> str:
    """A chart.

    Args:
        pairs: What was done -> our seconds and the peer's.
        legend: A line below.
    """
    most = max((peer for _, peer in pairs.values()), default=1.0)
    height = len(pairs) * (2 * _BAR + _GAP) + 2 * _GAP + 20
    parts: list[str] = []
    y = _GAP
    for case, (ours, peer) in pairs.items():
        parts.append(f'<text x="{_LEFT - 8}" y="{y + _BAR + 4}" text-anchor="end">{case}</text>')
        for offset, value, colour in ((0, ours, "#b3541e"), (_BAR, peer, "#8a8f98")):
            width = max(value / most * _WIDTH, 1.0)
            parts.append(
                f'<rect x="{_LEFT}" y="{y + offset}" width="{width:.1f}" height="{_BAR - 2}" fill="{colour}"/>'
                f'<text x="{_LEFT + width + 6:.1f}" y="{y + offset + _BAR - 4}">{value:.1f} s</text>'
            )
        y += 2 * _BAR + _GAP
    parts.append(f'<text x="{_LEFT}" y="{y + 14}" fill="#555555">{legend}</text>')
    return svg(_LEFT + _WIDTH + 80, height, parts)

"""The score of a soup in figures: value, error, and the paired gain over the best single model. No Qt."""

from __future__ import annotations

from dataclasses import dataclass

from solera.tasks.scores import Difference
from solera_app.canvases.scores_here import ScoreHere
from solera_app.plots.numerals import measured


@dataclass(frozen=True, slots=True)
class Figures:
    """What stands at the right.

    Attributes:
        score: ``"80.1 %"``; empty if the pot has none.
        error: ``"± 0.4, held out"``.
        gain: ``"+1.2 ± 0.3"``; empty if there is nothing to compare with.
        gain_token: Its colour; the words beside it say the same.
        gain_words: ``"paired, over the best single model"``.
        stale: Whether the score is that of the pot before.
    """

    score: str = ""
    error: str = ""
    gain: str = ""
    gain_token: str = "text-2"
    gain_words: str = ""
    stale: bool = False


def figures_of(mean: ScoreHere, gap: Difference | None, *, stale: bool = False) -> Figures:
    """A score with what it gains.

    Args:
        mean: The soup's mean over tasks.
        gap: Its paired difference from the best single model; None if it is that, or nothing is known.
        stale: Whether it is the score of the pot before.
    """
    shown = plain_figures(measured(mean.value, mean.stderr, percent=mean.percent, unit=mean.unit), stale=stale)
    if gap is None:
        return shown
    scale = 100.0 if mean.percent else 1.0
    text = measured(gap.value * scale, gap.stderr * scale)
    good = gap.value > 0 if mean.better == "higher" else gap.value < 0
    token = "text-2" if gap.within_noise else "success" if good else "error"
    words = f"{'within noise of' if gap.within_noise else 'paired, against'}\nthe best single model"
    return Figures(shown.score, shown.error, text if gap.value < 0 else f"+{text}", token, words, stale)


def plain_figures(text: str, *, stale: bool = False) -> Figures:
    """``"80.1 ± 0.4 %"`` as value and error."""
    value, found, error = text.partition(" ± ")
    if not found:
        return Figures(text, "held out", stale=stale)
    return Figures(f"{value} {error.partition(' ')[2]}".rstrip(), f"± {error}, held out", stale=stale)

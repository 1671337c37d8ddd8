"""What a method takes and gives, needs and promises, in words: for a canvas, the inspector, a command line."""

from __future__ import annotations

from typing import Protocol

from solera.methods.statistics import STATISTICS

_FORMS = {
    ("weights", False): "Weights to weights.",
    ("weights", True): "Weights to weights; a base may be given.",
    ("any", False): "Weights to weights, or deltas to a delta.",
    ("any", True): "Weights to weights, with a base or without; or deltas to a delta.",
    ("delta", False): "Deltas to a delta.",
    ("delta", True): "Deltas to a delta; or weights and their base to weights.",
}

_PROMISES = {
    "bytes": "",
    "tolerance": "Equal bytes at a fixed number of threads, else equal up to rounding.",
    "none": "No byte promise.",
}


class Formed(Protocol):
    """What is read of a method: a manifest entry and a MethodSpec both have it."""

    @property
    def takes(self) -> str: ...  # noqa: D102
    @property
    def base(self) -> str: ...  # noqa: D102
    @property
    def needs(self) -> str: ...  # noqa: D102
    @property
    def promise(self) -> str: ...  # noqa: D102


def form_words(method: Formed) -> str:
    """Which forms a method has, what it needs of each input, and what it does not promise; sentences in one line."""
    words = [_FORMS.get((method.takes, method.base != "none"), "")]
    if method.needs:
        title = STATISTICS[method.needs].title if method.needs in STATISTICS else method.needs
        words.append(f"Needs of each input, computed from data before: {title}.")
    words.append(_PROMISES.get(method.promise, ""))
    return " ".join(word for word in words if word)

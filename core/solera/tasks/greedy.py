"""What a causal language model writes when it always takes the likeliest token."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from solera.context import Context
from solera.tasks.cache import Cached, Reader, Whole, keeps_keys
from solera.tasks.inference import check_vocabulary


@dataclass(frozen=True, slots=True)
class Stopping:
    """When a text is complete.

    Attributes:
        most: New tokens at most.
        strings: The text ends before the first of these.
        tokens: It ends before any of these tokens.
    """

    most: int
    strings: tuple[str, ...] = ()
    tokens: Collection[int] = ()

    def cut(self, text: str) -> str | None:
        """The text up to the first stop string; None if it has none."""
        places = [at for at in (text.find(string) for string in self.strings) if at >= 0]
        return text[: min(places)] if places else None


def greedy_texts(
    network: nn.Module,
    prompts: Sequence[Sequence[int]],
    decode: Callable[[Sequence[int]], str],
    stopping: Stopping,
    task: str,
    context: Context,
    *,
    device: str = "cpu",
    cached: bool = True,
) -> list[str | None]:
    """The text each prompt is continued with.

    All prompts that are not complete go on at once, a token a pass. Where a network can hand back its keys and values
    (see :mod:`solera.tasks.cache`) a pass is over the new token alone, else over all that is there so far. Equal
    weights give equal texts: nothing is kept from one call of this function to the next.

    Args:
        network: Causal; gives logits of shape (n, tokens, vocabulary).
        prompts: Token ids, one or more each.
        decode: Tokens to text, of what is new alone.
        stopping: When a text is complete.
        task: For sentences.
        context: Asked before each token whether to stop.
        device: The network's.
        cached: Whether keys and values may be kept from token to token. Logits then differ by rounding, so a token
            may differ where two are equally likely to the last digits.

    Returns:
        One text per prompt; None where the network's output was not a number.

    Raises:
        TaskError: The network gives something else, or does not know a token.
        Cancelled: The context says stop.
    """
    check_vocabulary(network, max(max(prompt) for prompt in prompts), task)
    starts = [len(prompt) for prompt in prompts]
    tokens = torch.zeros(len(prompts), max(starts) + stopping.most, dtype=torch.int64, device=device)
    for row, prompt in zip(tokens, prompts, strict=True):
        row[: len(prompt)] = torch.tensor(prompt)
    texts: list[str | None] = [""] * len(prompts)
    ends, busy = list(starts), list(range(len(prompts)))
    reader: Reader = Cached(network, task) if cached and keeps_keys(network) else Whole(network, task)
    for _ in range(stopping.most):
        if not busy:
            break
        context.check()
        last = reader.next(tokens, ends, busy)
        chosen, lost = last.argmax(dim=1).tolist(), last.isnan().any(dim=1).tolist()
        still = []
        for i, token, gone in zip(busy, chosen, lost, strict=True):
            if gone:
                texts[i] = None
            elif token not in stopping.tokens:
                tokens[i, ends[i]] = token
                ends[i] += 1
                text = decode(tokens[i, starts[i] : ends[i]].tolist())
                cut = stopping.cut(text)
                texts[i] = text if cut is None else cut
                if cut is None:
                    still.append(i)
        busy = still
    return texts

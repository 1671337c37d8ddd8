"""Logits of the next token of several texts: over all of each text, or over what is new alone.

A transformer that has read a text need not read it again to go on: the keys and values of its attention are enough.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from solera.errors import TaskError
from solera.tasks.inference import network_errors, network_forward

#: What a call must take for a text to be gone on with beside others of another length.
_TAKEN = frozenset({"past_key_values", "use_cache", "attention_mask", "position_ids"})
#: Entries of a config by which a layer sees only the latest places; a gap in a row of places would count among them.
_WINDOWED = ("sliding_window", "attention_chunk_size")


class Reader(Protocol):
    """Reads texts that grow by a token between two calls; texts that are complete are left out from then on."""

    def next(self, tokens: Tensor, ends: Sequence[int], busy: Sequence[int]) -> Tensor:
        """Logits of what follows each text.

        Args:
            tokens: All texts one below the other, int64, zeros behind each.
            ends: How long each is.
            busy: Rows that are asked for, in ascending order; fewer from call to call, never others.

        Returns:
            float32, shape (len(busy), vocabulary).

        Raises:
            TaskError: The network gives something else.
            CapacityError: Memory of the device is short.
        """
        ...


def keeps_keys(network: nn.Module) -> bool:
    """Whether a network hands back keys and values, and takes texts of several lengths with them.

    Models of transformers that attend to all of a text do. Recurrent ones, and those of which layers see a window, are
    read as a whole each time.
    """
    inner = _inner(network)
    config = getattr(inner, "config", None)
    if getattr(inner, "_is_stateful", False) or getattr(config, "is_encoder_decoder", False):
        return False
    if config is None or any(getattr(config, name, None) for name in _WINDOWED):
        return False
    if set(getattr(config, "layer_types", None) or ()) - {"full_attention"}:
        return False
    return set(inspect.signature(inner.forward).parameters) >= _TAKEN


def _inner(network: nn.Module) -> Any:
    inner: Any = network
    while isinstance(getattr(inner, "module", None), nn.Module):
        inner = inner.module
    return inner


class Whole:
    """All of every text, each time. What a causal network gives for a token does not depend on what is behind it.

    Args:
        network: In evaluation mode.
        task: For sentences.
    """

    def __init__(self, network: nn.Module, task: str) -> None:
        self._network, self._task = network, task

    def next(self, tokens: Tensor, ends: Sequence[int], busy: Sequence[int]) -> Tensor:
        """See :class:`Reader`."""
        some = torch.tensor(busy, device=tokens.device)
        inputs = tokens[some, : max(ends[i] for i in busy)]  # zeros behind a text are not seen by it
        logits = network_forward(self._network, inputs, len(busy), self._task)(slice(0, len(busy)))
        if logits.ndim != 3 or logits.shape[:2] != inputs.shape:
            raise TaskError(
                f"Task '{self._task}' needs logits of every token, shape {(*inputs.shape, 'vocabulary')}; the network "
                f"gave {tuple(logits.shape)}. Choose a causal language model.",
                task=self._task,
            )
        last = torch.tensor([ends[i] - 1 for i in busy], device=tokens.device)
        return logits[torch.arange(len(busy), device=logits.device), last.to(logits.device)].float()


class Cached:
    """What is new alone, with the keys and values of what was read before.

    The first call reads all prompts side by side, the shorter ones with places behind them that nobody sees; from then
    on every text has one place more in each call, wherever its own tokens end, and is told its true position.

    Args:
        network: One that :func:`keeps_keys`.
        task: For sentences.
    """

    def __init__(self, network: nn.Module, task: str) -> None:
        self._network, self._task = network, task
        self._past: Any = None
        self._rows: list[int] = []
        self._seen = torch.empty(0)

    def next(self, tokens: Tensor, ends: Sequence[int], busy: Sequence[int]) -> Tensor:
        """See :class:`Reader`."""
        rows, places = torch.tensor(busy, device=tokens.device), torch.tensor([ends[i] for i in busy])
        places = places.to(tokens.device)
        if self._past is None:
            width = int(places.max())
            inputs = tokens[rows, :width]
            position = torch.arange(width, device=tokens.device)
            self._seen = (position < places[:, None]).long()
            positions = position.expand_as(inputs).minimum(places[:, None] - 1)
            last = places - 1
        else:
            self._leave(busy)
            inputs = tokens[rows, places - 1][:, None]
            self._seen = torch.cat([self._seen, torch.ones_like(inputs)], dim=1)
            positions, last = places[:, None] - 1, torch.zeros_like(places)
        self._rows = list(busy)
        logits = self._read(inputs, positions)
        return logits[torch.arange(len(busy), device=logits.device), last.to(logits.device)].float()

    def _leave(self, busy: Sequence[int]) -> None:
        """Let go of texts that are complete."""
        if len(busy) < len(self._rows):
            kept = torch.tensor([place for place, row in enumerate(self._rows) if row in set(busy)])
            self._past.batch_select_indices(kept.to(self._seen.device))
            self._seen = self._seen[kept.to(self._seen.device)]

    def _read(self, inputs: Tensor, positions: Tensor) -> Tensor:
        described = f"texts of {self._seen.shape[1]} tokens"
        with network_errors(self._task, f"{len(inputs)} texts", inputs.device, described):
            output = self._network(
                inputs, attention_mask=self._seen, position_ids=positions, past_key_values=self._past, use_cache=True
            )
        logits, self._past = getattr(output, "logits", None), getattr(output, "past_key_values", None)
        if not isinstance(logits, Tensor) or logits.ndim != 3 or logits.shape[:2] != inputs.shape:
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(output).__name__
            raise TaskError(
                f"Task '{self._task}' needs logits of every token, shape {(*inputs.shape, 'vocabulary')}; the network "
                f"gave {got}. Choose a causal language model.",
                task=self._task,
            )
        if not hasattr(self._past, "batch_select_indices"):
            raise TaskError(
                f"Task '{self._task}': the network was asked for its keys and values and gave "
                f"{type(self._past).__name__}. Switch 'cached' off.",
                task=self._task,
            )
        return logits

"""How likely a causal language model finds given continuations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from solera.errors import InputError, TaskError
from solera.tasks.inference import check_vocabulary, network_forward


@dataclass(frozen=True, slots=True)
class Continuations:
    """Texts with what comes before them, as tokens, one below the other.

    Attributes:
        tokens: int64, shape (n, longest): context, then continuation, then zeros, which a causal model does not see.
        starts: int64, shape (n,): where each continuation begins, 1 or more.
        ends: int64, shape (n,): where it ends.
    """

    tokens: Tensor
    starts: Tensor
    ends: Tensor

    @staticmethod
    def of(pairs: Iterable[tuple[Sequence[int], Sequence[int]]]) -> Continuations:
        """Pack ``(context, continuation)`` pairs.

        Raises:
            InputError: A context or continuation is empty, for then nothing is predicted from something.
        """
        found = list(pairs)
        empty = next((i for i, (before, after) in enumerate(found) if not (len(before) and len(after))), None)
        if empty is not None or not found:
            raise InputError(f"A context and its continuation have a token each or more; those of {empty} have not.")
        starts = torch.tensor([len(before) for before, _ in found])
        ends = torch.tensor([len(before) + len(after) for before, after in found])
        tokens = torch.zeros(len(found), int(ends.max()), dtype=torch.int64)
        for row, (before, after) in zip(tokens, found, strict=True):
            row[: len(before) + len(after)] = torch.tensor([*before, *after])
        return Continuations(tokens, starts, ends)

    def __len__(self) -> int:
        return int(self.starts.shape[0])

    def rows(self, which: Tensor | slice) -> Continuations:
        """Some of them, no wider than they need."""
        ends = self.ends[which]
        return Continuations(self.tokens[which, : int(ends.max())], self.starts[which], ends)

    def to(self, device: str) -> Continuations:
        """The same on a device."""
        return replace(self, tokens=self.tokens.to(device), starts=self.starts.to(device), ends=self.ends.to(device))


def log_likelihoods(network: nn.Module, found: Continuations, chunk: int, task: str) -> tuple[Tensor, Tensor]:
    """Log-likelihood of every continuation after its context, and whether greedy decoding would give it.

    Args:
        network: Causal; gives logits of shape (n, tokens, vocabulary).
        found: What is scored, on the network's device.
        chunk: How many per call of the network.
        task: For sentences.

    Returns:
        float32 of shape (n,), sums over tokens in nats, NaN where logits are; and bool of shape (n,).

    Raises:
        TaskError: The network gives something else, or does not know a token.
    """
    check_vocabulary(network, int(found.tokens.max()), task)
    sums = torch.empty(len(found), dtype=torch.float32, device=found.tokens.device)
    greedy = torch.empty(len(found), dtype=torch.bool, device=found.tokens.device)
    for start in range(0, len(found), chunk):
        where = slice(start, min(start + chunk, len(found)))
        sums[where], greedy[where] = _at_once(network, found.rows(where), task)
    return sums, greedy


def _at_once(network: nn.Module, found: Continuations, task: str) -> tuple[Tensor, Tensor]:
    n, width = found.tokens.shape
    inputs, targets = found.tokens[:, :-1], found.tokens[:, 1:]
    logits = network_forward(network, inputs, n, task)(slice(0, n))
    highest = int(found.tokens.max())
    if logits.ndim != 3 or logits.shape[:2] != (n, width - 1) or logits.shape[2] <= highest:
        raise TaskError(
            f"Task '{task}' needs logits of shape ({n}, {width - 1}, more than {highest}); the network gave "
            f"{tuple(logits.shape)}. Choose a causal language model with this tokenizer.",
            task=task,
        )
    place = torch.arange(1, width, device=targets.device)
    asked = (place >= found.starts[:, None]) & (place < found.ends[:, None])
    rows, own = logits[asked].float(), targets[asked]  # of the continuations alone: logits of all are large
    likely = rows.log_softmax(dim=1).gather(1, own[:, None])[:, 0]
    owner = torch.arange(n, device=targets.device)[:, None].expand_as(asked)[asked]
    missed = torch.zeros(n, dtype=torch.int64, device=targets.device)
    missed.index_add_(0, owner, (rows.argmax(dim=1) != own).long())
    table = torch.zeros(asked.shape, dtype=torch.float32, device=targets.device)
    table[asked] = likely
    return table.sum(dim=1), missed == 0

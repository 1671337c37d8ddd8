"""A network as lm-evaluation-harness asks one: likelihoods of texts, and texts that go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from solera.api import Context, Continuations, Stopping, TaskError, greedy_texts, log_likelihoods
from solera_plugins.language.encoding import Encoding

#: What a config may call the most tokens a network takes.
_LONGEST = ("n_positions", "max_position_embeddings", "n_ctx", "max_sequence_length")


class Asked:
    """Answers requests of the harness: the methods are those of its ``lm_eval.api.model.LM``.

    Args:
        network: Causal, in evaluation mode.
        encoding: Its tokenizer.
        task: For sentences.
        context: Asked between calls of the network whether to stop.
        device: The network's.
        first: Token before texts that nothing stands before; None if there is none.
        end: Tokens that end a text.
        longest: Most tokens of a text; 0 goes by the network's config.
        chunk: Texts per call of the network.

    Attributes:
        lost: Requests whose answer is not a number, by the identity of their instance.
    """

    def __init__(
        self,
        network: nn.Module,
        encoding: Encoding,
        task: str,
        context: Context,
        *,
        device: str,
        first: int | None,
        end: Sequence[int],
        longest: int,
        chunk: int,
    ) -> None:
        self._network, self._encoding, self._task, self._context = network, encoding, task, context
        self._device, self._first, self._end, self._chunk = device, first, tuple(end), chunk
        self._longest = longest or _longest(network)
        self.lost: set[int] = set()

    def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
        """Log-likelihood of a continuation after a context, and whether it is the greedy one."""
        pairs = [self._pair(*request.args) for request in requests]
        found = self._scored(pairs)
        self.lost |= {id(request) for request, (value, _) in zip(requests, found, strict=True) if value != value}
        return found

    def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
        """Log-likelihood of whole texts, in windows as long as the network takes, each token predicted once."""
        sums = []
        for request in requests:
            tokens = self._encoding.tokens(request.args[0])
            pairs = list(windows(tokens, self._prefix(), self._longest))
            value = sum(value for value, _ in self._scored(pairs)) if pairs else 0.0
            if value != value:
                self.lost.add(id(request))
            sums.append(value)
        return sums

    def generate_until(self, requests: Sequence[Any]) -> list[str]:
        """The texts that greedy decoding goes on with, up to the stop strings of each request."""
        texts = []
        for start in range(0, len(requests), self._chunk):
            some = requests[start : start + self._chunk]
            for group in _alike(some):
                stopping = self._stopping(group[0].args[1])
                room = self._longest - stopping.most
                if room < 1:
                    raise TaskError(
                        f"Task '{self._task}' asks for {stopping.most} new tokens; the network takes {self._longest} "
                        "in all.",
                        task=self._task,
                    )
                prompts = [(self._encoding.tokens(r.args[0]) or (self._prefix(),))[-room:] for r in group]
                found = greedy_texts(
                    self._network, prompts, self._encoding.text, stopping, self._task, self._context,
                    device=self._device,
                )  # fmt: skip
                self.lost |= {id(request) for request, text in zip(group, found, strict=True) if text is None}
                texts += [text or "" for text in found]
        return texts

    def _pair(self, before: str, after: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Tokens of a context and its continuation, cut from the left to what the network takes."""
        if before.strip():
            context, continuation = self._encoding.continuation(before, after)
        else:
            context, continuation = (self._prefix(),), self._encoding.tokens(before + after)
        room = self._longest + 1 - len(continuation)
        if room < 1 or not continuation:
            raise TaskError(
                f"Task '{self._task}' has a continuation of {len(continuation)} tokens; the network takes 1 to "
                f"{self._longest}.",
                task=self._task,
            )
        return context[-room:], continuation

    def _scored(self, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[tuple[float, bool]]:
        """In the order asked, the longest together: less is padded."""
        order = sorted(range(len(pairs)), key=lambda i: -len(pairs[i][0]) - len(pairs[i][1]))
        found: list[tuple[float, bool]] = [(0.0, False)] * len(pairs)
        for start in range(0, len(order), self._chunk):
            self._context.check()
            some = order[start : start + self._chunk]
            packed = Continuations.of(pairs[i] for i in some).to(self._device)
            sums, greedy = log_likelihoods(self._network, packed, self._chunk, self._task)
            for i, value, exact in zip(some, sums.tolist(), greedy.tolist(), strict=True):
                found[i] = (value, exact)
        return found

    def _prefix(self) -> int:
        if self._first is None:
            raise TaskError(
                f"Task '{self._task}' scores texts that nothing stands before; name the token that begins a text in "
                "'first', such as <|endoftext|>.",
                task=self._task,
            )
        return self._first

    def _stopping(self, options: dict[str, Any]) -> Stopping:
        if options.get("do_sample") or float(options.get("temperature") or 0.0) > 0:
            said = "draws texts at random; only greedy ones are written"
            raise TaskError(f"Task '{self._task}' {said}.", task=self._task)
        until = options.get("until") or []
        strings = tuple(text for text in ([until] if isinstance(until, str) else until) if text)
        return Stopping(int(options.get("max_gen_toks") or 256), strings, self._end)


def windows(tokens: Sequence[int], first: int, longest: int) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """``(context, continuation)`` pairs in which every token of a text is predicted once.

    The first begins with the token ``first``; each goes on where the one before ended, with one token of context; the
    last has as much context as the network takes.

    Args:
        tokens: The text.
        first: What stands before it.
        longest: Most tokens that go into the network.
    """
    whole = [first, *tokens]
    for begin in range(1, len(whole), longest):
        end = min(begin + longest, len(whole))
        start = max(end - 1 - longest, 0) if begin > 1 else 0
        yield whole[start:begin], whole[begin:end]


def _alike(requests: Sequence[Any]) -> Iterator[list[Any]]:
    """Consecutive requests with the same options."""
    group: list[Any] = []
    for request in requests:
        if group and group[0].args[1] != request.args[1]:
            yield group
            group = []
        group.append(request)
    if group:
        yield group


def _longest(network: nn.Module) -> int:
    inner: Any = getattr(network, "module", network)
    config = getattr(inner, "config", None)
    sizes = [getattr(config, name, None) for name in _LONGEST]
    return next((size for size in sizes if isinstance(size, int) and size > 0), 2048)

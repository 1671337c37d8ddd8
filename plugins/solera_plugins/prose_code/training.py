"""How the base and the two experts of the prose and code example are made.

The base has read a part of both kinds of text, briefly; each expert reads all of one kind. What an expert learns is
then new to the base, so that blends gain. A base that sits at the optimum of the mixture leaves nothing to merge: what
helps one kind hurts the other there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from solera.api import Context, Seed
from solera_plugins.prose_code.corpus import documents
from solera_plugins.prose_code.numbers import EXPERTS, Training, config_of
from solera_plugins.prose_code.tokens import encode

State = dict[str, Tensor]
#: ``tell(step)``: how many steps of this model are done.
Tell = Callable[[int], None]


def train_base(training: Training, tokenizer: Tokenizer, seed: Seed, context: Context, tell: Tell) -> State:
    """The base: random weights to one that has read some of both kinds.

    Args:
        training: The numbers.
        tokenizer: Of its vocabulary.
        seed: Root of all randomness.
        context: Asked at every step whether to stop.
        tell: Told how far it is.

    Returns:
        float32 tensors by name, tied ones once.
    """
    network = _network(training)
    _initialise(network, torch.Generator().manual_seed(seed.child("base", "weights").integer()))
    texts = [_part(documents(kind, "train"), training.base_share) for kind in EXPERTS.values()]
    corpora = [np.concatenate(encode(tokenizer, part)) for part in texts]
    _fit(network, corpora, training, training.base_steps, training.base_rate, seed.child("base"), context, tell)
    return _state(network)


def train_expert(
    name: str,
    base: Mapping[str, Tensor],
    training: Training,
    tokenizer: Tokenizer,
    seed: Seed,
    context: Context,
    tell: Tell,
) -> State:
    """An expert: the base trained on with all texts of one kind.

    Args:
        name: A key of :data:`EXPERTS`.
        base: The base's tensors; left as they are.
        training: The numbers.
        tokenizer: The base's.
        seed: Root of all randomness.
        context: Asked at every step whether to stop.
        tell: Told how far it is.
    """
    network = _network(training)
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            parameter.copy_(base[key])
    corpora = [np.concatenate(encode(tokenizer, documents(EXPERTS[name], "train")))]
    _fit(network, corpora, training, training.expert_steps, training.expert_rate, seed.child(name), context, tell)
    return _state(network)


def _part(texts: Sequence[str], share: float) -> Sequence[str]:
    return texts[: max(1, round(len(texts) * share))]


def _fit(
    network: nn.Module,
    corpora: Sequence[np.ndarray],
    training: Training,
    steps: int,
    rate: float,
    seed: Seed,
    context: Context,
    tell: Tell,
) -> None:
    """Minimise the loss on random windows, corpora in turn, with AdamW, warm-up and a cosine to a tenth."""
    draws = seed.child("batches").numpy()
    weights = list(network.parameters())
    optimiser = torch.optim.AdamW(weights, lr=rate, weight_decay=training.decay, betas=(0.9, 0.95))
    within = np.arange(training.window + 1)
    network.train()
    for step in range(steps):
        context.check()
        if step % 10 == 0:
            tell(step)
        corpus = corpora[step % len(corpora)]
        starts = draws.integers(0, len(corpus) - training.window, size=training.batch)
        tokens = torch.from_numpy(corpus[starts[:, None] + within])
        logits = network(tokens[:, :-1]).logits
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(weights, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = rate * min((step + 1) / 30, 0.1 + 0.45 * (1 + math.cos(math.pi * step / steps)))
        optimiser.step()
    tell(steps)


def _network(training: Training) -> nn.Module:
    """A Llama of this size; its weights are set by the caller."""
    # Building draws from torch's global state: it is put back as it was.
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = LlamaForCausalLM(LlamaConfig(**config_of(training)))
    return network


def _initialise(network: nn.Module, generator: torch.Generator) -> None:
    """Normal weights of deviation 0.02, unit norms, from a generator of our own."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.fill_(1)
            else:
                parameter.normal_(0, 0.02, generator=generator)


def _state(network: nn.Module) -> State:
    return {name: parameter.detach().clone() for name, parameter in network.named_parameters()}

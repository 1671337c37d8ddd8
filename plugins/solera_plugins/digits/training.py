"""How the base and the four experts of the digits example are made.

The recipe is the ordinary one of model merging, small: the base learns upright digits and meets each transform in a
fraction of its batches ("light exposure": it has seen a little of everything); each expert starts from the base and
sees one transform only. The head stays as the base has it, so that experts share their classes' directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solera.api import Context, Seed
from solera_plugins.digits.data import Transform, pictures, transformed
from solera_plugins.digits.network import DigitsCnn

#: Expert -> the transform it is an expert of.
EXPERTS: dict[str, Transform] = {
    "rotated": "rotation",
    "inverted": "inversion",
    "mirrored": "mirroring",
    "transposed": "transposition",
}


@dataclass(frozen=True, slots=True)
class Training:
    """The numbers of the recipe.

    Attributes:
        width: Of the network.
        base_epochs, base_rate: Passes over the training split and peak learning rate of the base.
        expert_epochs, expert_rate: The same for each expert.
        exposure: Fraction of the base's batches that show a transform instead of upright digits.
        batch: Pictures per step.
        decay: AdamW weight decay.
    """

    width: int = 48
    base_epochs: int = 40
    base_rate: float = 1e-3
    expert_epochs: int = 15
    expert_rate: float = 3e-4
    exposure: float = 0.15
    batch: int = 50
    decay: float = 1e-4

    def steps(self, model: str) -> int:
        """Steps that training ``"base"`` or an expert takes."""
        epochs = self.base_epochs if model == "base" else self.expert_epochs
        return epochs * math.ceil(1000 / self.batch)

    @property
    def config(self) -> dict[str, object]:
        """config.json of the checkpoints."""
        return {"architecture": "digits-cnn", "width": self.width, "classes": 10}


State = dict[str, Tensor]
#: ``tell(step)``: how many steps of this model are done.
Tell = Callable[[int], None]


def train_base(training: Training, seed: Seed, context: Context, tell: Tell) -> State:
    """The base: random weights to one that knows upright digits and has met the transforms.

    Args:
        training: The numbers.
        seed: Root of all randomness.
        context: Asked at every step whether to stop.
        tell: Told how far it is.

    Returns:
        float32 tensors by name.
    """
    network = _blank(training)
    _initialise(network, torch.Generator().manual_seed(seed.child("base", "weights").integer()))
    transforms: list[Transform] = ["none", *EXPERTS.values()]
    each = training.exposure / len(EXPERTS)
    shares = [1 - training.exposure, *(each for _ in EXPERTS)]
    _fit(
        network,
        transforms,
        shares,
        training,
        training.base_epochs,
        training.base_rate,
        seed.child("base"),
        context,
        tell,
    )
    return _state(network)


def train_expert(
    name: str, base: Mapping[str, Tensor], training: Training, seed: Seed, context: Context, tell: Tell
) -> State:
    """An expert: the base trained on with one transform; the head is frozen.

    Args:
        name: A key of :data:`EXPERTS`.
        base: The base's tensors; left as they are.
        training: The numbers.
        seed: Root of all randomness.
        context: Asked at every step whether to stop.
        tell: Told how far it is.
    """
    network = _blank(training)
    network.load_state_dict(dict(base))
    network.head.requires_grad_(False)
    epochs, rate = training.expert_epochs, training.expert_rate
    _fit(network, [EXPERTS[name]], [1.0], training, epochs, rate, seed.child(name), context, tell)
    return _state(network)


def _fit(
    network: nn.Module,
    transforms: Sequence[Transform],
    shares: Sequence[float],
    training: Training,
    epochs: int,
    rate: float,
    seed: Seed,
    context: Context,
    tell: Tell,
) -> None:
    """Minimise cross-entropy with AdamW, warm-up and a cosine; each batch is shifted by up to one pixel."""
    raw, labels = pictures("train")
    views = [torch.from_numpy(transformed(raw, transform)) for transform in transforms]
    y = torch.from_numpy(labels)
    draws = seed.child("batches").numpy()
    weights = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=rate, weight_decay=training.decay)
    per_epoch = math.ceil(len(y) / training.batch)
    steps = epochs * per_epoch
    order = np.arange(len(y))
    network.train()
    for step in range(steps):
        context.check()
        if step % per_epoch == 0:
            order = draws.permutation(len(y))
            tell(step)
        rows = torch.from_numpy(order[(step % per_epoch) * training.batch :][: training.batch])
        view = views[int(draws.choice(len(views), p=shares))]
        down, right = (int(shift) for shift in draws.integers(-1, 2, size=2))
        loss = F.cross_entropy(network(view[rows].roll((down, right), (2, 3))), y[rows])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(weights, 1.0)
        for group in optimiser.param_groups:
            group["lr"] = rate * min((step + 1) / 50, 0.5 * (1 + math.cos(math.pi * step / steps)))
        optimiser.step()
    tell(steps)


def _blank(training: Training) -> DigitsCnn:
    """A network with memory for its weights and no values in it: nothing is drawn from the global random state."""
    with torch.device("meta"):
        network = DigitsCnn(training.width)
    return network.to_empty(device="cpu")


def _initialise(network: nn.Module, generator: torch.Generator) -> None:
    """He-normal weights, zero biases, unit norms, from a generator of our own."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.GroupNorm):
            nn.init.ones_(module.weight)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _state(network: nn.Module) -> State:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

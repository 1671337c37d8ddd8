"""Whether a network computes the same after its units changed places, seen on a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from solera.alignment.permutations import Permutations, drawn, identity, permuted
from solera.alignment.symmetry import Symmetry, listed
from solera.errors import MismatchError
from solera.seeds import Seed

#: Largest change of an output, relative to the outputs' size, that is rounding: networks that work in float32 inside.
TOLERANCE = 1e-4

#: Larger networks are run in float32, to save memory.
_FLOAT64_PARAMETERS = 50_000_000

#: Sides of pictures that are tried on a network that tells no size.
_SIDES = (8, 16, 28, 32, 64, 96, 128, 224, 299)


def require_preserved(module: nn.Module, symmetry: Symmetry, batch: Tensor, seed: Seed, name: str) -> float:
    """Draw permutations at random and see that the outputs stay what they were.

    Args:
        module: With weights, in evaluation mode; not changed.
        symmetry: What it is said to have.
        batch: Inputs it takes, at least two samples.
        seed: Of the permutations.
        name: What a person calls the network.

    Returns:
        The largest change of an output, relative to the root mean square of all.

    Raises:
        MismatchError: Outputs change; the groups at fault are named.
    """
    small = sum(parameter.numel() for parameter in module.parameters()) <= _FLOAT64_PARAMETERS
    exact = copy.deepcopy(module).double() if small else module
    inputs = batch.double() if small and batch.is_floating_point() else batch
    permutations = drawn(symmetry, seed)
    change = output_change(exact, symmetry, permutations, inputs)
    if change <= TOLERANCE:
        return change
    still = identity(symmetry)
    guilty = [
        group
        for group in symmetry.groups
        if not output_change(exact, symmetry, {**still, group: permutations[group]}, inputs) <= TOLERANCE
    ]
    raise MismatchError(
        f"The permutations declared for {name} do not leave what it computes unchanged: outputs move by {change:.2g} "
        f"of their size when the units of {listed(guilty)} change places. Correct the declaration, or hold these "
        "groups fast.",
        name=name, groups=guilty, change=change,
    )  # fmt: skip


def output_change(module: nn.Module, symmetry: Symmetry, permutations: Permutations, batch: Tensor) -> float:
    """The largest change of an output after permutations, relative to the root mean square of all outputs."""
    state = dict([*module.named_parameters(), *module.named_buffers()])
    moved = {
        name: permuted(tensor.detach(), symmetry.axes[name], symmetry, permutations)
        if name in symmetry.axes
        else tensor
        for name, tensor in state.items()
    }
    with torch.no_grad():
        before = output_of(module(batch))
        after = output_of(torch.func.functional_call(module, moved, (batch,)))
    size = before.double().square().mean().sqrt().clamp_min(torch.finfo(torch.float32).tiny)
    return float(((after - before).double().abs().max() / size).nan_to_num(torch.inf))


def example_batch(module: nn.Module, seed: Seed, count: int = 8) -> Tensor:
    """Inputs that a module takes, guessed from its first layer with weights: random tokens, vectors or pictures.

    Args:
        module: In evaluation mode.
        seed: Of the values.
        count: Samples.

    Raises:
        MismatchError: None of the guesses is taken.
    """
    generator = torch.Generator().manual_seed(seed.integer())
    tried = 0
    for make in _guesses(module, count, generator):
        batch = make()
        tried += 1
        try:
            with torch.no_grad():
                module(batch)
        except (RuntimeError, ValueError, IndexError, TypeError):
            continue
        return batch
    raise MismatchError(
        f"No inputs are known that {type(module).__name__} takes ({tried} were guessed). Name a task whose data it "
        "takes.",
        module=type(module).__name__,
    )


def _guesses(module: nn.Module, count: int, generator: torch.Generator) -> Iterator[Callable[[], Tensor]]:
    first = next(
        (each for each in module.modules() if isinstance(each, (nn.Embedding, nn.Linear, nn.Conv1d, nn.Conv2d))), None
    )

    def normal(*shape: int) -> Callable[[], Tensor]:
        return lambda: torch.randn(count, *shape, generator=generator)

    if isinstance(first, nn.Embedding):
        high = first.num_embeddings
        yield lambda: torch.randint(high, (count, 16), generator=generator)
    elif isinstance(first, nn.Linear):
        size = first.in_features
        yield normal(size)
        for channels in (1, 3):
            side = round((size / channels) ** 0.5)
            if side * side * channels == size:
                yield normal(channels, side, side)
        yield normal(16, size)
    elif isinstance(first, nn.Conv2d):
        for side in _SIDES:
            yield normal(first.in_channels, side, side)
    elif isinstance(first, nn.Conv1d):
        for side in (16, 64, 256, 1024):
            yield normal(first.in_channels, side)


def output_of(result: Any) -> Tensor:
    """The tensor a network gives: its logits, or the first of several.

    Raises:
        MismatchError: It gives no tensor.
    """
    found: Any = getattr(result, "logits", None)
    if found is None:
        found = result[0] if isinstance(result, (tuple, list)) else result
    if not isinstance(found, Tensor):
        raise MismatchError(f"The network gives a {type(found).__name__}; a tensor is needed to compare outputs.")
    return found

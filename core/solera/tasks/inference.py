"""Running a network over data in fixed chunks, and saying in a sentence what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from solera.context import Context
from solera.errors import CapacityError, TaskError
from solera.events import Logged
from solera.tasks.forward import Forward, in_chunks


@contextmanager
def network_errors(
    task: str, amount: str, device: torch.device, inputs: str,
    advice: str = "Choose a task made for this kind of network.",
) -> Iterator[None]:  # fmt: skip
    """Around a call of a network: what it raises becomes a sentence.

    Args:
        task: The task's name.
        amount: What the call is given at a time: ``"32 texts"``.
        device: Where.
        inputs: What one input is, for a network that cannot take it.
        advice: What to do then.

    Raises:
        TaskError: The network cannot take such inputs.
        CapacityError: The device's memory does not hold a call.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise CapacityError(
            f"Scoring task '{task}' with {amount} at a time does not fit into memory of {device}; lower 'chunk'.",
            task=task,
            device=str(device),
        ) from error
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise TaskError(
            f"The network cannot take the inputs of task '{task}' ({inputs}): {reason}. {advice}",
            task=task,
            reason=reason,
        ) from error


def network_forward(
    network: Callable[..., Any],
    inputs: Tensor,
    chunk: int,
    task: str,
    attention_mask: Tensor | None = None,
    more: Callable[[slice], Sequence[Tensor]] = lambda where: (),
) -> Forward:
    """Logits by calling a network.

    Args:
        network: A module in evaluation mode, called with one positional argument and those of ``more``. An output with
            a ``logits`` attribute (as Hugging Face models give) is unwrapped.
        inputs: Shape (n, ...), any dtype; on the network's device.
        chunk: Samples per call, for sentences.
        task: The task's name, for sentences.
        attention_mask: Which inputs are there, shape (n, tokens), 0 or 1; given by name to networks that see padding.
        more: Further arguments for a slice of the samples.

    Returns:
        A function that raises TaskError where the network cannot take such inputs or gives no tensor, and CapacityError
        where the device has not enough memory for a chunk.
    """
    known = {} if attention_mask is None else {"attention_mask": attention_mask}
    described = f"{tuple(inputs.shape[1:])} {inputs.dtype} per sample"

    def forward(where: slice) -> Tensor:
        with network_errors(task, f"{chunk} samples", inputs.device, described):
            output = network(inputs[where], *more(where), **{name: tensor[where] for name, tensor in known.items()})
        logits = getattr(output, "logits", output)
        if not isinstance(logits, Tensor):
            raise TaskError(
                f"The network gave a {type(logits).__name__} where task '{task}' needs a tensor of logits.", task=task
            )
        return logits

    return forward


def check_vocabulary(network: nn.Module, highest: int, task: str) -> None:
    """Refuse token ids that a network does not know: an error on a CPU, but a poisoned device on a GPU.

    Args:
        network: A language model, or what holds one as its ``module``.
        highest: The largest id that will be asked.
        task: For the sentence.

    Raises:
        TaskError: It has fewer embeddings.
    """
    inner: Any = network
    while not hasattr(inner, "get_input_embeddings") and isinstance(getattr(inner, "module", None), nn.Module):
        inner = inner.module
    try:
        embedding = inner.get_input_embeddings() if hasattr(inner, "get_input_embeddings") else None
    except NotImplementedError:  # transformers' way of saying that there are none
        embedding = None
    if isinstance(embedding, nn.Embedding) and embedding.num_embeddings <= highest:
        raise TaskError(
            f"Task '{task}' uses token ids up to {highest}; the network knows only {embedding.num_embeddings}. Choose "
            "the tokenizer that belongs to the network.",
            task=task,
        )


def logits_in_chunks(
    network: nn.Module, inputs: Tensor, chunk: int, task: str, context: Context
) -> Iterator[tuple[slice, Tensor]]:
    """The network's outputs, chunk by chunk; see :func:`network_forward` for arguments and errors.

    Yields:
        ``(where, logits)``: the slice of samples and the output, the network's own dtype and shape.
    """
    yield from in_chunks(network_forward(network, inputs, chunk, task), inputs.shape[0], chunk, context)


def warn_not_finite(count: int, total: int, task: str, context: Context) -> None:
    """Say that some samples have no number; their scores stay NaN."""
    if count:
        text = (
            f"Task '{task}': the network's output is not a number for {count} of {total} samples; the scores are NaN."
        )
        context.emit(Logged(level="warning", text=text, job=context.job))


def sample_buffer(rows: int, count: int, device: str) -> Tensor:
    """Where per-sample values are gathered: float32 of shape (rows, count), on the device."""
    return torch.empty(rows, count, dtype=torch.float32, device=device)

"""The loss of a network as a function of one flat vector of weights: values, gradients, curvature along directions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from solera.context import Context
from solera.errors import CapacityError, InputError, MismatchError, TaskError
from solera.models.network import Network
from solera.probes.names import chosen
from solera.tasks.examples import Examples

Dtype = Literal["float32", "float64"]
Matrix = Literal["hessian", "ggn", "fisher"]


@dataclass(frozen=True, slots=True)
class Part:
    """Where a tensor lies in the flat vector.

    Attributes:
        name: As in the checkpoint.
        where: Its elements.
        shape: Its shape.
    """

    name: str
    where: slice
    shape: tuple[int, ...]


class Objective(Protocol):
    """A mean loss over samples, as a function of a flat vector. Nothing it is given is changed.

    ``rows`` are samples in order; all if None. Losses are added up in float64, in chunks cut the same way each time.

    Attributes:
        theta: Where the model is, shape (P,).
        parts: Its tensors in order, tied ones once.
        count: How many samples there are.
    """

    @property
    def theta(self) -> Tensor:
        """Where the model is."""
        ...

    @property
    def parts(self) -> Sequence[Part]:
        """Its tensors in order."""
        ...

    @property
    def count(self) -> int:
        """How many samples there are."""
        ...

    def loss(self, theta: Tensor, rows: slice | None = None) -> float:
        """The mean loss; NaN or infinity where the network gives that."""
        ...

    def gradient(self, theta: Tensor, rows: slice | None = None) -> Tensor:
        """Its gradient, shape (P,)."""
        ...

    def hvp(self, theta: Tensor, vector: Tensor, rows: slice | None = None) -> Tensor:
        """The Hessian times a vector, shape (P,)."""
        ...


class NetworkObjective:
    """The objective of a network on examples: mean cross-entropy over samples (of a row of tokens, the row's mean).

    Only parameters that are trained are in the vector: no buffers, and none of a tensor that the module freezes. The
    network runs in evaluation mode: no dropout, normalisation by its running statistics.

    Args:
        network: The module; its own weights are neither read nor changed.
        flat: All of its weights, shape (network.layout.numel,), in the dtype of the arithmetic.
        examples: On the network's device.
        context: Asked at every chunk whether to stop.
        only: Which parameters, as :func:`solera.probes.names.chosen` reads it; the others stay where they are.
        normalise: Whether logits are centred and scaled to norm 1 before the cross-entropy, so that models whose logits
            have another size can be compared (Andriushchenko and others 2023).
        name: What the model is called, for sentences.

    Raises:
        MismatchError: No parameter is left.
    """

    def __init__(
        self, network: Network, flat: Tensor, examples: Examples, context: Context, *, only: str = "",
        normalise: bool = False, name: str = "the network",
    ) -> None:  # fmt: skip
        self._normalise = normalise
        self._module, self._context, self._examples, self._name = network.module, context, examples, name
        named = {key for key, _ in network.module.named_parameters(remove_duplicate=False)} - network.frozen
        self._constants: dict[str, Tensor] = dict(unsaved(network, flat.dtype))
        parts, pieces, start = [], [], 0
        for key, view in network.layout.views(flat):
            if key in named and chosen(key, only):
                parts.append(Part(key, slice(start, start + view.numel()), tuple(view.shape)))
                pieces.append(view.reshape(-1))
                start += view.numel()
            else:
                self._constants[key] = view
        if not parts:
            raise MismatchError(f"{name} has no trained parameters{f' of {only}' if only else ''}.", only=only)
        self.parts: tuple[Part, ...] = tuple(parts)
        self.theta = torch.cat(pieces)
        self.count = int(examples.inputs.shape[0])
        self._inputs = examples.inputs.to(flat.dtype) if examples.inputs.is_floating_point() else examples.inputs

    def outputs(self, theta: Tensor, rows: slice | None = None) -> Tensor:
        """What the network gives, shape (n, classes) or (n, t, classes); differentiable in ``theta``.

        Raises:
            TaskError: The network does not take the task's inputs.
        """
        where = rows or slice(0, self.count)
        weights = {part.name: theta[part.where].view(part.shape) for part in self.parts}
        try:
            output: Any = torch.func.functional_call(
                self._module, {**self._constants, **weights}, (self._inputs[where],)
            )
        except torch.OutOfMemoryError as error:
            raise CapacityError(
                f"{self._name} on {where.stop - where.start} samples does not fit into memory."
            ) from error
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise TaskError(f"{self._name} cannot take the task's inputs: {reason}.", reason=reason) from error
        logits = getattr(output, "logits", output)
        if not isinstance(logits, Tensor):
            raise TaskError(f"{self._name} gave a {type(logits).__name__} where a tensor of logits is needed.")
        return logits

    def along(self, theta: Tensor, vector: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        """The outputs and their derivative along a vector, both of the outputs' shape, without a graph."""
        with twice_differentiable():
            at = theta.detach().requires_grad_()
            outputs = self.outputs(at, rows)
            return outputs.detach(), _forward(outputs, at, vector)

    def jacobian(self, theta: Tensor, rows: slice) -> Tensor:
        """The derivatives of every output of some samples, shape (outputs of all of them, P)."""
        with twice_differentiable():
            at = theta.detach().requires_grad_()
            outputs = self.outputs(at, rows).flatten()
            lines = [torch.autograd.grad(each, at, retain_graph=True, materialize_grads=True)[0] for each in outputs]
        return torch.stack(lines)

    def losses(self, theta: Tensor, rows: slice | None = None) -> Tensor:
        """The loss of each sample, shape (n,); differentiable in ``theta``.

        Raises:
            TaskError: Output and targets do not fit.
        """
        where = rows or slice(0, self.count)
        return self.losses_of(self.outputs(theta, where), where)

    def losses_of(self, logits: Tensor, where: slice) -> Tensor:
        """The loss of each sample from the network's outputs, shape (n,). Errors as :meth:`losses`."""
        targets = self._examples.targets[where]
        if targets.is_floating_point():
            gaps = logits.flatten(1) - targets.to(logits.dtype).flatten(1)
            return gaps.square().mean(1)
        if logits.shape[:-1] != targets.shape:
            raise TaskError(
                f"{self._name} gave outputs of shape {tuple(logits.shape)} for targets of shape {tuple(targets.shape)}."
            )
        if self._normalise:
            logits = logits - logits.mean(-1, keepdim=True)
            logits = logits / logits.norm(dim=-1, keepdim=True)
        flat = F.cross_entropy(logits.flatten(0, -2), targets.flatten(), reduction="none")
        return flat if targets.ndim == 1 else flat.view(targets.shape).flatten(1).mean(1)

    def chunks(self, rows: slice | None = None) -> Iterator[slice]:
        """The samples in the pieces they are run in; asks whether to stop before each.

        Raises:
            InputError: There are none.
        """
        first, last = (0, self.count) if rows is None else (rows.start or 0, min(rows.stop, self.count))
        if last <= first:
            raise InputError(f"Samples {first} to {last} of {self.count} are none.")
        for start in range(first, last, self._examples.chunk):
            self._context.check()
            yield slice(start, min(start + self._examples.chunk, last))

    def loss(self, theta: Tensor, rows: slice | None = None) -> float:
        """See :class:`Objective`."""
        total, count = 0.0, 0
        with torch.no_grad():
            for where in self.chunks(rows):
                total += float(self.losses(theta, where).double().sum())
                count += where.stop - where.start
        return total / count

    def gradient(self, theta: Tensor, rows: slice | None = None) -> Tensor:
        """See :class:`Objective`."""
        total = torch.zeros_like(theta)
        count = 0
        with twice_differentiable():
            for where in self.chunks(rows):
                at = theta.detach().requires_grad_()
                total += torch.autograd.grad(self.losses(at, where).sum(), at)[0]
                count += where.stop - where.start
        return total / count

    def hvp(
        self, theta: Tensor, vector: Tensor, rows: slice | None = None, *, matrix: Matrix = "hessian"
    ) -> Tensor:  # fmt: skip
        """A matrix of second order times a vector, shape (P,).

        Args:
            theta: Where.
            vector: Shape (P,).
            rows: Samples; all if None.
            matrix: ``"hessian"``; ``"ggn"``: the generalised Gauss-Newton matrix ``J^T H_L J``, which leaves out the
                curvature of the network; ``"fisher"``: the empirical Fisher matrix, the mean of ``g g^T`` over samples.
        """
        product = {"hessian": self._hessian, "ggn": self._gauss_newton, "fisher": self._fisher}[matrix]
        total = torch.zeros_like(theta)
        count = 0
        with twice_differentiable():
            for where in self.chunks(rows):
                total += product(theta.detach().requires_grad_(), vector, where)
                count += where.stop - where.start
        return total / count

    def _hessian(self, at: Tensor, vector: Tensor, where: slice) -> Tensor:
        (slope,) = torch.autograd.grad(self.losses(at, where).sum(), at, create_graph=True)
        if not slope.requires_grad:  # a loss that is linear has no curvature
            return torch.zeros_like(at)
        return torch.autograd.grad(slope @ vector, at, materialize_grads=True)[0]

    def _gauss_newton(self, at: Tensor, vector: Tensor, where: slice) -> Tensor:
        outputs = self.outputs(at, where)
        held = outputs.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.losses_of(held, where).sum(), held, create_graph=True)
        along = _forward(outputs, at, vector)
        curved = torch.autograd.grad(slope, held, along, materialize_grads=True)[0]
        return torch.autograd.grad(outputs, at, curved)[0]

    def _fisher(self, at: Tensor, vector: Tensor, where: slice) -> Tensor:
        losses = self.losses(at, where)
        return torch.autograd.grad(losses, at, _forward(losses, at, vector))[0]


def _forward(outputs: Tensor, at: Tensor, vector: Tensor) -> Tensor:
    """The derivative of outputs along a vector, by two passes backward; the graph stays."""
    held = torch.zeros_like(outputs, requires_grad=True)
    (pulled,) = torch.autograd.grad(outputs, at, held, create_graph=True)
    return torch.autograd.grad(pulled, held, vector, materialize_grads=True)[0].detach()


@contextmanager
def twice_differentiable() -> Iterator[None]:
    """Attention by plain matrix products in the block: its fused kernels have no second derivative."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
        yield


def unsaved(network: Network, dtype: torch.dtype) -> Mapping[str, Tensor]:
    """Floating buffers that no checkpoint holds (tables of positions), in the dtype of the arithmetic."""
    return {
        name: buffer.to(dtype)
        for name, buffer in network.module.named_buffers()
        if buffer.is_floating_point() and name not in network.layout.index
    }

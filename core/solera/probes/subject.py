"""What a probe looks at: models, a base, examples, and numbers drawn at random."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from solera.alignment.permuted import PermutedCheckpoint
from solera.alignment.symmetry import Symmetry
from solera.alignment.tracing import trace_symmetry
from solera.alignment.weights import match_weights
from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.compare import compatible
from solera.context import Context
from solera.errors import FaultsError, InputError, MismatchError, TaskError
from solera.events import Logged
from solera.models.network import Network, check_fit
from solera.probes.names import chosen, weights_of
from solera.probes.objective import Dtype, NetworkObjective
from solera.probes.representation import Representation, representation
from solera.seeds import Seed
from solera.tasks.examples import Examples
from solera.tensors.hashing import bits, normal


class Probed:
    """One model that is measured.

    Args:
        name: What a person calls it; unique among the models of a subject.
        checkpoint: Its weights, lazily.
        network: Gives the network they belong to (it may be shared by several models); None where none can be built.
        symmetry: Gives the permutations that leave what the network computes unchanged, from two samples; they are read
            off the network's graph if None.

    Attributes:
        name: As given.
        checkpoint: As given.
    """

    def __init__(
        self,
        name: str,
        checkpoint: Checkpoint,
        network: Callable[[], Network] | None = None,
        symmetry: Callable[[Tensor], Symmetry] | None = None,
    ) -> None:
        self.name = name
        self.checkpoint = checkpoint
        self._network = network
        self._symmetry = symmetry

    def symmetry(self, batch: Tensor) -> Symmetry:
        """Which units of its network may change places, seen on a batch.

        Raises:
            MismatchError: None are known.
        """
        if self._symmetry is not None:
            return self._symmetry(batch)
        return trace_symmetry(self.network.module, batch)

    @property
    def network(self) -> Network:
        """Its network; the weights in it may be another model's.

        Raises:
            MismatchError: None can be built, or it does not fit the checkpoint.
        """
        if self._network is None:
            raise MismatchError(f"No network can be built for the checkpoint '{self.name}'.", checkpoint=self.name)
        network = self._network()
        check_fit(network, self.checkpoint)
        return network

    def flat(self, dtype: Dtype = "float32") -> Tensor:
        """All weights of its network in one vector, shape (network.layout.numel,), on the network's device.

        Raises:
            MismatchError: The checkpoint does not fit the network.
        """
        network = self.network
        layout = network.layout
        others: dict[str, list[str]] = {}
        for alias, name in layout.aliases:
            others.setdefault(name, []).append(alias)
        flat = torch.empty(layout.numel, dtype=getattr(torch, dtype), device=network.device)
        for name, view in layout.views(flat):
            source = next(key for key in (name, *others.get(name, ())) if key in self.checkpoint)
            view.copy_(self.checkpoint[source].read())
        return flat


class Subject:
    """Everything a probe may ask for. Used by one thread at a time.

    Args:
        models: What is measured; of different names.
        context: Asked whether to stop; told how far it is.
        base: What they were made from, for a probe that takes one.
        examples: Gives the task's examples, on the device; None where no task is named.
        seed: Root of what is drawn.
        kept: What an earlier attempt kept (see :meth:`once`).
        keep: Takes what this one keeps.

    Attributes:
        models, base, context, seed: As given.
    """

    def __init__(
        self,
        models: Sequence[Probed],
        context: Context,
        *,
        base: Probed | None = None,
        examples: Callable[[], Examples] | None = None,
        seed: Seed | None = None,
        kept: Mapping[str, Sequence[float]] | None = None,
        keep: Callable[[str, tuple[float, ...]], None] | None = None,
    ) -> None:
        self.models = tuple(models)
        self.base = base
        self.context = context
        self.seed = seed or Seed(0)
        self._examples = examples
        self._kept = dict(kept or {})
        self._keep = keep
        self._steps, self._total = 0, 0

    @property
    def names(self) -> tuple[str, ...]:
        """What the models are called."""
        return tuple(model.name for model in self.models)

    @property
    def examples(self) -> Examples:
        """The task's examples.

        Raises:
            TaskError: No task is named, its data are missing, or it hands none out.
        """
        if self._examples is None:
            raise TaskError("This is measured on data; name a task whose examples are used.")
        return self._examples()

    @property
    def reference(self) -> Probed:
        """The base.

        Raises:
            InputError: None is named.
        """
        if self.base is None:
            raise InputError("This is measured against a base; name the model the others were made from.")
        return self.base

    # -- what is measured ------------------------------------------------------------------------------------------

    def objective(
        self, model: Probed, *, dtype: Dtype = "float32", only: str = "", normalise: bool = False
    ) -> NetworkObjective:
        """The loss around a model, as a function of its trained parameters.

        Args:
            model: Which.
            dtype: Of the arithmetic.
            only: Which tensors, as :func:`solera.probes.names.chosen` reads it.
            normalise: Whether logits are centred and scaled, see :class:`.objective.NetworkObjective`.

        Raises:
            TaskError: No task is named, or the network does not take its data.
            MismatchError: No network can be built, it does not fit, or has no such parameters.
        """
        network = model.network
        if network.frozen:
            frozen = sorted(network.frozen)
            self.say(f"{model.name}: {len(frozen)} frozen tensors are left out ({', '.join(frozen[:3])} ...).", "info")
        return NetworkObjective(
            network,
            model.flat(dtype),
            self.examples,
            self.context,
            only=only,
            normalise=normalise,
            name=f"'{model.name}'",
        )

    def objectives(
        self, *, dtype: Dtype = "float32", only: str = "", normalise: bool = False
    ) -> Iterator[tuple[int, str, NetworkObjective, float]]:
        """``(index, name, objective, loss)`` of every model whose loss is a number; others are named.

        Arguments and errors as :meth:`objective`.
        """
        for i, model in enumerate(self.models):
            objective = self.objective(model, dtype=dtype, only=only, normalise=normalise)
            (loss,) = self.once(f"{model.name}/loss", lambda: [objective.loss(objective.theta)])  # noqa: B023
            if math.isfinite(loss):
                yield i, model.name, objective, loss
            else:
                self.say(f"{model.name}: its loss is {loss:g}, so nothing around it can be measured.", "warning")

    def representation(self, model: Probed, layer: str = "", *, dtype: Dtype = "float32") -> Representation:
        """What a layer of a model gives on samples; empty is the network's own output.

        Raises:
            InputError: The network has no such layer.
        """
        return representation(model.network, model.flat(dtype), layer, model.name, dtype)

    def aligned(self, model: Probed, to: Probed) -> Probed:
        """A model with its units where another's are, found by comparing weights.

        Raises:
            MismatchError: No symmetry is known of the network, or the models do not fit each other.
        """
        faults = compatible(to.checkpoint, model.checkpoint)
        if faults:
            raise FaultsError(f"alignment of {model.name} to {to.name}", faults)
        symmetry = model.symmetry(self.examples.inputs[:2])
        seed = self.seed.child("align")
        found = match_weights(symmetry, to.checkpoint, model.checkpoint, self.context, seed=seed)
        view = PermutedCheckpoint(
            model.checkpoint,
            symmetry,
            lambda _: found.permutations,
            name=model.name,
            others=(to.checkpoint,),
            salt="probe",
        )
        return Probed(model.name, view, lambda: model.network)

    def tensors(self, patterns: str = "") -> tuple[str, ...]:
        """Names of the weights that all models (and the base) have, in order; tied ones once, counters left out.

        Args:
            patterns: Which, as :func:`solera.probes.names.chosen` reads it.

        Raises:
            FaultsError: Names or shapes differ; all that do are named.
            MismatchError: None is left.
        """
        first, *rest = [*self.models, *([self.base] if self.base else [])]
        faults = [fault for other in rest for fault in compatible(first.checkpoint, other.checkpoint)]
        if faults:
            raise FaultsError("these models", faults)
        found = tuple(name for name in weights_of(first.checkpoint) if chosen(name, patterns))
        if not found:
            raise MismatchError(
                f"The models have no weights{f' of {patterns}' if patterns else ''}.", patterns=patterns
            )
        return found

    # -- what is drawn and kept --------------------------------------------------------------------------------------

    def normal(self, name: str, count: int) -> Tensor:
        """Standard normal numbers, float64 of shape (count,), on the CPU; the same for one seed and name."""
        return normal(self.seed.integer(), name, 0, 0, count).double()

    def signs(self, name: str, count: int) -> Tensor:
        """Numbers that are 1 or -1, float64 of shape (count,), on the CPU; the same for one seed and name."""
        words = bits(self.seed.integer(), name, 0, 0, count)
        return torch.where(words < 0, -1.0, 1.0).double()

    def once(self, name: str, make: Callable[[], Iterable[float]]) -> tuple[float, ...]:
        """Numbers that take long to make: a run that was stopped and goes on finds them made.

        Args:
            name: Unique within the probe's run.
            make: Called unless they are there.
        """
        self.context.check()
        if name not in self._kept:
            made = tuple(float(number) for number in make())
            self._kept[name] = made
            if self._keep is not None:
                self._keep(name, made)
        self._steps += 1
        self.context.progress(self._steps, max(self._total, self._steps) if self._total else None, "steps", name)
        return tuple(self._kept[name])

    def forget(self) -> None:
        """Let go of what :meth:`once` kept, before another probe looks at the subject."""
        self._kept.clear()
        self._steps, self._total = 0, 0

    def steps(self, total: int) -> None:
        """Say how many calls of :meth:`once` are to come in all."""
        self._total = total

    def say(self, text: str, level: str = "info") -> None:
        """Tell the person something."""
        self.context.emit(Logged(level=level, text=text, job=self.context.job))

"""An adapter on its base: as a change of weights, or as the changed weights, computed tensor by tensor when read."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from solera.checkpoints.adapters.adapter import Adapter, open_adapter
from solera.checkpoints.adapters.fitting import Fit, fit
from solera.checkpoints.adapters.source import KEPT_BYTES, Adapted, Formulas, Mode, Nothing
from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.formats.format import Format
from solera.checkpoints.tensor_ref import TensorRef

_log = logging.getLogger(__name__)


def open_delta(
    base: Checkpoint, adapter: str | Path | Adapter, *, formats: Mapping[str, Format] | None = None
) -> AdaptedCheckpoint:
    """The change an adapter makes to its base: ``adapted - base``, a tensor for every one of the base's.

    Floating tensors are float32, zeros where the adapter changes nothing; what it adds is not rounded to the base's
    dtype on the way. Integer tensors are the base's own. Nothing is computed before it is read; reads hold a few rows.

    Args:
        base: The base; stays open as long as this is used, and is not closed with it.
        adapter: The adapter's folder, or the opened adapter.
        formats: The formats to open the adapter's weights with.

    Raises:
        NotFoundError: There is no such folder, or it is no adapter's.
        CheckpointError: The adapter is of a kind that is not read, or damaged.
        MismatchError: It does not fit this base.
    """
    return _on(base, adapter, "delta", "float32", formats)


def open_adapted(
    base: Checkpoint, adapter: str | Path | Adapter, *, dtype: str = "", formats: Mapping[str, Format] | None = None
) -> AdaptedCheckpoint:
    """The base with an adapter merged into it, as peft's ``merge_and_unload`` would give it.

    Computed in float32 and rounded once. Config, tokenizer and names are the base's.

    Args:
        base: The base; stays open as long as this is used, and is not closed with it.
        adapter: The adapter's folder, or the opened adapter.
        dtype: Dtype of the tensors that the adapter changes; the base's if empty. ``"float32"`` keeps small changes
            that would otherwise be rounded away before a merge begins.
        formats: The formats to open the adapter's weights with.

    Raises:
        Those of :func:`open_delta`.
    """
    return _on(base, adapter, "weights", dtype, formats)


def _on(
    base: Checkpoint, source: str | Path | Adapter, mode: Mode, dtype: str, formats: Mapping[str, Format] | None
) -> AdaptedCheckpoint:
    adapter = source if isinstance(source, Adapter) else open_adapter(source, formats=formats)
    fits, notes = fit(adapter, base)
    for note in notes:
        _log.warning("%s", note)
    identity = hashlib.sha256(
        f"{mode}\0{dtype}\0{base.identity()}\0{adapter.file.identity()}\0{adapter.salt}".encode()
    ).hexdigest()
    formulas = Formulas()
    tensors = {name: _tensor(base, name, fits, mode, dtype, formulas, identity) for name in base}
    made = AdaptedCheckpoint(base, adapter, tensors, mode, identity, notes)
    sizes = [found.change.nbytes for found in fits.values() if found.change is not None]
    made.kept = max(min(KEPT_BYTES, sum(sizes)), *sizes, 0)
    return made


class AdaptedCheckpoint(Checkpoint):
    """A checkpoint whose numbers come from a base and an adapter.

    Attributes:
        adapter: The adapter.
    """

    def __init__(
        self, base: Checkpoint, adapter: Adapter, tensors: Mapping[str, TensorRef], mode: Mode, digest: str,
        notes: tuple[str, ...],
    ) -> None:  # fmt: skip
        weights = mode == "weights"
        super().__init__(
            f"{base.name}+{adapter.name}" if weights else adapter.name, tensors, format=f"adapter-{mode}",
            digest=digest, path=adapter.path, folder=base.folder if weights else None,
            metadata=base.metadata if weights else None, strip=base.strip, notes=notes,
        )  # fmt: skip
        if weights:
            self.config = dict(base.config)
        self.adapter = adapter
        # The content of a change is the adapter's own: the same whatever file its base lies in.
        self.origins = (base, adapter.file) if weights else (adapter.file,)
        self.salt = f"{mode} {adapter.salt}"
        self._base = base

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the adapter and of its base."""
        return (*self.adapter.file.files, *self._base.files)

    def verify(self) -> None:
        """See whether base and adapter are still those that were opened. Raises as :meth:`Checkpoint.verify`."""
        self._base.verify()
        self.adapter.file.verify()

    def close(self) -> None:
        """Give the adapter's file back; the base stays open."""
        self.adapter.file.close()


def _tensor(
    base: Checkpoint, name: str, fits: Mapping[str, Fit], mode: Mode, dtype: str, formulas: Formulas, identity: str
) -> TensorRef:
    ref = base[name]
    found = fits.get(base.ties.get(name, name))
    if found is None and (mode == "weights" or ref.kind == "counter"):
        return ref
    if ref.kind == "counter":
        assert found is not None
        assert found.full is not None
        return TensorRef(replace(found.full.spec, name=name), found.full.source, ref.stored_name)
    spec = replace(ref.spec, dtype=dtype or ref.dtype)
    if found is None:
        return TensorRef(spec, Nothing(ref.source.key), ref.stored_name)
    key = (identity, ref.source.key)
    return TensorRef(spec, Adapted(ref, found.change, found.full, mode, spec.dtype, formulas, key), ref.stored_name)

"""A checkpoint whose embedding and head are laid out for another vocabulary, row by row as they are read."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.layers import layer_lists
from solera.checkpoints.tensor_ref import TensorRef
from solera.checkpoints.tokenizers import Tokens, tokenizer_files
from solera.errors import MismatchError
from solera.tensors.specs import ITEM_SIZES

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Wish:
    """Where the row of one token comes from, said outright.

    Attributes:
        lender: Which of the lenders; None for the usual rule.
        token: Which of its tokens; None for the same text.
        zero: Zeros.
        force: Also where the model has the token.
    """

    lender: int | None = None
    token: str | int | None = None
    zero: bool = False
    force: bool = False


#: Rows of the result: how many, and for each run of them (lender, first row there) or a list of both to be averaged.
_Mean = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Run:
    start: int
    count: int
    lender: int
    row: int


def lay_out(
    checkpoint: Checkpoint,
    lenders: Sequence[tuple[Checkpoint, Tokens]],
    own: int,
    tokens: Tokens,
    found: Tokens,
    wishes: Mapping[str, Wish],
    multiple: int = 1,
    base: int | None = None,
) -> Checkpoint:
    """A view with one row for each token of a vocabulary.

    Args:
        checkpoint: The weights.
        lenders: Checkpoints with their vocabularies; they stay open as long as this is used.
        own: Which of them is ``checkpoint``.
        tokens: The vocabulary of the result.
        found: The one it was made of.
        wishes: Rows said outright, by token.
        multiple: The number of rows is a multiple of this.
        base: Which lender's rows go before the others', where several have a token that the model lacks.

    Raises:
        MismatchError: No tensor is an embedding, widths differ, or a wish cannot be granted.
    """
    names = _vocabulary_tensors(checkpoint)
    sources = [_Lender(one, known.ids, names) for one, known in lenders]
    rows = _rows(sources, own, base, tokens.ids, wishes)
    total = -(-max(len(rows), 1) // multiple) * multiple
    tensors = dict(checkpoint.items())
    for name in names:
        ref, refs = checkpoint[name], [lender.ref(name) for lender in sources]
        _check_width(name, ref, refs, [one for one, _ in lenders])
        spec = replace(ref.spec, shape=(total, *ref.shape[1:]), dtype=_widest([one.dtype for one in refs if one]))
        tensors[name] = TensorRef(spec, _Rows(refs, rows, spec.shape, spec.dtype), ref.stored_name)
    said = [rows, total, sorted((one.identity()) for one, _ in lenders)]
    return RelaidCheckpoint(checkpoint, [one for one, _ in lenders], tensors, total, said, tokens, found)


class RelaidCheckpoint(Checkpoint):
    """What :func:`lay_out` gives."""

    def __init__(
        self, base: Checkpoint, lenders: Sequence[Checkpoint], tensors: Mapping[str, TensorRef], total: int, said: Any,
        tokens: Tokens, found: Tokens,
    ) -> None:  # fmt: skip
        self._base = base
        self._lenders = tuple(dict.fromkeys((base, *lenders)))
        salts = [one.salt for one in self._lenders]
        plain = json.dumps([said[:2], salts, tokens.plain], ensure_ascii=False, separators=(",", ":"))
        self.salt = hashlib.sha256(plain.encode()).hexdigest()
        digest = json.dumps([self.salt, *(one.identity() for one in self._lenders)])
        super().__init__(
            base.name, tensors, format="tokens", digest=hashlib.sha256(digest.encode()).hexdigest(), folder=base.folder,
            metadata=base.metadata, strip=base.strip, notes=base.notes,
        )  # fmt: skip
        self.config = _with_rows(base.config, total, found.owner.config if found.owner is not base else {})
        self.origins = self._lenders
        self.whole = any(one.whole for one in self._lenders)
        self.held = sum(one.held for one in self._lenders)
        self.gathered = sum(one.gathered for one in self._lenders)
        self.kept = sum(one.kept for one in self._lenders)
        self.generated = {**base.generated, **tokenizer_files(tokens, found)}

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of all lenders."""
        return tuple(dict.fromkeys(file for one in self._lenders for file in one.files))

    def verify(self) -> None:
        """See whether the lenders are still those that were opened. Raises as :meth:`Checkpoint.verify`."""
        for one in self._lenders:
            one.verify()

    def close(self) -> None:
        """Nothing: the lenders stay open."""


class _Lender:
    """A checkpoint as a source of rows."""

    def __init__(self, checkpoint: Checkpoint, ids: Mapping[str, int], names: Sequence[str]) -> None:
        self._checkpoint = checkpoint
        self._ids = ids
        self._embedding = next((checkpoint[name] for name in names if name in checkpoint), None)

    def ref(self, name: str) -> TensorRef | None:
        """Its tensor of this name; a head that is the embedding under another name, which the file leaves out."""
        return self._checkpoint.get(name, self._embedding)

    def row(self, token: str | int) -> int | None:
        """The row of a token, or None: rows beyond the table are none."""
        number = token if isinstance(token, int) else self._ids.get(token)
        rows = self._embedding.shape[0] if self._embedding is not None else 0
        return number if number is not None and 0 <= number < rows else None


def _rows(
    lenders: Sequence[_Lender], own: int, base: int | None, ids: Mapping[str, int], wishes: Mapping[str, Wish]
) -> list[_Mean]:
    """For every row of the result what it is the mean of: usually one row, none for zeros."""
    rows: list[_Mean] = [()] * (max(ids.values(), default=-1) + 1)
    for token, number in ids.items():
        wish, mine = wishes.get(token), lenders[own].row(token)
        if mine is not None and not (wish and wish.force):
            rows[number] = ((own, mine),)
            continue
        if wish is not None and (wish.zero or wish.lender is not None):
            rows[number] = () if wish.lender is None else _granted(lenders, token, wish)
            continue
        have = [(i, row) for i, lender in enumerate(lenders) if (row := lender.row(token)) is not None]
        rows[number] = tuple(pair for pair in have if pair[0] == base) or tuple(have)
    return rows


def _granted(lenders: Sequence[_Lender], token: str, wish: Wish) -> _Mean:
    assert wish.lender is not None
    row = lenders[wish.lender].row(token if wish.token is None else wish.token)
    if row is None:
        wanted = token if wish.token is None else wish.token
        raise MismatchError(f"The row of '{token}' is to be that of {wanted!r}, which its lender has not.", token=token)
    return ((wish.lender, row),)


def _vocabulary_tensors(checkpoint: Checkpoint) -> list[str]:
    """The embedding, then the head (and its bias): tensors outside the layers with a row for each token."""
    lists = layer_lists(checkpoint)
    outside = [
        name for name, ref in checkpoint.items()
        if ref.shape and ref.kind != "counter" and not any(each.split(name) for each in lists)
    ]  # fmt: skip
    words = ("embed_tokens", "wte", "word_embeddings", "tok_embeddings", "embed_in", "embedding", "shared")
    embeddings = [name for name in outside if len(checkpoint[name].shape) == 2 and any(word in name for word in words)]
    embeddings = [name for name in embeddings if "pos" not in name and "type" not in name]
    if not embeddings:
        raise MismatchError(f"No tensor of {checkpoint.name} is told to be its embedding.", checkpoint=checkpoint.name)
    first = min(embeddings, key=lambda name: next(i for i, word in enumerate(words) if word in name))
    count = checkpoint[first].shape[0]
    heads = [name for name in outside if checkpoint[name].shape[0] == count and "pos" not in name and name != first]
    return [first, *heads]


def _check_width(name: str, ref: TensorRef, refs: Sequence[TensorRef | None], lenders: Sequence[Checkpoint]) -> None:
    for other, lender in zip(refs, lenders, strict=True):
        if other is None or other.shape[1:] != ref.shape[1:]:
            got = f"{list(other.shape)}" if other else "missing"
            raise MismatchError(
                f"'{name}' is {list(ref.shape)} here and {got} in {lender.name}: rows of another width cannot be lent.",
                tensor=name,
            )


def _widest(dtypes: Sequence[str]) -> str:
    found = set(dtypes)
    return "float32" if found == {"float16", "bfloat16"} else max(sorted(found), key=lambda name: ITEM_SIZES[name])


def _with_rows(config: Mapping[str, Any], total: int, other: Mapping[str, Any]) -> dict[str, Any]:
    changed = {key: other[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id") if key in other}
    made = {**config, **changed}
    if "vocab_size" in config:
        made["vocab_size"] = total
    if isinstance(config.get("text_config"), dict):
        made["text_config"] = _with_rows(config["text_config"], total, other.get("text_config") or {})
    return made


class _Rows:
    """The elements of a table whose rows are lent."""

    def __init__(
        self, refs: Sequence[TensorRef | None], rows: Sequence[_Mean], shape: tuple[int, ...], dtype: str
    ) -> None:
        self._refs = refs
        self._rows = rows
        self._shape = shape
        self._dtype = dtype
        self._mean: Tensor | None = None
        self._lock = threading.Lock()

    @property
    def key(self) -> Hashable:
        """Equal for the same rows of the same tensors: an embedding and the head that is tied to it."""
        parts = tuple((ref.source.key, ref.dtype) if ref else None for ref in self._refs)
        return (parts, hash(tuple(self._rows)), self._shape)

    def read_into(self, view: memoryview, start: int, stop: int) -> None:
        """See :class:`solera.checkpoints.tensor_ref.Source`."""
        import torch

        width = prod(self._shape[1:])
        first, last = start // width, -(-stop // width)
        table = self._read(first, last, width)
        if last > len(self._rows):
            table[max(len(self._rows) - first, 0) :] = self._padding(width)
        part = table.reshape(-1)[start - first * width : stop - first * width]
        view[:] = part.contiguous().view(torch.uint8).numpy().data

    def _read(self, first: int, last: int, width: int) -> Tensor:
        """Some rows, (last - first, width), in the table's dtype; those past the last token are zeros."""
        import torch

        from solera.tensors.dtypes import torch_dtype

        table = torch.zeros((last - first, width), dtype=torch_dtype(self._dtype))
        for run in self._runs(first, min(last, len(self._rows))):
            table[run.start - first : run.start - first + run.count] = self._lent(run.lender, run.row, run.count, width)
        for number in range(first, min(last, len(self._rows))):
            if len(self._rows[number]) > 1:
                lent = [self._lent(lender, row, 1, width).float() for lender, row in self._rows[number]]
                table[number - first] = (sum(lent[1:], lent[0]) / len(lent))[0].to(table.dtype)
        return table

    def _runs(self, first: int, last: int) -> Iterator[_Run]:
        """Neighbouring rows that are neighbours with their lender too."""
        run: _Run | None = None
        for number in range(first, last):
            mean = self._rows[number]
            lent = mean[0] if len(mean) == 1 else None
            if run is not None and lent == (run.lender, run.row + run.count):
                run = replace(run, count=run.count + 1)
                continue
            if run is not None:
                yield run
            run = _Run(number, 1, *lent) if lent is not None else None
        if run is not None:
            yield run

    def _lent(self, lender: int, row: int, count: int, width: int) -> Tensor:
        ref = self._refs[lender]
        assert ref is not None
        return ref.read(row * width, (row + count) * width).view(count, width)

    def _padding(self, width: int) -> Tensor:
        """The mean of all rows of tokens, added up in one order."""
        import torch

        with self._lock:
            if self._mean is None:
                total = torch.zeros(width, dtype=torch.float64)
                for first in range(0, len(self._rows), 1024):
                    block = self._read(first, min(first + 1024, len(self._rows)), width)
                    for row in block.double():
                        total += row
                self._mean = (total / max(len(self._rows), 1)).to(block.dtype)
            return self._mean

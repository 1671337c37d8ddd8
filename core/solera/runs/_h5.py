"""The only module that imports h5py: a thin, typed face over what the store needs of it.

Files are written with the formats of HDF5 1.10, the oldest that knows single-writer/multiple-reader (SWMR) files.
h5py accepts new datasets and attributes after SWMR has started, and readers then see nonsense; :class:`H5File`
refuses them.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from solera.errors import NotFoundError, RunError

_LIBVER = ("v110", "latest")
_PATIENCE = 2.0  # seconds to wait for another opener's short lock
_FLAGS_BYTE, _OPEN_FOR_WRITING = 11, 0x05  # of a version 3 superblock


class H5File:
    """An open run file. Not thread-safe by itself; h5py serialises everything behind one global lock anyway.

    Args:
        handle: The open ``h5py.File``.
        path: Where it is.
    """

    def __init__(self, handle: Any, path: Path) -> None:
        self._handle = handle
        self.path = path
        self._frozen = False

    def create(
        self,
        name: str,
        dtype: DTypeLike,
        row: Sequence[int] = (),
        *,
        chunk: int,
        attributes: dict[str, Any] | None = None,
    ) -> Table:
        """An empty table that grows along its first axis.

        Args:
            name: Its path in the file.
            dtype: Of its elements.
            row: Shape of one row.
            chunk: Rows in a chunk.
            attributes: Its attributes; there will be no others.

        Raises:
            RunError: SWMR has started.
        """
        self._must_be_young(name)
        dataset = self._handle.create_dataset(
            name, shape=(0, *row), maxshape=(None, *row), dtype=dtype, chunks=(chunk, *(max(1, n) for n in row))
        )
        dataset.attrs.update(attributes or {})
        return Table(dataset)

    def create_fixed(self, name: str, values: Any, attributes: dict[str, Any] | None = None) -> None:
        """A dataset that never changes: an array, or a list of text.

        Raises:
            RunError: SWMR has started.
        """
        self._must_be_young(name)
        text = isinstance(values, list) and all(isinstance(value, str) for value in values)
        dataset = self._handle.create_dataset(name, data=values, dtype=h5py.string_dtype() if text else None)
        dataset.attrs.update(attributes or {})

    def set_attributes(self, **attributes: Any) -> None:
        """Attributes of the file as a whole.

        Raises:
            RunError: SWMR has started.
        """
        self._must_be_young(", ".join(attributes))
        self._handle.attrs.update(attributes)

    def link_dimensions(self, dimensions: Mapping[str, Sequence[str]]) -> None:
        """Name the axes: dataset -> its dimensions, each the name of a dataset that becomes the scale.

        Raises:
            RunError: SWMR has started.
        """
        self._must_be_young("dimension scales")
        for scale in {name for names in dimensions.values() for name in names}:
            self._handle[scale].make_scale(scale)
        for name, names in dimensions.items():
            for axis, scale in enumerate(names):
                if name != scale:
                    self._handle[name].dims[axis].attach_scale(self._handle[scale])

    def start_swmr(self) -> None:
        """From here on only tables grow; readers may come."""
        self._handle.flush()
        self._handle.swmr_mode = True
        self._frozen = True

    def __contains__(self, name: str) -> bool:
        return name in self._handle

    def table(self, name: str) -> Table:
        """A table of the file.

        Raises:
            RunError: There is none of that name.
        """
        if name not in self._handle:
            raise RunError(f"{self.path} has no table '{name}'; it is not a run of Solera, or it is damaged.")
        return Table(self._handle[name])

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute of the file as a whole."""
        return self._handle.attrs.get(name, default)

    def move(self, path: Path) -> None:
        """Rename the open file."""
        os.replace(self.path, path)
        self.path = path

    def close(self) -> None:
        """Write everything out and close."""
        self._handle.close()

    def abandon(self) -> None:
        """Cut the file off after a failed write, then close.

        HDF5 would try again when it closes, fail again, and crash at the end of the process. What it still wants to
        write goes nowhere instead; the file keeps what SWMR readers could see at the last good write.
        """
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, self._handle.id.get_vfd_handle())
        os.close(nowhere)
        self._handle.close()

    def _must_be_young(self, name: str) -> None:
        if self._frozen:
            raise RunError(f"'{name}' cannot be added to {self.path}: it is being read while it grows.")


class Table:
    """A dataset that grows along its first axis.

    Args:
        dataset: The ``h5py.Dataset``.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return int(self._dataset.shape[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its elements."""
        dtype: np.dtype[Any] = self._dataset.dtype
        return dtype

    @property
    def row_bytes(self) -> int:
        """Of one row, at least 1."""
        size: int = self.dtype.itemsize * math.prod(self._dataset.shape[1:])
        return max(1, size)

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows, shape (n, ...)."""
        if len(rows):
            start = len(self)
            self._dataset.resize(start + len(rows), axis=0)
            self._dataset[start:] = rows

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Rows from ``start`` to ``stop`` (the end)."""
        rows: NDArray[Any] = self._dataset[start : len(self) if stop is None else stop]
        return rows

    def flush(self) -> None:
        """Hand what was appended to the operating system; it then survives the end of the process."""
        self._dataset.flush()


def create(path: Path) -> H5File:
    """A new file, still without readers.

    Raises:
        RunError: It cannot be created.
    """
    try:
        return H5File(h5py.File(path, "w", libver=_LIBVER), path)
    except OSError as error:
        raise RunError(f"The run file {path} cannot be created: {reason(error)}.", path=str(path)) from error


def open_to_read(path: Path) -> H5File:
    """A live, killed or finished file.

    Raises:
        NotFoundError: There is no such file.
        RunError: It is not a readable HDF5 file.
    """
    return H5File(_open(path, "r", swmr=True), path)


def open_to_append(path: Path) -> H5File:
    """A finished or recovered file, to grow again once :meth:`H5File.start_swmr` was called.

    Raises:
        NotFoundError: There is no such file.
        RunError: It is not a readable HDF5 file, or its last writer died (recover it first).
    """
    return H5File(_open(path, "r+", swmr=False), path)


def was_killed(path: Path) -> bool:
    """Whether a writer has the file open or died with it: the mark in the superblock, read without HDF5."""
    try:
        with open(path, "rb") as file:
            head = file.read(_FLAGS_BYTE + 1)
    except OSError:
        return False
    return len(head) > _FLAGS_BYTE and head[8] >= 3 and bool(head[_FLAGS_BYTE] & _OPEN_FOR_WRITING)


def reason(error: BaseException) -> str:
    """What the operating system said, dug out of HDF5's long sentence: ``"No space left on device"``."""
    text = str(error)
    number = re.search(r"errno = (\d+)", text)
    if number:
        return os.strerror(int(number[1]))
    return (error.strerror if isinstance(error, OSError) else "") or text.partition("\n")[0].rstrip(".")


def _open(path: Path, mode: str, *, swmr: bool) -> Any:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return h5py.File(path, mode, libver=_LIBVER, swmr=swmr)
        except FileNotFoundError as error:
            raise NotFoundError(f"There is no run file {path}.", path=str(path)) from error
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise RunError(f"The run file {path} is held by another program.", path=str(path)) from error
            time.sleep(0.02)
        except OSError as error:
            raise RunError(
                f"{path} cannot be opened as a run: {reason(error)}. If a copy was cut short, copy it again.",
                path=str(path),
            ) from error

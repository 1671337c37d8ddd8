"""One root seed per run, children by name; global random state is never touched."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Seed:
    """A node in the seed tree.

    The same path of names under the same root gives the same integers on every machine, in any order of drawing.

    Attributes:
        root: The run's seed, any Python integer.
        path: Names from the root down to here.
    """

    root: int
    path: tuple[str, ...] = ()

    def child(self, *names: str) -> Seed:
        """The seed under these names."""
        return Seed(self.root, self.path + names)

    def integer(self) -> int:
        """A 63-bit integer: the first 8 bytes of SHA-256 over root and path, top bit cleared."""
        text = "\x1f".join((str(self.root), *self.path))
        digest = hashlib.sha256(text.encode()).digest()
        return int.from_bytes(digest[:8], "little") & (2**63 - 1)

    def numpy(self) -> np.random.Generator:
        """A NumPy generator (PCG64) seeded here."""
        return np.random.Generator(np.random.PCG64(self.integer()))

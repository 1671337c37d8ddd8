"""What jobs recorded: one HDF5 file a run, readable while it grows, and a catalogue of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solera.runs.catalogue import Catalogue as Catalogue
    from solera.runs.reader import RunReader as open

__all__ = ["Catalogue", "open"]


def __getattr__(name: str) -> Any:
    """``solera.runs.open(path)`` reads a live, killed or finished run; ``Catalogue(folder)`` lists many."""
    if name == "open":
        from solera.runs.reader import RunReader

        return RunReader
    if name == "Catalogue":
        from solera.runs.catalogue import Catalogue

        return Catalogue
    raise AttributeError(f"solera.runs has no '{name}'")

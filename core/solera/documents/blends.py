"""Edits of what the interpolation canvas and the soup canvas show."""

from __future__ import annotations

from dataclasses import dataclass, replace

from solera.documents.command import Command, Step, existing
from solera.documents.document import Document, Interpolation, Soup
from solera.errors import InputError
from solera.recipes.nodes import AdapterNode, CheckpointNode


@dataclass(frozen=True, slots=True)
class SetInterpolation:
    """Choose corners and weights of the interpolation canvas."""

    interpolation: Interpolation
    label: str = "Move handle"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        corners, weights = self.interpolation.corners, self.interpolation.weights
        for id_ in corners:
            corner = existing(document, id_)
            if not isinstance(corner, CheckpointNode) or isinstance(corner, AdapterNode):
                raise InputError(f"'{id_}' is no checkpoint, so it cannot be a corner.", node=id_)
        if len(weights) != len(corners) or (weights and abs(sum(weights) - 1) > 1e-6):
            raise InputError("The weights of the corners must total 1, one for each.", weights=list(weights))
        return replace(document, interpolation=self.interpolation)

    def absorbs(self, later: Command) -> bool:
        """A drag over the same corners is one step."""
        return isinstance(later, SetInterpolation) and later.interpolation.corners == self.interpolation.corners


@dataclass(frozen=True, slots=True)
class SetSoup(Step):
    """Choose the pool of the soup canvas, what is in the pot, and in which shares."""

    soup: Soup
    label: str = "Change soup"

    def apply(self, document: Document) -> Document:
        """See :class:`Command`."""
        soup = self.soup
        for id_ in soup.pool:
            node = existing(document, id_)
            if not isinstance(node, CheckpointNode) or isinstance(node, AdapterNode):
                raise InputError(f"'{id_}' is no checkpoint, so it cannot go into a soup.", node=id_)
        if len(set(soup.pool)) < len(soup.pool) or len(set(soup.pot)) < len(soup.pot):
            raise InputError("A model is in a pool, and in its soup, once.", pool=list(soup.pool))
        stray = [id_ for id_ in soup.pot if id_ not in soup.pool]
        if stray:
            raise InputError(
                f"'{stray[0]}' is in the pot but not in the pool; add it to the pool first.", node=stray[0]
            )
        if soup.shares and (len(soup.shares) != len(soup.pot) or min(soup.shares) < 0 or sum(soup.shares) <= 0):
            raise InputError("The shares of a soup are numbers from 0, one for each model in the pot.")
        return replace(document, soup=soup)

"""The fingerprints of a merge's inputs: those that are not known yet are made from what the merge reads anyway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from solera.checkpoints.fingerprint import PREFIX, Fingerprinting, fingerprint, require_pinned
from solera.context import Context
from solera.execution.plan import Plan

#: Stands for a fingerprint that is not known yet, and is as long.
_UNKNOWN = PREFIX + "0" * 64


class InputHashes:
    """Content hashes of the checkpoints of one plan.

    Args:
        plan: The merge.
        known: Fingerprints that are known, by node id.
        context: Asked whether to stop while something must be read for its hash alone.
    """

    def __init__(self, plan: Plan, known: Mapping[str, str], context: Context) -> None:
        self._plan = plan
        self._context = context
        self._known = {id_: known[id_] for id_ in plan.checkpoints if known.get(id_)}
        self._growing: dict[str, Fingerprinting] = {}

    @property
    def so_far(self) -> dict[str, str]:
        """Every fingerprint by node id; one that is not known yet is zeros of the same length."""
        return {id_: self._known.get(id_, _UNKNOWN) for id_ in self._plan.checkpoints}

    def to_plain(self) -> dict[str, Any]:
        """What a journal notes of the inputs."""
        return {
            id_: {"name": one.name, "identity": one.identity(), "fingerprint": self._known.get(id_, "")}
            for id_, one in self._plan.checkpoints.items()
        }

    def agree(self, noted: Mapping[str, Any]) -> bool:
        """Whether the inputs hold what they held when a journal noted them.

        Where size, times and inode are the same they do; where these changed the fingerprint decides, which reads the
        checkpoint once if it is not known.
        """
        now = self.to_plain()
        if now.keys() != noted.keys():
            return False
        changed = [id_ for id_ in now if now[id_]["identity"] != noted[id_]["identity"]]
        if any(not noted[id_]["fingerprint"] for id_ in changed):
            return False
        for id_ in changed:
            if id_ not in self._known:
                self._known[id_] = fingerprint(self._plan.checkpoints[id_], context=self._context)
        return all(self._known[id_] == noted[id_]["fingerprint"] for id_ in changed)

    def watched(self, digests: Mapping[str, Mapping[str, str]]) -> Plan:
        """The plan over checkpoints whose reads are hashed, where the fingerprint is not known yet.

        Args:
            digests: Digests of tensors that an earlier attempt read, ``{node: {tensor: digest}}``.
        """
        by_object: dict[int, Fingerprinting] = {}  # two nodes may name one checkpoint
        for id_, checkpoint in self._plan.checkpoints.items():
            if id_ not in self._known:
                one = by_object.setdefault(id(checkpoint), Fingerprinting(checkpoint, digests.get(id_, {})))
                self._growing[id_] = one
        watched = {id_: growing.watched() for id_, growing in self._growing.items()}
        return replace(self._plan, checkpoints={**self._plan.checkpoints, **watched})

    def fresh(self) -> dict[str, dict[str, str]]:
        """Digests of the tensors read to their end since the last call, ``{node: {tensor: digest}}``."""
        return {id_: growing.fresh() for id_, growing in self._growing.items()}

    def finish(self) -> dict[str, str]:
        """Read what the merge did not need; every fingerprint by node id.

        Raises:
            ChangedError: A checkpoint holds something else than the recipe pins it to, or changed.
            InputError: The recipe pins it by a definition that is not in use any more.
        """
        for id_, growing in self._growing.items():
            self._known[id_] = growing.finish(self._context)
        for node in self._plan.program.recipe.checkpoints:
            if node.id in self._known:
                require_pinned(node.id, node.fingerprint, self._known[node.id], self._plan.checkpoints[node.id])
        return dict(self._known)

"""Views (stacks of layers, layouts of tokens) opened: each becomes a checkpoint, and the recipe one without views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from solera.checkpoints.checkpoint import Checkpoint
from solera.errors import Fault, FaultsError, MismatchError, SoleraError
from solera.recipes.nodes import (
    UNION,
    VIEWS,
    CheckpointNode,
    Node,
    Recipe,
    StackNode,
    TokensNode,
    token_sources,
    upstream,
)
from solera.recipes.order import by_id, reachable

if TYPE_CHECKING:
    from solera.checkpoints.tokenizers import Tokens

#: Gives weights that a recipe without views computes from checkpoints (by node id) as a checkpoint.
Computed = Callable[[Recipe, Mapping[str, Checkpoint]], Checkpoint]


def has_views(recipe: Recipe) -> bool:
    """Whether the output needs any."""
    return any(isinstance(node, VIEWS) for node in reachable(recipe).nodes)


def open_views(
    recipe: Recipe, checkpoints: Mapping[str, Checkpoint], computed: Computed
) -> tuple[Recipe, dict[str, Checkpoint]]:
    """A recipe without views that makes the same weights, and the checkpoints it needs.

    A view becomes a checkpoint node of the same id. What lies below it is opened too: a checkpoint as it is, anything
    computed by ``computed``.

    Args:
        recipe: A recipe whose wiring is right.
        checkpoints: The opened checkpoints by node id.
        computed: Makes a checkpoint of computed weights.

    Raises:
        FaultsError: A view cannot be made; its node is named.
    """
    return _Opener(recipe, checkpoints, computed).level(recipe.output)


class _Opener:
    def __init__(self, recipe: Recipe, checkpoints: Mapping[str, Checkpoint], computed: Computed) -> None:
        self._recipe = recipe
        self._nodes = by_id(recipe)
        self._checkpoints = checkpoints
        self._computed = computed
        self._opened: dict[str, Checkpoint] = {}
        self._tokens: dict[str, Tokens] = {}

    def level(self, output: str) -> tuple[Recipe, dict[str, Checkpoint]]:
        """What leads to a node without looking below views; a view that is itself the output is one node."""
        leaves: dict[str, Checkpoint] = {}
        kept: dict[str, Node] = {}
        waiting = [output]
        while waiting:
            node = self._nodes[waiting.pop()]
            if node.id in kept:
                continue
            if isinstance(node, VIEWS):
                leaves[node.id] = self._view(node)
                kept[node.id] = CheckpointNode(node.id, f"view:{node.id}", note=node.note)
                continue
            kept[node.id] = node
            if isinstance(node, CheckpointNode):
                leaves[node.id] = self._checkpoints[node.id]
            waiting.extend(upstream(node))
        nodes = tuple(kept[node.id] for node in self._recipe.nodes if node.id in kept)
        return replace(self._recipe, nodes=nodes, output=output), leaves

    def _weights(self, id_: str) -> Checkpoint:
        node = self._nodes[id_]
        if id_ not in self._opened:
            if isinstance(node, CheckpointNode):
                self._opened[id_] = self._checkpoints[id_]
            elif isinstance(node, VIEWS):
                self._opened[id_] = self._view(node)
            else:
                self._opened[id_] = self._computed(*self.level(id_))
        return self._opened[id_]

    def _view(self, node: StackNode | TokensNode) -> Checkpoint:
        if node.id in self._opened:
            return self._opened[node.id]
        try:
            made = self._stacked(node) if isinstance(node, StackNode) else self._laid_out(node)
        except FaultsError:
            raise
        except SoleraError as error:
            code = "mismatch.layers" if isinstance(error, MismatchError) else error.code
            fault = Fault(code, f"nodes.{node.id}", str(error), (), {**error.fields, "node": node.id})
            raise FaultsError(f"recipe {self._recipe.name or self._recipe.output}", [fault]) from error
        self._opened[node.id] = made
        return made

    def _stacked(self, node: StackNode) -> Checkpoint:
        from solera.checkpoints.stacked import Chosen, stack

        parts = [Chosen(self._weights(part.node), part.layers, part.names) for part in node.parts]
        return stack(node.id, parts, node.layers)

    def _read_tokens(self, id_: str) -> Tokens:
        """The vocabulary of a node, read once."""
        from solera.checkpoints.tokenizers import read_tokens

        if id_ not in self._tokens:
            self._tokens[id_] = read_tokens(self._weights(id_))
        return self._tokens[id_]

    def _laid_out(self, node: TokensNode) -> Checkpoint:
        from solera.checkpoints.relaid import Wish, lay_out
        from solera.checkpoints.tokenizers import united

        ids = [name for name in dict.fromkeys((node.base, *node.among, *token_sources(node))) if name]
        if node.vocabulary not in {UNION, node.node, node.base, *node.among}:
            ids.remove(node.vocabulary)  # lends its tokenizer only
        lenders = [(self._weights(id_), self._read_tokens(id_)) for id_ in ids]
        vocabulary = ids[0] if node.vocabulary == UNION else node.vocabulary
        found = self._read_tokens(vocabulary)
        others = [tokens for _, tokens in lenders] if node.vocabulary == UNION else []
        wishes = {
            token: Wish(ids.index(row.node) if row.node else None, row.token, row.zero, row.force)
            for token, row in node.rows.items()
        }
        tokens = united(found, others, node.rows)
        own = ids.index(node.node)
        base = ids.index(node.base) if node.base else None
        return lay_out(self._weights(node.node), lenders, own, tokens, found, wishes, node.multiple, base)

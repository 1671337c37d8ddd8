"""The tokenizer of a mergekit configuration: every model's tokens laid out for one vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from solera.recipes.mergekit.config import Tokenizer
from solera.recipes.nodes import UNION, Node, TokenRow, TokensNode


class Vocabulary:
    """Lays out models for the vocabulary that a configuration asks for.

    Args:
        tokenizer: What it asks for.
        among: The nodes of all models, the base first.
        base: The node of the base; empty if there is none.
        node_of: Gives the node of a model as it was written.
        add: Puts a node into the recipe under an id like the wanted one, and gives that.
    """

    def __init__(
        self, tokenizer: Tokenizer, among: Sequence[str], base: str, node_of: Callable[[str], str],
        add: Callable[[Node, str], str],
    ) -> None:  # fmt: skip
        self._tokenizer = tokenizer
        self._among = tuple(among)
        self._base = base
        self._add = add
        self._made: dict[str, str] = {}
        source = tokenizer.source
        self._vocabulary = UNION if source == "union" else among[0] if source == "base" else node_of(source)
        self._rows = {
            text: TokenRow(node_of(token.model) if token.model else "", token.token, token.zero, token.force)
            for text, token in tokenizer.tokens.items()
        }

    def laid_out(self, id_: str) -> str:
        """The node that lays out another one's tokens."""
        if id_ not in self._made:
            among = tuple(dict.fromkeys((*self._among, id_)))
            node = TokensNode("", id_, self._vocabulary, among, self._rows, self._tokenizer.multiple, self._base)
            self._made[id_] = self._add(node, f"{id_}_tokens")
        return self._made[id_]

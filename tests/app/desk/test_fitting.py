"""Tasks that do not fit a model are named with their reasons."""

from typing import Any

from solera.errors import TaskError
from solera.recipes.nodes import CheckpointNode, Recipe
from solera_app.fitting import unfit


class Bench:
    def score_point(self, recipe: Recipe, tasks: tuple[str, ...], limit: int) -> None:
        assert limit > 0
        if tasks == ("prose",):
            raise TaskError("The network cannot take the inputs of task 'prose'.")


def test_what_cannot_be_scored_is_named_with_its_reason() -> None:
    bench: Any = Bench()
    recipe = Recipe((CheckpointNode("a", "a"),), "a")
    assert unfit(bench, recipe, ("rotated", "prose")) == {
        "prose": "The network cannot take the inputs of task 'prose'."
    }
    assert unfit(bench, recipe, ("rotated",)) == {}

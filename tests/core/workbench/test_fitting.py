"""Tasks that do not fit a model are named with their reasons."""

from typing import Any

from solera.cli.explorations import tasks_for
from solera.errors import TaskError
from solera.recipes.nodes import CheckpointNode, Recipe
from solera.workbench.fitting import unfit


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


class Several:
    """A project's workbench of which one task, or every one, does not fit."""

    project = None

    def __init__(self, *wrong: str) -> None:
        self._wrong = wrong

    def tasks(self) -> tuple[str, ...]:
        return ("rotated", "prose")

    def recipe(self, source: str) -> Recipe:
        return Recipe((CheckpointNode("a", source),), "a")

    def score_point(self, recipe: Recipe, tasks: tuple[str, ...], limit: int) -> None:
        if tasks[0] in self._wrong:
            raise TaskError(f"The network cannot take the inputs of task '{tasks[0]}'.")


def test_commands_without_tasks_take_those_that_fit(capsys) -> None:
    assert tasks_for(Several(), "a") == ["rotated", "prose"]
    assert not capsys.readouterr().err
    assert tasks_for(Several("prose"), "a") == ["rotated"]
    assert "Task 'prose' is left out: The network cannot take" in capsys.readouterr().err
    assert tasks_for(Several("prose", "rotated"), "a") == ["rotated", "prose"]  # scoring says why

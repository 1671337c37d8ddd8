"""The interpolation canvas and the soup canvas at the desk: opened over the document in front, fed with events."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from solera.documents.commands import AddNodes, Batch, Command, SetInterpolation, SetRecipe, SetSoup
from solera.documents.document import Interpolation, Soup
from solera.errors import InputError
from solera.recipes.nodes import AdapterNode, CheckpointNode, MethodNode
from solera_app.bridge.slots import guarded, notices
from solera_app.foreign_recipes import is_recipe
from solera_app.open_document import OpenDocument
from solera_app.tabs import BlendTab, RecipeTab

if TYPE_CHECKING:
    from solera_app.desk import Desk
    from solera_app.interpolation_tab import InterpolationTab
    from solera_app.recipe_desk import RecipeDesk
    from solera_app.soup_search import SoupSearch
    from solera_app.soup_tab import SoupTab

#: Corners of an interpolation that nobody chose; chosen ones may be more.
_CORNERS = 3


class BlendDesk(QObject):
    """Everything about canvases that blend the checkpoints of a recipe.

    Args:
        desk: The desk.
        recipes: What holds the open documents.
    """

    def __init__(self, desk: Desk, recipes: RecipeDesk) -> None:
        super().__init__(recipes)
        self._desk, self._recipes = desk, recipes
        self._window = desk.window

    def handlers(self) -> dict[str, Callable[[], None]]:
        """What the actions about these canvases do."""
        return {"canvas.interpolate": self.interpolate, "canvas.soup": self.soup, "canvas.ground": self._ground}

    def _tabs(self) -> list[BlendTab]:
        widgets = (self._window.tabs.widget(place) for place in range(self._window.tabs.count()))
        return [widget for widget in widgets if isinstance(widget, BlendTab)]

    def closing_project(self) -> None:
        """Their threads end."""
        for tab in self._tabs():
            tab.close_tab()

    def _chosen(self) -> list[str]:
        """The checkpoints that are selected on the recipe canvas in front; all of them if fewer than two are."""
        tab = self._recipes.tab
        if tab is None:
            return []
        nodes = tab.opened.document.recipe.checkpoints
        known = [node.id for node in nodes if not isinstance(node, AdapterNode)]
        selected = tab.canvas.selection if isinstance(tab, RecipeTab) else []
        picked = [id_ for id_ in selected if id_ in known]
        return picked if len(picked) > 1 else known

    # --- interpolation -----------------------------------------------------------------------------------------------

    def interpolate(self) -> None:
        """Open the interpolation canvas over the document in front."""
        tab = self._recipes.tab
        if tab is None:
            return
        from solera_app.interpolation_tab import MOST_CORNERS

        opened, corners = tab.opened, self._chosen()
        selected = isinstance(tab, RecipeTab) and len(set(tab.canvas.selection) & set(corners)) > 1
        corners = corners[: MOST_CORNERS if selected else _CORNERS]
        if len(corners) < 2:
            raise InputError(
                "Interpolation needs two checkpoints for a line, three for a triangle, more for a polygon; add them "
                "first."
            )
        if set(opened.document.interpolation.corners) != set(corners):
            opened.history.do(SetInterpolation(_even(corners), label="Interpolate"))
            opened.history.settle()
        self.open_interpolation(opened)

    def interpolate_entries(self, names: list[str]) -> None:
        """Put library entries on the canvas (if they are not there) and interpolate between them."""
        found = self._nodes_for(names)
        if found is None:
            return
        opened, ids, commands = found
        commands.append(SetInterpolation(_even(ids)))
        opened.history.do(Batch(tuple(commands), label="Interpolate"))
        self.open_interpolation(opened)

    def soup_entries(self, names: list[str]) -> None:
        """A new recipe with these library entries, on the soup canvas with all of them in its pool."""
        self._recipes.new_recipe()
        found = self._nodes_for(names)
        if found is not None:
            opened, ids, commands = found
            commands.append(SetSoup(Soup(tuple(ids)), label="Make a pool"))
            opened.history.do(Batch(tuple(commands), label="Make a soup"))
            self.open_soup(opened)

    def merge_entries(self, names: list[str]) -> None:
        """A new recipe that averages these library entries: a method to be changed for another."""
        self._recipes.new_recipe()
        found = self._nodes_for(names)
        if found is None:
            return
        opened, ids, commands = found
        name = "merged" if "merged" not in ids else "average_of_all"
        merged = MethodNode(name, "linear", inputs=tuple(ids))
        commands += [AddNodes((merged,), {name: (256.0, 100.0)}), SetRecipe(output=name)]
        opened.history.do(Batch(tuple(commands), label="Merge"))
        tab = self._recipes.tab
        if isinstance(tab, RecipeTab):
            tab.canvas.select([name])
            tab.canvas.fit()

    def _nodes_for(self, names: Sequence[str]) -> tuple[OpenDocument, list[str], list[Command]] | None:
        """Nodes of library entries in the document in front, and the edit that adds those that are not there yet."""
        adapters = {entry.name for entry in self._recipes.entries if entry.role == "adapter"}
        if adapters & set(names):
            notices().say("info", "An adapter is a change, not a model: add it to its base on the recipe canvas.")
            return None
        if self._recipes.tab is None:
            self._recipes.new_recipe()
        tab = self._recipes.tab
        if tab is None:
            return None
        document = draft = tab.opened.document
        by_source = {node.source: node.id for node in document.recipe.checkpoints}
        nodes, ids = [], []
        for name in names:
            source = f"library:{name}"
            if source not in by_source:
                node = CheckpointNode(draft.fresh_id(name), source)
                draft = AddNodes((node,)).apply(draft)
                nodes.append(node)
                by_source[source] = node.id
            ids.append(by_source[source])
        places = {node.id: (0.0, 100.0 * (len(document.nodes) + i)) for i, node in enumerate(nodes)}
        return tab.opened, ids, [AddNodes(tuple(nodes), places)] if nodes else []

    def _ground(self) -> None:
        from solera_app.interpolation_tab import InterpolationTab

        if isinstance(self._recipes.tab, InterpolationTab):
            self._recipes.tab.explore_ground()

    def open_interpolation(self, opened: OpenDocument) -> InterpolationTab:
        """Show the interpolation canvas over a document, or bring it to the front."""
        from solera_app.interpolation_tab import InterpolationTab

        for tab in self._tabs():
            if isinstance(tab, InterpolationTab) and tab.opened is opened:
                self._window.tabs.setCurrentWidget(tab)
                return tab
        made = InterpolationTab(opened, self._recipes.bench, self._recipes.anchored)
        made.filesDropped.connect(guarded(lambda paths: self._drop(paths, made.drop_entries)))
        made.keepRequested.connect(guarded(lambda recipe, name: self._recipes.jobs.keep(recipe, name)))
        self._feed(made, made)
        self._window.add_tab(made)
        return made

    # --- soup --------------------------------------------------------------------------------------------------------

    def soup(self) -> None:
        """Open the soup canvas over the document in front; chosen checkpoints are its pool if it has none."""
        tab = self._recipes.tab
        if tab is None:
            return
        opened, pool = tab.opened, self._chosen()
        if not opened.document.soup.pool and len(pool) > 1:
            opened.history.do(SetSoup(Soup(tuple(pool)), label="Make a pool"))
            opened.history.settle()
        self.open_soup(opened)

    def open_soup(self, opened: OpenDocument) -> SoupTab:
        """The soup canvas of a document, in front."""
        from solera_app.soup_tab import SoupTab

        for tab in self._tabs():
            if isinstance(tab, SoupTab) and tab.opened is opened:
                self._window.tabs.setCurrentWidget(tab)
                return tab
        made = SoupTab(opened, self._recipes.bench, self._recipes.anchored)
        made.filesDropped.connect(
            guarded(lambda paths, over: self._drop(paths, lambda entries: made.drop_entries(entries, over)))
        )
        made.used.connect(guarded(lambda id_: self._show_node(opened, id_)))
        self._feed(made, made.search)
        self._window.add_tab(made)
        return made

    def _show_node(self, opened: OpenDocument, id_: str) -> None:
        """The node a soup became, on the recipe canvas."""
        self._recipes.show_document(opened)
        tab = self._recipes.tab
        if isinstance(tab, RecipeTab):
            tab.canvas.select([id_])
            tab.canvas.fit()
        self._window.hint(f"'{id_}' averages what is in the pot; it is the recipe's result now.")

    # --- both --------------------------------------------------------------------------------------------------------

    def _drop(self, paths: Sequence[str], place: Callable[[list[Any]], None]) -> None:
        """Files dropped on a canvas: recipes are opened, checkpoints go to the library and from there to the canvas."""
        recipes = [path for path in paths if is_recipe(Path(path))]
        checkpoints = [Path(path) for path in paths if path not in recipes]
        if recipes:
            self._desk.drop_files(recipes)
        if checkpoints:
            self._desk.add_checkpoints(checkpoints, place)

    def _feed(self, tab: BlendTab, ears: InterpolationTab | SoupSearch) -> None:
        """Let a tab hear of jobs and runs until it closes; the bridge, which lives longer, holds nothing of it."""
        bridge = self._desk.bridge
        if bridge is None:
            return
        listening = weakref.ref(tab)

        def until_closed(hear: Callable[..., None]) -> Callable[..., None]:
            heard = guarded(hear)

            def listen(*what: Any) -> None:
                tab = listening()
                if tab is not None and not tab.closed:
                    heard(*what)

            return listen

        bridge.jobChanged.connect(until_closed(ears.on_job))
        bridge.runStarted.connect(until_closed(ears.on_run_started))
        bridge.pointsArrived.connect(until_closed(ears.on_points))
        from solera_app.soup_search import SoupSearch

        if isinstance(ears, SoupSearch):
            bridge.indicated.connect(until_closed(ears.on_indicated))


def _even(corners: Sequence[str]) -> Interpolation:
    share = 1 / len(corners)
    return Interpolation(tuple(corners), (1 - share * (len(corners) - 1), *([share] * (len(corners) - 1))))

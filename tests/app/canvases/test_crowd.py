"""A canvas of very many nodes: what is drawn together looks as what is drawn one by one."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QImage

from solera.documents.commands import AddNodes
from solera.documents.history import History
from solera.recipes.nodes import CheckpointNode
from solera_app.bench_drawing import large_document
from solera_app.canvases.edge_item import CROWD
from solera_app.canvases.ink import ink
from solera_app.canvases.recipe import RecipeCanvas
from solera_app.theme import themes

NODES = CROWD + 40


@pytest.fixture
def crowd(qtbot, cards) -> RecipeCanvas:
    made = RecipeCanvas(History(large_document(NODES, placed=True)), cards)
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    return made


@pytest.fixture
def light() -> Iterator[None]:
    before = themes().current.name
    yield
    themes().apply(before)


def seen(canvas: RecipeCanvas) -> QImage:
    return canvas.viewport().grab().toImage()


def pixel(canvas: RecipeCanvas, at: QPointF) -> QColor:
    """What is seen at a scene point."""
    return seen(canvas).pixelColor(canvas.viewportTransform().map(at).toPoint())


def around(canvas: RecipeCanvas, at: QPointF) -> list[str]:
    """Colours within two pixels of a scene point."""
    image, middle = seen(canvas), canvas.viewportTransform().map(at).toPoint()
    near = range(-2, 3)
    return [image.pixelColor(middle.x() + x, middle.y() + y).name() for x in near for y in near]


def test_connections_of_a_crowd_are_seen_and_a_chosen_one_is_thicker(crowd):
    edge = crowd.picture.edges[("m0", "input:0")]
    middle = edge.path.pointAtPercent(0.5)
    crowd.zoom_to(1.0)
    crowd.camera.centre(middle)
    line = ink("port.weights").name()
    assert around(crowd, middle).count(line) in range(1, 11)
    crowd.picture.choose((), link=edge.link)
    chosen = around(crowd, middle)
    assert sum(name != ink("canvas").name() for name in chosen) > 10
    crowd.picture.choose(())
    assert around(crowd, middle).count(line) in range(1, 11)


def test_a_hairline_follows_its_node(crowd):
    edge = crowd.picture.edges[("m0", "input:0")]
    crowd.zoom_to(1.0)
    crowd.picture.place({"c0": (0.0, -900.0)})
    middle = edge.path.pointAtPercent(0.5)
    crowd.camera.centre(middle)
    assert ink("port.weights").name() in around(crowd, middle)


def test_far_nodes_are_blocks_in_the_colours_of_their_states(crowd):
    node = crowd.picture.items_by_id["m0"]
    below = node.scene_rect().center()
    crowd.zoom_to(0.1)
    crowd.camera.centre(below)
    assert pixel(crowd, below) == ink("raised")
    crowd.select(["m0"])
    assert pixel(crowd, below) == ink("accent-soft")
    crowd.set_node_state("m0", "failed")
    left = QPointF(node.scene_rect().left(), below.y())
    assert ink("error").name() in around(crowd, left)


def test_a_node_that_is_added_far_away_is_a_block_too(crowd):
    crowd.zoom_to(0.1)
    crowd._history.do(AddNodes((CheckpointNode("new", "/models/new"),), {"new": (0.0, -2000.0)}))
    below = crowd.picture.items_by_id["new"].scene_rect().center()
    crowd.camera.centre(below)
    assert pixel(crowd, below) == ink("raised")


def test_a_picture_has_every_node_in_full_however_far_away_the_canvas_is(crowd, tmp_path):
    crowd.zoom_to(0.1)
    svg = crowd.export("svg", tmp_path / "recipe.svg").read_text(encoding="utf-8")
    assert ">c7<" in svg
    assert crowd.picture.far


def test_nodes_take_the_colours_of_another_theme(crowd, light):
    node = crowd.picture.items_by_id["m0"]
    below = node.scene_rect().bottomLeft() + QPointF(20, -3)
    crowd.zoom_to(1.0)
    crowd.camera.centre(below)
    for name in ("dark", "light"):
        themes().apply(name)
        assert pixel(crowd, below) == ink("raised")

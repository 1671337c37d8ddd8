import os
from dataclasses import dataclass

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from solera.documents.document import Document, SaveNode, TaskNode
from solera.documents.history import History
from solera.params import Param, ParamSpec, Var
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe


@dataclass(frozen=True)
class Card:
    name: str
    title: str
    takes: str = "weights"
    gives: str = "same"
    base: str = "none"
    min_inputs: int = 1
    max_inputs: int | None = None
    params: tuple[ParamSpec, ...] = ()
    summary: str = ""
    paper: str = ""
    needs: str = ""
    promise: str = "bytes"


CARDS = {
    card.name: card
    for card in (
        Card(
            "ties", "TIES", "delta", base="optional",
            params=(
                ParamSpec("density", "float", 0.2, param=Param(0, 1, help="Share of entries kept.")),
                ParamSpec("scale", "float", 1.0, param=Param(0, 3, help="Factor of the merged delta.")),
                ParamSpec("scope", "choice", "tensor", choices=("tensor", "model")),
            ),
            summary="Trim, elect sign, merge.", paper="Yadav et al. 2023",
        ),
        Card("linear", "Linear", params=(ParamSpec("weights", "float", 1.0, param=Param(per_model=True)),)),
        Card("slerp", "SLERP", min_inputs=2, max_inputs=2, params=(ParamSpec("t", "float", 0.5, param=Param(0, 1)),)),
        Card("task_arithmetic", "Task arithmetic", "delta", base="optional",
             params=(ParamSpec("scale", "float", 1.0, param=Param(0, 3)),)),
        Card("mean_delta", "Mean delta", "delta", base="none"),
    )
}  # fmt: skip


def blend_document() -> Document:
    """Four checkpoints, TIES, a save and two task nodes, where the mock-up puts them."""
    names = ("Llama-3.1-8B", "math-8b-sft", "code-8b-sft", "instruct-8b-dpo")
    ids = ("llama_3_1_8b", "math_8b_sft", "code_8b_sft", "instruct_8b_dpo")
    nodes = tuple(CheckpointNode(id_, f"library:{name}") for id_, name in zip(ids, names, strict=True))
    ties = MethodNode(
        "ties", "ties", ids[1:], ids[0], {"density": 0.2, "scale": Var("scale", 0.2, 1.4, 0.8)},
        note="Density 0.30 cost 2 points on GSM8K; trying 0.20.",
    )  # fmt: skip
    sinks = (
        SaveNode("save", "ties", "ties-3-experts", "bfloat16"),
        TaskNode("gsm8k", "ties", "gsm8k-test"),
        TaskNode("humaneval", "ties", "humaneval"),
    )
    places = ((24, 32), (24, 152), (24, 232), (24, 312), (292, 88), (552, 32), (552, 149), (552, 281))
    layout = dict(zip((*ids, "ties", "save", "gsm8k", "humaneval"), places, strict=True))
    return Document(Recipe((*nodes, ties), output="ties", name="blend-3-experts"), sinks, layout)


@pytest.fixture
def cards():
    return CARDS


@pytest.fixture
def history():
    return History(blend_document())


@pytest.fixture
def canvas(qtbot, history, cards):
    from solera_app.canvases.recipe import RecipeCanvas

    made = RecipeCanvas(history, cards)
    qtbot.addWidget(made)
    made.resize(1000, 700)
    made.show()
    made.zoom_to(1.0)
    return made

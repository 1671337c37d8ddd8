"""The sentences of a recipe canvas: what is chosen and what can be done, and the tooltips of its parts."""

from __future__ import annotations

from solera_app.canvases.scene import Hit, RecipeScene

_TYPES = {
    "weights": "Weights", "delta": "Delta", "importance": "Importance", "scores": "Scores", "any": "Weights or Delta",
}  # fmt: skip


def hint_for(scene: RecipeScene) -> str:
    """What the status bar says of the choice."""
    match len(scene.chosen):
        case 0 if scene.chosen_link is not None:
            return f"{scene.chosen_link.source} to {scene.chosen_link.target} selected. Delete disconnects."
        case 0:
            return "Tab adds a node, F fits the view."
        case 1:
            item = scene.items_by_id[scene.chosen[0]]
            state = f", {item.status.word.lower()}" if item.status.word else ""
            return f"{item.face.title} selected{state}. Tab adds a node, F fits the view."
        case 2:
            first, second = (scene.items_by_id[id_].face.title for id_ in scene.chosen)
            return f"{first} and {second} selected. C connects, Tab adds a node, F fits the view."
        case count:
            return f"{count} nodes selected. Arrows move them, Delete removes them."


def tip_for(hit: Hit, scene: RecipeScene) -> str:
    """The tooltip of what is under the pointer; empty for none."""
    if hit.part == "remedy" and hit.remedy is not None:
        return hit.remedy.text
    if hit.link is not None:
        titles = [scene.items_by_id[id_].face.title for id_ in (hit.link.source, hit.link.target)]
        return f"{titles[0]} to {titles[1]}"
    if not hit.node:
        return ""
    item = scene.items_by_id[hit.node]
    if hit.part == "port":
        return _port_tip(hit, scene)
    if hit.field is not None:
        return _field_tip(hit)
    state = item.status.word
    lines = [item.face.title + (f" ({item.face.id})" if item.face.title != item.face.id else ""), item.face.about]
    if state:
        lines.append(f"{state}. {item.status.text}".strip())
    if item.face.is_output:
        lines.append("The recipe's output.")
    return "\n".join(line for line in lines if line)


def _port_tip(hit: Hit, scene: RecipeScene) -> str:
    port = scene.items_by_id[hit.node].port_face(hit.port)
    kind = _TYPES[port.shape]
    if hit.port == "out":
        return f"Gives {kind}. Drag to an input." if port.shape != "scores" else "Scores"
    if port.source in scene.items_by_id:
        return f"{kind} from {scene.items_by_id[port.source].face.title}. Drag to move or remove the link."
    return f"{port.label}: takes {kind}. Drag from here, or drop a link."


def _field_tip(hit: Hit) -> str:
    field = hit.field
    if field is None:
        return ""
    param, lines = (
        field.spec.param,
        [f"{field.label}: {field.text}{f' {field.spec.param.unit}' if field.spec.param.unit else ''}"],
    )
    if param.help:
        lines.append(param.help)
    if param.low is not None and param.high is not None:
        lines.append(f"From {param.low:g} to {param.high:g}.")
    if field.spec.choices:
        lines.append("One of " + ", ".join(field.spec.choices) + ".")
    lines.append(
        "A search variable; double-click sets where it starts." if field.form == "variable" else "Double-click to edit."
    )
    return "\n".join(lines)

"""``solera methods``, ``families``, ``tasks``, ``probes`` and so on: what is registered, without importing it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from solera.cli.screen import Json, show, show_json, show_table

if TYPE_CHECKING:
    from solera.extend.manifest import Contribution, Kind
    from solera.params import ParamSpec

#: Command -> kind and what it lists.
LISTS: dict[str, tuple[Kind, str]] = {
    "methods": ("method", "The merging methods, with their parameters."),
    "formats": ("format", "The checkpoint formats that can be read."),
    "tasks": ("task", "The kinds of task, with their parameters."),
    "explorers": ("explorer", "The explorers, with their parameters."),
    "probes": ("probe", "The probes, with what they take and their parameters."),
    "views": ("view", "The views, and which runs they show."),
    "architectures": ("architecture", "The network architectures that can be built."),
}

Name = Annotated[str, typer.Argument(help="One of them, in detail; or words to search for.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command, (kind, help_) in LISTS.items():
        app.command(command, help=help_, rich_help_panel="What is there")(_lister(kind))
    app.command("families", rich_help_panel="What is there")(families)


def families(name: Name = "", json: Json = False) -> None:
    """The families of models, with their parameters."""
    from solera.errors import InputError
    from solera.families.forms import FORMS
    from solera.params import json_schema

    if name and name not in FORMS:
        raise InputError(f"No family is called '{name}'; known: {', '.join(FORMS)}.", name=name)
    forms = [FORMS[name]] if name else list(FORMS.values())
    if json:
        plain = [
            {"name": form.name, "title": form.title, "summary": form.summary, "models": [form.least, form.most],
             "params": [spec.to_plain() for spec in form.params], "schema": json_schema(form.params)}
            for form in forms
        ]  # fmt: skip
        show_json(plain[0] if name else plain)
    elif name:
        show(f"{name}: {forms[0].title}\n{forms[0].summary}\nthrough {forms[0].count}")
        _show_params(forms[0].params)
    else:
        show_table(("name", "models", "what it is"), ((form.name, form.models, form.summary) for form in forms))


def _lister(kind: Kind) -> Callable[..., None]:
    def list_(name: Name = "", json: Json = False) -> None:
        _list(kind, name, json)

    return list_


def _list(kind: Kind, name: str, json: bool) -> None:
    from solera.extend.registry import Registry
    from solera.settings import load_settings

    settings = load_settings()
    shelf = Registry.discover(
        settings.all_plugin_folders, disabled=settings.disabled_plugins, safe_mode=settings.safe_mode
    ).contributions(kind)
    items = [shelf.describe(item) for item in ([name] if name in shelf else shelf)]
    if name and name not in shelf:
        _show_found(kind, name, items, json)
        return
    if json:
        plain = [_plain(item, shelf.plugin(item.name)) for item in items]
        show_json(plain[0] if name else plain)
    elif name:
        _show_one(items[0])
    else:
        show_table(("name", "what it is"), ((item.name, item.summary or item.title) for item in items))


def _show_found(kind: Kind, words: str, items: list[Contribution], json: bool) -> None:
    """What the words find: names, titles, summaries, and the names something else is known by."""
    from solera.errors import InputError, suggestion

    found = [(item, hits) for item in items if (hits := _hits(item, words.lower().replace("_", " ").split()))]
    if not found:
        known = [item.name for item in items]
        raise InputError(
            f"No {kind} is called '{words}' or says so; known: {', '.join(known)}.{suggestion(words, known)}",
            name=words,
        )
    if json:
        show_json([item.to_plain() for item, _ in found])
        return
    show_table(("name", "what it is"), ((item.name, hit) for item, hits in found for hit in hits))


def _hits(item: Contribution, words: list[str]) -> list[str]:
    """Why something is found by words that all must be there: another name of it with how to get it, or its summary."""

    def says(text: str) -> bool:
        plain = text.lower().replace("_", " ").replace("-", " ")
        return all(word.replace("-", " ") in plain for word in words)

    other = [f"{name}: {how}" for name, how in item.also.items() if says(name)]
    return other or ([item.summary] if says(f"{item.name} {item.title} {item.summary}") else [])


def _plain(item: Contribution, plugin: Any) -> dict[str, Any]:
    from solera.params import json_schema

    return {**item.to_plain(), "plugin": plugin.name if plugin else "", "schema": json_schema(item.params)}


def _show_one(item: Contribution) -> None:
    from solera.methods.forms import form_words

    show(f"{item.name}: {item.title}")
    if item.summary:
        show(item.summary)
    if item.kind == "method":
        show(form_words(item))
    for other, how in item.also.items():
        show(f"also {other}: {how}")
    _show_params(item.params)
    for key, value in {**item.accepts, **item.probe}.items():
        show(f"{'' if key in item.probe else 'accepts '}{key}: {value}")


def _show_params(params: Sequence[ParamSpec]) -> None:
    if not params:
        return
    show()
    rows = []
    for spec in params:
        low, high = spec.param.low, spec.param.high
        bounds = f"{'' if low is None else f'{low:g}'} .. {'' if high is None else f'{high:g}'}"
        span = ", ".join(spec.choices) or ("" if low is None and high is None else bounds)
        default = "required" if spec.required else "" if spec.default is None else str(spec.default)
        rows.append((spec.name, spec.kind, default, span, spec.param.help))
    show_table(("parameter", "kind", "default", "range", "what it does"), rows)

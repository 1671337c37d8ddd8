"""Writes the generated parts of the documentation: tables of what is registered, commands, settings, author names.

``python docs/generate.py`` rewrites, in every page below ``docs/`` and in README.md, whatever stands between
``<!-- generated: NAME -->`` and ``<!-- end of generated -->``, and the methods' pages as a whole. With ``--check``
nothing is written; pages that are not current are named and the exit code is 1. Only what comes with Solera is listed,
never a reader's own plugins.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from solera.extend.manifest import Contribution
    from solera.params import ParamSpec

ROOT = Path(__file__).resolve().parents[1]
_REGION = re.compile(
    r"(?P<head><!-- generated: (?P<name>[a-z-]+) -->\n).*?(?P<tail><!-- end of generated -->)", re.DOTALL
)


def pages() -> list[Path]:
    """Every page that may hold generated parts."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def renewed(text: str) -> str:
    """A page with its generated parts written anew.

    Raises:
        KeyError: A part of this name is not known.
    """
    return _REGION.sub(lambda found: f"{found['head']}\n{PARTS[found['name']]()}\n{found['tail']}", text)


def stale() -> Iterator[tuple[Path, str]]:
    """Pages whose generated parts are not current, with what they should say."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        fresh = renewed(text)
        if fresh != text:
            yield page, fresh
    written = method_pages()
    for page in sorted({*written, *METHOD_PAGES.glob("*.md")}):
        text = page.read_text(encoding="utf-8") if page.is_file() else ""
        if text != written.get(page, ""):
            yield page, written.get(page, "")


# --- what plugins contribute ----------------------------------------------------------------------------------------


def _contributed(kind: str) -> Iterator[tuple[str, Contribution]]:
    """Plugin and contribution, for what comes with Solera."""
    from solera.extend.builtin import BUILTIN
    from solera.extend.discovery import discover

    manifests = [BUILTIN, *(found.manifest for found in discover() if found.origin == "shipped")]
    for manifest in manifests:
        if manifest is not None:
            yield from ((manifest.name, item) for item in manifest.contributions if item.kind == kind)


def _detailed(kind: str, facts: Callable[[Contribution], Iterable[str]] = lambda item: (), head: str = "##") -> str:
    """A section for each contribution: summary, facts, parameters."""
    sections = []
    for plugin, item in _contributed(kind):
        said = "  \n".join([*facts(item), f"From the plugin `{plugin}`."])
        sections.append(f"{head} `{item.name}`: {item.title}\n\n{item.summary}\n\n{said}\n{_parameters(item.params)}")
    return "\n".join(sections)


def _parameters(specs: Sequence[ParamSpec]) -> str:
    if not specs:
        return "\nIt has no parameters.\n"
    rows = [(f"`{s.name}`", _kind(s), _default(s), _range(s), s.param.unit, s.param.help) for s in specs]
    return f"\n{table(('parameter', 'kind', 'default', 'allowed', 'unit', 'what it does'), rows)}"


def _kind(spec: ParamSpec) -> str:
    return f"{spec.kind}, one or one per model" if spec.param.per_model else spec.kind


def _default(spec: ParamSpec) -> str:
    if spec.required:
        return "required"
    value = spec.default
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return "" if value is None else f"`{value:g}`" if isinstance(value, float) else f"`{value}`" if value != "" else ""


def _range(spec: ParamSpec) -> str:
    low, high = spec.param.low, spec.param.high
    if spec.choices:
        return ", ".join(f"`{choice}`" for choice in spec.choices)
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"{low:g} or more" if low is not None else f"{high:g} or less" if high is not None else "any"


def _method_facts(item: Contribution) -> Iterator[str]:
    takes = {"weights": "weights", "delta": "deltas, or weights with a base", "any": "weights or deltas"}[item.takes]
    bases = {"required": "is needed unless the inputs are deltas", "optional": "may be given", "none": "is not taken"}
    most = item.max_inputs
    count = f"{item.min_inputs} or more" if most is None else f"{item.min_inputs}" if most == item.min_inputs else ""
    yield f"Takes {takes}; inputs: {count or f'{item.min_inputs} to {most}'}; a base {bases[item.base]}."
    if item.paper:
        yield f"{item.paper}."


METHOD_PAGES = ROOT / "docs" / "reference" / "methods"


def method_pages() -> dict[Path, str]:
    """A page for every method, from its declaration and its docstring."""
    return {METHOD_PAGES / f"{item.name}.md": _method_page(item) for _, item in _contributed("method")}


def _method_page(item: Contribution) -> str:
    from solera.extend.loading import load_object

    spec: Any = load_object(item.object)
    formula, sections = _sections(inspect.getdoc(spec.function) or "")
    other = [f"- **{name}**: {how}." for name, how in item.also.items()]
    parts = [
        f"# `{item.name}`: {item.title}",
        item.summary,
        "## Formula",
        formula,
        "## Parameters",
        _parameters(item.params).strip(),
        f"In the paper: {_one_line(sections['Paper'])}" if "Paper" in sections else "",
        "## Needs and cost",
        "\n".join(f"- {fact}" for fact in [next(_method_facts(item)), *_cost(spec)]),
        *(["## Also", "\n".join(other)] if other else []),
        *(["## Pitfalls", re.sub(r"\n(?!- )", " ", sections["Pitfalls"])] if "Pitfalls" in sections else []),
        *(["## Refused", *_refusals(sections["Raises"])] if "Raises" in sections else []),
        "## Source",
        f"[{item.paper}]({spec.url})." if item.paper else "Solera's own.",
        f"Code: `{item.object}`. All methods: [the list](../methods.md).",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sections(doc: str) -> tuple[str, dict[str, str]]:
    """What a docstring says after its first line, and its sections by title."""
    body, *rest = re.split(r"^(Args|Raises|Paper|Pitfalls|Returns):\n", doc.partition("\n")[2], flags=re.MULTILINE)
    texts = {
        title: inspect.cleandoc(text).replace("``", "`") for title, text in zip(rest[::2], rest[1::2], strict=True)
    }
    return body.strip().replace("``", "`"), texts


def _refusals(text: str) -> list[str]:
    """The sentences of a ``Raises:`` section, without the names of errors."""
    return [_one_line(found) for found in re.findall(r"^\w+: (.*(?:\n +.*)*)", text, re.MULTILINE)]


def _cost(spec: Any) -> Iterator[str]:
    """What a method reads and holds, and what it promises."""
    defaults = {param.name: param.default for param in spec.params}
    cut = spec.granularity(defaults) if callable(spec.granularity) else spec.granularity
    yield {
        "element": "Any run of elements at a time: memory does not grow with the tensors.",
        "block": "Runs of whole rows at a time: memory does not grow with the tensors.",
    }.get(cut, "Whole tensors: it holds the largest tensor of every input.") + (
        " Other parameters may want otherwise." if callable(spec.granularity) else ""
    )
    if spec.needs:
        yield f"Needs a statistic of each input, `{spec.needs}`, computed from data before."
    if spec.prepare is not None:
        over = spec.prepare_over(defaults) if callable(spec.prepare_over) else spec.prepare_over
        when = "At its defaults it goes" if spec.needs_prepare(defaults) else "With some parameters it goes"
        yield f"{when} over the whole {over} before it computes{' any part of it' if over == 'tensor' else ''}."
    if spec.affine:
        yield "The result is affine in its parameters: a search computes directions once."
    if spec.float64:
        yield "Arithmetic in float64."
    yield {
        "bytes": "The same bytes whatever the threads, chunks and budget.",
        "tolerance": "Equal bytes at a fixed number of threads, else equal up to rounding.",
        "none": "No promise about bytes.",
    }[spec.promise]


def _probe_sections() -> str:
    """A section for each probe: what it says of itself, what it takes, what it finds, its parameters."""
    from solera.extend.loading import load_object

    sections = []
    for plugin, item in _contributed("probe"):
        spec: Any = load_object(item.object)
        body, sections_of = _sections(inspect.getdoc(spec.function) or "")
        rows = [(f"`{each.name}`", each.title or each.name.replace("_", " "), each.unit) for each in spec.measures]
        source = f"[{spec.paper}]({spec.url})." if spec.paper and spec.url else f"{spec.paper}." if spec.paper else ""
        parts = [
            f"## `{item.name}`: {item.title}", item.summary, body, "  \n".join(_probe_facts(spec, plugin)),
            table(("measure", "title", "unit"), rows).strip(), _parameters(item.params).strip(),
            re.sub(r"\n(?!- )", " ", sections_of.get("Pitfalls", "")), source,
        ]  # fmt: skip
        sections.append("\n\n".join(part for part in parts if part))
    return "\n\n".join(sections) + "\n"


def _probe_facts(spec: Any, plugin: str) -> Iterator[str]:
    fewest, most = spec.models
    count = f"{fewest} or more" if most is None else f"{fewest}" if most == fewest else f"{fewest} to {most}"
    base = {"required": "and their base", "optional": "and, if there is one, their base", "none": ""}[spec.base]
    needs = {"weights": "weights alone, streamed", "task": "networks on a task's examples"}[spec.needs]
    yield f"Takes {count} model{'' if count == '1' else 's'} {base}".strip() + f"; needs {needs}."
    yield f"Result: `{spec.kind}`, along {', '.join(f'`{axis.name}`' for axis in spec.axes)}."
    yield f"From the plugin `{plugin}`."


def _method_index() -> str:
    rows = [
        (f"[`{item.name}`](methods/{item.name}.md)", item.title, item.summary) for _, item in _contributed("method")
    ]
    return table(("name", "title", "what it is"), rows)


def _other_names() -> str:
    rows = sorted(
        (name, f"[`{item.name}`](methods/{item.name}.md)", how)
        for _, item in _contributed("method")
        for name, how in item.also.items()
    )
    return table(("name", "method", "how"), rows)


def _view_facts(item: Contribution) -> Iterator[str]:
    said = []
    if kinds := item.accepts.get("kinds"):
        said.append(f"runs of kind {', '.join(kinds)}")
    if coords := item.accepts.get("coords"):
        said.append(f"{' or '.join(map(str, coords))} coordinate{'' if coords == [1] else 's'}")
    if least := item.accepts.get("columns_min"):
        said.append(f"at least {least} score columns")
    yield f"Shows {'; '.join(said)}." if said else "Shows any run with scores."


def _list(kind: str) -> str:
    rows = [(f"`{item.name}`", item.title, item.summary, f"`{plugin}`") for plugin, item in _contributed(kind)]
    return table(("name", "title", "what it is", "plugin"), rows)


# --- the command line -----------------------------------------------------------------------------------------------


def _commands() -> str:
    import typer

    from solera.cli.main import build_app

    root = typer.main.get_command(build_app())
    return "\n".join(_command_section(words, command) for words, command in _leaves("solera", root))


def _leaves(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield words, command
        return
    for name in children:
        yield from _leaves(f"{words} {name}", children[name])


def _command_section(words: str, command: Any) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option"]
    usage = " ".join([words, *(_argument(item) for item in arguments), *(["[OPTIONS]"] if options else [])])
    help_ = inspect.cleandoc(command.help or "").replace("\f", "")
    rows = [(f"`{_argument(item)}`", _one_line(getattr(item, "help", ""))) for item in arguments]
    rows += [(_names(item), _one_line(getattr(item, "help", "")) + _standing(item)) for item in options]
    shown = f"\n{table(('argument or option', 'what it does'), rows)}" if rows else ""
    return f"### `{words}`\n\n    {usage}\n\n{help_}\n{shown}"


def _argument(item: Any) -> str:
    name = str(item.metavar or item.name).upper().strip("[]")
    name = f"{name} ..." if item.nargs == -1 and "..." not in name else name
    return name if item.required else f"[{name}]"


def _names(item: Any) -> str:
    value = "" if item.is_flag else f" {item.metavar or item.name.strip('_').upper()}"
    if not item.is_flag and isinstance(item.nargs, int) and item.nargs > 1:
        value = " " + " ".join("ABC"[: item.nargs])
    return f"`{', '.join((*item.opts, *item.secondary_opts))}{value}`"


def _standing(item: Any) -> str:
    value = item.default
    if item.is_flag or callable(value) or value in (None, "", 0, (), [], False):
        return ""
    return f" Default: `{value}`."


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


# --- names, settings, actions -----------------------------------------------------------------------------------------


def _api() -> str:
    from solera import api

    rows = []
    for name in api.__all__:
        thing = getattr(api, name)
        home = next(module for module, names in api._HOMES.items() if name in names)
        what = "module" if inspect.ismodule(thing) else "class" if inspect.isclass(thing) else "function"
        what = what if inspect.ismodule(thing) or callable(thing) else "value"
        doc = (inspect.getdoc(thing) or "").partition("\n")[0] if what != "value" else _VALUES.get(name, "")
        rows.append((f"`{name}`", what, doc.replace("``", "`"), f"`{home}`"))
    return table(("name", "kind", "what it is", "defined in"), rows)


_VALUES = {
    "API_VERSION": "The version a manifest must name.",
    "METRICS": "The metric registry: name -> `Metric`.",
    "Split": 'One of `"train"`, `"selection"`, `"report"`.',
}


def _settings() -> str:
    from solera.settings import Settings

    told = _attributes(inspect.getdoc(Settings) or "")
    rows = []
    for item in dataclasses.fields(Settings):
        default = getattr(Settings(), item.name)
        shown = "[]" if default == () else f'"{default}"' if isinstance(default, str) else str(default)
        rows.append((f"`{item.name}`", f"`{shown}`", f"`SOLERA_{item.name.upper()}`", told[item.name]))
    return table(("setting", "default", "environment variable", "what it is"), rows)


def _attributes(doc: str) -> dict[str, str]:
    """The entries of a docstring's ``Attributes:`` section."""
    body = doc.partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", body, re.MULTILINE)
    return {name: _one_line(text).replace("``", "`") for name, text in entries}


def _metrics() -> str:
    from solera.tasks.scores import METRICS

    aggregates = {"mean": "mean over samples", "exp-mean": "exp of the mean over samples"}
    rows = [
        (f"`{item.name}`", item.title, item.unit or ("fraction" if item.display == "percent" else ""), item.better,
         aggregates[item.aggregate])
        for item in METRICS.values()
    ]  # fmt: skip
    return table(("metric", "title", "unit", "better", "aggregated as"), rows)


def _actions() -> str:
    from solera_app.actions.table import ACTIONS, MENUS

    parts = []
    for menu in MENUS:
        rows = [
            (row.title, f"`{row.shortcut}`" if row.shortcut else "", row.tip) for row in ACTIONS if row.menu == menu
        ]
        if rows:
            parts.append(f"### {menu}\n\n{table(('command', 'shortcut', 'what it does'), rows)}")
    return "\n".join(parts)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    lines = [heads, ["---"] * len(heads), *([str(cell).replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _adapters() -> str:
    from solera.checkpoints.adapters.config import KINDS
    from solera.checkpoints.adapters.kinds import FORMULAS

    first = {kind: (inspect.getdoc(FORMULAS[kind]) or "").partition("\n")[0] for kind in KINDS}
    rows = [(f"`{kind}`", about.replace("``", "`")) for kind, about in first.items()]
    return table(("`peft_type`", "what its weights become"), rows)


def _mergekit_methods() -> str:
    """The methods of mergekit: which of ours each is, and its parameters."""
    from solera.recipes.mergekit.methods import METHODS, Setting

    rows = ["| mergekit | Solera | base | parameters |", "| --- | --- | --- | --- |"]
    for name, method in METHODS.items():
        values = {
            declared.name: 1.0 if declared.default is None else declared.default for declared in method.parameters
        }
        ours, _ = method.into(values, Setting(2))
        said = []
        for declared in method.parameters:
            default = (
                "required" if declared.required else "not said: 1" if declared.default is None else declared.default
            )
            shown = str(default).lower() if isinstance(default, bool) else f"{default}"
            said.append(f"`{declared.name}` ({shown}{', changes nothing' if declared.idle else ''})")
        base = {"required": "yes", "optional": "may be", "ignored": "a model like others"}[method.base]
        rows.append(f"| `{name}` | [`{ours}`](methods/{ours}.md) | {base} | {', '.join(said) or 'none'} |")
    return "\n".join(rows) + "\n"


def _families() -> str:
    from solera.families.forms import FORMS

    return "\n".join(
        f"### `{form.name}`: {form.title}\n\n{form.summary} Through {form.count}.\n{_parameters(form.params)}"
        for form in FORMS.values()
    )


def _with_less() -> str:
    """What every explorer and view does on a task that gives only an aggregate: its own description says it."""
    lines = []
    for kind in ("explorer", "view"):
        rows = [(item.name, _of_aggregates(item.object)) for _, item in _contributed(kind)]
        title = {"explorer": "explorer", "view": "picture"}[kind]
        lines += [f"| {title} | does |", "| --- | --- |", *(f"| `{name}` | {said} |" for name, said in rows), ""]
    return "\n".join(lines)


def _of_aggregates(address: str) -> str:
    """The sentence of a class's description that tells of aggregates; nothing is imported, for views need a window.

    Raises:
        ValueError: It has none.
    """
    module, _, name = address.partition(":")
    source = (ROOT / "plugins" / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    found = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    text = " ".join((ast.get_docstring(found) or "").partition("Args:")[0].split()).replace("``", "`")
    said = [sentence for sentence in re.split(r"(?<=[.])\s+(?=[A-Z])", text) if "aggregate" in sentence]
    if not said:
        raise ValueError(f"{address} does not say what it does on a task that gives only an aggregate")
    return " ".join(said)


PARTS: dict[str, Callable[[], str]] = {
    "families": _families,
    "mergekit-methods": _mergekit_methods,
    "methods": _method_index,
    "other-names": _other_names,
    "with-less": _with_less,
    "tasks": lambda: _detailed("task", head="###"),
    "explorers": lambda: _detailed("explorer"),
    "probes": _probe_sections,
    "views": lambda: _detailed("view", _view_facts).replace("\nIt has no parameters.\n", ""),
    "formats": lambda: _list("format"),
    "adapters": _adapters,
    "architectures": lambda: _list("architecture"),
    "examples": lambda: _detailed("example", head="###").replace("\nIt has no parameters.\n", ""),
    "commands": _commands,
    "api": _api,
    "settings": _settings,
    "metrics": _metrics,
    "actions": _actions,
}


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 if ``--check`` was given and a page is not current."""
    check = "--check" in arguments
    found = list(stale())
    for page, text in found:
        sys.stdout.write(f"{page.relative_to(ROOT)} {'is not current' if check else 'written'}\n")
        if not check and text:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text, encoding="utf-8")
        elif not check:
            page.unlink()
    if not found:
        sys.stdout.write("The generated parts of the documentation are current.\n")
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

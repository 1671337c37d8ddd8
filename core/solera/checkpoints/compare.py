"""Do two checkpoints fit each other: the same names, shapes and kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from solera.checkpoints.adapters.adapter import is_adapter
from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.views import suggest_view
from solera.errors import Fault
from solera.tensors.specs import FLOATING

#: Parts of the names of tensors that have a row for every token.
_TOKEN_ROWS = ("embed", "lm_head", "wte", "tok_", "output.weight", "shared.weight")

#: How many examples a sentence gives.
EXAMPLES = 3


def compatible(a: Checkpoint, b: Checkpoint) -> list[Fault]:
    """What keeps two checkpoints from being merged; empty if nothing does.

    A name that one of them has only as another name for a tensor (a tie) may be missing in the other, and so may what
    is copied and never computed (positions, counters). Different floating dtypes are no fault.

    Returns:
        At most one fault a sort (``mismatch.names``, ``mismatch.shapes``, ``mismatch.kinds``), each with a few
        examples, a count, and all names in its fields.
    """
    faults = []
    only_a = [name for name, ref in a.items() if name not in b and name not in a.ties and ref.kind != "counter"]
    only_b = [name for name, ref in b.items() if name not in a and name not in b.ties and ref.kind != "counter"]
    if only_a or only_b:
        faults.append(_names_fault(a, b, only_a, only_b))
    both = [name for name in a if name in b]
    _differing(a, b, both, "shapes", lambda c, name: str(list(c[name].shape)), faults)
    _differing(a, b, both, "kinds", lambda c, name: _kind(c, name), faults)
    return faults


def _kind(checkpoint: Checkpoint, name: str) -> str:
    ref = checkpoint[name]
    return "floating" if ref.dtype in FLOATING else f"a {ref.kind} ({ref.dtype})"


def _names_fault(a: Checkpoint, b: Checkpoint, only_a: Sequence[str], only_b: Sequence[str]) -> Fault:
    parts = []
    for here, there, names in ((a, b, only_a), (b, a, only_b)):
        if names:
            parts.append(f"{len(names)} only in '{here.name}' and not in '{there.name}' ({_some(names)})")
    remedies = [
        f"'{checkpoint.name}' is an adapter: take it as {{adapter: {checkpoint.name}, base: ...}}"
        for checkpoint in (a, b)
        if checkpoint.path is not None and is_adapter(checkpoint.path)
    ]
    views = [suggest_view(a), suggest_view(b)]
    if views[0] != views[1]:
        for checkpoint, view in zip((a, b), views, strict=True):
            if view:
                remedies.append(f"open '{checkpoint.name}' with strip '{view}'")
    return Fault(
        "mismatch.names",
        f"{a.name}, {b.name}",
        f"The names of tensors differ: {'; '.join(parts)}.",
        tuple(remedies),
        {"only_a": list(only_a), "only_b": list(only_b)},
    )


def _differing(
    a: Checkpoint,
    b: Checkpoint,
    names: Sequence[str],
    what: str,
    fact: Callable[[Checkpoint, str], str],
    faults: list[Fault],
) -> None:
    """Add a fault for the names of which a fact differs."""
    found = [name for name in names if fact(a, name) != fact(b, name)]
    if not found:
        return
    examples = "; ".join(
        f"'{name}' is {fact(a, name)} in '{a.name}' and {fact(b, name)} in '{b.name}'" for name in found[:EXAMPLES]
    )
    more = f" and {len(found) - EXAMPLES} more" if len(found) > EXAMPLES else ""
    message = f"The {what} of {len(found)} tensors differ: {examples}{more}."
    if what == "shapes":
        message += _vocabularies(a, b, found)
    faults.append(Fault(f"mismatch.{what}", f"{a.name}, {b.name}", message, fields={"names": found}))


def _vocabularies(a: Checkpoint, b: Checkpoint, names: Sequence[str]) -> str:
    """A sentence that explains tensors whose rows stand for tokens; empty if there are none."""
    rows = {
        (a[name].shape[0], b[name].shape[0])
        for name in names
        if a[name].shape[1:] == b[name].shape[1:] and any(part in name.lower() for part in _TOKEN_ROWS)
    }
    if len(rows) != 1:
        return ""
    here, there = rows.pop()
    return (
        f" Their rows stand for tokens: the vocabularies have {here:,} and {there:,}. Lay the tokens of both out for "
        "one vocabulary first (a node 'tokens' in a recipe, tokenizer_source in a mergekit file)."
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:EXAMPLES]) + (" ..." if len(names) > EXAMPLES else "")

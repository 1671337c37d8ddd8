"""Which of a base's tensors an adapter changes, and how; or in what the two do not fit each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from solera.checkpoints.adapters.adapter import Adapter
from solera.checkpoints.adapters.change import Change, Site
from solera.checkpoints.adapters.kinds import kind_of
from solera.checkpoints.checkpoint import Checkpoint
from solera.checkpoints.tensor_ref import TensorRef
from solera.errors import MismatchError
from solera.tensors.specs import FLOATING

#: How many examples a sentence gives.
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Fit:
    """What an adapter does to one tensor of the base.

    Attributes:
        change: The formula; None if a whole tensor replaces it.
        full: What stands in the base's place before the formula; None if that is the base.
    """

    change: Change | None = None
    full: TensorRef | None = None


def fit(adapter: Adapter, base: Checkpoint) -> tuple[dict[str, Fit], tuple[str, ...]]:
    """Match an adapter with its base.

    Returns:
        What changes, by the base's names (a tied tensor under its first name), and sentences a person should read.

    Raises:
        MismatchError: Names or shapes do not fit; examples and counts are given.
    """
    if not adapter.modules and not adapter.full:
        raise MismatchError(f"The adapter {adapter.name} holds no tensors.", path=str(adapter.path))
    rename, notes = _renaming(adapter, base)
    found: dict[str, Fit] = {}
    owners: dict[str, str] = {}
    for module, parts in adapter.modules.items():
        for leaf, change in _changes(adapter, module, parts, base, rename).items():
            _put(found, owners, _renamed(rename, f"{module}.{leaf}"), Fit(change), f"{module}.{leaf}", adapter, base)
    for name, ref in adapter.full.items():
        target = _renamed(rename, name)
        _check_full(adapter, base, name, ref, base[target])
        canonical = base.ties.get(target, target)
        if owners.get(canonical) == name and found[canonical].full is None:
            found[canonical] = Fit(found[canonical].change, ref)
        else:
            _put(found, owners, target, Fit(full=ref), name, adapter, base)
    return found, (*notes, *_other_base(adapter, base))


def _changes(
    adapter: Adapter, module: str, parts: Mapping[str, TensorRef], base: Checkpoint, rename: tuple[str, str]
) -> dict[str, Change]:
    weight = base[_renamed(rename, f"{module}.weight")]
    if weight.dtype not in FLOATING:
        raise MismatchError(
            f"The base {base.name} holds '{weight.name}' as {weight.dtype}: it is quantised or no weight. An adapter "
            "changes floating-point weights; open the unquantised base.",
            tensor=weight.name, dtype=weight.dtype,
        )  # fmt: skip
    bias = _renamed(rename, f"{module}.bias")
    shape = base[bias].shape if bias in base else None
    return kind_of(adapter.config.kind, parts)(Site(adapter, module, parts, weight.shape, shape))


def _put(
    found: dict[str, Fit], owners: dict[str, str], target: str, fit: Fit, owner: str, adapter: Adapter, base: Checkpoint
) -> None:
    canonical = base.ties.get(target, target)
    if canonical in found:
        raise MismatchError(
            f"The adapter {adapter.name} changes '{owners[canonical]}' and '{owner}', which are one tied tensor in "
            f"{base.name}; it cannot hold both changes. Untie it in the base first.",
            tensor=canonical,
        )
    found[canonical] = fit
    owners[canonical] = owner


def _renamed(rename: tuple[str, str], name: str) -> str:
    taken, given = rename
    return given + name.removeprefix(taken)


def _names(adapter: Adapter) -> list[str]:
    """What the adapter needs in the base, as it calls it."""
    return [f"{module}.weight" for module in adapter.modules] + list(adapter.full)


def _renaming(adapter: Adapter, base: Checkpoint) -> tuple[tuple[str, str], tuple[str, ...]]:
    """The prefix to take off the adapter's names and the one to put before them, so that all are in the base.

    A model's class may put a prefix (``transformer.``) before the names of the checkpoint it is loaded from, or take
    one off; peft saves the class's names.
    """
    wanted = _names(adapter)
    choices = [("", "")]
    first = wanted[0]
    cut = first.find(".")
    while cut >= 0:
        choices.append((first[: cut + 1], ""))
        cut = first.find(".", cut + 1)
    choices += [("", name.removesuffix(first)) for name in base if name.endswith("." + first)]
    for choice in choices:
        if not _missing(base, choice, wanted):
            taken, given = choice
            if not taken and not given:
                return choice, ()
            how = f"without '{taken}'" if taken else f"with '{given}' before them"
            return choice, (f"The names of the adapter {adapter.name} were taken {how}, as the base has them.",)
    raise _no_such_names(adapter, base, _missing(base, ("", ""), wanted), len(wanted))


def _missing(base: Checkpoint, rename: tuple[str, str], wanted: Sequence[str]) -> list[str]:
    return [name for name in wanted if not name.startswith(rename[0]) or _renamed(rename, name) not in base]


def _no_such_names(adapter: Adapter, base: Checkpoint, missing: Sequence[str], count: int) -> MismatchError:
    shown = ", ".join(f"'{name}'" for name in missing[:EXAMPLES]) + (" ..." if len(missing) > EXAMPLES else "")
    like = next((name for name in base if name.endswith(".weight")), next(iter(base), ""))
    message = (
        f"The adapter {adapter.name} does not fit the base {base.name}: of {count} tensors it changes, {len(missing)} "
        f"are not in the base ({shown}); the base's names are like '{like}'."
    )
    if base.config.get("tie_word_embeddings") and all("head" in name for name in missing):
        message += (
            " The base ties its head to its embeddings and holds it only once, so a change of the head alone cannot be "
            "merged. Untie it in the base first."
        )
    elif any(f"{name.removesuffix('weight')}in_proj_weight" in base for name in missing):
        message += (
            " It changes torch's packed attention, of which peft's own versions make different weights. Merge it with "
            "the version that trained it and open the result."
        )
    elif adapter.config.base:
        message += f" It was trained on '{adapter.config.base}'; open it with that."
    return MismatchError(message, missing=list(missing[:20]), trained_on=adapter.config.base)


def _check_full(adapter: Adapter, base: Checkpoint, name: str, ref: TensorRef, target: TensorRef) -> None:
    if ref.shape != target.shape:
        hint = ""
        if len(ref.shape) == len(target.shape) == 2 and ref.shape[1:] == target.shape[1:]:
            hint = " Its vocabulary was resized: open it with a base whose embeddings were resized alike."
        raise MismatchError(
            f"The adapter {adapter.name} replaces '{name}' by a tensor of shape {list(ref.shape)}; the base "
            f"{base.name} has {list(target.shape)}.{hint}",
            tensor=name, got=list(ref.shape), wanted=list(target.shape),
        )  # fmt: skip
    if (ref.dtype in FLOATING) != (target.dtype in FLOATING):
        raise MismatchError(
            f"The adapter {adapter.name} replaces '{name}' by {ref.dtype}; in the base it is {target.dtype}.",
            tensor=name,
        )


def _other_base(adapter: Adapter, base: Checkpoint) -> tuple[str, ...]:
    """A sentence when the adapter says it was trained on another base than this one, as far as names tell."""
    said = adapter.config.base
    if not said:
        return ()
    known = {base.name, str(base.path or ""), str(base.config.get("_name_or_path") or "")}
    names = {PurePath(item).name.lower() for item in known if item}
    # A folder of a Hugging Face cache is called by its commit; its model's name is two folders up.
    parents = [part for part in PurePath(str(base.path or "")).parts if part.startswith("models--")]
    names |= {part.rpartition("--")[2].lower() for part in parents}
    if PurePath(said).name.lower() in names:
        return ()
    return (
        f"The adapter {adapter.name} says it was trained on '{said}', not on '{base.name}'. If these are different "
        "models of one shape, the result is wrong.",
    )

from __future__ import annotations

import pytest
import torch

from solera.checkpoints.compare import compatible
from solera.checkpoints.memory import MemoryCheckpoint
from solera.checkpoints.views import apply_view, default_container, suggest_view
from solera.errors import CheckpointError, InputError


def checkpoint(*names, name="c", **tensors):
    return MemoryCheckpoint.from_state_dict({**{n: torch.zeros(2) for n in names}, **tensors}, name)


@pytest.mark.parametrize(
    ("names", "view"),
    [
        (["a.weight", "b.weight"], ""),
        (["module.a", "module.b"], "module."),
        (["module.a", "b"], ""),
        (["_orig_mod.module.a", "_orig_mod.module.b"], "_orig_mod.module."),
        (["state_dict/module.a", "optimizer/0"], "state_dict/module."),
        (["model/a", "ema/a", "optimizer/state/0/exp_avg"], "model/"),
        (["params_ema/a", "params_ema/b"], "params_ema/"),
        (["optimizer/0", "optimizer/1", "generator/a"], "generator/"),
        (["root", "state_dict/a"], ""),
        (["module."], ""),
        ([], ""),
    ],
)
def test_suggestions(names, view):
    assert suggest_view(names) == view
    assert view.startswith(default_container(names))


def test_a_view_is_bijective():
    plain = checkpoint("module.a", "module.b", "other")
    seen = apply_view(plain, "module.")
    assert list(seen) == ["a", "b", "other"]
    assert [ref.stored_name for ref in seen.values()] == list(plain)
    assert [ref.name for ref in seen.values()] == list(seen)
    assert seen.strip == "module."
    assert apply_view(plain, "") is plain
    with pytest.raises(CheckpointError, match=r"both 'module\.a' and 'a'"):
        apply_view(checkpoint("module.a", "a"), "module.")
    for strip in ("modul/", "state_dict/", "x."):
        with pytest.raises(InputError, match="no name begins"):
            apply_view(plain, strip)


def test_fitting_checkpoints():
    shared = torch.zeros(2)
    a = checkpoint("w", "n", name="a", tied=shared, alias=shared)
    b = MemoryCheckpoint.from_state_dict(
        {"w": torch.ones(2).bfloat16(), "n": torch.zeros(2), "tied": torch.zeros(2, dtype=torch.float64)}, "b"
    )
    assert a.ties == {"alias": "tied"}
    assert compatible(a, b) == []
    assert compatible(b, a) == []


def test_faults_are_gathered_with_examples():
    a = checkpoint(*(f"only.{i}" for i in range(5)), name="a", w=torch.zeros(2), n=torch.zeros(3))
    b = checkpoint("another", name="b", w=torch.zeros(3, 1), n=torch.zeros(3).long())
    names, shapes, kinds = compatible(a, b)
    assert names.code == "mismatch.names"
    assert "5 only in 'a' and not in 'b' ('only.0', 'only.1', 'only.2' ...)" in names.message
    assert "1 only in 'b'" in names.message
    assert names.fields["only_b"] == ["another"]
    assert "'w' is [2] in 'a' and [3, 1] in 'b'" in shapes.message
    assert "'n' is floating in 'a' and a counter (int64) in 'b'" in kinds.message


def test_a_forgotten_prefix_has_its_remedy():
    (fault,) = compatible(checkpoint("module.w", name="ddp"), checkpoint("w", name="plain"))
    assert fault.remedies == ("open 'ddp' with strip 'module.'",)


def test_what_is_copied_may_be_missing():
    plain = {"w": torch.zeros(2)}
    tables = {"layers.0.rotary_emb.inv_freq": torch.ones(3), "position_ids": torch.arange(4)}
    a, b = (MemoryCheckpoint.from_state_dict(state) for state in (plain | tables, plain))
    assert compatible(a, b) == compatible(b, a) == []
    assert [a[name].kind for name in tables] == ["counter", "counter"]
    half = {name: tensor.bfloat16() if tensor.is_floating_point() else tensor for name, tensor in tables.items()}
    assert compatible(a, MemoryCheckpoint.from_state_dict(plain | half)) == []

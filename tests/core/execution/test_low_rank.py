"""Adapters extracted from a change of weights, as peft loads and merges them."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
import torch
from torch import nn

from solera.checkpoints.adapters.opening import open_adapted, open_delta
from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.errors import Cancelled, FaultsError, InputError, NumericError, OutputError
from solera.execution.low_rank import Wanted, extract

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")


def llama():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=70, tie_word_embeddings=False, attention_bias=True,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


def gpt2():
    torch.manual_seed(0)
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            n_embd=16, n_layer=2, n_head=2, vocab_size=40, n_positions=8, bos_token_id=0, eos_token_id=0
        )
    )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.line = nn.Conv1d(6, 6, 3)
        self.fc = nn.Linear(6, 10)
        self.norm = nn.BatchNorm2d(8)
        self.token = nn.Parameter(torch.zeros(4))

    def forward(self, x):
        return x


def net():
    torch.manual_seed(0)
    return Net().eval()


def pair(make, rank=0, seed=1):
    """A base and a tuned model; matrices change by this rank, or by any if 0."""
    model = make()
    config: dict[str, Any] = getattr(getattr(model, "config", None), "to_dict", dict)()
    state = model.state_dict()
    torch.manual_seed(seed)
    tuned: dict[str, Any] = {}
    done: dict[int, Any] = {}
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            tuned[name] = tensor.clone()
            continue
        rows = tensor.shape[0]
        wide = tensor.numel() // rows
        low = (
            torch.randn(rows, rank) @ torch.randn(rank, wide) if rank and tensor.dim() > 1 else torch.randn(rows, wide)
        )
        place = tensor.data_ptr()
        done.setdefault(place, tensor + 0.05 * low.view(tensor.shape))  # tied tensors stay tied
        tuned[name] = done[place]
    return (
        MemoryCheckpoint.from_state_dict(tuned, "tuned", config),
        MemoryCheckpoint.from_state_dict(state, "base", config),
    )


def merged(make, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = peft.PeftModel.from_pretrained(make(), folder)
        return loaded.merge_and_unload().state_dict()


@pytest.mark.parametrize("make", [llama, gpt2, net])
def test_what_has_the_rank_comes_back_whole_in_peft(make, tmp_path):
    tuned, base = pair(make, rank=3)
    made = extract(tuned, base, tmp_path / "a", Wanted(rank=3, save_rest=True), QuietContext())
    state = merged(make, tmp_path / "a")
    left = set(made.left_out)
    for name, ref in tuned.items():
        if name not in left:
            torch.testing.assert_close(state[name], ref.read(), rtol=1e-4, atol=1e-5)
    assert left == ({"token"} if make is net else set())
    assert made.share == pytest.approx(1 - sum(made.left_out.values()), abs=1e-6)
    assert set(made.ranks.values()) == {3}


@pytest.mark.parametrize("make", [llama, gpt2, net])
def test_ours_and_pefts_merge_agree_whatever_the_rank(make, tmp_path):
    tuned, base = pair(make)
    made = extract(tuned, base, tmp_path / "a", Wanted(rank=4, energy=0.7, save_rest=True), QuietContext())
    state = merged(make, tmp_path / "a")
    for name, ref in open_adapted(base, tmp_path / "a").items():
        torch.testing.assert_close(ref.read(), state[name], rtol=1e-5, atol=1e-6)
    config = json.loads((tmp_path / "a" / "adapter_config.json").read_text())
    assert config["rank_pattern"] or len(set(made.ranks.values())) == 1
    assert max(made.ranks.values()) <= 4


def test_the_share_is_what_is_held(tmp_path):
    tuned, base = pair(llama)
    made = extract(tuned, base, tmp_path / "a", Wanted(energy=0.5), QuietContext())
    delta = open_delta(base, tmp_path / "a")
    change = {name: tuned[name].read() - base[name].read() for name in base}
    rest = sum(float((change[name] - delta[name].read()).double().square().sum()) for name in base)
    total = sum(float(part.double().square().sum()) for part in change.values())
    assert made.share == pytest.approx(1 - rest / total, abs=1e-5)
    assert all(share >= 0.5 for share in made.shares.values())
    assert all("norm" in name or name.endswith("bias") for name in made.left_out)
    assert "50" in (tmp_path / "a" / "README.md").read_text() or made.share > 0.5


def test_what_is_chosen_by_name(tmp_path):
    tuned, base = pair(llama)
    wanted = Wanted(rank=2, only=("*.self_attn.*",), leave=("*.o_proj",), dtype="bfloat16")
    made = extract(tuned, base, tmp_path / "a", wanted, QuietContext())
    assert all("self_attn" in module and "o_proj" not in module for module in made.ranks)
    assert "model.layers.0.self_attn.o_proj.weight" in made.left_out
    assert {ref.dtype for ref in open_delta(base, tmp_path / "a").adapter.file.values()} == {"bfloat16"}
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "README.md", "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip


def test_the_same_bytes_twice(tmp_path):
    tuned, base = pair(llama)
    for name in ("a", "b"):
        extract(tuned, base, tmp_path / name, Wanted(rank=2), QuietContext())
    assert (tmp_path / "a/adapter_model.safetensors").read_bytes() == (
        tmp_path / "b/adapter_model.safetensors"
    ).read_bytes()
    assert str(tmp_path) not in (tmp_path / "a/adapter_config.json").read_text()


def test_refusals(tmp_path):
    tuned, base = pair(llama)
    with pytest.raises(InputError, match="how much"):
        extract(tuned, base, tmp_path / "a", Wanted(), QuietContext())
    with pytest.raises(InputError, match="from 0 to 1"):
        extract(tuned, base, tmp_path / "a", Wanted(energy=2), QuietContext())
    with pytest.raises(InputError, match="does not differ"):
        extract(base, base, tmp_path / "a", Wanted(rank=1), QuietContext())
    with pytest.raises(FaultsError, match="only in"):
        extract(pair(gpt2)[0], base, tmp_path / "a", Wanted(rank=1), QuietContext())
    bad = {name: ref.read() for name, ref in tuned.items()}
    bad["lm_head.weight"][0, 0] = float("nan")
    with pytest.raises(NumericError, match=r"lm_head.weight.*tuned"):
        extract(MemoryCheckpoint.from_state_dict(bad, "tuned"), base, tmp_path / "a", Wanted(rank=1), QuietContext())

    class Stopping(QuietContext):
        def check(self):
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        extract(tuned, base, tmp_path / "a", Wanted(rank=1), Stopping())
    assert not list(tmp_path.iterdir())
    (tmp_path / "a").mkdir()
    with pytest.raises(OutputError, match="exists"):
        extract(tuned, base, tmp_path / "a", Wanted(rank=1), QuietContext())

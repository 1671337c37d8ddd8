"""Every kind of adapter against peft's own merge, on a tiny Llama, a tiny GPT-2 and a tiny convolutional net."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import torch
from torch import nn

from solera.checkpoints.adapters import source
from solera.checkpoints.adapters.opening import open_adapted, open_delta
from solera.checkpoints.fingerprint import fingerprint
from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

#: float32 sums of another order.
TOLERANCE = 1e-6

ATTENTION = ["q_proj", "v_proj", "down_proj"]
CONVOLUTIONS = ["conv", "point", "line", "short", "fc"]


def llama(tied: bool = False) -> nn.Module:
    torch.manual_seed(0)
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            vocab_size=70, tie_word_embeddings=tied,
        )
    )  # fmt: skip


def gpt2() -> nn.Module:
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        n_embd=16, n_layer=2, n_head=2, vocab_size=40, n_positions=8, bos_token_id=0, eos_token_id=0
    )
    return transformers.GPT2LMHeadModel(config)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.point = nn.Conv2d(8, 6, 1)
        self.line = nn.Conv1d(6, 6, 3)
        self.short = nn.Conv1d(6, 4, 1)
        self.table = nn.Embedding(11, 6)
        self.fc = nn.Linear(6, 10)
        self.norm = nn.BatchNorm2d(8)
        self.wide = nn.Conv2d(12, 32, 3)
        self.attention = nn.MultiheadAttention(8, 2)

    def forward(self, x):
        return x


def net() -> nn.Module:
    torch.manual_seed(0)
    return Net().eval()


def saved(make, config, folder, dtype=torch.float32):
    """An adapter of random numbers, saved by peft; the base's tensors, and those of peft's merge after loading it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make().to(dtype)
        state = model.state_dict()
        base = MemoryCheckpoint.from_state_dict(state, "base", getattr(getattr(model, "config", None), "__dict__", {}))
        keep = {name: tensor.clone() for name, tensor in state.items()}
        adapted = peft.get_peft_model(make().to(dtype), config)
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.data.add_(0.1 * torch.randn_like(parameter))
        adapted.save_pretrained(folder)
        merged = peft.PeftModel.from_pretrained(make().to(dtype), folder).merge_and_unload().state_dict()
    assert any(not torch.equal(merged[name], keep[name]) for name in keep)
    return base, keep, merged


L, H, K, O = peft.LoraConfig, peft.LoHaConfig, peft.LoKrConfig, peft.OFTConfig  # noqa: E741

CASES = {
    "lora": (llama, L(r=4, target_modules=ATTENTION)),
    "lora patterns": (
        llama,
        L(r=4, target_modules=ATTENTION, rank_pattern={"layers.1.self_attn.q_proj": 6}, alpha_pattern={"v_pr.*": 3}),
    ),
    "lora in some layers": (llama, L(r=4, target_modules=ATTENTION, layers_to_transform=[1])),
    "rslora": (llama, L(r=4, lora_alpha=3, target_modules=ATTENTION, use_rslora=True)),
    "lora embedding, saved modules": (
        llama,
        L(r=4, target_modules=["q_proj", "embed_tokens"], modules_to_save=["lm_head", "norm"]),
    ),
    "dora": (llama, L(r=4, target_modules=[*ATTENTION, "embed_tokens"], use_dora=True)),
    "lora of a tied embedding": (lambda: llama(True), L(r=4, target_modules=["embed_tokens"])),
    "lora conv1d": (gpt2, L(r=2, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True)),
    "dora conv1d": (gpt2, L(r=2, target_modules=["c_attn", "c_proj"], use_dora=True)),
    "lora of embeddings": (gpt2, L(r=2, target_modules=["wte", "wpe", "c_fc"])),
    "lora conv": (net, L(r=4, target_modules=[*CONVOLUTIONS, "table"])),
    "dora conv": (net, L(r=4, target_modules=[*CONVOLUTIONS, "table"], use_dora=True)),
    "lora with biases": (net, L(r=4, target_modules=CONVOLUTIONS, lora_bias=True, bias="lora_only")),
    "lora with all biases": (net, L(r=4, target_modules=["fc"], bias="all")),
    "lora and a saved batch norm": (net, L(r=4, target_modules=["conv"], modules_to_save=["norm", "fc"])),
    "lora and tokens": (llama, L(r=4, target_modules=["q_proj"], trainable_token_indices=[5, 1, 7])),
    "lora and tokens, tied": (
        lambda: llama(True),
        L(r=4, target_modules=["q_proj"], trainable_token_indices={"embed_tokens": [3, 2]}),
    ),
    "tokens": (llama, peft.TrainableTokensConfig(token_indices=[4, 69, 2])),
    "adalora": (llama, peft.AdaLoraConfig(init_r=6, target_r=4, total_step=10, target_modules=ATTENTION, lora_alpha=5)),
    "adalora conv1d": (gpt2, peft.AdaLoraConfig(init_r=2, total_step=9, target_modules=["c_attn"])),
    "adalora conv": (net, peft.AdaLoraConfig(init_r=4, total_step=9, target_modules=["conv", "fc"])),
    "loha": (llama, H(r=4, alpha=3, target_modules=ATTENTION, rank_pattern={"q_proj": 3})),
    "loha conv": (net, H(r=3, target_modules=CONVOLUTIONS)),
    "loha tucker": (net, H(r=3, target_modules=CONVOLUTIONS, use_effective_conv2d=True)),
    "lokr": (llama, K(r=4, alpha=3, target_modules=ATTENTION)),
    "lokr both": (llama, K(r=2, target_modules=ATTENTION, decompose_both=True, decompose_factor=4)),
    "lokr conv": (net, K(r=2, target_modules=CONVOLUTIONS)),
    "lokr tucker": (net, K(r=3, target_modules=["wide", "fc"], use_effective_conv2d=True)),
    "lokr whole": (net, K(r=9, target_modules=CONVOLUTIONS)),
    "oft": (llama, O(oft_block_size=4, target_modules=["q_proj", "down_proj"])),
    "oft shared, solved": (
        llama,
        O(oft_block_size=4, target_modules=["q_proj", "down_proj"], block_share=True, use_cayley_neumann=False),
    ),
    "oft constrained": (llama, O(oft_block_size=4, target_modules=["q_proj", "embed_tokens"], coft=True, eps=0.3)),
    "oft of more terms": (llama, O(oft_block_size=4, target_modules=["q_proj"], num_cayley_neumann_terms=7)),
    "oft of two terms": (llama, O(oft_block_size=4, target_modules=["q_proj"], num_cayley_neumann_terms=2)),
    "oft conv": (net, O(oft_block_size=3, target_modules=["conv", "fc"])),
    "boft": (llama, peft.BOFTConfig(boft_block_size=4, target_modules=["q_proj", "down_proj"])),
    "boft conv": (net, peft.BOFTConfig(boft_block_size=3, target_modules=["conv", "fc"])),
    "hra": (llama, peft.HRAConfig(r=4, target_modules=ATTENTION)),
    "hra orthogonal": (llama, peft.HRAConfig(r=3, apply_GS=True, target_modules=ATTENTION)),
    "hra conv": (net, peft.HRAConfig(r=2, target_modules=["conv", "point", "fc"])),
    "ia3": (llama, peft.IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"])),
    "ia3 conv1d": (gpt2, peft.IA3Config(target_modules=["c_attn", "mlp.c_proj"], feedforward_modules=["mlp.c_proj"])),
    "ia3 conv": (net, peft.IA3Config(target_modules=["conv", "point", "fc"], feedforward_modules=["conv"])),
    "vera": (llama, peft.VeraConfig(r=4, target_modules=ATTENTION)),
    "vera conv1d": (gpt2, peft.VeraConfig(r=3, target_modules=["c_attn"], fan_in_fan_out=True)),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_what_peft_merges(case, tmp_path):
    base, before, merged = saved(*CASES[case], tmp_path)
    adapted, delta = open_adapted(base, tmp_path), open_delta(base, tmp_path)
    assert list(adapted) == list(delta) == list(base)
    for name in before:
        got = adapted[name].read()
        assert got.shape == merged[name].shape
        assert got.dtype == merged[name].dtype
        torch.testing.assert_close(got, merged[name], rtol=TOLERANCE, atol=TOLERANCE)
        if delta[name].kind != "counter":
            change = merged[name] - before[name]
            torch.testing.assert_close(delta[name].read(), change, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("case", ["lora", "dora", "dora conv1d", "loha tucker", "lokr", "oft", "hra", "lora conv"])
def test_a_range_has_the_bits_of_the_whole(case, tmp_path, monkeypatch):
    """Whatever the range, and from any thread: what is computed lies on a fixed grid of rows."""
    monkeypatch.setattr(source, "BLOCK", 96)
    monkeypatch.setattr(source, "KEPT_BYTES", 2000)  # so that formulas are dropped and loaded again meanwhile
    base, _, _ = saved(*CASES[case], tmp_path)
    for checkpoint in (open_adapted(base, tmp_path), open_delta(base, tmp_path)):
        for ref in checkpoint.values():
            if ref.numel > 4000:
                continue
            whole = ref.read().reshape(-1)
            cuts = sorted({0, 1, ref.numel // 7, ref.numel // 3, ref.numel - 1, ref.numel} & set(range(ref.numel + 1)))
            pieces = list(pairwise(cuts))
            with ThreadPoolExecutor(4) as pool:
                found = list(pool.map(lambda piece: ref.read(*piece), pieces))
            assert torch.equal(torch.cat([piece.reshape(-1) for piece in found]), whole)


def test_adalora_of_the_ranks_it_chose(tmp_path):
    """Modules lose directions, some all of them; the scale stays that of the rank training began with."""
    masks = {f"model.layers.{i}.self_attn.{m}.lora_E": [j >= i + (5 * (m == "v_proj")) for j in range(6)]
             for i in range(2) for m in ("q_proj", "v_proj")}  # fmt: skip
    assert not any(masks["model.layers.1.self_attn.v_proj.lora_E"])
    config = peft.AdaLoraConfig(init_r=6, target_r=4, total_step=10, target_modules=["q_proj", "v_proj"], lora_alpha=5)
    config.rank_pattern = masks
    base, _, merged = saved(llama, config, tmp_path)
    for name, ref in open_adapted(base, tmp_path).items():
        torch.testing.assert_close(ref.read(), merged[name], rtol=TOLERANCE, atol=TOLERANCE)


def test_a_base_of_sixteen_bits_is_rounded_once(tmp_path):
    base, before, merged = saved(llama, L(r=4, target_modules=ATTENTION), tmp_path, torch.bfloat16)
    adapted, wide = open_adapted(base, tmp_path), open_adapted(base, tmp_path, dtype="float32")
    name = "model.layers.0.self_attn.q_proj.weight"
    assert adapted[name].dtype == "bfloat16"
    assert torch.equal(adapted[name].read(), wide[name].read().bfloat16())
    # peft rounds the change and the sum: two half steps of bfloat16.
    torch.testing.assert_close(adapted[name].read().float(), merged[name].float(), rtol=2**-7, atol=2**-10)
    assert adapted["lm_head.weight"].source is base["lm_head.weight"].source
    delta = open_delta(base, tmp_path)
    assert delta[name].dtype == "float32"
    torch.testing.assert_close(wide[name].read() - before[name].float(), delta[name].read(), rtol=0, atol=1e-7)


def test_ties_stay_ties(tmp_path):
    base, _, _ = saved(*CASES["lora of a tied embedding"], tmp_path)
    assert base.ties
    assert open_adapted(base, tmp_path).ties == open_delta(base, tmp_path).ties == base.ties


def test_an_adapter_in_torch_format_and_with_the_adapters_name_in_names(tmp_path):
    from safetensors.torch import load_file

    base, _, merged = saved(llama, L(r=4, target_modules=ATTENTION), tmp_path)
    state = load_file(tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_model.safetensors").unlink()
    renamed = {name.replace(".weight", ".mine.weight"): tensor for name, tensor in state.items()}
    torch.save(renamed, tmp_path / "adapter_model.bin")
    name = "model.layers.1.mlp.down_proj.weight"
    torch.testing.assert_close(open_adapted(base, tmp_path)[name].read(), merged[name], rtol=0, atol=TOLERANCE)


def test_the_prefix_of_the_class_is_found(tmp_path):
    """A checkpoint saved from the bare model lacks the prefix that the class with a head adds, and so its adapters."""
    _, before, merged = saved(gpt2, L(r=2, target_modules=["c_attn"], fan_in_fan_out=True), tmp_path)
    prefix = "transformer."
    bare = {name.removeprefix(prefix): tensor for name, tensor in before.items() if name.startswith(prefix)}
    adapted = open_adapted(MemoryCheckpoint.from_state_dict(bare, "base"), tmp_path)
    name = "h.0.attn.c_attn.weight"
    torch.testing.assert_close(adapted[name].read(), merged[prefix + name], rtol=0, atol=TOLERANCE)
    assert "without 'transformer.'" in " ".join(adapted.notes)


def test_the_content_hash_is_of_the_parts(tmp_path):
    first = saved(llama, L(r=4, target_modules=ATTENTION), tmp_path / "a")[0]
    second = MemoryCheckpoint.from_state_dict({n: r.read() for n, r in first.items()}, "elsewhere")

    def of(checkpoint):
        return fingerprint(checkpoint, context=QuietContext())

    delta = of(open_delta(first, tmp_path / "a"))
    assert delta == of(open_delta(second, tmp_path / "a"))
    adapted = of(open_adapted(first, tmp_path / "a"))
    assert adapted == of(open_adapted(second, tmp_path / "a")) != delta
    config = tmp_path / "a" / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 8', '"lora_alpha": 9'))
    assert of(open_delta(first, tmp_path / "a")) != delta
    assert of(open_adapted(first, tmp_path / "a")) != adapted

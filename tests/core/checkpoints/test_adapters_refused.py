"""Adapters that do not fit, or are not what they seem: a sentence that says why, never wrong numbers."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from solera.checkpoints.adapters.adapter import is_adapter, open_adapter
from solera.checkpoints.adapters.config import KINDS
from solera.checkpoints.adapters.kinds import FORMULAS
from solera.checkpoints.adapters.opening import open_adapted, open_delta
from solera.checkpoints.memory import MemoryCheckpoint
from solera.errors import ChangedError, CheckpointError, MismatchError, NotFoundError, UnsafeError

BASE = {
    "embed.weight": torch.randn(10, 6), "a.weight": torch.randn(8, 6), "a.bias": torch.randn(8),
    "head.weight": torch.randn(10, 6), "packed.in_proj_weight": torch.randn(12, 4),
}  # fmt: skip


def base(config=None, **changes):
    return MemoryCheckpoint.from_state_dict({**BASE, **changes}, "base", config)


def write(folder, tensors=None, **config):
    folder.mkdir(exist_ok=True)
    plain = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["a"], **config}
    (folder / "adapter_config.json").write_text(json.dumps(plain))
    if tensors is None:
        tensors = {"a.lora_A.weight": torch.randn(2, 6), "a.lora_B.weight": torch.randn(8, 2)}
    tensors = {f"base_model.model.{name}": tensor for name, tensor in tensors.items()}
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def test_the_plain_one_is_taken(tmp_path):
    folder = write(tmp_path / "lora")
    delta = open_delta(base(), folder)
    tensors = open_adapter(folder).modules["a"]
    assert torch.allclose(delta["a.weight"].read(), 2.0 * tensors["lora_B"].read() @ tensors["lora_A"].read())
    assert not delta["a.bias"].read().any()
    assert not delta.notes
    assert is_adapter(folder)
    assert not is_adapter(tmp_path)
    assert delta.name == "lora"
    assert set(KINDS) == set(FORMULAS)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"peft_type": "PROMPT_TUNING"}, "type 'PROMPT_TUNING'"),
        ({"peft_type": "posix.system"}, "type 'posix.system'"),
        ({"peft_type": None}, "type None"),
        ({"use_qalora": True}, "'use_qalora'"),
        ({"target_parameters": ["experts.up"]}, "'target_parameters'"),
        ({"layer_replication": [[0, 2], [1, 3]]}, "'layer_replication'"),
        ({"option_of_the_future": 3}, "'option_of_the_future'"),
        ({"init_lora_weights": "pissa_niter_4"}, "began as 'pissa_niter_4'"),
    ],
)
def test_what_is_not_read_is_named(tmp_path, config, says):
    with pytest.raises(CheckpointError, match=says):
        open_adapter(write(tmp_path / "lora", **config))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"r": 4}, "has rank 2; its config says 4"),
        ({"r": "many"}, "'r' should be a whole number"),
        ({"lora_alpha": None, "alpha_pattern": {"a": "x"}}, "'alpha_pattern' should be a mapping"),
        ({"alpha_pattern": {"(": 2}}, "regular expressions"),
        ({"use_dora": "yes"}, "true or false"),
        ({"use_dora": True}, "lacks 'lora_magnitude_vector'"),
    ],
)
def test_a_config_that_does_not_hold(tmp_path, config, says):
    with pytest.raises((CheckpointError, MismatchError), match=says):
        open_delta(base(), write(tmp_path / "lora", **config))


@pytest.mark.parametrize(
    ("tensors", "says"),
    [
        ({}, "holds no tensors"),
        ({"b.lora_A.weight": torch.ones(2, 6), "b.lora_B.weight": torch.ones(8, 2)}, "'b.weight'.*like 'embed.weight'"),
        ({"a.lora_A.weight": torch.ones(2, 6)}, "lacks 'lora_B'"),
        ({"a.lora_A.weight": torch.ones(2, 7), "a.lora_B.weight": torch.ones(8, 2)}, r"\[2, 7\].*\[2, 6\]"),
        ({"a.lora_A.weight": torch.ones(2, 6), "a.lora_B.weight": torch.ones(9, 2)}, r"\[9, 2\].*\[8, 2\]"),
        ({"a.lora_Q.weight": torch.ones(2, 6)}, "of a kind that Solera does not read"),
        ({"embed.token_adapter.trainable_tokens_delta": torch.ones(2, 6)}, "should list tokens from 0 to 9"),
        ({"embed.weight": torch.ones(12, 6)}, r"\[12, 6\].*vocabulary was resized"),
        ({"embed.weight": torch.ones(10, 6).int()}, "by int32"),
        ({"packed.lora_A.weight": torch.ones(2, 4), "packed.lora_B.weight": torch.ones(12, 2)}, "packed attention"),
    ],
)
def test_tensors_that_do_not_fit(tmp_path, tensors, says):
    with pytest.raises((CheckpointError, MismatchError), match=says):
        open_delta(base(), write(tmp_path / "lora", tensors))


@pytest.mark.parametrize("tokens", [[1], [1, 10], [1, "2"], {"other": [1, 2]}])
def test_trained_tokens_that_do_not_fit(tmp_path, tokens):
    rows = {"embed.token_adapter.trainable_tokens_delta": torch.ones(2, 6)}
    with pytest.raises(MismatchError, match=r"should list tokens|\[2, 6\]"):
        open_delta(base(), write(tmp_path / "lora", rows, trainable_token_indices=tokens))


def test_a_quantised_base_is_refused(tmp_path):
    with pytest.raises(MismatchError, match=r"int8.*unquantised"):
        open_delta(base(**{"a.weight": torch.ones(8, 6).to(torch.int8)}), write(tmp_path / "lora"))


def test_a_head_that_the_base_ties_away(tmp_path):
    tied = MemoryCheckpoint.from_state_dict({"embed.weight": torch.ones(10, 6)}, "b", {"tie_word_embeddings": True})
    with pytest.raises(MismatchError, match="ties its head"):
        open_delta(tied, write(tmp_path / "lora", {"lm_head.weight": torch.ones(10, 6)}))


def test_two_changes_of_one_tied_tensor(tmp_path):
    shared = torch.ones(10, 6)
    both = {"embed.weight": torch.ones(10, 6), "head.weight": torch.ones(10, 6)}
    with pytest.raises(MismatchError, match="one tied tensor"):
        open_delta(base(**{"embed.weight": shared, "head.weight": shared}), write(tmp_path / "lora", both))


@pytest.mark.parametrize("said", ["someone/base", "BASE", "/gone/away/base/", None, ""])
def test_the_base_it_says(tmp_path, said):
    assert not open_delta(base(), write(tmp_path / "lora", base_model_name_or_path=said)).notes


def test_another_base_is_warned_of(tmp_path, caplog):
    folder = write(tmp_path / "lora", base_model_name_or_path="someone/llama-7b")
    assert "trained on 'someone/llama-7b'" in open_delta(base(), folder).notes[0]
    assert "someone/llama-7b" in caplog.text
    assert not open_delta(base({"_name_or_path": "copy/llama-7b"}), folder).notes


def test_folders_that_are_none(tmp_path):
    with pytest.raises(NotFoundError, match="no adapter"):
        open_adapter(tmp_path / "nowhere")
    folder = write(tmp_path / "lora")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no weights"):
        open_adapter(folder)
    (folder / "adapter_config.json").write_text("[1]")
    with pytest.raises(CheckpointError, match="JSON object"):
        open_adapter(folder)
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "peft_type": "LOHA"}')
    with pytest.raises(CheckpointError, match="twice"):
        open_adapter(folder)


class Evil:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code ran')",))


def test_a_pickle_runs_nothing(tmp_path):
    folder = write(tmp_path / "lora")
    (folder / "adapter_model.safetensors").unlink()
    torch.save({"base_model.model.a.lora_A.weight": torch.ones(2, 6), "x": Evil()}, folder / "adapter_model.bin")
    try:
        adapter = open_adapter(folder)
    except UnsafeError:
        return
    with pytest.raises(MismatchError):
        open_adapted(base(), adapter)


def test_a_change_of_either_file_is_noticed(tmp_path):
    folder = write(tmp_path / "lora")
    save_file(BASE, tmp_path / "base.safetensors")
    from solera.checkpoints.opening import open_checkpoint

    on = open_checkpoint(tmp_path / "base.safetensors")
    delta = open_delta(on, folder)
    delta.verify()
    before = delta.identity()
    assert open_delta(on, folder).identity() == before
    write(folder, alpha_pattern={"a": 9})
    with pytest.raises(ChangedError):
        delta.verify()
    assert open_delta(on, folder).identity() != before
    fresh = open_delta(on, folder)
    save_file(BASE, tmp_path / "base.safetensors")
    with pytest.raises(ChangedError):
        fresh.verify()

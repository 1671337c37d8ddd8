"""Chat templates: what they write, which one is meant, and where it ends up."""

from __future__ import annotations

import json

import pytest
import torch
from jinja2.sandbox import ImmutableSandboxedEnvironment

from solera.checkpoints.chat_templates import NAMED, choose_template, is_template, template_of
from solera.checkpoints.opening import open_checkpoint
from solera.context import QuietContext
from solera.errors import CheckpointError, FaultsError
from solera.execution.plan import plan
from solera.execution.stream import execute
from solera.execution.writer import write_checkpoint
from solera.recipes.nodes import CheckpointNode, MethodNode, Recipe

SYSTEM, FIRST, ANSWER, SECOND = (
    {"role": role, "content": text}
    for role, text in (("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye"))
)
TALK = [SYSTEM, FIRST, ANSWER, SECOND]

WRITTEN = {
    "chatml": (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n"
    ),
    "llama3": (
        "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "mistral": "<s>[INST] Be brief.\n\nHi [/INST] Hello</s>[INST] Bye [/INST]",
    "alpaca": (
        "Be brief.\n\n### Instruction:\nHi\n\n### Response:\nHello</s>\n\n### Instruction:\nBye\n\n### Response:\n"
    ),
    "exaone": (
        "[|system|]Be brief.[|endofturn|]\n[|user|]Hi\n[|assistant|]Hello[|endofturn|]\n[|user|]Bye\n[|assistant|]"
    ),
}


def written(template, messages, *, answer=True):
    """As transformers renders it."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        messages=messages, add_generation_prompt=answer, bos_token="<s>", eos_token="</s>"
    )


def test_every_named_template_writes_its_format():
    assert {name: written(template, TALK) for name, template in NAMED.items()} == WRITTEN


@pytest.mark.parametrize("name", NAMED)
def test_without_a_prompt_for_an_answer_and_without_a_system_message(name):
    whole = written(NAMED[name], TALK, answer=False)
    assert WRITTEN[name].startswith(whole)
    plain = written(NAMED[name], [FIRST])
    assert "Be brief." not in plain
    assert "Hi" in plain
    if name == "exaone":
        assert plain.startswith("[|system|][|endofturn|]\n[|user|]")
    if name == "alpaca":
        assert plain.startswith("Below is an instruction that describes a task.")


def model(folder, *, template=None, apart=None, tokenizer=True, value=0.0):
    write_checkpoint({"w": torch.full((4, 4), value)}, folder, config={"architectures": ["Toy"]})
    if tokenizer:
        said = {"model_max_length": 8} | ({"chat_template": template} if template is not None else {})
        (folder / "tokenizer_config.json").write_text(json.dumps(said))
    if apart is not None:
        (folder / "chat_template.jinja").write_text(apart)
    return open_checkpoint(folder)


def test_where_a_template_is_found(tmp_path):
    assert template_of(model(tmp_path / "a", template="{{ a }}")) == "{{ a }}"
    assert template_of(model(tmp_path / "b", template="{{ a }}", apart="{{ b }}")) == "{{ b }}"
    several = [{"name": "rag", "template": "{{ r }}"}, {"name": "default", "template": "{{ d }}"}]
    assert template_of(model(tmp_path / "c", template=several)) == "{{ d }}"
    assert template_of(model(tmp_path / "d")) == ""
    assert template_of(model(tmp_path / "e", tokenizer=False)) == ""
    broken = model(tmp_path / "f")
    (tmp_path / "f" / "tokenizer_config.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"tokenizer_config\.json of f is no JSON object"):
        template_of(broken)


def test_auto_is_what_most_have_and_of_equally_many_the_first(tmp_path):
    a, b, c = (model(tmp_path / n, template=t) for n, t in (("a", "{{ x }}"), ("b", "{{ y }}"), ("c", " {{ y }}\n")))
    none = model(tmp_path / "d")
    assert choose_template("auto", [a, b, c, none]) == "{{ y }}"
    assert choose_template("auto", [none, a, b]) == "{{ x }}"
    assert choose_template("auto", [none]) == ""
    assert choose_template("chatml", [a]) == NAMED["chatml"]
    assert choose_template("{{ own }}", [a]) == "{{ own }}"
    assert [is_template(text) for text in ("auto", "mistral", "{{ x }}", "chat")] == [True, True, True, False]


@pytest.mark.parametrize("wanted", ["auto", "llama3", "{{ own }}"])
def test_it_is_written_to_the_tokenizers_config(wanted, tmp_path, methods):
    opened = {
        "a": model(tmp_path / "a", template="{{ x }}", apart="{{ x }}"),
        "b": model(tmp_path / "b", template="{{ y }}", value=1.0),
        "c": model(tmp_path / "c", template="{{ y }}", value=2.0),
    }
    nodes = [CheckpointNode(name, str(tmp_path / name)) for name in "abc"]
    recipe = Recipe((*nodes, MethodNode("o", "linear", ("a", "b", "c"))), "o", chat_template=wanted)
    out = execute(plan(recipe, opened, methods), tmp_path / "out", QuietContext())
    said = json.loads((out / "tokenizer_config.json").read_text())
    expected = {"auto": "{{ y }}", "llama3": NAMED["llama3"], "{{ own }}": "{{ own }}"}[wanted]
    assert said == {"model_max_length": 8, "chat_template": expected}
    assert not (out / "chat_template.jinja").exists()


def test_a_result_without_a_tokenizer_gets_none(tmp_path, methods):
    opened = {"a": model(tmp_path / "a", tokenizer=False)}
    recipe = Recipe((CheckpointNode("a", str(tmp_path / "a")),), "a", chat_template="chatml")
    out = execute(plan(recipe, opened, methods), tmp_path / "out", QuietContext())
    assert not (out / "tokenizer_config.json").exists()


def test_a_name_that_is_none_is_a_fault(tmp_path, methods):
    opened = {"a": model(tmp_path / "a")}
    recipe = Recipe((CheckpointNode("a", str(tmp_path / "a")),), "a", chat_template="chatlm")
    with pytest.raises(FaultsError, match="one of auto, alpaca, chatml, exaone, llama3, mistral; this is 'chatlm'"):
        plan(recipe, opened, methods)

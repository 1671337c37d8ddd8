import json
from typing import Any, cast

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

import solera
from solera.api import QuietContext, TaskError
from solera_plugins.language.choices import multiple_choice
from solera_plugins.language.generation import generation

SIZE = 300
COLOURS = ["red", "green", "blue"]
LINES = [
    {"question": f"Colour {i} is", "choices": COLOURS, "answer": COLOURS[i % 3], "document": f"page {i // 4}"}
    for i in range(40)
]


@pytest.fixture(scope="module")
def networks():
    found = []
    for seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            config = GPT2Config(
                vocab_size=SIZE, n_positions=64, n_embd=8, n_layer=1, n_head=1, initializer_range=0.5, use_cache=False
            )
            found.append(GPT2LMHeadModel(config).eval())
    return found


def written(tmp_path, lines, name="data.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return path


def score(task, network, split="report", **options):
    return task.prepare(split, device="cpu", **options)(network, QuietContext())


def slow(network, tokenizer, before, choice):
    """The log-likelihood of a text after another, whose tokens are cut where those of both together are."""
    whole, own = tokenizer.encode(before + choice).ids, tokenizer.encode(before).ids
    assert whole[: len(own)] == own
    with torch.no_grad():
        rows = network(torch.tensor([whole])).logits[0].double().log_softmax(1)
    return sum(float(rows[i - 1, whole[i]]) for i in range(len(own), len(whole)))


@pytest.mark.parametrize("normalise", ["sum", "tokens", "bytes"])
def test_questions_of_a_file_are_answered_by_likelihood(tmp_path, letters, networks, normalise):
    task = multiple_choice("quiz", data=written(tmp_path, LINES), tokenizer=letters, normalise=normalise)
    right, _ = score(task, networks[0])
    tokenizer = Tokenizer.from_file(str(letters))
    found = {}
    for i, line in enumerate(LINES):
        sums = [slow(networks[0], tokenizer, line["question"], f" {choice}") for choice in line["choices"]]
        sizes = {
            "sum": [1, 1, 1],
            "tokens": [len(tokenizer.encode(f" {choice}").ids) for choice in COLOURS],
            "bytes": [len(choice) for choice in COLOURS],
        }[normalise]
        found[i] = float(np.argmax(np.array(sums) / sizes) == i % 3)
    parts = [score(task, networks[0], split)[0] for split in ("train", "selection", "report")]
    assert sum(part.samples.sum() for part in parts) == sum(found.values())
    assert [part.count for part in parts] == [24, 8, 8]  # of ten pages 6, 2, 2, each as a whole
    assert len(set(right.groups.tolist())) == 2


def test_a_token_over_the_border_belongs_to_the_choice(tmp_path, letters, networks):
    # "... r" + "ed" would be one token " red"; the context may not keep half of it.
    lines = [{"context": "It is r", "choices": ["ed", "un"], "answer": 0, "split": "report"}]
    task = multiple_choice("quiz", data=written(tmp_path, lines), tokenizer=letters, delimiter="")
    batch = cast("Any", task._read("report"))
    starts, ends = batch.choices.starts.tolist(), batch.choices.ends.tolist()
    assert (starts, [e - s for s, e in zip(starts, ends, strict=True)]) == ([5, 5], [1, 3])
    trailing = [{"context": "It is ", "choices": ["red", "run"], "answer": 0, "split": "report"}]
    task = multiple_choice("quiz", data=written(tmp_path, trailing), tokenizer=letters, delimiter="")
    batch = cast("Any", task._read("report"))
    assert batch.choices.starts.tolist() == [5, 5]  # the space goes with the choice


def test_templates_and_special_tokens(tmp_path, letters, networks):
    lines = [{"a": "One", "b": 2, "choices": ["x", "y"], "answer": 1, "split": "report"}]
    task = multiple_choice("quiz", data=written(tmp_path, lines), tokenizer=letters, template="<s>{a}-{b}:", longest=4)
    tokenizer = Tokenizer.from_file(str(letters))
    batch = cast("Any", task._read("report"))
    want = tokenizer.encode("<s>One-2: x").ids
    assert want[0] == tokenizer.token_to_id("<s>")
    assert batch.choices.tokens[0].tolist() == want[-6:]  # four of the context, and the space and the letter
    with pytest.raises(TaskError, match=r"line 1 of .* has no 'c', which the template names"):
        multiple_choice("quiz", data=written(tmp_path, lines), tokenizer=letters, template="{c}").columns("report")


def test_texts_of_a_file_are_gone_on_with(tmp_path, letters, networks):
    tokenizer = Tokenizer.from_file(str(letters))
    prompts = [f"Prompt {i}:" for i in range(12)]
    lines, want = [], []
    for i, prompt in enumerate(prompts):
        ids = torch.tensor([tokenizer.encode(prompt).ids])
        out = networks[0].generate(ids, do_sample=False, max_new_tokens=6, attention_mask=torch.ones_like(ids))
        text = tokenizer.decode(out[0, ids.shape[1] :].tolist())
        answer = [text.upper()] if i % 3 == 0 else ["no", text] if i % 3 == 1 else ["no"]
        lines.append({"prompt": prompt, "answers": answer, "split": "report"})
        want.append(float(i % 3 < 2))
    options = {"data": written(tmp_path, lines), "tokenizer": letters, "most": 6, "stop": "|", "case": True}
    (found,) = score(generation("write", **options), networks[0])
    assert found.samples.tolist() == want
    assert found.value == pytest.approx(8 / 12)
    ended = generation("write", **{**options, "end": "</s> <s>"})
    assert score(ended, networks[0])[0].count == 12
    with pytest.raises(TaskError, match="no token '<end>'"):
        generation("write", **{**options, "end": "<end>"}).columns("report")


BAD = [
    ({"question": "q", "choices": ["a"], "answer": 0}, "needs 'choices'"),
    ({"question": "q", "choices": ["a", ""], "answer": 0}, "needs 'choices'"),
    ({"question": "q", "choices": ["a", "b"], "answer": 2}, "has the answer 2"),
    ({"question": "q", "choices": ["a", "b"], "answer": "c"}, "has the answer 'c'"),
    ({"question": "q", "choices": ["a", "a"], "answer": "a"}, "has the answer 'a'"),
    ({"question": "q", "choices": ["a", "b"]}, "has the answer None"),
    ({"choices": ["a", "b"], "answer": 0}, "has no 'context' or 'question'"),
    ({"question": "", "choices": ["a", "b"], "answer": 0}, "without a token"),
    ({"question": "q", "choices": ["a", "b"], "answer": 0, "split": "exam"}, "is in the split 'exam'"),
    ({"question": "q", "choices": ["a", "b"], "answer": 0, "document": []}, "neither a text nor a number"),
    ("nonsense", "is no JSON"),
    ("[1]", "is no JSON object"),
]


@pytest.mark.parametrize(("line", "said"), BAD)
def test_a_bad_line_is_named(tmp_path, letters, line, said):
    good = {"question": "q", "choices": ["a", "b"], "answer": 0, "split": "report", "document": 1}
    bad = line if isinstance(line, str) else {"split": "report", **line}
    path = written(tmp_path, [good, "", bad])
    with pytest.raises(TaskError, match=f"Task 'quiz': line 3 of .*{said}"):
        multiple_choice("quiz", data=path, tokenizer=letters).columns("report")


def test_a_bad_prompt_is_named(tmp_path, letters):
    for line, said in (
        ({"prompt": "p"}, "needs an 'answer'"),
        ({"prompt": "p", "answers": []}, "needs an 'answer'"),
        ({"prompt": "p", "answer": 3}, "needs an 'answer'"),
        ({"prompt": "", "answer": "a"}, "without a token"),
        ({"answer": "a"}, "has no 'prompt' or 'context' or 'question'"),
    ):
        path = written(tmp_path, [{"split": "report", **line}])
        with pytest.raises(TaskError, match=f"line 1 of .*{said}"):
            generation("write", data=path, tokenizer=letters).columns("report")


def test_a_landscape_of_language_models_is_explored_on_both(tmp_path, letters, networks):
    lines = [{"prompt": f"Prompt {i}", "answer": "red"} for i in range(20)]
    options = {"data": str(written(tmp_path, lines, "prompts.jsonl")), "tokenizer": str(letters), "most": 2}
    tasks = [
        solera.task("multiple_choice", "quiz", data=str(written(tmp_path, LINES)), tokenizer=str(letters)),
        solera.task("generation", "write", **options),
    ]
    a, b = (solera.open(network) for network in networks)
    run = solera.explore(solera.line(a, b), tasks, "grid", out=tmp_path / "runs", points=3, keep_samples=True)
    points = run.points()
    assert [column["metric"] for column in run.header.columns] == ["accuracy", "cross_entropy", "exact_match"]
    want = score(tasks[0], networks[0], "selection")[1]
    ends = points.values[points.coords[:, 0] == 0]
    assert ends[0, 1] == pytest.approx(want.value, rel=1e-5)
    assert np.isfinite(points.values).all()

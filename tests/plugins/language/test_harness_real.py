"""The kind ``harness`` beside lm-evaluation-harness's own way to score the same model, where that is installed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from solera.api import QuietContext
from solera_plugins.language.harness import harness

pytest.importorskip("lm_eval")
pytestmark = pytest.mark.heavy

DOCS = [
    {"q": f"Colour {i} is", "choices": ["red", "green", "blue"], "a": i % 3, "text": f"Text {i} has some words." * 5}
    for i in range(40)
]
TASKS = {
    "tiny_quiz": (
        "output_type: multiple_choice\ndoc_to_text: '{{q}}'\ndoc_to_choice: choices\ndoc_to_target: a\n"
        "num_fewshot: 1\nmetric_list:\n  - metric: acc\n  - metric: acc_norm\n"
    ),
    "tiny_roll": (
        "output_type: loglikelihood_rolling\ndoc_to_text: ''\ndoc_to_target: '{{text}}'\n"
        "metric_list:\n  - metric: word_perplexity\n  - metric: bits_per_byte\n"
    ),
    "tiny_gen": (
        "output_type: generate_until\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{choices[a]}}'\n"
        "generation_kwargs:\n  until: ['e', '.']\n  max_gen_toks: 6\n  do_sample: false\n"
        "metric_list:\n  - metric: exact_match\n    aggregation: mean\n    higher_is_better: true\n"
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    for name in ("HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "1")
    data = tmp_path / "docs.jsonl"
    data.write_text("\n".join(map(json.dumps, DOCS)))
    files = f"dataset_path: json\ndataset_kwargs: {{data_files: {{test: {data}, train: {data}}}}}\n"
    where = f"{files}test_split: test\ntraining_split: train\n"
    for name, text in TASKS.items():
        (tmp_path / f"{name}.yaml").write_text(f"task: {name}\n{where}{text}")
    return tmp_path


@pytest.mark.parametrize(
    ("task", "metrics"),
    [
        ("tiny_quiz", "acc, acc_norm"),
        ("tiny_roll", "word_perplexity, bits_per_byte=score"),
        ("tiny_gen", "exact_match"),
    ],
)
def test_scores_are_those_of_the_harness_itself(folder: Path, letters: Path, task: str, metrics: str) -> None:
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=300, n_positions=96, n_embd=8, n_layer=1, n_head=1, initializer_range=0.5,
                        bos_token_id=259, eos_token_id=260, use_cache=False)  # fmt: skip
    model = GPT2LMHeadModel(config).eval()
    ours = harness("mine", benchmark=task, tokenizer=letters, metrics=metrics, folder=folder, first="<s>", end="</s>",
                   report="all")  # fmt: skip
    evaluator = ours.prepare("report", device="cpu")
    found = evaluator(model, QuietContext())
    fast = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_file(str(letters)), bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    lm = HFLM(pretrained=model, tokenizer=fast, batch_size=4, max_length=96)
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    want = lm_eval.simple_evaluate(lm, tasks=[task], task_manager=manager, bootstrap_iters=0)
    for score, theirs in zip(found, (name.split("=")[0].strip() for name in metrics.split(",")), strict=True):
        assert score.value == pytest.approx(want["results"][task][f"{theirs},none"], rel=1e-5)
        if score.samples is not None:
            samples = sorted(want["samples"][task], key=lambda each: each["doc_id"])
            assert score.samples.tolist() == [each[theirs] for each in samples]
    if ours.yields == "samples":
        rows = np.array([31, 2, 17, 9])
        part = evaluator.part(rows)(model, QuietContext())  # type: ignore[attr-defined]
        np.testing.assert_array_equal(part[0].samples, found[0].samples[rows])  # type: ignore[index]

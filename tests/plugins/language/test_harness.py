"""Our side of lm-evaluation-harness, on a small module of the same names; test_harness_real.py has the real one."""

import math
import sys
import types
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from solera.api import InputError, QuietContext, TaskError
from solera_plugins.language import harness_task
from solera_plugins.language.harness import harness
from solera_plugins.language.harness_model import windows

DOCS: list[dict[str, Any]] = [
    {"q": f"Colour {i} is", "choices": ["red", "green", "blue"], "a": i % 3} for i in range(20)
]


@dataclass
class Instance:
    request_type: str
    doc: dict
    args: tuple
    doc_id: int
    idx: int = 0
    repeats: int = 1
    resps: list = field(default_factory=list)
    filtered_resps: dict = field(default_factory=dict)


class FakeTask:
    """What the harness's own tasks have, of which we use no more."""

    def __init__(self, kind):
        self.kind, self.config, self.eval_docs = kind, {}, DOCS
        self.instances: list[Instance] = []

    def get_config(self, key):
        return self.config.get(key)

    def set_config(self, key, value):
        self.config[key] = value

    def set_fewshot_seed(self, seed):
        self.config["seed"] = seed

    def build_all_requests(self, *, samples, rank, world_size):
        self.instances = []
        chosen = [doc for i, doc in enumerate(DOCS) if i in samples]
        for place, doc in enumerate(chosen):
            if self.kind == "quiz":
                self.instances += [
                    Instance("loglikelihood", doc, (doc["q"], f" {c}"), place, i) for i, c in enumerate(doc["choices"])
                ]
            elif self.kind == "gen":
                options = {"until": ["e"], "max_gen_toks": 4 + place % 2}
                self.instances.append(Instance("generate_until", doc, (doc["q"], options), place))
            elif self.kind == "chance":
                options = {"do_sample": True, "temperature": 1.0}
                self.instances.append(Instance("generate_until", doc, (doc["q"], options), place))
            else:
                self.instances.append(Instance("loglikelihood_rolling", doc, (doc["q"],), place))

    def apply_filters(self):
        for instance in self.instances:
            instance.filtered_resps = {"none": instance.resps[0]}

    def process_results(self, doc, results):
        if self.kind == "quiz":
            sums = [value for value, _ in results]
            return {"acc": float(int(np.argmax(sums)) == doc["a"]), "f1": (doc["a"], int(np.argmax(sums)))}
        if self.kind == "roll":
            return {"word_perplexity": (results[0], len(doc["q"].split()))}
        return {"exact_match": float(results[0] == "red"), "length": len(results[0])}

    def aggregation(self):
        def weighted(pairs):
            return math.exp(-sum(a for a, _ in pairs) / sum(b for _, b in pairs))

        return {"acc": np.mean, "exact_match": np.mean, "length": max, "word_perplexity": weighted,
                "f1": lambda pairs: sum(a == b for a, b in pairs) / len(pairs)}  # fmt: skip


class Manager:
    all_tasks = ["quiz", "quiz_two", "gen", "roll", "chance", "both", "gone"]

    def __init__(self, include_path=None, include_defaults=True):
        pass

    def load(self, names):
        if names == ["gone"]:
            raise ConnectionError("the hub is out of reach")
        leaves = ["quiz", "quiz_two"] if names == ["both"] else names
        return {"tasks": {name: FakeTask(name.removesuffix("_two")) for name in leaves}, "groups": {}}


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    package, tasks = types.ModuleType("lm_eval"), types.ModuleType("lm_eval.tasks")
    tasks.TaskManager = Manager  # type: ignore[attr-defined]
    package.tasks = tasks  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lm_eval", package)
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", tasks)
    harness_task._manager.cache_clear()
    yield
    harness_task._manager.cache_clear()


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = GPT2Config(
            vocab_size=300, n_positions=64, n_embd=8, n_layer=1, n_head=1, initializer_range=0.5, use_cache=False
        )
        return GPT2LMHeadModel(config).eval()


@pytest.fixture
def made(letters):
    return lambda task, **options: harness("mine", benchmark=task, tokenizer=letters, **options)


def score(task, network, split="report", **options):
    return task.prepare(split, device="cpu", **options)(network, QuietContext())


def likely(network, tokens, start):
    with torch.no_grad():
        rows = network(torch.tensor([tokens])).logits[0].double().log_softmax(1)
    return sum(float(rows[i - 1, tokens[i]]) for i in range(start, len(tokens)))


def test_documents_are_shared_out_and_their_own_scores_kept(made, network, letters):
    tokenizer, task = Tokenizer.from_file(str(letters)), made("quiz")
    assert [task.columns(split)[0].count for split in ("train", "selection", "report")] == [12, 3, 5]
    (whole,) = score(made("quiz", report="all"), network)
    for i, doc in enumerate(DOCS):
        sums = []
        for choice in doc["choices"]:
            tokens = tokenizer.encode(f"{doc['q']} {choice}").ids
            sums.append(likely(network, tokens, len(tokenizer.encode(doc["q"]).ids)))
        assert whole.samples[i] == float(int(np.argmax(sums)) == doc["a"])
    assert (whole.count, whole.column.metric, task.yields) == (20, "accuracy", "samples")
    rows = [3, 0, 4]
    part = task.prepare("report", device="cpu").part(np.array(rows))(network, QuietContext())
    np.testing.assert_array_equal(part[0].samples, score(task, network)[0].samples[rows])
    assert score(task, network, limit=2)[0].count == 2


def test_of_a_group_the_mean_is_over_all_documents(made, network):
    task = made("both", report="all")
    (found,) = score(task, network)
    (one,) = score(made("quiz", report="all"), network)
    assert found.samples.tolist() == one.samples.tolist() * 2
    rows = np.array([30, 2, 25, 1])
    part = task.prepare("report", device="cpu").part(rows)(network, QuietContext())
    np.testing.assert_array_equal(part[0].samples, found.samples[rows])


def test_what_is_no_mean_over_documents_is_an_aggregate(made, network, letters):
    tokenizer = Tokenizer.from_file(str(letters))
    task = made("roll", metrics="word_perplexity", report="all", first="<s>", longest=7)
    (found,) = score(task, network)
    total, first = 0.0, int(tokenizer.token_to_id("<s>") or 0)
    for doc in DOCS:
        for before, after in windows(tokenizer.encode(doc["q"]).ids, first, 7):
            total += likely(network, [*before, *after], len(before))
    assert found.value == pytest.approx(math.exp(-total / 60), rel=1e-3)
    assert (found.samples, found.column.metric, task.yields) == (None, "penalty", "aggregate")
    assert math.isnan(found.stderr)
    assert score(made("gen", metrics="length=score"), network)[0].samples is None  # the largest, not the mean
    assert score(made("quiz", metrics="f1, acc"), network)[0].value == score(made("quiz"), network)[0].value
    with pytest.raises(TaskError, match="f1 is no mean over documents, so a group of tasks has none"):
        score(made("both", metrics="f1"), network)


def test_written_texts_end_where_the_harness_says(made, network, letters):
    tokenizer = Tokenizer.from_file(str(letters))
    evaluator = made("gen", metrics="exact_match", report="all").prepare("report", device="cpu")
    evaluator(network, QuietContext())
    for i, instance in enumerate(evaluator._tasks["gen"].instances):
        ids = torch.tensor([tokenizer.encode(DOCS[i]["q"]).ids])
        out = network.generate(ids, do_sample=False, max_new_tokens=4 + i % 2, attention_mask=torch.ones_like(ids))
        assert instance.resps[0] == tokenizer.decode(out[0, ids.shape[1] :].tolist()).split("e")[0]


def test_a_document_without_a_number_is_lost(made, network):
    class Lost(nn.Module):
        def forward(self, inputs):
            return network(inputs).logits * torch.nan

    (found,) = score(made("quiz"), Lost())
    assert np.isnan(np.asarray(found.samples)).all()
    (found,) = score(made("gen", metrics="exact_match"), Lost())
    assert math.isnan(found.value)


@pytest.mark.parametrize("longest", [1, 3, 4, 50])
@pytest.mark.parametrize("length", [0, 1, 4, 9])
def test_windows_predict_every_token_once_and_fit(length, longest):
    tokens = list(range(1, length + 1))
    found: list[Any] = list(windows(tokens, 0, longest))
    assert [token for _, after in found for token in after] == tokens
    for before, after in found:
        assert len(before) >= 1
        assert len(before) + len(after) - 1 <= longest
        joined = [*before, *after]
        assert joined == list(range(joined[0], joined[0] + len(joined)))


def test_what_the_harness_cannot_do_is_a_sentence(made, network, monkeypatch, tmp_path):
    with pytest.raises(TaskError, match="has no task 'qui'; it has quiz, quiz_two"):
        made("qui").columns("report")
    with pytest.raises(TaskError, match="nor one whose name"):
        made("chess").columns("report")
    with pytest.raises(TaskError, match="'gone' of lm-evaluation-harness failed: ConnectionError: the hub"):
        made("gone").columns("report")
    with pytest.raises(TaskError, match="does not measure exact_match; it measures acc, f1"):
        score(made("quiz", metrics="exact_match"), network)
    with pytest.raises(TaskError, match="draws texts at random"):
        score(made("chance", metrics="exact_match"), network)
    with pytest.raises(TaskError, match="name the token that begins a text"):
        score(made("roll", metrics="word_perplexity"), network)
    with pytest.raises(TaskError, match="no folder"):
        made("quiz", folder=tmp_path / "none").columns("report")
    with pytest.raises(InputError, match="rouge1=score"):
        made("quiz", metrics="rouge1")
    with pytest.raises(InputError, match="is none of"):
        made("quiz", metrics="rouge1=speed")
    with pytest.raises(InputError, match="is there twice"):
        made("quiz", metrics="acc_norm, acc_bytes")
    with pytest.raises(TaskError, match="measures nothing"):
        made("quiz", metrics=" ")
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", None)
    with pytest.raises(TaskError, match=r"pip install 'solera\[lm-eval\]'"):
        made("quiz").columns("report")

"""One network over several devices, from the experiment to the run; the CPU stands in for two of them."""

import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from solera.errors import InputError, SoleraError
from solera.projects.project import Project
from solera.runs.reader import RunReader
from solera.settings import Settings
from solera.workbench import Workbench
from solera.workbench.outcome import result_of

transformers = pytest.importorskip("transformers")

WORDS = [f"w{i}" for i in range(12)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project with two tiny language models, their tokenizer and a text."""
    found = tmp_path_factory.mktemp("together")
    for seed, name in enumerate("ab"):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            config = transformers.LlamaConfig(
                vocab_size=12, hidden_size=8, intermediate_size=8, num_hidden_layers=3, num_attention_heads=2,
                num_key_value_heads=1, max_position_embeddings=32, initializer_range=0.3,
            )  # fmt: skip
            transformers.LlamaForCausalLM(config).save_pretrained(found / name)
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(found / "tokenizer.json"))
    rng = np.random.default_rng(0)
    texts = [{"text": " ".join(rng.choice(WORDS, 20)), "split": split} for split in ("selection", "report") * 3]
    (found / "texts.jsonl").write_text("\n".join(map(json.dumps, texts)))
    (found / "solera.toml").write_text(
        'solera = 1\nname = "together"\n[tasks.text]\ntask = "language"\ndata = "texts.jsonl"\n'
        'tokenizer = "tokenizer.json"\nwindow = 8\n'
    )
    return found


@pytest.fixture
def bench(folder):
    with Project.open(folder) as project, Workbench(project, settings=Settings(device="cpu", threads=1)) as made:
        yield made


def values(bench, **more):
    plain = {
        "solera": 1, "kind": "explore", "family": {"line": ["a", "b"]}, "tasks": ["text"],
        "explorer": {"name": "grid", "params": {"points": 3}}, "report": "", **more,
    }  # fmt: skip
    job = bench.submit(plain, fresh=True)
    bench.jobs.wait(job.id, 60)
    return RunReader(result_of(job)["path"])


def test_points_score_the_same_on_one_device_and_on_several(bench):
    one, two = values(bench, device="cpu"), values(bench, device="cpu+cpu+cpu")
    np.testing.assert_array_equal(one.points().values, two.points().values)
    assert len(set(two.points().values[:, 0])) == 3
    assert two.header.provenance["device"] == "cpu+cpu+cpu"
    assert two.header.provenance["evaluator"]["path"] == "plain"


def test_stacks_and_single_models_too(bench):
    stacks = {"family": {"stack": ["a", "b"]}, "explorer": {"name": "evolution"}, "budget": 12}
    one, two = values(bench, **stacks), values(bench, **stacks, device="cpu+cpu")
    np.testing.assert_array_equal(one.points().values, two.points().values)
    scored = []
    for device in ("cpu", "cpu+cpu"):
        job = bench.submit_evaluate("a", ["text"], device=device)
        bench.jobs.wait(job.id, 60)
        scored.append(RunReader(result_of(job)["path"]).points().values.tolist())
    assert scored[0] == scored[1]


def test_what_needs_one_device_says_so(bench, folder):
    with pytest.raises(InputError, match=r"several devices \(cuda:0\+cuda:7\) needs each of them here"):
        bench.submit_evaluate("a", ["text"], device="cuda:0+cuda:7")
    with pytest.raises(InputError, match="name one here"):
        bench.submit_statistic(bench.recipe("a"), device="cpu+cpu")
    with pytest.raises(SoleraError, match="BatchNorm statistics are measured on one device"):
        values(bench, device="cpu+cpu", batchnorm="recalibrated")
    learned = {"name": "learned_soup", "params": {}}
    with pytest.raises(SoleraError, match="the network lies on several devices; name one"):
        values(bench, device="cpu+cpu", explorer=learned, family={"shares": ["a", "b"]})


def test_a_setting_holds_for_what_can_be_spread(folder):
    settings = Settings(device="cpu+cpu", threads=1)
    with Project.open(folder) as project, Workbench(project, settings=settings) as bench:
        assert values(bench).header.experiment["device"] == "cpu+cpu"
        assert bench.lanes() == ("cpu",)

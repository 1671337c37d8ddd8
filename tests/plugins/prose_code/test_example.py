import json

import pytest
import torch

from solera.api import QuietContext, Seed
from solera.checkpoints.opening import open_checkpoint
from solera.errors import Cancelled, TaskError
from solera.extend.registry import Registry
from solera.models.architecture import build_network
from solera.recipes.yaml import load_recipe
from solera_plugins.prose_code.example import ProseCodeExample
from solera_plugins.prose_code.numbers import Training
from solera_plugins.prose_code.tasks import prose_code
from solera_plugins.prose_code.tokens import learn
from solera_plugins.prose_code.training import train_base, train_expert

TINY = Training(
    hidden=16, layers=1, heads=2, vocabulary=300, window=16, base_steps=20, expert_steps=15, batch=4, base_share=0.1
)
MODELS = ("base", "prose", "code")


class Steps(QuietContext):
    """Remembers progress; stops after a number of checks."""

    def __init__(self, stop=None):
        super().__init__()
        self.told, self.checks, self.stop = [], 0, stop

    def check(self):
        self.checks += 1
        if self.stop is not None and self.checks > self.stop:
            raise Cancelled("stop")

    def progress(self, done, total, unit="", text=""):
        self.told.append((done, total, text))


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    folder, context = tmp_path_factory.mktemp("text"), Steps()
    made = ProseCodeExample(TINY).make(folder, context)
    return folder, made, context


def test_what_it_says_it_made_is_there(example):
    folder, made, context = example
    for part in ("checkpoints", "recipes", "experiments"):
        assert made[part]
        assert all((folder / path).exists() for path in made[part])
    assert (folder / made["tasks"]["prose"]["tokenizer"]).is_file()
    assert context.told[-1] == (50, 50, "training code")


def test_checkpoints_are_ordinary_hugging_face_folders(example):
    """transformers itself reads them, ties included."""
    from transformers import AutoTokenizer, LlamaForCausalLM

    folder, _, _ = example
    place = folder / "checkpoints" / "text-prose"
    model = LlamaForCausalLM.from_pretrained(place)
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    with open_checkpoint(place) as checkpoint:
        ours = checkpoint["model.norm.weight"].read()
    assert torch.equal(model.model.norm.weight.detach(), ours)
    tokenizer = AutoTokenizer.from_pretrained(place)
    assert tokenizer.decode(tokenizer("def f(x):")["input_ids"]) == "def f(x):"


def test_scores_come_out_of_the_written_checkpoints(example, registry):
    folder, made, _ = example
    scores = {}
    for model in MODELS:
        with open_checkpoint(folder / "checkpoints" / f"text-{model}") as checkpoint:
            network = build_network(checkpoint, registry.architectures)
        for name, params in made["tasks"].items():
            path = folder / params["tokenizer"]
            task = prose_code(name, text=params["text"], tokenizer=path, window=16, windows=60)
            loss, perplexity = task.prepare("report", device="cpu")(network, QuietContext())
            scores[model, name] = loss.value
            assert loss.count == 60
            assert 0 < loss.stderr < 1
            assert perplexity.value > 1
    # Even twenty steps teach something, and experts know their own kind better than the base does.
    assert scores["prose", "prose"] < scores["base", "prose"] < 5.71  # log(300), knowing nothing
    assert scores["code", "code"] < scores["base", "code"]


def test_the_second_time_nothing_is_written(example):
    folder, made, _ = example
    files = [path for path in folder.rglob("*") if path.is_file()]
    before, context = [path.stat().st_mtime_ns for path in files], Steps()
    assert ProseCodeExample(TINY).make(folder, context) == made
    assert [path.stat().st_mtime_ns for path in files] == before
    assert context.told == []


def test_recipes_and_experiments_have_no_faults(example, registry):
    from solera.workbench.experiment import load_experiment

    folder, made, _ = example
    for path in made["recipes"]:
        recipe = load_recipe(folder / path, registry.methods)
        assert all((folder / "recipes" / node.source).exists() for node in recipe.checkpoints)
    for path in made["experiments"]:
        experiment = load_experiment(folder / path)
        assert set(experiment.tasks) <= set(made["tasks"])


def test_an_interrupted_example_goes_on_where_it_was(example, tmp_path):
    whole, _, _ = example
    with pytest.raises(Cancelled):
        ProseCodeExample(TINY).make(tmp_path, Steps(stop=25))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["text-base"]
    context = Steps()
    ProseCodeExample(TINY).make(tmp_path, context)
    assert context.told[-1] == (30, 30, "training code")
    for model in MODELS:
        file = f"checkpoints/text-{model}/model.safetensors"
        assert (tmp_path / file).read_bytes() == (whole / file).read_bytes()


def test_another_seed_replaces_the_checkpoints(tmp_path):
    ProseCodeExample(TINY).make(tmp_path, QuietContext())
    file = tmp_path / "checkpoints" / "text-base" / "model.safetensors"
    before = file.read_bytes()
    ProseCodeExample(TINY, seed=1).make(tmp_path, QuietContext())
    assert file.read_bytes() != before
    assert json.loads(file.with_name("training.json").read_text())["seed"] == 1


def test_global_random_state_is_not_touched():
    tokenizer = learn(TINY.vocabulary)
    before = torch.get_rng_state()
    base = train_base(TINY, tokenizer, Seed(0), QuietContext(), lambda step: None)
    train_expert("prose", base, TINY, tokenizer, Seed(0), QuietContext(), lambda step: None)
    assert torch.equal(before, torch.get_rng_state())


def test_a_task_without_its_tokenizer_is_a_sentence(tmp_path):
    task = prose_code("prose", text="prose", tokenizer=tmp_path / "tokenizer.json")
    with pytest.raises(TaskError, match="make them first"):
        task.columns("report")

import json

import pytest

from solera.api import QuietContext
from solera.checkpoints.opening import open_checkpoint
from solera.errors import Cancelled, OutputError
from solera.extend.registry import Registry
from solera.models.architecture import build_network
from solera.recipes.yaml import load_recipe
from solera_plugins.digits.example import DigitsExample
from solera_plugins.digits.tasks import digits
from solera_plugins.digits.training import EXPERTS, Training

TINY = Training(width=8, base_epochs=1, expert_epochs=1)


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shipped")
    return folder, DigitsExample().make(folder, QuietContext())


def times(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


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


def test_what_it_says_it_made_is_there(shipped):
    folder, made = shipped
    for part in ("checkpoints", "recipes", "experiments"):
        assert made[part]
        assert all((folder / path).exists() for path in made[part])
    assert {entry["task"] for entry in made["tasks"].values()} == {"digits"}


def test_the_second_time_nothing_is_written(shipped):
    folder, made = shipped
    before, context = times(folder), Steps()
    assert DigitsExample().make(folder, context) == made
    assert times(folder) == before
    assert context.checks == 0


def test_what_a_person_changed_stays(tmp_path):
    DigitsExample().make(tmp_path, QuietContext())
    recipe = tmp_path / "recipes" / "digits-average.yaml"
    recipe.write_text("mine")
    DigitsExample().make(tmp_path, QuietContext())
    assert recipe.read_text() == "mine"


def test_recipes_have_no_faults(shipped, registry):
    folder, made = shipped
    for path in made["recipes"]:
        recipe = load_recipe(folder / path, registry.methods)
        assert all((folder / "recipes" / node.source).exists() for node in recipe.checkpoints)


def test_experiments_have_no_faults(shipped, registry):
    from solera.workbench.experiment import load_experiment

    folder, made = shipped
    for path in made["experiments"]:
        experiment = load_experiment(folder / path)
        assert set(experiment.tasks) <= set(made["tasks"])
        assert experiment.explorer_name in registry.explorers


def accuracy(folder, model, task, registry):
    with open_checkpoint(folder / "checkpoints" / f"digits-{model}") as checkpoint:
        network = build_network(checkpoint, registry.architectures)
    evaluator = digits(task, transform=EXPERTS.get(task, "none")).prepare("report", device="cpu")
    return evaluator(network, QuietContext())[1].value


def test_the_shipped_models_are_what_they_are_called(shipped, registry):
    folder, _ = shipped
    assert accuracy(folder, "base", "upright", registry) > 0.97
    for name in EXPERTS:
        own = accuracy(folder, name, name, registry)
        assert own > 0.9
        assert own > accuracy(folder, "base", name, registry) + 0.25


def test_merges_beat_every_single_model_beyond_noise(shipped, registry):
    """The example's promise, on shipped checkpoints: the plain average, which has nothing to tune."""
    from solera.execution.memory import Materialiser
    from solera.landscapes.compare import Entry, compare
    from solera.recipes.nodes import CheckpointNode, Recipe

    folder, _ = shipped
    sources = {name: open_checkpoint(folder / "checkpoints" / f"digits-{name}") for name in ("base", *EXPERTS)}
    network = build_network(sources["base"], registry.architectures)
    average = load_recipe(folder / "recipes" / "digits-average.yaml", registry.methods)
    entries = [Entry(name, Recipe((CheckpointNode(name, name),), name), single=True) for name in sources]
    table = compare(
        [*entries, Entry("average", average)],
        [digits(name, transform=transform) for name, transform in EXPERTS.items()],
        network,
        lambda recipe: Materialiser(recipe, sources, registry.methods, network.layout),
        QuietContext(),
        measure="accuracy",
    )
    gain = table.rows[-1].gain
    assert gain is not None
    assert gain.value > 0.05
    assert not gain.within_noise


def test_training_anew_with_another_seed(tmp_path):
    context = Steps()
    DigitsExample(TINY, seed=3).make(tmp_path, context)
    stamp = json.loads((tmp_path / "checkpoints" / "digits-mirrored" / "training.json").read_text())
    assert (stamp["seed"], stamp["transform"]) == (3, "mirroring")
    total = sum(TINY.steps(model) for model in ("base", *EXPERTS))
    assert context.told[-1] == (total, total, "training transposed")
    done = [step for step, _, _ in context.told]
    assert done == sorted(done)


def test_an_interrupted_example_goes_on_where_it_was(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    DigitsExample(TINY, seed=1).make(whole, QuietContext())
    stop = TINY.steps("base") + TINY.steps("rotated") + 5
    with pytest.raises(Cancelled):
        DigitsExample(TINY, seed=1).make(parts, Steps(stop))
    assert sorted(path.name for path in (parts / "checkpoints").iterdir()) == ["digits-base", "digits-rotated"]
    context = Steps()
    DigitsExample(TINY, seed=1).make(parts, context)
    assert context.told[0][2] == "training inverted"
    for name in ("base", *EXPERTS):
        file = f"checkpoints/digits-{name}/model.safetensors"
        assert (parts / file).read_bytes() == (whole / file).read_bytes()


def test_a_foreign_folder_is_not_replaced(tmp_path):
    place = tmp_path / "checkpoints" / "digits-base"
    place.mkdir(parents=True)
    (place / "precious.txt").write_text("mine")
    with pytest.raises(OutputError, match="in the way"):
        DigitsExample(retrain=True).make(tmp_path, QuietContext())
    assert (place / "precious.txt").read_text() == "mine"


def test_an_unwritable_folder_is_a_sentence(tmp_path):
    blocker = tmp_path / "checkpoints"
    blocker.write_text("a file where a folder should be")
    with pytest.raises(OutputError):
        DigitsExample().make(tmp_path, QuietContext())

"""``solera align`` and ``solera rescale``."""

import json

import pytest
import torch

from solera.alignment.permutations import drawn, permuted
from solera.alignment.tracing import trace_symmetry
from solera.checkpoints.opening import open_checkpoint
from solera.cli.main import main
from solera.execution.writer import write_checkpoint
from solera.seeds import Seed
from solera_plugins.digits.data import pictures
from solera_plugins.digits.network import DigitsCnn

CONFIG = {"architecture": "digits-cnn", "width": 8, "classes": 10}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """``a``; ``b``, the same network with its units in other places; ``c``, another network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    torch.manual_seed(0)
    module = DigitsCnn(8, 10).eval()
    symmetry = trace_symmetry(module, torch.randn(2, 1, 8, 8))
    state = module.state_dict()
    places = drawn(symmetry, Seed(1))
    other = {k: permuted(t, symmetry.axes.get(k, (None,) * t.ndim), symmetry, places) for k, t in state.items()}
    for name, tensors in (("a", state), ("b", other), ("c", DigitsCnn(8, 10).state_dict())):
        write_checkpoint(tensors, tmp_path / name, config=CONFIG)
    return tmp_path


def last_line(capsys):
    return json.loads(capsys.readouterr().out.strip().splitlines()[-1])


def test_a_shuffled_network_comes_back(folder, capsys):
    assert main(["align", "b", "a", "out", "--tries", "3", "--json"]) == 0
    found = last_line(capsys)["found"]
    assert found["after"] > found["before"]
    assert found["change"] < 1e-6
    with open_checkpoint(folder / "a") as a, open_checkpoint(folder / "out") as out:
        assert all(torch.equal(a[name].read(), out[name].read()) for name in a)
        assert out.config["architecture"] == "digits-cnn"
    assert main(["align", "b", "a", "again", "--tries", "3"]) == 0  # from the cache
    assert "units in 4 groups moved" in capsys.readouterr().out


def test_by_activations_with_a_repaired_blend(folder, capsys):
    words = ["align", "c", "a", "out", "--by", "activations", "--task", "digits", "--blend", "0.5", "--repair", "-q"]
    assert main(words) == 0
    with open_checkpoint(folder / "a") as a, open_checkpoint(folder / "out") as out:
        assert {n: r.shape for n, r in a.items()} == {n: r.shape for n, r in out.items()}
    assert main(["evaluate", "out", "--task", "digits", "--json"]) == 0


def test_a_blend_lies_between(folder, capsys):
    assert main(["align", "b", "a", "out", "--tries", "3", "--blend", "0.5", "-q"]) == 0
    with open_checkpoint(folder / "a") as a, open_checkpoint(folder / "out") as out:
        assert all(torch.equal(a[name].read(), out[name].read()) for name in a)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--by", "smell"], "not by 'smell'"),
        (["--by", "activations"], "name a task"),
        (["--blend", "0.5", "--repair"], "name a point of the line"),
        (["--hold", "nose"], "No group is called 'nose'"),
        (["--task", "nothing"], "nothing"),
    ],
)
def test_what_does_not_go_together(folder, capsys, words, said):
    assert main(["align", "b", "a", "out", *words]) != 0
    assert said in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_units_get_a_canonical_scale(folder, capsys):
    assert main(["rescale", "a", "out", "--json"]) == 0
    assert last_line(capsys)["groups"] == ["conv1", "conv2", "conv3", "hidden"]
    with open_checkpoint(folder / "out") as out:
        norm = (out["hidden.weight"].read().square().sum(1) + out["hidden.bias"].read().square()).sqrt()
        torch.testing.assert_close(norm, torch.ones(128))
    assert main(["rescale", "a", "out", "--form", "gold", "--force"]) != 0
    assert "not 'gold'" in capsys.readouterr().err


def test_networks_are_zipped_to_one(folder, capsys):
    assert main(["zip", "a", "b", "out", "--task", "digits", "--within", "0", "--json"]) == 0
    found = last_line(capsys)
    assert found["written"] == [str(folder / "out")]
    assert found["groups"] == ["hidden"]
    images = torch.from_numpy(pictures("train")[0][:64])  # on others, units that are silent here may speak
    first, made = DigitsCnn(8, 10), DigitsCnn(8, 10)
    for module, name in ((first, "a"), (made, "out")):
        with open_checkpoint(folder / name) as opened:
            module.load_state_dict({key: ref.read() for key, ref in opened.items()})
    torch.testing.assert_close(made(images), first(images), rtol=1e-3, atol=1e-3)


def test_a_partial_zip_needs_all_that_its_layers_take(folder, capsys):
    assert main(["zip", "a", "b", "c", "out", "--task", "digits", "--share", "hidden"]) != 0
    assert "takes the units of conv3" in capsys.readouterr().err
    assert main(["zip", "a", "out", "--task", "digits"]) == 2

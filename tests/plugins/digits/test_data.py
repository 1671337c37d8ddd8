from types import SimpleNamespace

import numpy as np
import pytest

from solera.api import TaskError
from solera.tasks.scores import SPLITS
from solera_plugins.digits import data
from solera_plugins.digits.data import pictures, transformed
from solera_plugins.digits.tasks import digits


def test_the_splits_are_the_whole_set_once():
    sizes = [len(pictures(split)[1]) for split in SPLITS]
    assert sizes == [1000, 300, 497]
    x = np.concatenate([pictures(split)[0] for split in SPLITS])
    from sklearn.datasets import load_digits

    everything = load_digits().data.reshape(-1, 1, 8, 8) / 16
    assert sorted(map(bytes, x.astype(np.float64))) == sorted(map(bytes, everything))


def test_every_split_has_every_digit():
    for split in SPLITS:
        assert set(pictures(split)[1].tolist()) == set(range(10))


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        ("none", [[0.1, 0.2], [0.3, 0.4]]),
        ("rotation", [[0.2, 0.4], [0.1, 0.3]]),
        ("inversion", [[0.9, 0.8], [0.7, 0.6]]),
        ("mirroring", [[0.2, 0.1], [0.4, 0.3]]),
        ("transposition", [[0.1, 0.3], [0.2, 0.4]]),
    ],
)
def test_transforms_by_hand(transform, expected):
    x = np.array([[[[0.1, 0.2], [0.3, 0.4]]]], dtype=np.float32)
    out = transformed(x, transform)
    np.testing.assert_allclose(out[0, 0], expected, atol=1e-6)
    assert out.dtype == np.float32
    assert out.flags.c_contiguous


def test_tasks_share_their_samples():
    a, b = digits("a"), digits("b", transform="rotation")
    assert a.units == b.units == "digits"
    assert a.columns("report")[0].count == 497


@pytest.fixture
def _anew():
    data._shuffled.cache_clear()
    yield
    data._shuffled.cache_clear()


@pytest.mark.usefixtures("_anew")
def test_without_scikit_learn_a_sentence(monkeypatch):
    monkeypatch.setattr(data, "find_spec", lambda name: None)
    with pytest.raises(TaskError, match=r"pip install 'solera\[demo\]'"):
        digits("a").columns("report")


@pytest.mark.usefixtures("_anew")
def test_with_another_scikit_learn_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    with pytest.raises(TaskError, match=r"elsewhere than at .*digits\.csv\.gz; install the one"):
        digits("a").columns("report")

from typing import Any, cast

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from torch import nn

from solera.api import InputError, QuietContext, RegressionTask, TaskError
from solera_plugins.regression.files import regression

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3)).astype(np.float32)
Y = (X @ RNG.normal(size=(3, 2)) + 0.1 * RNG.normal(size=(80, 2))).astype(np.float64)


def network(outputs=2):
    made = nn.Linear(3, outputs)
    with torch.no_grad():
        made.weight.copy_(torch.tensor(RNG.normal(size=(outputs, 3))))
    return made


def scores(task, made, split="report", **options):
    return task.prepare(split, device="cpu", **options)(made, QuietContext())


def save(tmp_path, **arrays):
    np.savez(tmp_path / "data.npz", **arrays)
    return tmp_path / "data.npz"


@pytest.mark.parametrize("chunk", [7, 256])
def test_errors_agree_with_scikit_learn(chunk):
    task = RegressionTask("mine", lambda split: (X, Y), chunk=chunk)
    made = network()
    predicted = made(torch.from_numpy(X)).detach().numpy()
    squared, absolute, explained = scores(task, made)
    assert squared.value == pytest.approx(mean_squared_error(Y, predicted), rel=1e-5)
    assert absolute.value == pytest.approx(mean_absolute_error(Y, predicted), rel=1e-5)
    assert explained.value == pytest.approx(r2_score(Y, predicted), rel=1e-5)
    for i in (0, 17):  # one sample, by hand
        error = predicted[i] - Y[i]
        assert squared.samples[i] == pytest.approx(np.mean(error**2), rel=1e-5)
        assert absolute.samples[i] == pytest.approx(np.mean(abs(error)), rel=1e-5)
        assert explained.samples[i] == pytest.approx(np.mean(1 - error**2 / Y.var(axis=0)), rel=1e-5)


def test_parts_of_a_split_are_measured_against_the_variance_of_the_whole():
    task, made = RegressionTask("mine", lambda split: (X, Y)), network()
    evaluator = task.prepare("report", device="cpu")
    rows = np.array([5, 70, 3])
    whole, part = evaluator(made, QuietContext()), evaluator.part(rows)(made, QuietContext())
    for a, b in zip(whole, part, strict=True):
        assert a.samples is not None
        assert b.samples is not None
        np.testing.assert_allclose(a.samples[rows], b.samples, rtol=1e-6)


def test_a_network_of_one_output_may_leave_its_axis_out():
    class Flat(nn.Module):
        def forward(self, x):
            return x.sum(dim=1)

    task = RegressionTask("mine", lambda split: (X, Y[:, 0]), metrics=["mae"])
    (found,) = scores(task, Flat())
    assert found.value == pytest.approx(np.abs(X.sum(axis=1) - Y[:, 0]).mean(), rel=1e-5)
    with pytest.raises(TaskError, match=r"has 1 numbers per sample to predict; the network gave shape \(80, 2\)"):
        scores(task, network())


def test_a_table_and_arrays_are_the_same_task(tmp_path):
    lines = ["a,b,c,first,second,split,group"]
    words = np.array(["train", "selection", "report", "report"] * 20)
    names = np.array([f"s{i // 8}" for i in range(80)])
    lines += [
        ",".join(map(repr, map(float, [*x, *y]))) + f",{w},{g}" for x, y, w, g in zip(X, Y, words, names, strict=True)
    ]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    table = regression("mine", data=tmp_path / "data.csv", target="first, second")
    arrays = regression("mine", data=save(tmp_path, x=X, y=Y, split=words, group=names))
    made = network()
    for split, count in (("train", 20), ("selection", 20), ("report", 40)):
        for a, b in zip(scores(table, made, split), scores(arrays, made, split), strict=True):
            assert (a.value, a.count) == (pytest.approx(b.value, rel=1e-6), count)
            assert a.groups.tolist() == b.groups.tolist()
            assert a.stderr == pytest.approx(b.stderr, rel=1e-5)


def test_without_splits_groups_are_held_together(tmp_path):
    groups = np.repeat(np.arange(20), 4)
    x = np.stack([groups, *X.T[:2]], axis=1).astype(np.float32)
    task = regression("mine", data=save(tmp_path, x=x, y=Y, group=groups))
    found = [set(cast("Any", task._read(split)).x[:, 0].tolist()) for split in ("train", "selection", "report")]
    assert [len(part) for part in found] == [12, 3, 5]
    assert set().union(*found) == set(range(20))
    alone = regression("mine", data=save(tmp_path, x=x, y=Y))
    assert [alone.columns(split)[0].count for split in ("train", "selection", "report")] == [48, 12, 20]


TABLES = {
    "": "has no header",
    "a,b\n": "has no lines",
    "a,b\n1,2\n3\n": "line 3 of .* has 1 cells; the header has 2",
    "a,b\n1,2\n3,four\n": "line 3 of .* has 'four' in the column b",
    "a,a\n1,2\n": "two columns a",
    "b\n1\n": "no columns but the target",
    "a,c\n1,2\n": "has no column b; its columns: a, c",
    "a,b,split\n1,2,exam\n": "'split' has one of train, selection, report, not exam",
    "a,b,split\n1,2,train\n": "no data on the report split",
    "a,b,split\n1,2,report\n2,2,report\n": "R² is not defined",
    "a,b,split\n1,nan,report\n2,2,report\n": "1 targets are NaN",
}


@pytest.mark.parametrize("text", list(TABLES))
def test_a_bad_table_is_a_sentence(tmp_path, text):
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises((TaskError, InputError), match=TABLES[text]):
        regression("mine", data=tmp_path / "data.csv", target="b").columns("report")


def test_bad_arrays_are_sentences(tmp_path):
    with pytest.raises(TaskError, match="no file"):
        regression("mine", data=tmp_path / "none.npz").columns("report")
    for arrays, said in (
        ({"x": X}, "needs the arrays x and y"),
        ({"x": X, "y": Y[:3]}, "differ in length: x 80, y 3"),
        ({"x": X, "y": np.array(["a"] * 80)}, "not numbers"),
    ):
        with pytest.raises(TaskError, match=said):
            regression("mine", data=save(tmp_path, **arrays)).columns("report")
    with pytest.raises(InputError, match="can measure mse, mae and r2; not rmse"):
        regression("mine", data=tmp_path / "none.npz", metrics="rmse")

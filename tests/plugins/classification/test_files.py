import numpy as np
import pytest

from solera.api import InputError, TaskError
from solera_plugins.classification.files import classification

X = np.arange(200, dtype=np.float32).reshape(100, 2)
Y = np.arange(100) % 3


def save(tmp_path, **arrays):
    np.savez(tmp_path / "data.npz", **arrays)
    return classification("mine", data=tmp_path / "data.npz")


def rows(task, split):
    return task.prepare(split, device="cpu")._x.numpy()


def test_without_splits_a_fixed_permutation_shares_out_every_sample_once(tmp_path):
    task = save(tmp_path, x=X, y=Y)
    found = [rows(task, split) for split in ("train", "selection", "report")]
    assert [len(part) for part in found] == [60, 15, 25]
    assert sorted(np.concatenate(found)[:, 0]) == X[:, 0].tolist()
    assert (rows(classification("again", data=tmp_path / "data.npz"), "report") == found[2]).all()


def test_the_file_may_say_the_splits(tmp_path):
    words = np.array(["selection", "report", "report", "train"] * 25)
    task = save(tmp_path, x=X, y=Y, split=words)
    assert (rows(task, "report") == X[words == "report"]).all()
    assert task.columns("selection")[0].count == 25


def test_bad_files_are_sentences(tmp_path):
    with pytest.raises(TaskError, match="no file"):
        classification("mine", data=tmp_path / "data.npz").columns("report")
    (tmp_path / "data.npz").write_bytes(b"PK\x03\x04nonsense")
    with pytest.raises(TaskError, match=r"no \.npz file"):
        classification("mine", data=tmp_path / "data.npz").columns("report")
    np.save(tmp_path / "one.npy", X)
    with pytest.raises(TaskError, match=r"no \.npz file|needs the arrays"):
        classification("mine", data=tmp_path / "one.npy").columns("report")
    with pytest.raises(TaskError, match="needs the arrays x and y"):
        save(tmp_path, x=X).columns("report")
    with pytest.raises(InputError, match="the words exam"):
        save(tmp_path, x=X, y=Y, split=np.array(["exam"] * 100)).columns("report")


def test_pickles_in_a_file_are_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    np.savez(tmp_path / "data.npz", x=np.array([Bomb()], dtype=object), y=np.zeros(1, dtype=int))
    with pytest.raises(TaskError):
        classification("mine", data=tmp_path / "data.npz").columns("report")
    assert not (tmp_path / "exploded").exists()

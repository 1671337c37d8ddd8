"""What ``solera compare`` calls its models, and what it refuses."""

from __future__ import annotations

import pytest

from solera.cli.comparisons import _names
from solera.cli.main import main
from solera.errors import InputError


def test_models_are_told_apart():
    assert _names(["library:rotated", "/models/mirrored"]) == ["rotated", "mirrored"]
    assert _names(["a/model", "b/model"]) == ["a/model", "b/model"]
    assert _names(["x/base", "y"]) == ["x/base", "y"]
    with pytest.raises(InputError, match="twice"):
        _names(["a", "a"])


def test_one_model_is_no_comparison(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", str(tmp_path / "a"), "-t", "digits"]) == 2
    assert "two models or more" in capsys.readouterr().err

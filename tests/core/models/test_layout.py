"""Where tensors lie in the flat vector."""

import pytest
import torch
from torch import nn

from solera.errors import InputError
from solera.models.layout import FlatLayout


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("scratch", torch.ones(2), persistent=False)


def test_parameters_first_then_statistics_ties_once_counters_never():
    layout = FlatLayout.of(Tied())
    assert layout.names == ("embed.weight", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var")
    assert layout.offsets == (0, 15, 18, 21, 24)
    assert layout.numel == 27
    assert layout.aliases == (("head.weight", "embed.weight"),)
    assert layout.where("head.weight") == layout.where("embed.weight") == slice(0, 15)


def test_a_tied_tensor_takes_the_name_the_checkpoint_knows():
    layout = FlatLayout.of(Tied(), known={"head.weight"})
    assert layout.names[0] == "head.weight"
    assert layout.aliases == (("embed.weight", "head.weight"),)


def test_views_are_row_major():
    module = nn.Linear(3, 2)
    layout = FlatLayout.of(module)
    flat = torch.arange(8.0)
    assert layout.view(flat, "weight").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert layout.view(flat, "bias").tolist() == [6, 7]
    assert [name for name, _ in layout.views(flat)] == ["weight", "bias"]


def test_quantised_parameters_are_refused_by_name():
    module = nn.Linear(2, 2)
    module.weight = nn.Parameter(torch.zeros(2, 2, dtype=torch.int8), requires_grad=False)
    with pytest.raises(InputError, match=r"'weight' is torch\.int8"):
        FlatLayout.of(module)

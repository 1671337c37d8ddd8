"""The loss around a network: values, gradients and products against torch's own dense ones."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from solera.checkpoints.memory import MemoryCheckpoint
from solera.context import QuietContext
from solera.errors import MismatchError, TaskError
from solera.models.network import Network
from solera.probes.measuring import measured
from solera.probes.names import chosen
from solera.probes.objective import NetworkObjective, twice_differentiable
from solera.probes.spec import probe
from solera.probes.subject import Probed, Subject
from solera.runs.results import Measure, Row
from solera.tasks.examples import Examples


class Attention(nn.Module):
    """A layer of attention with tied embeddings, a frozen bias and dropout that must be off."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 8)
        self.norm = nn.LayerNorm(8)
        self.mix = nn.Linear(8, 24)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 7, bias=True)
        self.head.weight = self.embed.weight
        self.head.bias.requires_grad_(False)

    def forward(self, tokens):
        x = self.norm(self.embed(tokens))
        q, k, v = (each.unsqueeze(1) for each in self.mix(x).chunk(3, dim=-1))
        return self.head(self.drop(F.scaled_dot_product_attention(q, k, v, is_causal=True).squeeze(1)))


@pytest.fixture(scope="module")
def surface():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        module = Attention()
        examples = Examples(torch.randint(7, (10, 4)), torch.randint(7, (10, 4)), 4)
    network = Network(module)
    return NetworkObjective(network, network.flat.double(), examples, QuietContext()), examples


def test_the_vector_holds_what_is_trained_once(surface):
    objective, _ = surface
    assert [part.name for part in objective.parts] == [
        "embed.weight",
        "norm.weight",
        "norm.bias",
        "mix.weight",
        "mix.bias",
    ]
    assert objective.theta.numel() == 7 * 8 + 8 + 8 + 24 * 8 + 24


def _dense(objective):
    def mean(theta):
        return objective.losses(theta).mean()

    theta = objective.theta.clone().requires_grad_()
    loss = mean(theta)
    return (
        float(loss.detach()),
        torch.autograd.grad(loss, theta)[0],
        torch.autograd.functional.hessian(mean, objective.theta),
    )


def test_loss_gradient_and_products_are_those_of_the_whole_set(surface):
    objective, _ = surface
    with twice_differentiable():
        loss, gradient, hessian = _dense(objective)
    assert objective.loss(objective.theta) == pytest.approx(loss, abs=1e-12)
    torch.testing.assert_close(objective.gradient(objective.theta), gradient, atol=1e-12, rtol=0)
    vector = torch.linspace(-1, 1, objective.theta.numel(), dtype=torch.float64)
    torch.testing.assert_close(objective.hvp(objective.theta, vector), hessian @ vector, atol=1e-11, rtol=0)
    part = objective.loss(objective.theta, slice(3, 9))
    assert part == pytest.approx(float(objective.losses(objective.theta, slice(3, 9)).mean()), abs=1e-12)


def test_the_other_matrices_are_those_of_their_definitions(surface):
    objective, _ = surface
    theta = objective.theta
    outputs = torch.autograd.functional.jacobian(lambda at: objective.outputs(at).flatten(), theta)
    logits = objective.outputs(theta).detach()
    chance = logits.softmax(-1)
    inner = torch.diag_embed(chance) - chance.unsqueeze(-1) * chance.unsqueeze(-2)
    jacobian = outputs.view(10, 4, 7, -1)
    ggn = torch.einsum("ntap,ntab,ntbq->pq", jacobian, inner, jacobian) / (10 * 4)
    per_sample = torch.autograd.functional.jacobian(lambda at: objective.losses(at), theta)
    fisher = per_sample.T @ per_sample / 10
    vector = torch.linspace(1, -1, theta.numel(), dtype=torch.float64)
    torch.testing.assert_close(objective.hvp(theta, vector, matrix="ggn"), ggn @ vector, atol=1e-11, rtol=0)
    torch.testing.assert_close(objective.hvp(theta, vector, matrix="fisher"), fisher @ vector, atol=1e-11, rtol=0)


def test_a_part_of_the_tensors_leaves_the_others_where_they_are(surface):
    _, examples = surface
    network = Network(Attention())
    part = NetworkObjective(network, network.flat.double(), examples, QuietContext(), only="mix.*, -*bias")
    assert [each.name for each in part.parts] == ["mix.weight"]
    whole = NetworkObjective(network, network.flat.double(), examples, QuietContext())
    assert part.loss(part.theta) == pytest.approx(whole.loss(whole.theta), abs=1e-12)
    with pytest.raises(MismatchError, match="no trained parameters of nothing"):
        NetworkObjective(network, network.flat.double(), examples, QuietContext(), only="nothing")


@pytest.mark.parametrize(
    ("patterns", "taken"), [("", True), ("*.weight", True), ("-a.*", False), ("b.*", False), ("*, -b.*", True)]
)
def test_names_are_chosen_by_patterns(patterns, taken):
    assert chosen("a.weight", patterns) is taken


def test_outputs_that_do_not_fit_the_targets_are_refused():
    network = Network(nn.Linear(3, 2))
    examples = Examples(torch.ones(4, 5), torch.zeros(4, dtype=torch.int64), 4)
    objective = NetworkObjective(network, network.flat, examples, QuietContext())
    with pytest.raises(TaskError, match="cannot take the task's inputs"):
        objective.loss(objective.theta)
    wide = Examples(torch.ones(4, 6, 3), torch.zeros(4, dtype=torch.int64), 4)
    objective = NetworkObjective(network, network.flat, wide, QuietContext())
    with pytest.raises(TaskError, match="for targets of shape"):
        objective.loss(objective.theta)


def test_a_model_whose_loss_is_no_number_is_named_and_passed_over():
    def models(subject):
        """Losses."""
        for i, _, _, loss in subject.objectives():
            yield Row((i,), {"loss": loss})

    spec = probe("tried", kind="scalars", measures=(Measure("loss"),), needs="task")(models)
    modules = {"good": nn.Linear(3, 2), "bad": nn.Linear(3, 2)}
    with torch.no_grad():
        modules["bad"].weight[0, 0] = math.nan
    context = QuietContext()
    examples = Examples(torch.ones(4, 3), torch.zeros(4, dtype=torch.int64), 4)
    subject = Subject(
        [Probed(n, MemoryCheckpoint.from_module(m, n), lambda: Network(nn.Linear(3, 2))) for n, m in modules.items()],
        context, examples=lambda: examples,
    )  # fmt: skip
    result, _ = measured(spec, subject)
    assert result.at.tolist() == [[0]]
    assert any("bad: its loss is nan" in getattr(event, "text", "") for event in context.events)


def test_models_that_differ_are_named():
    checkpoints = [nn.Linear(3, 2), nn.Linear(4, 2)]
    subject = Subject(
        [Probed(str(i), MemoryCheckpoint.from_module(m, str(i))) for i, m in enumerate(checkpoints)], QuietContext()
    )
    with pytest.raises(ValueError, match="weight"):
        subject.tensors()
    with pytest.raises(MismatchError, match="No network can be built"):
        _ = subject.models[0].network

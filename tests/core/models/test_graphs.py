"""A module is traced while other threads compute with others."""

import threading

import torch
from torch import nn

from solera.models.graphs import graph_of


class Slow(nn.Module):
    """Its forward waits, as a large one takes its time, until somebody else has computed."""

    def __init__(self, begun: threading.Event, go_on: threading.Event) -> None:
        super().__init__()
        self.line = nn.Linear(3, 2)
        self._begun, self._go_on = begun, go_on

    def forward(self, x):
        self._begun.set()
        assert self._go_on.wait(30)
        return self.line(x)


def test_a_module_called_meanwhile_computes_as_ever():
    begun, go_on = threading.Event(), threading.Event()
    found: list[nn.Module] = []
    slow, other = Slow(begun, go_on), nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).eval()
    thread = threading.Thread(target=lambda: found.append(graph_of(slow)))
    thread.start()
    assert begun.wait(30)
    data = torch.ones(2, 3)
    try:
        met = other(data)
    finally:
        go_on.set()
        thread.join()
    assert torch.equal(met, other(data))
    (graph,) = found
    assert torch.equal(graph(data), slow.line(data))


def test_two_that_are_traced_at_once_leave_modules_as_they_were():
    call, get = nn.Module.__call__, nn.Module.__getattr__
    begun, go_on, graphs = [threading.Event() for _ in range(2)], threading.Event(), {}
    slow = [Slow(event, go_on) for event in begun]
    threads = [
        threading.Thread(target=lambda i=i, module=module: graphs.update({i: graph_of(module)}))
        for i, module in enumerate(slow)
    ]
    for thread in threads:
        thread.start()
    assert any(event.wait(30) for event in begun)
    go_on.set()
    for thread in threads:
        thread.join()
    assert (nn.Module.__call__, nn.Module.__getattr__) == (call, get)
    assert [[node.op for node in graphs[i].graph.nodes] for i in (0, 1)] == [
        ["placeholder", "call_module", "output"]
    ] * 2

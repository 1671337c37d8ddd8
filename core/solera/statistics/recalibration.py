"""BatchNorm statistics of a network made anew, in place, as often as its weights change."""

from __future__ import annotations

import torch

from solera.context import Context
from solera.models.network import Network
from solera.statistics.layers import BatchNormCollector
from solera.tasks.examples import Examples


class Recalibration:
    """One pass over examples after which a network's running statistics are those of its weights.

    The numbers are those of the statistic ``batchnorm``: means and variances of all examples pooled, the variance with
    n - 1; while they are gathered each BatchNorm normalises by its batch, everything else (dropout) stays in evaluation
    mode. No labels are looked at.

    Args:
        examples: What the network is shown, on its device.
        batch: Examples normalised together; part of what the numbers depend on.
    """

    def __init__(self, examples: Examples, batch: int = 128) -> None:
        self.examples = examples
        self.batch = batch

    def __call__(self, network: Network, context: Context) -> None:
        """Write the statistics of the network's present weights into its flat vector.

        Raises:
            MismatchError: It has no BatchNorm with running statistics.
            TaskError: It does not fit the examples.
            Cancelled: The context says stop; the old statistics are there then.
        """
        collector = BatchNormCollector(self.batch)
        total = int(self.examples.inputs.shape[0])
        for start in range(0, total, self.batch):
            context.check()
            collector.add(network, self.examples, slice(start, min(start + self.batch, total)), context)
        with torch.no_grad():
            for name, values in collector.result().items():
                network.layout.view(network.flat, name).copy_(values)

"""A pass over a billion rows by processes on a cluster, calculated: ``python -m benchmarks.processes_on_paper``.

From what ``benchmarks.processes`` measures with one process: a step takes ``--row`` microseconds for each of its rows,
and ``--step`` milliseconds for what does not depend on them (optimiser, running average, kernel terms). Messages are
ring all-reduces among N processes: ``2 (N - 1)`` hops of ``--hop`` microseconds, and ``2 (N - 1) / N`` times the bytes
at ``--bandwidth`` gigabytes a second.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.fits.encoders import untried
from benchmarks.processes import WIDTHS
from benchmarks.training_speed.epochs import table
from pidreg_cli.config.loading import load_settings
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.training.fitted import Transforms, network_shape

COUNTS = (1, 2, 8, 32, 128, 512)
BATCHES = (8192, 65_536)
ROWS = 1_000_000_000
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Network:
    """What travels in a step: ``parameters``, codes of width ``codes`` in all, ``inputs``; ``every``: kernel terms."""

    parameters: int
    codes: int
    inputs: int
    kernel_rows: int
    every: int

    def messages(self, processes: int) -> list[tuple[float, float]]:
        """How often in a step, and of how many bytes: gradients, moments and their gradients, rows of kernel terms."""
        moments = processes * 2 * self.codes * FLOAT
        rows = self.kernel_rows * (1 + self.codes + self.inputs) * FLOAT
        return [(1, self.parameters * FLOAT), (2, moments), (1 / self.every, rows)]


def built() -> Network:
    """Of preset ``balanced``, on the table of ``benchmarks.processes``."""
    settings = untried(load_settings("balanced", options={"network.further": []}))
    arrays = table(64, WIDTHS)
    shape = network_shape(Transforms.fit(arrays, settings.features.transform), (), settings.network)
    parameters = sum(p.numel() for p in PIDRegNetwork(shape, torch.Generator()).parameters())
    inputs = sum(encoder.features + encoder.plain for encoder in shape.encoders)
    loss = settings.loss
    return Network(parameters, shape.code_dim * len(WIDTHS), inputs, loss.rows, loss.every)


def talking(network: Network, processes: int, arguments: argparse.Namespace) -> float:
    """Seconds of a step that messages take."""
    if processes == 1:
        return 0.0
    hops = 2 * (processes - 1)
    return sum(
        often * (hops * arguments.hop * 1e-6 + hops / processes * size / (arguments.bandwidth * 1e9))
        for often, size in network.messages(processes)
    )


def main() -> None:
    """A table for each size of the batch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", type=float, default=25.0)
    parser.add_argument("--step", type=float, default=3.5)
    parser.add_argument("--hop", type=float, default=30.0)
    parser.add_argument("--bandwidth", type=float, default=3.0)
    arguments = parser.parse_args()
    network = built()
    sent = sum(often * size for often, size in network.messages(2))
    print(f"{network.parameters} parameters; {sent / 1e6:.2f} MB of messages a step between two processes")
    print("| batch | processes | ms a step | of it messages | hours a pass | speed-up |")
    print("|---:|---:|---:|---:|---:|---:|")
    for batch in BATCHES:
        alone = np.nan
        for count in COUNTS:
            talk = talking(network, count, arguments)
            step = batch / count * arguments.row * 1e-6 + arguments.step * 1e-3 + talk
            alone = step if count == 1 else alone
            hours = ROWS / batch * step / 3600
            cells = (f"{1e3 * step:.1f}", f"{talk / step:.0%}", f"{hours:.2f}", f"{alone / step:.1f}")
            print(f"| {batch} | {count} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

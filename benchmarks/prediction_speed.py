"""What ``pidreg predict`` costs beside the bare network: ``python -m benchmarks.prediction_speed``.

Tables of 50 features in two modalities are drawn; the first rows are fitted (``--presets``), others are predicted
(``--rows``) by two processes in turn, ``--repeat`` times, of which the least is taken:
- bare: reads the model and scans the Parquet file with pyarrow, and passes every batch through the forward of each
  network of the model, as it comes: no transform, no boosted trees, no interval, nothing written;
- bare with trees, where the model has boosted trees: the same, and each batch is also predicted by the trees that the
  model predicts with, by a plain call of LightGBM for each fold: everything that predicts, and nothing else;
- predict: the command, to a Parquet file.
All include the start of Python and the imports of the libraries, read the same features in batches of as many rows,
and have as many threads. A share is the throughput of the command in that of a bare process, by the clock; that by
the processors' time, in brackets, is less disturbed by what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from pidreg_cli.decisions.prediction.rows import Predictor
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.predicting.prediction_run import BATCH_CHUNKS
from pidreg_cli.prediction_files import read_predictor
from pidreg_cli.training.device import limited_threads
from pidreg_cli.training.fitted import singles
from pidreg_cli.training.reading import CHUNK
from pidreg_cli.training.trees import lightgbm

FEATURES, FACTORS = 50, 5
FITTED_ROWS = 8_000
GROUP_ROWS = 2**16
PROGRAM = [sys.executable, "-m", "pidreg_cli"]


def table(rows: int, seed: int, empty: float) -> pa.Table:
    """Rows of two modalities that share factors; a share of the cells is ``empty``."""
    rng = np.random.default_rng(seed)
    loadings = np.random.default_rng(0).normal(size=(FACTORS, FEATURES))
    factors = rng.normal(size=(rows, FACTORS))
    x = factors @ loadings + rng.normal(size=(rows, FEATURES))
    y = factors[:, 0] + factors[:, 1] * factors[:, 2] + np.tanh(x[:, 3]) + 0.5 * rng.normal(size=rows)
    x[rng.random(x.shape) < empty] = np.nan
    columns = {f"{'ab'[j % 2]}__{j}": pa.array(x[:, j].astype(np.float32)) for j in range(FEATURES)}
    return pa.table({**columns, "target": y})


def generate(path: Path, rows: int, empty: float) -> None:
    """Write ``rows`` rows, group by group."""
    starts = range(0, rows, GROUP_ROWS)
    with pq.ParquetWriter(path, table(1, 1, empty).schema) as writer:
        for number, start in enumerate(starts):
            writer.write_table(table(min(GROUP_ROWS, rows - start), 1 + number, empty))


@torch.inference_mode()
def bare(run: Path, path: Path, threads: int, *, trees: bool = False) -> int:
    """Scan and forward, and with ``trees`` those that predict, too; the number of rows."""
    predictor, roles = read_predictor(run, torch.device("cpu"))
    boosters = plain_boosters(predictor) if trees else []
    columns = [column for group in roles.modalities.values() for column in group]
    rows = 0
    with (
        limited_threads(threads),
        pq.ParquetFile(path, pre_buffer=False, buffer_size=2**16) as file,
    ):
        for batch in file.iter_batches(batch_size=BATCH_CHUNKS * CHUNK, columns=columns):
            block = np.column_stack([batch.column(name).to_numpy(zero_copy_only=False) for name in columns])
            values = torch.nan_to_num(torch.from_numpy(block))
            for chunk in values.split(CHUNK):
                for network in predictor.model.networks:
                    forward(network, chunk)
            for chosen, booster in boosters:
                booster.predict(block[:, chosen], num_threads=threads)
            rows += batch.num_rows
    return rows


def plain_boosters(predictor: Predictor) -> list[tuple[list[int], Any]]:
    """Columns and trees of every fold, of the sets that a prediction of complete rows needs."""
    model = predictor.model
    boosted, several = model.transforms.boosted, len(model.columns)
    if boosted is None:
        return []
    alone = singles(several) if model.transforms.encoded else []
    together = [(1 << several) - 1] if model.tree_share or predictor.calibrated.trees else []
    owners = [1 << i for i, group in enumerate(model.columns.values()) for _ in group]
    return [
        (
            [place for place, owner in enumerate(owners) if owner & mask],
            lightgbm().Booster(model_str=fold.text),
        )
        for mask in dict.fromkeys([*alone, *together])
        if mask in boosted.models
        for fold in boosted.models[mask]
    ]


def forward(network: PIDRegNetwork, values: torch.Tensor) -> torch.Tensor:
    """The prediction of a network for rows (n, features); what else encoders read is zero."""
    inputs, first = [], 0
    for encoder in network.shape.encoders:
        block = values[:, first : first + encoder.features]
        inputs.append(torch.cat([block, torch.zeros(len(block), encoder.plain)], 1))
        first += encoder.features
    return network.predict(network.encode(inputs, None))


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of the processors."""

    wall: float
    cpu: float

    @classmethod
    def of(cls, command: list[str]) -> Cost:
        """Of a process."""
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise RuntimeError(f"{command[2:5]} ended with {os.waitstatus_to_exitcode(status)}")
        return cls(time.perf_counter() - start, usage.ru_utime + usage.ru_stime)

    @classmethod
    def least(cls, costs: list[Cost]) -> Cost:
        """The least of each."""
        return cls(min(one.wall for one in costs), min(one.cpu for one in costs))


def line(run: Path, path: Path, rows: int, options: argparse.Namespace) -> str:
    """Cells of one run and table."""
    threads = ["--threads", str(options.threads)]
    itself = [sys.executable, "-m", "benchmarks.prediction_speed", "--bare", str(run), str(path), *threads]
    out = path.with_suffix(".out.parquet")
    commands = [[*PROGRAM, "predict", str(run), str(path), "-o", str(out), "--force", *threads], itself]
    if plain_boosters(read_predictor(run, torch.device("cpu"))[0]):
        commands.append([*itself, "--trees"])
    costs: list[list[Cost]] = [[] for _ in commands]
    for _ in range(options.repeat):
        for command, found in zip(commands, costs, strict=True):
            found.append(Cost.of(command))
    own, *bares = map(Cost.least, costs)
    shares = [f"{one.wall:.1f} s, {one.wall / own.wall:.0%} ({one.cpu / own.cpu:.0%})" for one in bares]
    cells = [f"{rows:,}", f"{own.wall:.1f} s", f"{rows / own.wall:,.0f}", *shares]
    return " | ".join([*cells, *["-"] * (5 - len(cells))])


def main() -> None:
    """Fit, time, print; or be the bare process."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--presets", nargs="+", default=["balanced"])
    parser.add_argument("--rows", nargs="+", type=int, default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--empty", type=float, default=0.0, help="share of empty cells")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of the fits")
    parser.add_argument("--bare", nargs=2, type=Path, metavar=("RUN", "TABLE"), help=argparse.SUPPRESS)
    parser.add_argument("--trees", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        print(bare(*options.bare, options.threads, trees=options.trees))
        return
    print("| preset | rows | predict | rows a second | share of bare | share of bare with trees |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="pidreg-bench-") as place:
        train, new = Path(place) / "train.parquet", Path(place) / "new.parquet"
        generate(train, FITTED_ROWS, options.empty)
        for preset in options.presets:
            run = Path(place) / f"{preset}.pidreg"
            settings = [word for one in options.set for word in ("--set", one)]
            fit = ["fit", str(train), "-q", "--preset", preset, "--threads", "1", "-o", str(run)]
            Cost.of([*PROGRAM, *fit, *settings])
            for rows in options.rows:
                generate(new, rows, options.empty)
                print(f"| {preset} | {line(run, new, rows, options)} |", flush=True)


if __name__ == "__main__":
    main()

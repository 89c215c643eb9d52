"""The state of one model in training: everything a checkpoint must hold to go on from the last finished epoch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from pidreg_cli.config.settings import TrainingSettings
from pidreg_cli.errors import RunError
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.training.optimiser import build_optimiser
from pidreg_cli.training.progress import EpochRecord


@dataclass
class Ledger:
    """The plain part of the state, JSON-serialisable.

    ``boosted``: whether the encoders read boosted scores; ``tree_share``: of the trees of all modalities in
    a prediction. ``batch``: rows of a batch, where memory did not suffice for those planned. ``chosen``: the kind of
    encoders, where trials chose another than the usual one. ``best_loss``: of the prediction on the validation rows in
    the best epoch, ``best_criterion``: by which it is the best. ``step``: how many there were, in both stages.
    """

    stage: int = 1
    epoch: int = 0
    step: int = 0
    atoms: list[list[float]] = field(default_factory=list)
    information: list[float] = field(default_factory=list)
    calm: int = 0
    movement: float | None = None
    converged: bool = False
    stage1_epochs: int = 0
    best_loss: float | None = None
    best_criterion: float | None = None
    best_epoch: int = 0
    boosted: bool = False
    tree_share: float = 0.0
    batch: int | None = None
    chosen: str | None = None
    history: list[EpochRecord] = field(default_factory=list)

    def to_document(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Ledger:
        """Inverse of ``to_document``."""
        history = [EpochRecord(**record) for record in document["history"]]
        # Earlier versions kept the epoch by its loss.
        criterion = {"best_criterion": document["best_loss"]}
        return cls(**{**criterion, **document, "history": history})


class TrainingState:
    """A network in training, its optimiser, ledger, and best weights so far.

    ``evaluated`` is the network that is evaluated and kept: the running average of the weights, and of the means that
    the bottlenecks follow, over the steps there were. The weights that a network starts with are no part of it: of a
    horizon of epochs, short trainings would be judged by them.
    """

    def __init__(self, network: PIDRegNetwork, settings: TrainingSettings, steps_per_epoch: int) -> None:
        self.network = network
        self.optimiser = build_optimiser(network, settings)
        horizon = settings.weight_average * steps_per_epoch
        self._decay = 1 - 1 / max(1.0, horizon)
        self.evaluated = copy.deepcopy(network)
        self._pairs = _moving(self.evaluated), _moving(network)
        self.ledger = Ledger()
        self.best: dict[str, Tensor] = {}

    def average(self) -> None:
        """After a step: move the running average towards the network, in the first step to it."""
        self.ledger.step += 1
        # Steps count 1, decay, decay^2, ... from the last one back: (1 - decay^steps) / (1 - decay) in sum.
        weight = (1 - self._decay) / (1 - self._decay**self.ledger.step)
        get_ema_multi_avg_fn(1 - weight)(*self._pairs, None)  # type: ignore[no-untyped-call]

    def set_fusion_weights(self, weights: Tensor) -> None:
        """Give the same fusion weights to the network in training and to its average."""
        for network in (self.network, self.evaluated):
            network.fusion.weights.copy_(weights)

    def keep_best(self) -> None:
        """Remember the evaluated weights as the best so far."""
        self.best = {name: value.detach().clone() for name, value in self.evaluated.state_dict().items()}

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state by a unique name."""
        named = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        named |= {f"evaluated.{k}": v for k, v in self.evaluated.state_dict().items()}
        named |= {f"best.{k}": v for k, v in self.best.items()}
        return named | {f"optimiser.{k}": v for k, v in self.optimiser.tensors().items()}

    def load_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Inverse of ``tensors``. Raises RunError where they are of another network."""
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "evaluated": {}, "best": {}, "optimiser": {}}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = value
        sizes = {name: value.shape for name, value in self.network.state_dict().items()}
        for part in ("network", "evaluated", "best"):
            # Nothing is the best so far until stage 2 has an epoch.
            if parts[part] or part != "best":
                _check_sizes({name: value.shape for name, value in parts[part].items()}, sizes)
        self.network.load_state_dict(parts["network"])
        self.evaluated.load_state_dict(parts["evaluated"])
        self.best = parts["best"]
        self.optimiser.load(parts["optimiser"])


def _moving(network: PIDRegNetwork) -> list[Tensor]:
    return [*network.parameters(), *network.running_means]


def _check_sizes(found: Mapping[str, torch.Size], expected: Mapping[str, torch.Size]) -> None:
    if found != expected:
        raise RunError(
            "run.checkpoint",
            "a checkpoint is of another network: its fit was begun by another version, or the file was changed",
            "start again with --force",
        )

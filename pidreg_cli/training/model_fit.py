"""Fit one model on given rows: stage 1 until the atoms settle, stage 2 with the weights fixed, best epoch restored."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch.nn import functional

from pidreg_cli.config.settings import Settings
from pidreg_cli.errors import TrainingError, UsageError
from pidreg_cli.network.noise import BatchNoise, generator_of
from pidreg_cli.network.pidreg import NetworkShape, PIDRegNetwork
from pidreg_cli.training.atoms import StageAtoms, stage_atoms
from pidreg_cli.training.batches import Rows, TrainingRows
from pidreg_cli.training.checkpoints import CheckpointStore, training_name
from pidreg_cli.training.device import limited_threads, release_unused
from pidreg_cli.training.last_epoch import LastEpoch
from pidreg_cli.training.objective import loss_terms
from pidreg_cli.training.processes import ALONE, Processes
from pidreg_cli.training.progress import EpochRecord, Progress
from pidreg_cli.training.reading import predict, predict_with_heads
from pidreg_cli.training.rounds import BatchPlan
from pidreg_cli.training.seeds import Stream, torch_generator
from pidreg_cli.training.shortage import changed_batches, no_smaller_batch, not_agreed
from pidreg_cli.training.stages import calm_epochs, cosine, stage_epochs, warm_up, window_movement
from pidreg_cli.training.state import Ledger, TrainingState
from pidreg_cli.training.workers import Pending, R

DIVERGED = "training.diverged"
BOOSTED = "-boosted"  # in the file of a training with boosted scores


@dataclass(frozen=True)
class ModelTask:
    """One network of a run: name of the model ('fold 1', 'final'), its number in the seeds, names of the modalities.

    ``scored``: trained with boosted scores; ``member``: which of the networks of the model, from 0; ``trial``: of which
    kind of encoders this is a short training, "" for none; ``block``: of the training rows that is left out, from 1,
    0 for none.
    """

    model: str
    number: int
    modalities: tuple[str, ...]
    scored: bool = False
    member: int = 0
    trial: str = ""
    block: int = 0

    @property
    def name(self) -> str:
        """As progress and history call it."""
        trial = [f"trial of {self.trial} encoders"] * bool(self.trial)
        block = [f"without block {self.block}"] * (self.block > 0)
        network = [f"network {self.member + 1}"] * (self.member > 0)
        return ", ".join([self.model, *trial, *block, *["boosted"] * self.scored, *network])

    @property
    def seeds(self) -> tuple[int, ...]:
        """Its path in the seeds: with scores or without the same, so that both compare."""
        return (self.number, *[self.member] * (self.member > 0))

    @property
    def checkpoint(self) -> str:
        """File of the training state."""
        trial, member = f"-trial-{self.trial}" * bool(self.trial), f"-{self.member + 1}" * (self.member > 0)
        block = f"-block-{self.block}" * (self.block > 0)
        return training_name(self.number, trial + block + BOOSTED * self.scored + member)


@dataclass(frozen=True)
class TrainedModel:
    """The network with its best weights restored, and how training went."""

    network: PIDRegNetwork
    ledger: Ledger


class ModelFit:
    """Training of one model. ``run`` goes on from the last finished epoch, also where the device's memory runs out
    within one: with smaller batches. All else that changes is in ``state``.
    """

    def __init__(
        self,
        task: ModelTask,
        shape: NetworkShape,
        rows: tuple[TrainingRows, Rows],
        settings: Settings,
        progress: Progress,
        store: CheckpointStore | None,
        processes: Processes = ALONE,
    ) -> None:
        self.task, self.settings, self.progress = task, settings, progress
        self.processes, self.shape = processes, shape
        self.train, self.valid = rows
        self.device = self.train.device
        self.last_epoch = LastEpoch(store, task.checkpoint, self.device, processes)
        self._begin(BatchPlan.of(len(self.train), settings.training))

    def _begin(self, plan: BatchPlan) -> None:
        """Everything as it is before the first step."""
        training = self.settings.training
        check_rows(min(plan.rows, len(self.valid)), self.processes)
        self.plan = plan
        # NOTE[DIFF]: smaller batches, of small tables, make smaller steps in proportion: few rows are overfitted
        # within some ten epochs at the full rate (442 patients: R2 .39; in proportion .48, as ridge).
        self.share = plan.rows / max(plan.rows, training.batch_size)
        seeds = torch_generator(self.settings.seed, Stream.PARAMETERS, *self.task.seeds)
        network = PIDRegNetwork(self.shape, seeds).to(self.device)
        self.state = TrainingState(network, training, plan.steps)

    def run(self) -> TrainedModel:
        """Train to the end, with one thread. Raises TrainingError when the loss is no longer a number, and
        DeviceMemoryError when there is no memory for the smallest batches.
        """
        # A step is made of operations of some ten microseconds: threads that share one wait more than they work.
        with limited_threads(1):
            return self._run()

    def _run(self) -> TrainedModel:
        self._resume()
        while (smaller := self._run_stages()) is not None:
            self._go_on(smaller)
        network = self.state.evaluated
        network.load_state_dict(self.state.best)
        return TrainedModel(network, self.state.ledger)

    def _run_stages(self) -> BatchPlan | None:
        """Train to the end, or until memory runs out: then the batches to go on with."""
        try:
            if self.state.ledger.stage == 1:
                self._run_stage1()
            self._run_stage2()
        except torch.OutOfMemoryError as error:
            # No more than that here: until this function is left, the error holds the tensors of the step that failed.
            return self._smaller(error)
        return None

    def _smaller(self, error: torch.OutOfMemoryError) -> BatchPlan:
        """Batches to go on with. Raises DeviceMemoryError where there are none."""
        if not self.processes.alone:
            raise not_agreed(self.task.name, self.plan, self.processes, error) from error
        smaller = self.plan.smaller()
        if smaller is None:
            raise no_smaller_batch(self.task.name, self.plan, error) from error
        return smaller

    def _go_on(self, plan: BatchPlan) -> None:
        """From the last finished epoch, with these batches; nothing of the one that broke off is kept."""
        told = changed_batches(self.task.name, self.device, self.plan, plan)
        self.progress.finish()
        del self.state  # before there is another: memory is short
        release_unused(self.device)
        self._begin(plan)
        self._resume(plan.rows)
        self.last_epoch.keep(self.state)
        self.progress.warning(told)

    def _resume(self, batch: int | None = None) -> None:
        """From the last finished epoch, with batches of ``batch`` rows, by default as large as they were then."""
        found = self.last_epoch.found()
        ledger = Ledger() if found is None else Ledger.from_document(found[0])
        ledger.batch = batch or ledger.batch
        if ledger.batch is not None and ledger.batch != self.plan.rows:
            self._begin(replace(self.plan, rows=ledger.batch))
        self.state.ledger = ledger
        if found is not None:
            self.state.load_tensors(found[1])
            # Earlier versions did not count them.
            ledger.step = ledger.step or (ledger.stage1_epochs + ledger.epoch) * self.plan.steps

    def _run_stage1(self) -> None:
        settings, ledger = self.settings.stage1, self.state.ledger
        bound = stage_epochs(settings, self.plan.planned_steps)
        self.progress.begin(f"{self.task.name}, stage 1", bound)
        while ledger.epoch < bound and not (ledger.converged and ledger.epoch >= settings.min_epochs):
            terms = self._train_epoch(lambda step: warm_up(ledger.epoch * self.plan.steps + step))
            self._close_epoch(terms, self._follow_atoms())
        self.progress.finish()
        ledger.stage, ledger.stage1_epochs, ledger.epoch = 2, ledger.epoch, 0
        self.last_epoch.keep(self.state)

    def _run_stage2(self) -> None:
        ledger = self.state.ledger
        bound = stage_epochs(self.settings.stage2, self.plan.planned_steps)
        self.progress.begin(f"{self.task.name}, stage 2", bound)
        while ledger.epoch < bound and not self._stale():
            terms = self._train_epoch(lambda step: cosine((ledger.epoch + step / self.plan.steps) / bound))
            self._close_epoch(terms, None)
        self.progress.finish()

    def _stale(self) -> bool:
        settings, ledger = self.settings.stage2, self.state.ledger
        return ledger.epoch >= settings.min_epochs and ledger.epoch - ledger.best_epoch >= settings.patience

    def _train_epoch(self, rate: Callable[[int], float]) -> dict[str, float]:
        """One round of the training rows; mean of each term of the loss. ``rate``: factor of the learning rate."""
        ledger = self.state.ledger
        noise = self.processes.noise(self._generator, self.plan.rows)
        sums: dict[str, torch.Tensor] = {}
        done = ledger.epoch * self.plan.steps
        for step, batch in enumerate(self._batches(generator_of(noise))):
            for name, value in self._step(done + step, batch, noise, rate(step)).items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
        totals = self.processes.add(torch.stack([*sums.values()])).tolist()
        terms = {name: total / self.plan.steps for name, total in zip(sums, totals, strict=True)}
        self._check_agreement()
        # Here, and not at the end of the epoch: atoms of a network that is no longer one would blame the data.
        weights = torch.stack([weight.detach().sum() for weight in self.state.evaluated.parameters()]).sum()
        self._check_finite(sum(terms.values()), float(weights))
        return terms

    def _batches(self, noise: torch.Generator) -> Iterator[Rows]:
        """The own rows of each batch of this epoch."""
        ledger, seed = self.state.ledger, self.settings.seed
        path = (Stream.ROUNDS, *self.task.seeds, ledger.stage)
        return self.plan.batches(
            self.train,
            ledger.epoch,
            noise,
            lambda i: torch_generator(seed, *path, i, device=self.device),
            self.processes.own(self.plan.rows),
        )

    def _generator(self, lane: int) -> torch.Generator:
        """For the batches of this epoch, 0, or one of their lanes."""
        ledger = self.state.ledger
        path = (*self.task.seeds, ledger.stage, ledger.epoch)
        stream = (Stream.LANE, *path, lane) if lane else (Stream.EPOCH, *path)
        return torch_generator(self.settings.seed, *stream, device=self.device)

    def _check_agreement(self) -> None:
        """Raise TrainingError where processes no longer hold the same numbers, bit by bit, in every parameter."""
        if self.processes.alone:
            return
        sums = self.processes.joined(checksum(self.state.tensors().values()), self.processes.size)
        if not bool((sums == sums[0]).all()):
            raise TrainingError(
                "training.processes_differ",
                f"{self.task.name}: the processes no longer agree on the weights (epoch {self.state.ledger.epoch + 1})",
                "run all processes on machines of one kind, with the same libraries",
            )

    def _check_finite(self, *numbers: float) -> None:
        """Raise TrainingError, before anything of the epoch is kept, where one is not a number."""
        if not all(map(math.isfinite, numbers)):
            ledger = self.state.ledger
            raise TrainingError(
                DIVERGED,
                f"{self.task.name}: the loss is no longer a number (stage {ledger.stage}, epoch {ledger.epoch + 1})",
                "lower --set training.learning_rate=..., or look for extreme values in the features",
            )

    def _step(self, step: int, batch: Rows, noise: BatchNoise, rate: float) -> dict[str, torch.Tensor]:
        state, settings = self.state, self.settings.training
        if settings.modality_dropout:
            batch = batch.hidden(settings.modality_dropout, noise)
        terms = loss_terms(state.network, batch, self.settings.loss, noise, step)
        state.optimiser.forget_gradients()
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        self.processes.add_gradients(state.network.parameters())
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), settings.gradient_clip)
        state.optimiser.step(self.share * rate)
        state.average()
        return terms

    def _follow_atoms(self) -> StageAtoms:
        """Stage 1: atoms of the validation rows now, averaged over epochs, set the fusion weights."""
        ledger, settings = self.state.ledger, self.settings.stage1
        found = stage_atoms(
            self.state.evaluated,
            self.valid,
            ledger.information,
            self.settings,
            self.task.number,
            self.processes,
        )
        ledger.information = found.information
        ledger.atoms.append(found.atoms)
        ledger.movement = window_movement(ledger.atoms, settings.window)
        ledger.calm = calm_epochs(ledger.calm, ledger.movement, settings)
        ledger.converged = ledger.calm >= settings.patience
        self.state.set_fusion_weights(found.weights.to(self.device))
        return found

    @torch.no_grad()
    def _validation_losses(self) -> tuple[float, float]:
        """Mean squared errors on the validation rows: of the standardised target, and in mean of what the heads of
        single modalities say of Y', 0 where nothing asks for it.

        A head counts at most as the constant does: of a modality that tells nothing it gets worse while others learn.
        """
        network, own = self.state.evaluated, self.valid.part(self.processes.own(len(self.valid))).inputs
        heads = self.settings.stage2.criterion == "codes" and self.settings.loss.sufficiency > 0
        columns = predict_with_heads(network, own) if heads else predict(network, own)[:, None]
        prediction, *scores = self.processes.joined(columns, len(self.valid)).unbind(1)
        loss = float(functional.mse_loss(prediction, self.valid.target))
        if not scores:
            return loss, 0.0
        errors = (torch.stack(scores) - self.valid.score).square().mean(1)
        return loss, float(errors.clamp(max=self.valid.score.square().mean()).mean())

    def _close_epoch(self, terms: dict[str, float], atoms: StageAtoms | None) -> None:
        ledger = self.state.ledger
        valid, single = self._validation_losses()
        train, criterion = sum(terms.values()), valid + single
        self._check_finite(criterion)
        ledger.epoch += 1
        if ledger.stage == 2 and (ledger.best_criterion is None or criterion < ledger.best_criterion):
            ledger.best_criterion, ledger.best_loss, ledger.best_epoch = criterion, valid, ledger.epoch
            self.state.keep_best()
        record = self._record(terms, (train, valid, criterion), atoms)
        ledger.history.append(record)
        self.last_epoch.keep(self.state)
        self.progress.epoch(record)

    def _record(
        self, terms: dict[str, float], losses: tuple[float, float, float], atoms: StageAtoms | None
    ) -> EpochRecord:
        """``losses``: of training rows, of validation rows, and the criterion."""
        names, state = self.task.modalities, self.state
        train, valid, criterion = losses
        return EpochRecord(
            model=self.task.name,
            stage=state.ledger.stage,
            epoch=state.ledger.epoch,
            train_loss=train,
            valid_loss=valid,
            criterion=criterion,
            terms=terms,
            atoms={} if atoms is None else atoms.named(names),
            weights=named_weights(state.network.fusion.weights.tolist(), names),
            bottleneck=dict(zip(names, state.network.shares, strict=True)),
        )


@dataclass(frozen=True)
class NetworkTraining:
    """A ``ModelFit`` still to do, by any process."""

    task: ModelTask
    shape: NetworkShape
    rows: tuple[TrainingRows, Rows]
    settings: Settings
    store: CheckpointStore | None
    processes: Processes = ALONE

    def __call__(self, progress: Progress) -> TrainedModel:
        """Do it."""
        given = (self.settings, progress, self.store, self.processes)
        return ModelFit(self.task, self.shape, self.rows, *given).run()


def tried(training: Pending[R]) -> R | None:
    """How a training beside the model's own went; None where its loss was no number, which does not end a fit."""
    try:
        return training.result()
    except TrainingError as error:
        if error.code != DIVERGED:
            raise
        return None


def most_steps(rows: int, settings: Settings) -> int:
    """Steps of a training with so many training rows, if no stage ends early."""
    steps = BatchPlan.of(rows, settings.training).steps
    return steps * sum(stage_epochs(stage, steps) for stage in (settings.stage1, settings.stage2))


def check_rows(rows: int, processes: Processes) -> None:
    """Raise UsageError where a process would have none of so many rows."""
    if rows < processes.size:
        raise UsageError(
            "usage.too_many_processes",
            f"{processes.size} processes cannot share batches or validation rows that are {rows}: each needs a row",
            "start fewer processes",
        )


def checksum(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
    """Sum, (1,), of the bits of all numbers of single precision in ``tensors``."""
    bits = [tensor.detach().flatten().view(torch.int32).sum(dtype=torch.int64) for tensor in tensors]
    return torch.stack(bits).sum()[None]


def named_weights(weights: list[float], names: tuple[str, ...]) -> dict[str, float]:
    """Fusion weights by name: ``a``, ``b``, then ``a*b``."""
    pairs = [f"{names[i]}*{names[j]}" for i in range(len(names)) for j in range(i + 1, len(names))]
    return dict(zip([*names, *pairs], weights, strict=True))

"""A device whose memory runs out: training goes on from its last finished epoch with smaller batches, or says why not.

The error is torch's own, raised by networks that are given more rows than a pretended device has memory for.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pidreg_cli.errors import DeviceMemoryError
from pidreg_cli.fitting import TableSource, fit_arrays
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.training import model_fit
from pidreg_cli.training.batches import Rows
from pidreg_cli.training.checkpoints import read_checkpoint, write_checkpoint
from pidreg_cli.training.device import peak_bytes, release_unused
from pidreg_cli.training.fitted import Transforms, network_shape
from pidreg_cli.training.model_fit import ModelFit, ModelTask, TrainedModel
from pidreg_cli.training.processes import ALONE, Processes
from pidreg_cli.training.progress import EpochRecord, Silent
from pidreg_cli.training.reading import predict, read
from pidreg_cli.training.rounds import BatchPlan
from pidreg_cli.training.seeds import torch_generator
from pidreg_cli.training.shortage import first_line
from tests.cli.in_process import TINY, Ended
from tests.training.conftest import FolderStore, linear_arrays, quick_settings
from tests.training.in_threads import together

CPU = torch.device("cpu")
CUDA_SAYS = "CUDA out of memory. Tried to allocate 2 GiB.\nSee the documentation."
TRAINING_ROWS = 1024
STEPS = 8  # of an epoch with all the memory of the world
SETTINGS = quick_settings(
    training__batch_size=128,
    stage1__max_epochs=2,
    # Three epochs, by the number of steps: smaller batches must not make them fewer.
    stage2__max_epochs=40,
    stage2__max_steps=3 * STEPS,
    stage2__patience=40,
    network__head_dropout=0.2,
    training__modality_dropout=0.1,
)


class Device:
    """Memory for networks that learn from so many rows at most, and read so many; after so many steps."""

    def __init__(
        self, patch: pytest.MonkeyPatch, learn: int = 10**9, read: int = 10**9, after: int = 0
    ) -> None:
        self.most, self.after, self.steps = {True: learn, False: read}, after, 0
        self.seen: list[int] = []
        encode = PIDRegNetwork.encode

        def limited(network: PIDRegNetwork, inputs: Sequence[Tensor], noise: object) -> list[Tensor]:
            rows, learns = len(inputs[0]), noise is not None
            self.steps += learns
            if self.steps >= self.after + learns and rows > self.most[learns]:
                raise torch.OutOfMemoryError(CUDA_SAYS)
            self.seen += [rows] * learns
            return encode(network, inputs, noise)  # type: ignore[arg-type]

        patch.setattr(PIDRegNetwork, "encode", limited)


class Heard(Silent):
    """Keeps warnings, and may stop the training after some epochs, or at a warning."""

    def __init__(self, epochs: int = 0, *, at_warning: bool = False) -> None:
        self.warnings: list[str] = []
        self.open, self.left, self.at_warning = 0, epochs, at_warning

    def begin(self, task: str, epochs: int) -> None:
        self.open += 1

    def finish(self) -> None:
        self.open -= 1

    def epoch(self, record: EpochRecord) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def warning(self, text: str) -> None:
        self.warnings.append(text)
        if self.at_warning:
            raise KeyboardInterrupt


def training(
    progress: Silent | None = None, store: FolderStore | None = None, processes: Processes = ALONE
) -> ModelFit:
    arrays = linear_arrays(TRAINING_ROWS + 90, modalities=3)
    transforms = Transforms.fit(arrays, "quantile")
    rows = transforms.rows(arrays, CPU)
    parts = rows.part(slice(0, TRAINING_ROWS)), rows.part(slice(TRAINING_ROWS, len(rows)))
    shape = network_shape(transforms, (), SETTINGS.network)
    task = ModelTask("model", 0, arrays.names)
    return ModelFit(task, shape, parts, SETTINGS, progress or Silent(), store, processes)


def check_same(found: TrainedModel, wanted: TrainedModel) -> None:
    """Bit by bit."""
    assert found.ledger.to_document() == wanted.ledger.to_document()
    for name, weights in wanted.network.state_dict().items():
        assert torch.equal(found.network.state_dict()[name], weights), name


def epochs_of(trained: TrainedModel) -> list[tuple[int, int]]:
    return [(record.stage, record.epoch) for record in trained.ledger.history]


def test_batches_are_halved_until_there_is_memory_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    plenty = training().run()
    device = Device(monkeypatch, learn=40)
    heard = Heard()
    trained = training(heard).run()
    assert [int(text.rsplit(" ", 1)[1]) for text in heard.warnings] == [64, 32]
    assert "does not suffice for batches of 128 rows" in heard.warnings[0]
    assert heard.open == 0
    assert set(device.seen) == {32}
    # As many epochs as with more memory, of as many rows.
    assert epochs_of(trained) == epochs_of(plenty)
    assert len(device.seen) == len(epochs_of(plenty)) * STEPS * 4
    assert (trained.ledger.batch, plenty.ledger.batch) == (32, None)
    # With more, smaller steps through the same rows no less is learnt.
    assert trained.ledger.best_loss < plenty.ledger.best_loss + 0.05


def after_going_on(patch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """Fills with the state with which a training goes on after a shortage."""
    seen: list[dict[str, Tensor]] = []
    go_on = ModelFit._go_on

    def watched(self: ModelFit, plan: BatchPlan) -> None:
        go_on(self, plan)
        assert [p.grad for p in self.state.network.parameters() if p.grad is not None] == []
        seen.append({name: tensor.detach().clone() for name, tensor in self.state.tensors().items()})

    patch.setattr(ModelFit, "_go_on", watched)
    return seen


@pytest.mark.parametrize(("epoch", "stored"), [(0, True), (0, False), (1, False), (3, True)])
def test_nothing_of_the_epoch_that_broke_off_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, epoch: int, stored: bool
) -> None:
    """It ends as a training does that is stopped after the last whole epoch and told to take smaller batches."""
    store = FolderStore(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        training(Heard(max(epoch, 1)), store).run()
    stopped = read_checkpoint(store, "checkpoint-0.safetensors", CPU)
    assert stopped is not None
    if epoch == 0:
        start = training()
        stopped = start.state.ledger.to_document(), start.state.tensors()
    document, tensors = stopped
    write_checkpoint(store, "checkpoint-0.safetensors", {**document, "batch": 64}, tensors)
    wanted = training(store=store).run()
    store.remove("checkpoint-0.safetensors")
    Device(monkeypatch, learn=64, after=epoch * STEPS + 2)
    going_on = after_going_on(monkeypatch)
    found = training(store=store if stored else None).run()
    assert found.ledger.batch == 64
    check_same(found, wanted)
    [left] = going_on
    assert left.keys() == tensors.keys()
    assert [name for name in left if not torch.equal(left[name], tensors[name])] == []


@pytest.mark.parametrize("method", ["_validation_losses", "_follow_atoms", "_record"])
def test_memory_may_run_out_anywhere_between_two_epochs(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    whole, calls = getattr(ModelFit, method), [0]

    def once(self: ModelFit, *given: object) -> object:
        found = whole(self, *given)
        calls[0] += 1
        if calls[0] == 2:
            raise torch.OutOfMemoryError(CUDA_SAYS)
        return found

    monkeypatch.setattr(ModelFit, method, once)
    found = training().run()
    monkeypatch.undo()
    Device(monkeypatch, learn=64, after=STEPS)
    check_same(found, training().run())


@pytest.mark.parametrize("epochs", [0, 1, 3], ids=["at once", "an epoch later", "in the next stage"])
def test_a_resumed_training_goes_on_with_the_smaller_batches(
    monkeypatch: pytest.MonkeyPatch, store: FolderStore, epochs: int
) -> None:
    Device(monkeypatch, learn=64, after=STEPS)
    unbroken = training().run()
    monkeypatch.undo()
    Device(monkeypatch, learn=64, after=STEPS)
    stopping = Heard(1 + epochs) if epochs else Heard(at_warning=True)
    with pytest.raises(KeyboardInterrupt):
        training(stopping, store).run()
    monkeypatch.undo()
    heard = Heard()
    check_same(training(heard, store).run(), unbroken)
    assert heard.warnings == []


def test_several_processes_resume_with_the_smaller_batches_of_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stores = [FolderStore(tmp_path / name) for name in ("one", "several")]
    for store in stores:
        store.folder.mkdir()
        with monkeypatch.context() as patch:
            Device(patch, learn=64)
            with pytest.raises(KeyboardInterrupt):
                training(Heard(2), store).run()
    alone = training(store=stores[0]).run()
    first, *_ = together(2, lambda p: training(None, stores[1] if p.first else None, p).run())
    assert first.ledger.batch == 64
    losses = [[record.valid_loss for record in one.ledger.history] for one in (first, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_what_failed_is_gone_before_more_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[weakref.ref[PIDRegNetwork]] = []
    begin = ModelFit._begin

    def checked(self: ModelFit, plan: BatchPlan) -> None:
        assert [ref() for ref in failed] == [None] * len(failed)
        begin(self, plan)
        failed.append(weakref.ref(self.state.network))

    monkeypatch.setattr(ModelFit, "_begin", checked)
    Device(monkeypatch, learn=32, after=2)
    assert training().run().ledger.batch == 32
    assert len(failed) == 3


def test_no_memory_for_the_smallest_batches_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, store: FolderStore
) -> None:
    wanted = training().run()
    with monkeypatch.context() as patch:
        Device(patch, learn=31, after=STEPS)
        with pytest.raises(
            DeviceMemoryError, match=r"no memory for batches of 32 rows.*Tried to allocate 2 GiB"
        ) as raised:
            training(store=store).run()
    assert raised.value.code == "data.memory"
    assert "--resume" in raised.value.hint
    resumed = training(store=store).run()
    assert resumed.ledger.batch == 32
    assert epochs_of(resumed) == epochs_of(wanted)


def test_several_processes_end_and_say_which_batches_to_take(
    monkeypatch: pytest.MonkeyPatch, store: FolderStore
) -> None:
    step = ModelFit._step

    def failing(self: ModelFit, number: int, *given: object) -> dict[str, Tensor]:
        if self.processes.rank == 1 and number == STEPS + 1:
            raise torch.OutOfMemoryError(CUDA_SAYS)
        return step(self, number, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(ModelFit, "_step", failing)
    with pytest.raises(
        DeviceMemoryError, match="process 1 has no memory for its part of a batch of 128"
    ) as raised:
        together(2, lambda p: training(None, store if p.first else None, p).run())
    assert raised.value.code == "data.memory"
    assert "training.batch_size=64 --set training.largest_batch=64" in raised.value.hint
    found = read_checkpoint(store, "checkpoint-0.safetensors", CPU)
    assert found is not None
    assert (found[0]["epoch"], found[0]["batch"]) == (1, None)


def test_what_torch_says_is_told_without_its_advice() -> None:
    assert first_line(torch.OutOfMemoryError(CUDA_SAYS)) == "CUDA out of memory. Tried to allocate 2 GiB."


def numbered(rows: int) -> Rows:
    """Rows whose target is their number."""
    number = torch.arange(rows, dtype=torch.float32)
    return Rows([number[:, None]], number, number, torch.ones(rows, 1, dtype=torch.bool), [torch.zeros(1, 1)])


def numbers(plan: BatchPlan, rows: Rows, number: int, own: slice = slice(None)) -> list[list[int]]:
    noise = torch_generator(0, 1, number)
    batches = plan.batches(rows, number, noise, lambda i: torch_generator(0, 2, i), own)
    return [batch.target.int().tolist() for batch in batches]


@pytest.mark.parametrize(("rows", "most"), [(1000, 10**6), (1000, 300)], ids=["passes", "parts of a pass"])
def test_smaller_batches_are_cut_from_those_planned(rows: int, most: int) -> None:
    settings = SETTINGS.training.model_copy(update={"batch_size": 101, "round_rows": most})
    plan = BatchPlan.of(rows, settings)
    smaller = plan.smaller()
    assert smaller is not None
    assert (plan.rows, smaller.rows, smaller.steps) == (101, 50, 2 * plan.steps)
    table = numbered(rows)
    for number in range(5):
        planned, cut = numbers(plan, table, number), numbers(smaller, table, number)
        assert cut == [batch[start : start + 50] for batch in planned for start in (0, 50)]
        parts = [numbers(smaller, table, number, own) for own in (slice(0, 20), slice(20, 50))]
        assert [first + second for first, second in zip(*parts, strict=True)] == cut
    assert smaller.smaller() is None


def test_rows_are_read_in_smaller_runs_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    network, rows = training().state.network, training().valid
    whole, predicted = read(network, rows.inputs, [1, 3, 7]), predict(network, rows.inputs)
    Device(monkeypatch, read=32)
    found = read(network, rows.inputs, [1, 3, 7])
    assert found.scores.keys() == {1, 3, 7}
    for one, other in (
        (found.prediction, whole.prediction),
        *zip(found.codes, whole.codes, strict=True),
        *((found.scores[mask], whole.scores[mask]) for mask in whole.scores),
        (predict(network, rows.inputs).numpy(), predicted.numpy()),
    ):
        np.testing.assert_allclose(one, other, atol=1e-5)
    Device(monkeypatch, read=20)
    with pytest.raises(torch.OutOfMemoryError):
        predict(network, rows.inputs)


def test_reading_in_smaller_runs_leaves_the_batches_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    plenty = training().run()
    Device(monkeypatch, read=40)
    heard = Heard()
    trained = training(heard).run()
    assert (heard.warnings, trained.ledger.batch) == ([], None)
    assert trained.ledger.best_loss == pytest.approx(plenty.ledger.best_loss, rel=1e-3)


FIT = ("fit", "data.parquet", "--modalities", "a,b", "--config", "tiny.yaml", "--format", "json")


@pytest.fixture(scope="module")
def plenty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, a configuration that trains in a moment, and a run with all the memory of the world."""
    folder = tmp_path_factory.mktemp("plenty")
    (folder / "tiny.yaml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert Ended("synth", "mixed", "-o", "data.parquet", "--rows", 700, "-q").status == 0
        assert Ended(*FIT, "-o", "plenty").status == 0
    return folder


@pytest.fixture
def place(plenty: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(plenty)
    return plenty


def saved(run: Path) -> dict[str, Any]:
    """Report of a run, less the clock."""
    found: dict[str, Any] = json.loads((run / "report.json").read_text())
    return {**found, "created_at": ""}


def diagnostics(run: Path) -> dict[str, dict[str, Any]]:
    return {found["code"]: found for found in saved(run)["diagnostics"]}


def test_nothing_is_said_where_memory_suffices(place: Path) -> None:
    assert not {"training.smaller_batch", "training.device_memory"} & diagnostics(place / "plenty").keys()


def test_the_command_warns_at_once_and_in_its_report(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Device(monkeypatch, learn=40)
    ended = Ended(*FIT, "-q", "-o", "short")
    assert ended.status == 0, ended.err
    # Folds have batches of 38 rows, the deployed model of 76.
    [warning] = [line for line in ended.err.splitlines() if line.startswith("warning: ")]
    assert warning.startswith("warning: deployed model: the memory of device 'cpu' does not suffice")
    found = diagnostics(place / "short")["training.smaller_batch"]
    assert (found["severity"], found["value"]) == ("warning", 38)
    assert "in 1 of 3 models" in found["message"]
    assert "training.batch_size=38 --set training.largest_batch=38" in found["hint"]


def test_the_command_ends_as_for_any_lack_of_memory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        # In the second epoch of the first fold.
        Device(patch, learn=31, after=11)
        ended = Ended(*FIT, "-o", "ended")
    assert (ended.status, ended.out) == (3, "")
    assert json.loads(ended.err.splitlines()[-1])["error"]["code"] == "data.memory"
    assert Ended(*FIT, "-o", "ended", "--resume").status == 0
    assert saved(place / "ended") == saved(place / "plenty")


def test_networks_of_a_model_tell_the_smallest_of_their_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    short = dict.fromkeys(("stage1__min_epochs", "stage1__max_epochs", "stage2__max_epochs"), 1)
    settings = quick_settings(network__further=["mlp"], features__boosted="off", **short)
    # The second network of the first fold alone runs out of memory.
    run = model_fit.NetworkTraining.__call__

    def limited(self: model_fit.NetworkTraining, progress: Silent) -> TrainedModel:
        with pytest.MonkeyPatch.context() as patch:
            if (self.task.number, self.task.member) == (0, 1):
                Device(patch, learn=50)
            return run(self, progress)

    monkeypatch.setattr(model_fit.NetworkTraining, "__call__", limited)
    fit = fit_arrays(linear_arrays(1400), TableSource(("t",), "sha256:0", "y"), settings, Silent())
    assert [ledger.batch for ledger in fit.outcome.histories] == [38, None, None]


def test_peak_memory_is_asked_of_gpus_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[bool] = []
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 1000 + device.index)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: released.append(True))
    for device in (CPU, torch.device("cuda", 3)):
        release_unused(device)
    assert released == [True]
    assert (peak_bytes(CPU), peak_bytes(torch.device("cuda", 3))) == (None, 1003)


def test_peak_memory_is_reported(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pidreg_cli.fitting.peak_bytes", lambda device: 1_230_000_000)
    told = Ended(*FIT, "-o", "peak", "-v").err.splitlines()
    found = diagnostics(place / "peak")["training.device_memory"]
    assert (found["severity"], found["value"]) == ("info", 1.23e9)
    assert found["message"] == "The fit took up to 1.2 GB of the memory of device 'cpu'."
    assert found["message"] in told

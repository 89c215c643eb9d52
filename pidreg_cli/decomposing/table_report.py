"""What decompositions of tables share: rows dealt into groups, and what a report says beside informations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pidreg_cli.data.labels import complete_labels
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.subjects import repeated_subjects
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.data.targets import SeenTarget
from pidreg_cli.data.transforms import TargetTransform
from pidreg_cli.decisions import data_checks
from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.decomposing.readers import RowReader, Tally, empty_modality
from pidreg_cli.decomposing.request import DecomposeRequest, created_now
from pidreg_cli.decomposing.streamed import LabelledTable, group_count
from pidreg_cli.reports import evidence as given
from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.model import Report
from pidreg_cli.threads import available_threads
from pidreg_cli.training.metrics import Accuracy


def labelled_table(
    table: ParquetTable,
    seen: SeenTarget,
    transform: TargetTransform,
    group: str | None,
    request: DecomposeRequest,
    reader: RowReader,
) -> LabelledTable:
    """The table with its target and its normal scores, rows of a group together."""
    labels = None if group is None else complete_labels(table, group, "group")
    most = group_count(reader.layout.width)
    threads = request.threads or available_threads()
    return LabelledTable.of(table, seen, transform, labels, request.seed or 0, threads, most)


@dataclass(frozen=True)
class TableReport:
    """What a report says beside informations."""

    roles: Roles
    labelled: LabelledTable
    tally: Tally
    target_transform: str
    request: DecomposeRequest
    device: str
    threads: int
    command: str = "decompose"
    findings: tuple[Diagnostic, ...] = ()

    def report(
        self,
        information: given.InformationFacts | None,
        constant: Mapping[str, tuple[str, ...]],
        accuracy: Accuracy | None,
        selection: given.SelectionFacts | None = None,
    ) -> Report:
        """The report."""
        return assemble(
            given.Evidence(
                run=given.RunFacts(
                    self.command, created_now(), self.request.seed or 0, self.device, self.threads
                ),
                table=self._table(),
                modalities=self._modalities(constant),
                accuracy=None if accuracy is None else given.AccuracyFacts(accuracy, None, {}),
                information=information,
                fusion=None,
                selection=selection,
                training=given.TrainingFacts(self.labelled.seen.counted),
                diagnostics=self._findings(),
            )
        )

    def _table(self) -> given.TableFacts:
        table, rows = self.labelled.table, self.labelled.rows
        return given.TableFacts(
            files=table.files,
            fingerprint=table.fingerprint,
            rows=table.rows,
            rows_missing_target=table.rows - rows,
            rows_train=0,
            rows_valid=0,
            rows_test=rows,
            folds=None,
            target=self.roles.target,
            target_transform=self.target_transform,
            group=self.roles.group,
        )

    def _modalities(self, constant: Mapping[str, tuple[str, ...]]) -> tuple[given.ModalityFacts, ...]:
        tally = self.tally
        for name, cells in tally.cells.items():
            if tally.missing[name] == cells:
                raise empty_modality(name)
        return tuple(
            given.ModalityFacts(
                name=name,
                features=cells // tally.rows,
                missing_fraction=tally.missing[name] / cells,
                absent_rows_fraction=tally.absent[name] / tally.rows,
                constant_features=constant.get(name, ()),
            )
            for name, cells in tally.cells.items()
        )

    def _findings(self) -> tuple[Diagnostic, ...]:
        table = self.labelled.table
        found = repeated_subjects(table, self.roles.group, self.roles.id)
        repeated = () if found is None else (data_checks.repeated_subjects(*found),)
        return (*self.findings, *repeated)

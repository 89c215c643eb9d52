"""What a report says of a streamed table: counts of all rows, and how many of them judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pidreg_cli.data.arrays import TEST, TRAIN, VALID
from pidreg_cli.data.streaming.deal import DealtTable
from pidreg_cli.decisions.data_checks import sampled_rows
from pidreg_cli.reports.evidence import Evidence


def of_whole_table(evidence: Evidence, dealt: DealtTable) -> Evidence:
    """The evidence of the sample with rows and missing cells of the whole table; ``rows_valid`` and ``rows_test`` stay
    those that were used.
    """
    used = sum(dealt.counts.values())
    table = replace(
        evidence.table,
        rows=dealt.rows,
        rows_missing_target=dealt.rows - used,
        rows_train=dealt.counts[TRAIN],
    )
    modalities = tuple(
        replace(
            one,
            missing_fraction=dealt.facts[one.name].missing_fraction,
            absent_rows_fraction=dealt.facts[one.name].absent_fraction,
        )
        for one in evidence.modalities
    )
    kept = {part: int((np.asarray(dealt.sample.split) == part).sum()) for part in (TRAIN, VALID, TEST)}
    finding = sampled_rows(kept, dict(dealt.counts))
    return replace(evidence, table=table, modalities=modalities, diagnostics=(*evidence.diagnostics, finding))

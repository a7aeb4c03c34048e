"""From a run folder to exhibitions, each beside its arithmetic; for reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iolab.errors import UsageError
from iolab.findings import machine
from iolab.kinds import registry
from iolab.kinds.chess.plan import Arithmetic, Played, arithmetic
from iolab.kinds.chess.records import ChessRecord
from iolab.kinds.chess.settings import ChessExperiment
from iolab.results.folder import RunFolder
from iolab.results.records import ModelInfo, Pair, RunInfo, ServerUsage


@dataclass(frozen=True)
class Exhibition:
    """An exhibition beside its arithmetic, and what the server used."""

    model: ModelInfo
    arithmetic: Arithmetic
    played: Played
    usage: ServerUsage


@dataclass(frozen=True)
class Analysis:
    """What a report is made of; `exhibitions` are those of valid trials."""

    run: RunInfo
    experiment: ChessExperiment
    records: Sequence[ChessRecord]
    exhibitions: Sequence[Exhibition]
    cells: Sequence[dict[str, Any]]


def analyse(folder: RunFolder) -> Analysis:
    """Read a run folder, and compute what its reports say; raises UsageError where it cannot be read."""
    run = folder.read_run()
    experiment = registry.recorded(folder, run, ChessExperiment)
    records = sorted(folder.read_trials(ChessRecord), key=lambda record: record.index)
    models = {model.letter: model for model in run.models}
    exhibitions, cells = [], []
    for record in records:
        model = models[record.model]
        expected = arithmetic(experiment.chess, experiment.boards, model.workers)
        exhibition = None
        if record.valid:
            played = Played(experiment.chess, _pairs(folder, experiment, record))
            exhibition = Exhibition(model, expected, played, record.server)
            exhibitions.append(exhibition)
        cells.append(_cell(run, experiment, record, expected, exhibition))
    return Analysis(run, experiment, records, exhibitions, cells)


def _pairs(folder: RunFolder, experiment: ChessExperiment, record: ChessRecord) -> tuple[Pair, ...]:
    pairs, expected = folder.read_rows(record.rows, "pairs", Pair), experiment.boards * experiment.chess.moves
    if len(pairs) != expected:
        path = folder.path / record.rows.get("pairs", "samples")
        raise UsageError(f"{path} has {len(pairs)} pairs of moves, and its exhibition {expected}: it is damaged")
    return tuple(pairs)


def _cell(
    run: RunInfo, experiment: ChessExperiment, record: ChessRecord, expected: Arithmetic, exhibition: Exhibition | None
) -> dict[str, Any]:
    played = exhibition.played if exhibition else None
    return {
        "model": record.model,
        "service": record.service,
        "cpus": experiment.cpus[0],
        "boards": experiment.boards,
        **experiment.chess.model_dump(),
        "valid": record.valid,
        "reason": record.reason,
        "boards_at_once": expected.boards_at_once,
        "least_s": expected.least_s,
        "most_s": expected.most_s,
        "took_s": round(played.took_s, 1) if played else None,
        "master_moved": round(played.busy, 4) if played else None,
        "thought_in_step": round(played.in_step, 2) if played else None,
        "server": record.server.model_dump(),
        "findings": [finding.model_dump() for finding in machine.during(run, (record,), experiment.cpus[0])],
    }

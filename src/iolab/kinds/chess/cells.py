"""From a run folder to exhibitions, each with its calculation; for reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iolab.kinds import recorded
from iolab.kinds.chess.plan import Arithmetic, Played, arithmetic
from iolab.kinds.chess.records import ChessRecord
from iolab.kinds.chess.settings import ChessExperiment
from iolab.report import doubts
from iolab.report.summary import rounded
from iolab.results.folder import RunFolder
from iolab.results.records import ServerUsage
from iolab.results.run_info import GIL_OF_SERVERS, ModelInfo, RunInfo
from iolab.results.samples import Pair


@dataclass(frozen=True)
class Exhibition:
    """An exhibition, its calculation, and the server's use of resources."""

    model: ModelInfo
    arithmetic: Arithmetic
    played: Played
    usage: ServerUsage
    lock: bool = False  # whether one interpreter with a lock computes its moves, as far as that is known


@dataclass(frozen=True)
class Analysis:
    """The content of a report; `exhibitions` are those of valid trials."""

    run: RunInfo
    experiment: ChessExperiment
    records: Sequence[ChessRecord]
    exhibitions: Sequence[Exhibition]
    cells: Sequence[dict[str, Any]]


def analyse(folder: RunFolder) -> Analysis:
    """Read a run folder, and compute the content of its reports; raises UsageError if it cannot be read."""
    found = recorded.read(folder, ChessExperiment, ChessRecord)
    run, experiment, models = found.run, found.experiment, found.models
    records = sorted(found.trials, key=lambda record: record.index)
    exhibitions, cells = [], []
    for record in records:
        model = models[record.model]
        masters = min(run.at_once(model), max(1.0, experiment.cpus[0]))
        expected = arithmetic(experiment.chess, experiment.boards, model.workers, masters)
        exhibition = None
        if record.valid:
            pairs = folder.rows_of(record, "pairs", Pair, experiment.boards * experiment.chess.moves)
            played = Played(experiment.chess, tuple(pairs), masters)
            exhibition = Exhibition(model, expected, played, record.server, has_one_lock(run, model))
            exhibitions.append(exhibition)
        cells.append(_cell(run, experiment, record, expected, exhibition))
    return Analysis(run, experiment, records, exhibitions, cells)


def has_one_lock(run: RunInfo, model: ModelInfo) -> bool:
    """Return whether one lock is known to let one thread compute at a time: Go and Node have none, E one a process."""
    known = run.environment.get(GIL_OF_SERVERS)
    return isinstance(known, dict) and known.get(model.service) is True and model.interpreters == 1


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
        "master_moved": rounded(played.busy, 4) if played else None,
        "thought_in_step": round(played.in_step, 2) if played else None,
        "server": record.server.model_dump(),
        "findings": [finding.model_dump() for finding in doubts.of_record(run, record, experiment.cpus[0])],
    }

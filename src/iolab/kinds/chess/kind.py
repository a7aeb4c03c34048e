"""A simultaneous exhibition as a kind of experiment."""

from collections.abc import Iterator, Sequence
from types import MappingProxyType

from iolab.bench import Bench
from iolab.kind import History, Kind, Line, Measured, Report
from iolab.kinds.chess import cells, run
from iolab.kinds.chess.plan import arithmetic
from iolab.kinds.chess.records import ChessRecord
from iolab.kinds.chess.run import Trial
from iolab.kinds.chess.settings import ChessExperiment
from iolab.lab import Model
from iolab.report import numbers
from iolab.results.folder import RunFolder
from iolab.results.samples import Pair


class Chess(Kind[ChessExperiment, Trial, ChessRecord]):
    """One master, many boards: the same games on every server."""

    name = "chess"
    settings = ChessExperiment
    record = ChessRecord
    rows = MappingProxyType({"pairs": Pair})
    key = ("model", "service")
    metrics = ("took_s", "master_moved")
    rising = ("master_moved",)
    theory = ("boards_at_once", "least_s", "most_s")
    generator = "boards"

    def plan(
        self, experiment: ChessExperiment, models: Sequence[Model], history: History[ChessRecord]
    ) -> Iterator[Trial]:
        """Yield an exhibition for each server."""
        return history.missing(Trial(index, model) for index, model in enumerate(models))

    def count(self, experiment: ChessExperiment, models: Sequence[Model]) -> int:
        """Return how many servers there are."""
        return len(models)

    def expected_s(self, experiment: ChessExperiment, models: Sequence[Model]) -> float:
        """Return the least time that the arithmetic says for all exhibitions."""
        rules = experiment.chess
        each_s = (arithmetic(rules, experiment.boards, model.workers).least_s for model in models)
        return sum(each_s) * rules.scale_ms / 1000

    def describe(self, trial: Trial) -> str:
        """Return a trial's name, shown while it is measured."""
        return f"{trial.model.letter} {trial.model.title}"

    def run(self, experiment: ChessExperiment, trial: Trial, bench: Bench) -> Measured[ChessRecord]:
        """Measure a trial."""
        return run.run(experiment, trial, bench)

    def line(self, measured: Measured[ChessRecord]) -> Line:
        """Return how long an exhibition took here, not in seconds of the games."""
        record = measured.record
        place = f"{record.model} {record.service:<20}"
        if not record.valid:
            return Line(f"{place} invalid: {record.reason}", "red")
        pairs = [row for row in measured.rows.get("pairs", ()) if isinstance(row, Pair)]
        took_s = max(pair.end_s for pair in pairs) - min(pair.start_s for pair in pairs)
        return Line(f"{place} {len(pairs)} pairs of moves in {numbers.seconds(took_s)}")

    def report(self, folder: RunFolder) -> Report:
        """Return the reports of a run."""
        analysis = cells.analyse(folder)
        return Report(analysis.cells, lambda: self.drawn(analysis))


KIND = Chess()

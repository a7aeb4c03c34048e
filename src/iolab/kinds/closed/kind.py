"""The closed loop as a kind of experiment."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from types import MappingProxyType
from typing import Any

from iolab import address
from iolab.bench import Bench
from iolab.errors import UsageError
from iolab.kind import History, Kind, Line, Measured, Report, Show, Where
from iolab.kinds import registry
from iolab.kinds.closed import run
from iolab.kinds.closed.plan import Trial, expected_medians_s, prediction, rounds, trials
from iolab.kinds.closed.precision import Median, Precision, check_resolution, rounds_until
from iolab.kinds.closed.records import ClosedRecord
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import RUNNING, Lab, Model, running_model
from iolab.report import numbers
from iolab.report.cells import RunCell
from iolab.results.folder import RunFolder
from iolab.results.samples import Sample
from iolab.theory.statistics import RESOLUTION_S


class Closed(Kind[ClosedExperiment, Trial, ClosedRecord]):
    """A fixed number of users, each of which sends its next request when it has the response."""

    name = "closed"
    settings = ClosedExperiment
    record = ClosedRecord
    rows = MappingProxyType({"requests": Sample})
    key = ("model", "service", "concurrency", "cpus", "variant")
    metrics = ("median_ms", "p95_ms", "p99_ms", "steady_rps")
    rising = ("steady_rps",)
    fresh_servers = None
    theory = ("predicted_median_ms", "predicted_mean_ms", "predicted_throughput_rps")
    explains_medians = True

    def models(self, experiment: ClosedExperiment, lab: Lab) -> Sequence[Model]:
        """Return the servers of the experiment: those of the lab, or the one that already runs."""
        if target := experiment.running:
            return [running_model(address.parsed(target.url or "").place, target.workers)]
        if "{url}" in experiment.question:
            raise UsageError(f"{experiment.name}: which server? Give its address: make bench URL=http://127.0.0.1:9000")
        return super().models(experiment, lab)

    def check(self, experiment: ClosedExperiment, models: Sequence[Model], where: Where) -> None:
        """Refuse a precision that the load generator cannot measure; without theory, the first round tells."""
        if experiment.precision is not None and experiment.predictable:
            expected = expected_medians_s(experiment, models)
            medians = [Median(seconds, trial.model, trial.concurrency) for trial, seconds in expected.items()]
            check_resolution(experiment.precision, where.generator, medians)

    def plan(
        self, experiment: ClosedExperiment, models: Sequence[Model], history: History[ClosedRecord]
    ) -> Iterator[Trial]:
        """Yield the trials of all repeats, and of more rounds where a precision is wanted and not reached."""
        precision = Precision(experiment.precision or 1.0, RESOLUTION_S[history.run.generator])
        known: set[int] = set()
        if experiment.precision is not None:
            import_module("scipy.special")  # an interruption in the middle of an import would break the report

        def look() -> None:
            for record in history.records:
                if record.index not in known:
                    known.add(record.index)
                    precision.add(record, history.rows(record, "requests", Sample))

        def enough() -> bool:
            look()
            return experiment.precision is None or precision.reached()

        def check() -> None:
            if experiment.precision is not None and not experiment.predictable:
                look()
                precision.check(history.run.generator)

        wanted = rounds_until(
            rounds(experiment, models),
            experiment.repeats,
            enough=enough,
            out_of_time=lambda: history.elapsed_s > experiment.budget_s,
            after_one=check,
        )
        return history.missing(wanted)

    def count(self, experiment: ClosedExperiment, models: Sequence[Model]) -> int:
        """Return how many trials all repeats are; a precision can take more."""
        return len(trials(experiment, models))

    def total(self, experiment: ClosedExperiment, models: Sequence[Model], number: int) -> int:
        """Return how many trials there are in all rounds that have begun; a round that a precision adds counts."""
        planned = self.count(experiment, models)
        a_round = planned // experiment.repeats
        return max(planned, -(-number // a_round) * a_round)

    def expected_s(self, experiment: ClosedExperiment, models: Sequence[Model]) -> float | None:
        """Return how long the requests of all repeats take in theory; None where theory lacks something."""
        if not experiment.predictable:
            return None
        by_letter = {model.letter: model for model in models}
        return sum(
            trial.requests
            / prediction(trial, by_letter[trial.model], experiment.settings(trial.variant)).throughput_rps
            for trial in trials(experiment, models)
        )

    def describe(self, trial: Trial) -> str:
        """Return a trial's name, shown while it is measured."""
        return f"{trial.model} {trial.service}, {numbers.users(trial.concurrency)}"

    def run(self, experiment: ClosedExperiment, trial: Trial, bench: Bench) -> Measured[ClosedRecord]:
        """Measure a trial."""
        return run.run(experiment, trial, bench)

    def line(self, measured: Measured[ClosedRecord]) -> Line:
        """Return the median and the slowest response time of a trial."""
        record = measured.record
        latencies_s = sorted(
            sample.latency_s
            for sample in measured.rows["requests"]
            if isinstance(sample, Sample) and sample.status == 200 and sample.latency_s is not None
        )
        place = f"{record.model} {record.service:<20} c = {record.concurrency:<4}"
        if not record.valid or not latencies_s:
            return Line(f"{place} invalid: {record.reason}", None if record.valid else "red")
        median, slowest = numbers.median(latencies_s), numbers.latency(latencies_s[-1])
        failed = f"   {record.errors} failed" if record.errors else ""
        return Line(f"{place} median {median:>8}   slowest {slowest:>8}{failed}")

    def report(self, folder: RunFolder) -> Report:
        """Return the reports of a run."""
        from iolab.kinds.closed import cells, course, course_chat  # noqa: PLC0415 (not for measuring)

        analysed = cells.analyse(folder)
        if course.applies(analysed):
            analysed = replace(
                analysed, chat_answer=tuple(registry.course_answer(folder.path.parent, course_chat.CHATTERS))
            )
        objects = [json.loads(each.cell.model_dump_json()) for each in analysed.cells]
        return Report(objects, lambda: self.drawn(analysed))

    def run_cells(self, folder: RunFolder) -> Sequence[RunCell]:
        """Return the cells of a run as runs are compared, with the errors that its repeats give."""
        from iolab.kinds.closed import cells, compared  # noqa: PLC0415 (not for measuring)

        return compared.run_cells(cells.analyse(folder))

    def name_of(self, cell: Mapping[str, Any], left_out: Collection[str] = ()) -> str:
        """Return the name of a cell in a comparison: A16, 1 CPU."""
        model = "" if "model" in left_out else cell["model"]
        users = "" if "concurrency" in left_out else str(cell["concurrency"])
        limit = "" if "cpus" in left_out or cell["model"] == RUNNING else f"{cell['cpus']:g} CPU"
        variant = "" if "variant" in left_out else cell["variant"]
        return ", ".join(filter(None, [f"{model}{users}" if model else f"{users} users", limit, variant]))

    def explain(self, folder: RunFolder, cell: str, cpus: float | None, variant: str | None) -> Show:
        """Return what prints the parts of a cell's median."""
        from iolab.kinds.closed import cells, comparison, explain  # noqa: PLC0415 (not for measuring)

        analysis = cells.analyse(folder)
        each = explain.find(analysis, cell, cpus, variant)
        parts = explain.budget(analysis, each)
        return lambda console: comparison.show_budget(console, analysis, each.cell, parts)


KIND = Closed()

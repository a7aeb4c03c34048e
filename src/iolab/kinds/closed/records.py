"""What is on disk of a closed loop: a line a trial, and an object a cell in summary.json."""

from iolab.results.records import ClientUsage, Finding, LoadRecord, Record, ServerUsage


class ClosedRecord(LoadRecord):
    """One line of trials.jsonl of a closed loop, with a fixed number of users."""

    concurrency: int


class Cell(Record):
    """One object of summary.json: all repeats of a model at one concurrency, CPU limit and variant.

    A percentile is None with too few requests (theory.enough). `median_ci_ms` comes from the repeats, whatever requests
    of one load have in common, and is about this run; `p50_ci_ms`, `p95_ci_ms` and `p99_ci_ms` are 95% intervals of
    independent requests, by order statistics. `repeat_p50_ms` and so on have the value of each repeat that counts.
    """

    model: str
    title: str
    service: str
    concurrency: int
    cpus: float
    variant: str
    repeats: int
    requested: int
    sent: int
    ok: int
    counted: int  # answered requests of the repeats that count: response times, rates and use of resources are of these
    errors: int
    median_ms: float | None
    median_ci_ms: tuple[float, float] | None
    mean_ms: float | None
    p50_ci_ms: tuple[float, float] | None
    p95_ms: float | None
    p95_ci_ms: tuple[float, float] | None
    p99_ms: float | None
    p99_ci_ms: tuple[float, float] | None
    max_ms: float | None
    repeat_p50_ms: tuple[float | None, ...]
    repeat_p95_ms: tuple[float | None, ...]
    repeat_p99_ms: tuple[float | None, ...]
    throughput_rps: float | None  # of the whole span, ramp-up and ramp-down too
    steady_rps: float | None  # while every user has a request under way, of the repeats counted together
    utilisation: float | None  # of the workers in that time; None where they are not finite
    service_ms: float | None  # wait and computing of one request; None: not known
    backlog: int | None  # of a server that accepts a connection only to serve it, as its kernel limits it
    predicted_median_ms: float | None  # (backlog + 2) x S where the accept queue is shorter than the users
    predicted_mean_ms: float | None  # with an accept queue that is long enough: c x S behind one worker
    predicted_throughput_rps: float | None
    users_under_way: float | None  # throughput x mean response time, of the repeats counted
    suspect_repeats: int  # repeats in which Little's law does not find the users of the trial
    server: ServerUsage
    client: ClientUsage
    valid: bool
    findings: tuple[Finding, ...]

    @property
    def services(self) -> float | None:
        """The median in service times: 4 for a user that waits for three others."""
        return None if self.median_ms is None or self.service_ms is None else self.median_ms / self.service_ms

    @property
    def residual(self) -> float | None:
        """How far the median lies above its prediction, as a share of that."""
        if self.median_ms is None or self.predicted_median_ms is None:
            return None
        return self.median_ms / self.predicted_median_ms - 1

    @property
    def throughput_residual(self) -> float | None:
        """How far the steady throughput lies above its prediction, as a share of that."""
        if self.steady_rps is None or self.predicted_throughput_rps is None:
            return None
        return self.steady_rps / self.predicted_throughput_rps - 1

    @property
    def short_queue(self) -> bool:
        """Whether the accept queue is shorter than the users: backlog + 1 wait, and one is served."""
        return self.backlog is not None and self.concurrency > self.backlog + 2

    @property
    def doubtful(self) -> bool:
        """Whether it is not valid, or has a warning that the experiment is not made to show."""
        return not self.valid or any(one.severity != "note" and not one.expected for one in self.findings)

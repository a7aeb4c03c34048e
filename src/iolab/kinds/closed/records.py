"""What is on disk of a closed loop: a line a trial, and an object a cell in summary.json."""

from iolab.results.records import ClientUsage, Finding, LoadRecord, Record, ServerUsage


class ClosedRecord(LoadRecord):
    """One line of trials.jsonl of a closed loop, with a fixed number of users."""

    concurrency: int


class Cell(Record):
    """One object of summary.json: all repeats of a model at one concurrency, CPU limit and variant."""

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
    counted: int  # answered requests of the repeats that are counted: latencies, rates and what was used are of these
    errors: int
    median_ms: float | None
    median_ci_ms: tuple[float, float] | None
    mean_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    throughput_rps: float | None
    service_ms: float  # wait and computing of one request
    predicted_median_ms: float | None
    predicted_mean_ms: float
    predicted_throughput_rps: float
    users_under_way: float | None  # throughput x mean latency, of the repeats counted
    suspect_repeats: int  # of them Little's law does not find the users that were asked for
    server: ServerUsage
    client: ClientUsage
    valid: bool
    findings: tuple[Finding, ...]

    @property
    def services(self) -> float | None:
        """The median in service times: 4 for a user who waits for three others."""
        return None if self.median_ms is None else self.median_ms / self.service_ms

    @property
    def residual(self) -> float | None:
        """How far the median lies above its prediction, as a share of that."""
        if self.median_ms is None or self.predicted_median_ms is None:
            return None
        return self.median_ms / self.predicted_median_ms - 1

    @property
    def throughput_residual(self) -> float | None:
        """How far the throughput lies above its prediction, as a share of that."""
        return None if self.throughput_rps is None else self.throughput_rps / self.predicted_throughput_rps - 1

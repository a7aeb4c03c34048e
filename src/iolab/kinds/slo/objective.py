"""A service-level objective, such as p99<100ms: what it bounds, and what responses say of it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from iolab.errors import UsageError
from iolab.experiment import ServerSettings
from iolab.theory import correlation
from iolab.theory.capacity import Bound, Distribution
from iolab.theory.correlation import Known
from iolab.theory.statistics import Array

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True)
class Objective:
    """A bound on a percentile, or on the mean (`quantile` None)."""

    text: str
    quantile: float | None
    limit_s: float

    @classmethod
    def parse(cls, text: str) -> "Objective":
        """Parse an objective, such as p99<100ms or mean<0.2s; raises UsageError."""
        match = re.fullmatch(r"\s*(mean|p50|p95|p99|p99\.9)\s*<\s*(\d+(?:\.\d+)?)\s*(ms|s)\s*", text, re.ASCII)
        if not match or not 0 < float(match[2]) < math.inf:
            raise UsageError(f"SLO={text}: must be such as p99<100ms, p95<0.2s or mean<50ms")
        return cls(text.strip(), QUANTILES.get(match[1]), float(match[2]) / (1000 if match[3] == "ms" else 1))

    @property
    def name(self) -> str:
        """What it bounds: p99, or mean."""
        return self.text.partition("<")[0].strip()

    def check(self, server: ServerSettings) -> None:
        """Raise UsageError if a request takes longer without any queue, as it is set."""
        least_ms = server.wait_ms + server.cpu_ms + self._more_ms(server)
        if self.limit_s * 1000 <= least_ms:
            raise UsageError(f"SLO={self.text}: without any queue it is {least_ms:.3g} ms, so no rate can meet it")

    def check_measured(self, model: str, constant_s: float, server: ServerSettings) -> None:
        """Raise UsageError if a request of this model, which takes `constant_s` with a constant wait, takes longer."""
        least_ms = constant_s * 1000 + self._more_ms(server)
        if self.limit_s * 1000 <= least_ms:
            raise UsageError(
                f"SLO={self.text}: without any queue it is about {least_ms:.4g} ms for {model}, as measured now, so no"
                " rate can meet it: allow more time"
            )

    def _more_ms(self, server: ServerSettings) -> float:
        """Return by how much an exponential wait makes the bounded value longer than a constant one does."""
        if self.quantile is None or server.wait_distribution != "exponential":
            return 0.0
        return server.wait_ms * (-math.log(1 - self.quantile) - 1)

    def known(self, series: Sequence[Array], confidence: float, times: float = 1.0) -> Known | None:
        """Return the bounded value and its interval, of the response times of each trial; None without any.

        The interval is that of `times` as many requests whose response times are distributed as these are.
        """
        if self.quantile is None:
            return correlation.mean(series, confidence, times)
        return correlation.quantile(series, self.quantile, confidence, times)

    def by_theory(
        self, service_s: float, transit_s: float, workers: float, distribution: Distribution = "constant"
    ) -> float:
        """Return the rate up to which an M/D/c or M/M/c queue of this service time meets it; 0 if none does."""
        return Bound(self.quantile, self.limit_s - transit_s, distribution, service_s).highest_rps(workers)

"""What two ways of counting saw of the same standstill; pure, for reports."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from iolab.results.records import Sample
from iolab.theory.statistics import Array, percentile

PERCENTILES = (0.5, 0.9, 0.95, 0.99)

Name = Literal["closed loop", "planned"]


@dataclass(frozen=True)
class Seen:
    """What one way of measuring saw: its samples, and latencies in ms by percentile (None: too few requests)."""

    name: Name
    generator: str
    samples: tuple[Sample, ...]

    @property
    def latencies_s(self) -> Array:
        """The latencies of all answered requests."""
        return np.array([one.latency_s for one in self.samples if one.status == 200 and one.latency_s is not None])

    def percentiles_ms(self) -> dict[str, float | None]:
        """Return the percentiles, and the slowest."""
        values = self.latencies_s
        found = {f"p{share * 100:g}": percentile(values, share) for share in PERCENTILES}
        found["slowest"] = float(values.max()) if len(values) else None
        return {name: None if value is None else round(value * 1000, 3) for name, value in found.items()}

    def late(self, limit_s: float) -> float:
        """Return the share of the requests that took longer than that."""
        values = self.latencies_s
        return float((values > limit_s).mean()) if len(values) else 0.0

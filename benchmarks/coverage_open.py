"""How often do the ranges of simulated plans hold the mean and percentiles of a plan? Simulates ideal queues.

    python -m benchmarks.coverage_open

A plan of the lab has one range, made of its own service times; each simulated measurement here has one, too. The last
column is how often a plan of the length that the report asks for has a mean within a tenth of the true one.
"""

from collections.abc import Iterator

import numpy as np

from iolab.kinds.closed.percentiles import QUANTILES
from iolab.theory import queueing
from iolab.theory.capacity import Distribution, queue
from iolab.theory.plan_length import needed_s
from iolab.theory.simulated_plans import Plan, Services, responses_s, simulated
from iolab.theory.statistics import Array, quantile_of

SERVICE_S, PLAN_S = 0.02026, 30.0
PLANS = 400  # measurements
SHARE = 0.1
CASES: tuple[tuple[Distribution, int, float], ...] = (
    ("constant", 1, 0.5),
    ("constant", 1, 0.9),
    ("constant", 1, 0.95),
    ("exponential", 1, 0.5),
    ("exponential", 1, 0.95),
    ("constant", 8, 0.95),
    ("exponential", 8, 0.95),
)
MOST_ARRIVALS = 3_000_000  # of all plans of that length together


def services(distribution: Distribution, draw: np.random.Generator, count: int) -> Array:
    """Return service times."""
    return np.full(count, SERVICE_S) if distribution == "constant" else draw.exponential(SERVICE_S, count)


def within_range(
    distribution: Distribution, workers: int, rho: float, count: int, plan_s: float = PLAN_S
) -> dict[str, int]:
    """Return how many of `count` simulated measurements have their mean, p50, p95 and p99 in those ranges."""
    draw, rate_rps = np.random.default_rng(1), rho * workers / SERVICE_S
    inside = dict.fromkeys(("mean", *QUANTILES), 0)
    known = Services(services(distribution, draw, int(rate_rps * plan_s)))  # those of one measurement
    found = simulated(Plan("poisson", rate_rps, plan_s, workers), known)
    for _ in range(count):
        arrivals = np.sort(draw.uniform(0, plan_s, draw.poisson(rate_rps * plan_s)))
        times_s = queueing.many_servers(arrivals, services(distribution, draw, len(arrivals)), workers)
        values_s = {"mean": times_s.mean(), **{name: quantile_of(times_s, at) for name, at in QUANTILES.items()}}
        for name, value_s in values_s.items():
            low_s, high_s = getattr(found, f"{name}_s") if found else (np.inf, -np.inf)
            inside[name] += bool(low_s <= value_s <= high_s)
    return inside


def long_enough(distribution: Distribution, workers: int, rho: float, most: int) -> tuple[int, int]:
    """Return how many plans of the length asked for have a mean that is near the true one, and of how many."""
    draw, found = np.random.default_rng(2), queue(distribution, rho * workers / SERVICE_S, SERVICE_S, workers)
    columns = max(10, int(found.rate_rps * needed_s(found, SHARE)))
    count = max(20, min(most, MOST_ARRIVALS // columns))
    near = 0
    for _ in range(count):
        arrivals = np.cumsum(draw.exponential(1 / found.rate_rps, (1, columns)), axis=1)
        mean_s = responses_s(arrivals, services(distribution, draw, columns)[np.newaxis], workers).mean()
        near += abs(mean_s / found.mean_s - 1) <= SHARE
    return near, count


def figures(count: int = PLANS) -> Iterator[list[str]]:
    """Yield the rows of a table; the first one has the headings."""
    yield [
        "Queue, plans of 30 s",
        "In the range: mean, p50, p95, p99",
        "Nominal",
        "Length for 10%",
        "Mean within 10% then",
        "Nominal",
    ]
    for distribution, workers, rho in CASES:
        number = count if workers == 1 else max(1, count // 4)
        inside = within_range(distribution, workers, rho, number)
        near, of = long_enough(distribution, workers, rho, number)
        found = queue(distribution, rho * workers / SERVICE_S, SERVICE_S, workers)
        letter = "D" if distribution == "constant" else "M"
        yield [
            f"M/{letter}/{workers} at {rho:.0%}",
            f"{', '.join(f'{each / number:.0%}' for each in inside.values())} of {number}",
            "95%",
            f"{needed_s(found, SHARE):.0f} s",
            f"{near} of {of} ({near / of:.0%})",
            "95%",
        ]


if __name__ == "__main__":
    for cells in figures():
        print(" | ".join(cells), flush=True)

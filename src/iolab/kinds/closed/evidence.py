"""What the findings of a closed loop look at."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from iolab.findings.evidence import Conditions
from iolab.kinds.closed.records import ClosedRecord
from iolab.results.records import ClientUsage
from iolab.theory.littles_law import Population
from iolab.theory.statistics import Array

CLOSE = 0.25  # a median so near to its prediction agrees with it
SLOW_S = 0.95  # a request that waited for TCP's first timer of 1 s; timers may fire a little early


@dataclass(frozen=True, kw_only=True)
class Evidence(Conditions):
    """All that findings of a closed loop look at: the trials of one cell, and what was worked out of them."""

    trials: Sequence[ClosedRecord]
    median_s: float | None
    slowest_s: float | None
    backlog: int | None  # as set, or the server's own; None: not known
    short_queue: bool = False  # the accept queue is shorter than the users, so the kernel drops their connections
    backlog_varies: bool = False  # in this experiment
    accepted: int | None = None  # connections, where the connection limit is below the users and the pool is busy
    accepted_s: float | None = None  # the response time by theory of so many users
    limit_fixed: bool = False  # CONNECTION_LIMIT does not change it
    limit_varies: bool = False  # in this experiment
    connections: int | None = None  # to the downstream service, where theory says that they are the limit
    connections_vary: bool = False  # in this experiment
    unpooled_s: float | None = None  # the response time by theory if no request had to wait for a connection
    workers: float = math.inf  # of the server
    client: ClientUsage = field(default_factory=ClientUsage)
    linear_timeouts: int | None = None  # net.ipv4.tcp_syn_linear_timeouts where the load generator ran
    populations: Sequence[tuple[int, Population]] = ()  # (repeat, how many requests were under way in it)
    medians_s: Sequence[tuple[int, float]] = ()  # (repeat, its median)
    spans_s: Sequence[float] = ()
    latencies_s: Array = field(default_factory=lambda: np.empty(0))
    expected_s: float | None = None  # the response time by theory, where the service time is constant
    open_files: int | None = None  # that a server may have; None: not known, or any number
    rate_rps: float | None = None  # answered requests a second
    random_service: bool = False  # service times differ by chance, and so do repeats
    are_repeats: bool = True

"""What does one Locust worker send, and what do several? By user class and by the server's wait.

    make workers

Servers are local processes on the first core; all workers share the others, so that on two cores several of them are
no more than one. A closed loop has so many users, each of which asks again at once; an open one has planned arrivals,
which are late where a worker cannot keep up (99th percentile).
"""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgpack
import numpy as np

from iolab.host import cores
from iolab.host.cores import CpuPlan
from iolab.host.lock import only_bench
from iolab.lab import Lab, find_root
from iolab.loadgen.openloop import Arrivals, OpenLoop
from iolab.loadgen.workers import Crew, gathered
from iolab.runtime.local import LocalRuntime

PLAN_S, LIMIT_S, A_USER = 6.0, 30.0, 60
USERS, RATES_RPS, CREWS = {0: (4, 64), 20: (64, 200, 400)}, (400, 800, 1500), (1, 2, 3)


@dataclass(frozen=True)
class Row:
    """What was sent, and what it took; `late_ms` is of an open loop alone."""

    kind: str
    wait_ms: int
    load: str
    workers: int
    rate_rps: float
    cpu_share: float
    late_ms: float | None

    def __str__(self) -> str:
        late = "" if self.late_ms is None else f"{self.late_ms:.2f} ms"
        return (
            f"{self.kind:<7} {self.wait_ms:>5} ms  {self.load:<11} {self.workers:>7}  {self.rate_rps:>9,.0f}/s"
            f"  {self.cpu_share:>6.0%}  {late:>9}"
        )


def main() -> None:
    """Print a row a load."""
    lab = Lab.read(find_root(Path.cwd()), {"BACKLOG": "1024"})
    plan = cores.plan(1, cores.available())
    print(telling())
    print("class      wait  load        workers   requests     CPU  late, 99%")
    with only_bench(), LocalRuntime(lab) as runtime:
        for workers in CREWS:
            with gathered(Crew(workers=workers), runtime, plan, lambda _: None) as crowd:
                for wait_ms in USERS:
                    with served(lab, runtime, plan, wait_ms) as url:
                        for row in rows(crowd, url, wait_ms, workers):
                            print(row, flush=True)


def telling(chunks: int = 500, rows_a_chunk: int = 100) -> str:
    """Return what it costs to tell a row: bytes to the master, and microseconds of worker, master and lab."""
    rows = [[*times, 200, 0.02] for times in np.random.default_rng(1).random((rows_a_chunk, 3)).tolist()]
    message = ("rows", {"job": 1, "rows": rows}, "worker")  # as locust.rpc.protocol has it
    times = [time.process_time()]
    told = [msgpack.packb(message) for _ in range(chunks)]
    times.append(time.process_time())
    lines = [
        json.dumps({"job": 1, "rows": [[*row, 0] for row in msgpack.unpackb(each)[1]["rows"]], "more": True})
        for each in told
    ]
    times.append(time.process_time())
    for line in lines:
        json.loads(line)
    times.append(time.process_time())
    worker, master, lab = (1e6 * (b - a) / (chunks * rows_a_chunk) for a, b in itertools.pairwise(times))
    size = len(told[0]) / rows_a_chunk
    cost = f"worker {worker:.1f}, master {master:.1f}, lab {lab:.1f} microseconds"
    return f"A row that is told has {size:.0f} bytes, and takes CPU: {cost}.\n"


@contextmanager
def served(lab: Lab, runtime: LocalRuntime, plan: CpuPlan, wait_ms: int) -> Iterator[str]:
    """Start server C with that wait; the null server where there is none."""
    if not wait_ms:
        with runtime.null_server(plan) as url:
            yield url
        return
    (model,) = lab.select(["C"])
    with runtime.serve(model, plan, {"WAIT_MS": str(wait_ms)}) as server:
        yield server.url


def rows(crowd: OpenLoop, url: str, wait_ms: int, workers: int) -> Iterator[Row]:
    """Yield what one worker sends in a closed loop, and all of them in an open one."""
    for users in USERS[wait_ms] if workers == 1 else ():
        crowd.closed(url, users, 2 * users, LIMIT_S)
        requests = users * max(A_USER, 3000 // users)
        turns, cpu_s = crowd.closed_with_cost(url, users, requests, LIMIT_S)
        span_s = max(turn.start_s + turn.latency_s for turn in turns) - min(turn.start_s for turn in turns)
        yield Row("closed", wait_ms, f"{users} users", workers, len(turns) / span_s, cpu_s / span_s, None)
    for rate_rps in RATES_RPS:
        load = crowd.run(url, Arrivals("poisson", rate_rps, PLAN_S, 1), LIMIT_S)
        late_ms = np.array([sample.sent_s - sample.planned_s for sample in load.samples]) * 1000
        cpu_share = (load.cpu_s or 0.0) / PLAN_S
        late = float(np.quantile(late_ms, 0.99))
        yield Row("open", wait_ms, f"{rate_rps}/s", workers, len(load.samples) / PLAN_S, cpu_share, late)


if __name__ == "__main__":
    main()

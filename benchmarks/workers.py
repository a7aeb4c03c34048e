"""What does Locust send in a closed loop, and what do workers send of planned arrivals? By the server's wait.

    make workers

Servers are local processes on the first core; all workers share the others, so that on two cores several of them are
no more than one. A closed loop, in one process of Locust, has so many users, each of which asks again at once. Planned
arrivals are sent by the client that each worker runs; they are late where it cannot keep up (99th percentile).
"""

import base64
import itertools
import json
import time
from array import array
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
from iolab.loadgen import Job
from iolab.loadgen.locust import Locust
from iolab.loadgen.openloop import Arrivals, OpenLoop, Told, samples
from iolab.loadgen.starting import running_generator
from iolab.loadgen.workers import Crew, gathered
from iolab.runtime.local import LocalRuntime

PLAN_S, LIMIT_S, A_USER = 6.0, 30.0, 60
USERS, CREWS = {0: (4, 64), 20: (64, 200, 400)}, (1, 2, 3)
RATES_RPS = {0: (1500, 5000, 10_000, 20_000), 20: (1500, 5000)}  # server C answers some 9,000 a second on one core


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
        for wait_ms in USERS:
            with running_generator(Locust, runtime, plan) as locust, served(lab, runtime, plan, wait_ms) as url:
                for row in closed_rows(locust, url, wait_ms):
                    print(row, flush=True)
        for workers in CREWS:
            with gathered(Crew(workers=workers), runtime, plan, lambda _: None) as crowd:
                for wait_ms in USERS:
                    with served(lab, runtime, plan, wait_ms) as url:
                        for row in open_rows(crowd, url, wait_ms, workers):
                            print(row, flush=True)


def telling(chunks: int = 200, rows_a_chunk: int = 200) -> str:
    """Return what it costs to tell a row: bytes to the master, and microseconds of worker, master and lab."""
    rows = array("d", np.random.default_rng(1).random(len(Told._fields) * rows_a_chunk).tolist())
    times = [time.process_time()]
    told = [
        msgpack.packb(("rows", {"job": 1, "rows": base64.b64encode(rows).decode()}, "worker")) for _ in range(chunks)
    ]  # as locust.rpc.protocol has it
    times.append(time.process_time())
    lines = [
        json.dumps({"job": 1, "rows": msgpack.unpackb(each)[1]["rows"], "worker": 0, "more": True}) for each in told
    ]
    times.append(time.process_time())
    samples([json.loads(line) for line in lines])
    times.append(time.process_time())
    worker, master, lab = (1e6 * (b - a) / (chunks * rows_a_chunk) for a, b in itertools.pairwise(times))
    size = len(told[0]) / rows_a_chunk
    cost = f"worker {worker:.2f}, master {master:.2f}, lab {lab:.1f} microseconds"
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


def closed_rows(locust: Locust, url: str, wait_ms: int) -> Iterator[Row]:
    """Yield what one process of Locust sends in a closed loop."""
    for users in USERS[wait_ms]:
        locust.run(Job(url, users, 2 * users, LIMIT_S, LIMIT_S))
        requests = users * max(A_USER, 3000 // users)
        load = locust.run(Job(url, users, requests, LIMIT_S, LIMIT_S))
        span_s = max((one.start_s or 0.0) + (one.latency_s or 0.0) for one in load.samples)
        cpu_share = (load.cpu_s or 0.0) / span_s
        yield Row("closed", wait_ms, f"{users} users", 1, len(load.samples) / span_s, cpu_share, None)


def open_rows(crowd: OpenLoop, url: str, wait_ms: int, workers: int) -> Iterator[Row]:
    """Yield what all workers send of planned arrivals."""
    for rate_rps in RATES_RPS[wait_ms]:
        load = crowd.run(url, Arrivals("poisson", rate_rps, PLAN_S, 1), LIMIT_S)
        late_ms = np.array([sample.sent_s - sample.planned_s for sample in load.samples]) * 1000
        cpu_share = (load.cpu_s or 0.0) / PLAN_S
        late = float(np.quantile(late_ms, 0.99))
        yield Row("open", wait_ms, f"{rate_rps}/s", workers, len(load.samples) / PLAN_S, cpu_share, late)


if __name__ == "__main__":
    main()

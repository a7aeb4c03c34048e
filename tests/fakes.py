"""A lab without a world: servers that are never started, loads that are made up, for the real loop to run on."""

import http.server
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from iolab.errors import LoadFailed, ServerFailed
from iolab.host.cores import CpuPlan
from iolab.host.python import Python
from iolab.host.signals import Interrupted
from iolab.kind import Line
from iolab.lab import Model
from iolab.loadgen import Job, Load
from iolab.results.folder import RunFolder
from iolab.results.run_info import RuntimeName
from iolab.results.samples import Sample
from iolab.runtime import Denials, ListenCounters, Master, ServerCommand, Snapshot

NULL_URL = "http://null"


ANSWERED: list[str] = []  # the paths that were asked for where something answers


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ANSWERED.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[tuple[str, int]]:
    """An address where something answers 200 at once."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield ("127.0.0.1", server.server_port)
        finally:
            server.shutdown()


class Clock:
    """What tests put in the place of the module `time`: it moves while somebody sleeps, and keeps how long."""

    def __init__(self, now_s: float = 100.0) -> None:
        self.now_s, self.slept_s = now_s, list[float]()

    def monotonic(self) -> float:
        return self.now_s

    perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept_s.append(seconds)


class FakeServer:
    """Counts what it is asked; dies when told to."""

    url = "http://fake"
    sample_every_s = 0.1

    def __init__(self, address: tuple[str, int], log: list[str], name: str) -> None:
        self.address, self._log, self._name = address, log, name
        self.dead = False
        self._reads = 0
        self.froze = 0

    def check_alive(self) -> None:
        if self.dead:
            raise ServerFailed("the server ended with status 139")

    def snapshot(self) -> Snapshot:
        self._reads += 1
        return Snapshot(cpu_s=self._reads * 1.0, throttled_s=0.0, threads=self._reads, rss_bytes=100 - self._reads)

    def freeze(self) -> None:
        self.froze += 1

    def thaw(self) -> None:
        self.froze += 1

    def kill(self) -> None:
        self.dead = True

    def log(self) -> str:
        return ""

    def listen_counters(self) -> ListenCounters:
        return ListenCounters(overflows=10 * self._reads, drops=11 * self._reads)

    def pids(self) -> Sequence[int]:
        return ()

    def denials(self) -> Denials:
        return Denials()

    def last_output(self) -> str:
        return ""


@dataclass
class FakeRuntime:
    """Starts nothing; `log` is what was done, in order."""

    address: tuple[str, int]
    log: list[str] = field(default_factory=list)
    refuses: frozenset[str] = frozenset()
    pinned: bool = True
    name: RuntimeName = "local"
    starts_are_cheap: bool = False
    servers: list[FakeServer] = field(default_factory=list)

    def __enter__(self) -> "FakeRuntime":
        self.log.append("open")
        return self

    def __exit__(self, *exception: object) -> None:
        self.log.append("close")

    @contextmanager
    def serve(
        self,
        model: Model,
        plan: CpuPlan,
        variables: Mapping[str, str] | None = None,
        command: ServerCommand | None = None,
    ) -> Iterator[FakeServer]:
        if model.letter in self.refuses:
            raise ServerFailed(f"{model.letter} does not start")
        self.log.append(f"start {model.letter} {plan.cpus:g}")
        self.servers.append(FakeServer(self.address, self.log, model.letter))
        try:
            yield self.servers[-1]
        finally:
            self.log.append(f"stop {model.letter}")

    @contextmanager
    def driver(
        self, script: str, plan: CpuPlan, master: Master | None = None, number: int = 0
    ) -> Iterator[Sequence[str]]:
        yield (script,)

    @contextmanager
    def load_workers(self, count: int, plan: CpuPlan, master: Master) -> Iterator[None]:
        self.log.append(f"{count} load workers")
        yield

    @contextmanager
    def null_server(self, plan: CpuPlan) -> Iterator[str]:
        self.log.append(f"null server for {plan.cpus:g}")
        yield NULL_URL

    def facts(self) -> dict[str, str]:
        return {}

    def pythons(self, models: Sequence[Model]) -> dict[str, Python]:
        return {model.name: Python("3.13.5 (main) [GCC 14.2.0]", gil=True) for model in models}


@dataclass
class FakeGenerator:
    """Makes loads of the response time it is told to; `plan` says what happens at the n-th measured load."""

    runtime: FakeRuntime
    plan: dict[int, str] = field(default_factory=dict)
    loads: int = 0
    jobs: list[Job] = field(default_factory=list)
    name: Literal["hey", "locust"] = "hey"
    driver_script: str = "fake"

    def run(self, job: Job) -> Load:
        users, requests = job.users, job.requests
        if job.url == NULL_URL:
            if "no ceiling" in self.plan.values():
                raise LoadFailed("hey ended with status 1")
            return Load([Sample(number * 0.0001, 0.0001, 200) for number in range(requests)], 0.1)
        self.jobs.append(job)
        warm_up = requests == 2 * users
        self.runtime.log.append(f"{'warm up' if warm_up else 'load'} {users}x{requests}")
        if warm_up:
            return Load((), 0.0)
        self.loads += 1
        event = self.plan.get(self.loads - 1, "")
        if event == "interrupt":
            raise Interrupted(2)
        if event == "generator fails":
            raise LoadFailed("hey ended with status 1")
        status = 0 if event == "nothing answered" else 200
        few = [Sample(None, None, 0)] * 3 if event == "some unanswered" else []
        if event == "server dies":
            self.runtime.servers[-1].dead = True
        return Load([Sample(number * 0.02, 0.02, status) for number in range(requests - len(few))] + few, 0.5)


class Watcher:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.count = 0
        self.begun: list[str] = []
        self.lines: list[Line] = []
        self.numbers: list[int] = []
        self.said: list[str] = []

    def says(self, what: str) -> None:
        self.said.append(what)

    def opened(self, folder: RunFolder) -> None:
        self.folder = folder

    def planned(self, count: int, expected_s: float | None) -> None:
        self.count = count

    def started(self, what: str, number: int, total: int) -> None:
        self.begun.append(what)

    def finished(self, line: Line, number: int) -> None:
        self.numbers.append(number)
        self.lines.append(line)

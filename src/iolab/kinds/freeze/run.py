"""A server that is frozen in the middle of a load, measured in two ways: coordinated omission.

The closed loop counts from when a request was sent; and because no user sends while it waits, only as many requests as
there are users meet the freeze. The planned arrivals count from when each request was planned, at about the same rate.
Source: Tene, How NOT to Measure Latency (2013).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from iolab.bench import Bench
from iolab.errors import LoadFailed, TrialFailed
from iolab.host.activity import watching
from iolab.kind import Measured
from iolab.kinds.freeze.records import FreezeRecord, Name
from iolab.kinds.freeze.settings import FreezeExperiment
from iolab.loadgen import Job, Load
from iolab.loadgen.openloop import Arrivals, OpenLoop
from iolab.loadgen.starting import running_generator
from iolab.results.records import ClientUsage, MachineUsage, ServerUsage
from iolab.results.samples import Sample
from iolab.runtime import Server
from iolab.runtime.usage import Meter
from iolab.theory.closed_loop import ClosedLoop, closed_loop

LEAD_S = 0.3  # that of loadtest/arrivals_process.py
START_S = 5.0  # at most, of a load generator
ROOM = 0.9  # of the closed loop's rate: the server must be able to catch up after the freeze
ANSWER_LIMIT_S = 20.0


@dataclass(frozen=True)
class Trial:
    """One load during which the server is frozen once."""

    index: int
    name: Name
    generator: str


class Prepared(NamedTuple):
    """A warm server, the load for it and what that took, its number of requests, the time until the first of them."""

    server: Server
    send: Callable[[], tuple[Load, ClientUsage]]
    requests: int
    lead_s: float


def run(experiment: FreezeExperiment, trial: Trial, bench: Bench) -> Measured[FreezeRecord]:
    """Measure one trial on a server of its own; a trial that fails is a record with a reason."""
    freeze, plan = experiment.freeze, bench.plans[experiment.cpus[0]]
    samples, usage, machine, reason = list[Sample](), ClientUsage(), MachineUsage(), None
    used = ServerUsage()
    started = datetime.now(UTC)
    prepare = {"closed loop": _closed, "planned": _planned}[trial.name]
    bench.say(f"{trial.name}, by {trial.generator}: {freeze.run_s:g} s, {freeze.for_s:g} s of it frozen")
    try:
        with prepare(experiment, bench) as prepared:
            server = prepared.server
            meter = Meter(server)
            meter.begin()  # no sample in between: where a shell in the container reads, it is frozen, too
            started = datetime.now(UTC)
            with watching() as watch, standstill(server, prepared.lead_s + freeze.after_s, freeze.for_s):
                load, usage = prepared.send()
                samples = [*load.samples]
                server.check_alive()
                load.check_complete(prepared.requests)
            meter.end()
            used, machine = meter.usage(), watch.usage()
    except TrialFailed as error:
        reason = str(error)
        if isinstance(error, LoadFailed):
            bench.restart_generator(plan)
    record = FreezeRecord(
        **asdict(trial),
        started=started,
        duration_s=round((datetime.now(UTC) - started).total_seconds(), 6),
        valid=reason is None,
        reason=reason,
        server=used,
        client=usage,
        machine=machine,
    )
    return Measured(record, {"requests": samples})


@contextmanager
def _closed(experiment: FreezeExperiment, bench: Bench) -> Iterator[Prepared]:
    """Prepare a closed loop that lasts about as long as the experiment says, including the freeze."""
    (model,), plan, freeze = bench.models.values(), bench.plans[experiment.cpus[0]], experiment.freeze
    users = experiment.concurrency[0]
    requests = _theory(experiment, bench).requests(users, freeze.run_s - freeze.for_s)
    generator = bench.generator(plan)
    with bench.runtime.serve(model, plan) as server:
        generator.run(Job(server.url, users, 2 * users, ANSWER_LIMIT_S, START_S + ANSWER_LIMIT_S))  # to warm up
        job = Job(server.url, users, requests, ANSWER_LIMIT_S, freeze.run_s + 60)

        def send() -> tuple[Load, ClientUsage]:
            load = generator.run(job)
            return load, load.usage

        yield Prepared(server, send, requests, 0.0)


@contextmanager
def _planned(experiment: FreezeExperiment, bench: Bench) -> Iterator[Prepared]:
    """Prepare arrivals at a constant rate, a little below that of the closed loop."""
    (model,), plan, freeze = bench.models.values(), bench.plans[experiment.cpus[0]], experiment.freeze
    users = experiment.concurrency[0]
    arrivals = Arrivals("constant", ROOM * _theory(experiment, bench).throughput_rps, freeze.run_s, experiment.seed)
    with (
        running_generator(OpenLoop, bench.runtime, plan) as generator,
        bench.runtime.serve(model, plan) as server,
    ):
        generator.closed(server.url, users, 2 * users, ANSWER_LIMIT_S)  # to warm up

        def send() -> tuple[Load, ClientUsage]:
            load = generator.run(server.url, arrivals, ANSWER_LIMIT_S)
            samples = [Sample(one.planned_s, one.done_s - one.planned_s, one.status) for one in load.samples]
            return Load(samples, load.cpu_s, load.stopped), load.usage

        yield Prepared(server, send, int(arrivals.rate_rps * arrivals.duration_s), LEAD_S)


def _theory(experiment: FreezeExperiment, bench: Bench) -> ClosedLoop:
    """Return what theory expects of the closed loop."""
    (model,), server, users = bench.models.values(), experiment.server, experiment.concurrency[0]
    return closed_loop(users, model.workers, server.wait_ms / 1000, server.cpu_ms / 1000)


@contextmanager
def standstill(server: Server, after_s: float, for_s: float) -> Iterator[None]:
    """Freeze a server once during the block; at its end the server runs again, whatever happened.

    Raises TrialFailed if it was not frozen: the measurement would not show a freeze.
    """
    over = threading.Event()
    why = [TrialFailed(f"the load ended before the server was frozen for {for_s:g} s")]

    def wait_and_freeze() -> None:
        if over.wait(after_s):
            return
        try:
            server.freeze()
        except TrialFailed as failed:
            why[0] = failed
            return
        if not over.wait(for_s):
            why.clear()
        server.thaw()

    thread = threading.Thread(target=wait_and_freeze, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if why:
        raise why[0]

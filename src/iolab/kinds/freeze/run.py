"""A server that is frozen in the middle of a load, measured in two ways: coordinated omission.

The closed loop counts from when a request was sent; and because no user sends while it waits, only as many requests as
there are users meet the freeze. The planned arrivals count from when each request was planned, at about the same rate.
Source: Tene, How NOT to Measure Latency (2013).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from iolab.bench import Bench
from iolab.errors import TrialFailed
from iolab.host.activity import watching
from iolab.kind import Measured
from iolab.kinds.freeze.records import FreezeRecord, Name
from iolab.kinds.freeze.settings import FreezeExperiment
from iolab.loadgen import Load
from iolab.loadgen.openloop import Arrivals, OpenLoad, OpenLoop
from iolab.loadgen.starting import running_generator
from iolab.results.records import ClientUsage, MachineUsage, ServerUsage
from iolab.results.samples import Sample
from iolab.runtime import Server
from iolab.runtime.usage import Meter
from iolab.theory.closed_loop import ClosedLoop, closed_loop, split_queues

LEAD_S = 0.3  # that of loadtest/arrivals_process.py
ROOM = 0.9  # of the closed loop's rate: the server must be able to catch up after the freeze
ANSWER_LIMIT_S = 20.0


@dataclass(frozen=True)
class Trial:
    """One load during which the server is frozen once; `at_once` is how many of its threads compute at once."""

    index: int
    name: Name
    at_once: float = 1.0


class Prepared(NamedTuple):
    """A warm server, a function that sends the load, and its number of requests."""

    server: Server
    send: Callable[[], OpenLoad]
    requests: int


def run(experiment: FreezeExperiment, trial: Trial, bench: Bench) -> Measured[FreezeRecord]:
    """Measure one trial on a server of its own; a trial that fails is a record with a reason."""
    freeze = experiment.freeze
    samples, usage, machine, reason = list[Sample](), ClientUsage(), MachineUsage(), None
    used = ServerUsage()
    started = datetime.now(UTC)
    bench.say(f"{trial.name}: {freeze.run_s:g} s, {freeze.for_s:g} s of it frozen")
    try:
        with _prepared(experiment, trial, bench) as prepared:
            meter = Meter(prepared.server)
            meter.begin()  # no sample in between: where a shell in the container reads, it is frozen, too
            started = datetime.now(UTC)
            with watching() as watch, standstill(prepared.server, LEAD_S + freeze.after_s, freeze.for_s):
                load = prepared.send()
                usage, samples = load.usage, counted(trial.name, load)
                prepared.server.check_alive()
                Load(samples, load.cpu_s, load.stopped).check_complete(prepared.requests)
            meter.end()
            used, machine = meter.usage(), watch.usage()
    except TrialFailed as error:
        reason = str(error)
    record = FreezeRecord(
        index=trial.index,
        name=trial.name,
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
def _prepared(experiment: FreezeExperiment, trial: Trial, bench: Bench) -> Iterator[Prepared]:
    """Prepare the load of a trial: both are sent by the same client, so that they differ in nothing but the plan.

    The closed loop lasts about as long as the experiment says, including the freeze; planned requests come at a
    constant rate a little below that of the closed loop.
    """
    (model,), plan, freeze = bench.models.values(), bench.plans[experiment.cpus[0]], experiment.freeze
    users, theory = experiment.concurrency[0], _theory(experiment, trial, bench)
    with (
        running_generator(OpenLoop, bench.runtime, plan) as client,
        bench.runtime.serve(model, plan) as server,
    ):
        client.closed(server.url, users, 2 * users, ANSWER_LIMIT_S)  # to warm up
        if trial.name == "closed loop":
            requests = theory.requests(users, freeze.run_s - freeze.for_s)
            yield Prepared(server, lambda: client.closed_load(server.url, users, requests, ANSWER_LIMIT_S), requests)
        else:
            arrivals = Arrivals("constant", ROOM * theory.throughput_rps, freeze.run_s, experiment.seed)
            requests = int(arrivals.rate_rps * arrivals.duration_s)
            yield Prepared(server, lambda: client.run(server.url, arrivals, ANSWER_LIMIT_S), requests)


def counted(name: Name, load: OpenLoad) -> list[Sample]:
    """Return the response times of a load: from when a user sent a request, or from when it was planned."""
    if name == "closed loop":
        return [Sample(one.sent_s, one.done_s - one.sent_s, one.status) for one in load.samples]
    return [Sample(one.planned_s, one.done_s - one.planned_s, one.status) for one in load.samples]


def _theory(experiment: FreezeExperiment, trial: Trial, bench: Bench) -> ClosedLoop:
    """Return what theory expects of the closed loop."""
    (model,), server, users = bench.models.values(), experiment.server, experiment.concurrency[0]
    times = server.wait_ms / 1000, server.cpu_ms / 1000, experiment.cpus[0], trial.at_once
    if (queues := model.queues(reuseport=server.reuseport)) > 1:
        return split_queues(users, queues, *times)
    return closed_loop(users, model.workers, *times, server.connections)


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

"""A server that stands still in the middle of a load, measured in two ways: coordinated omission.

The closed loop counts from when a request was sent; and as no user sends while it waits, the standstill is seen by as
many requests as there are users. The planned one counts from when each request was *to be* sent, at the same rate.
Source: Tene, How NOT to Measure Latency (2013).
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from iolab.errors import TrialFailed, UsageError
from iolab.experiment import Experiment, Freeze
from iolab.kinds.freeze.cells import Seen
from iolab.loadgen import Job, Load
from iolab.loadgen.opening import opener, opening
from iolab.loadgen.openloop import Arrivals, OpenLoop
from iolab.results.records import Sample
from iolab.runtime import Server
from iolab.runtime.choice import Place
from iolab.session import Plan
from iolab.theory.closed_loop import closed_loop

LEAD_S = 0.3  # that of loadtest/openloop.py
START_S = 5.0  # at most, of a load generator
ROOM = 0.9  # of what the closed loop asks for: a server that stood still must be able to catch up
ANSWER_LIMIT_S = 20.0


def measure(plan: Plan, place: Place, say: Callable[[str], None]) -> list[Seen]:
    """Load the server in both ways, and let it stand still in each. Raises LoadFailed where a load fails."""
    experiment = plan.experiment
    freeze = settings(experiment)
    model, users, cpus = plan.models[0], experiment.concurrency[0], place.plans[experiment.cpus[0]]
    server_settings = experiment.server
    theory = closed_loop(users, model.workers, server_settings.wait_ms / 1000, server_settings.cpu_ms / 1000)
    closed_requests = math.ceil((freeze.run_s - freeze.for_s) * theory.throughput_rps / users) * users
    plan_of_all = Arrivals("constant", ROOM * theory.throughput_rps, freeze.run_s, experiment.seed)
    with place.runtime as runtime:
        say(f"Closed loop, by {place.generator}: {freeze.run_s:g} s, {freeze.for_s:g} s of it frozen")
        with opener(place.generator)(runtime, cpus) as generator, runtime.serve(model, cpus) as server:
            generator.run(Job(server.url, users, 2 * users, ANSWER_LIMIT_S, START_S + ANSWER_LIMIT_S))  # to warm up
            job = Job(server.url, users, closed_requests, ANSWER_LIMIT_S, freeze.run_s + 60)
            with standstill(server, freeze.after_s, freeze.for_s):
                load = generator.run(job)
                server.check_alive()
                load.check_complete(job.requests)
            closed = Seen("closed loop", place.generator, tuple(load.samples))
        say(f"Planned, by locust: {freeze.run_s:g} s, {freeze.for_s:g} s of it frozen")
        with opening(OpenLoop, OpenLoop.driver_script, runtime, cpus) as crowd, runtime.serve(model, cpus) as server:
            crowd.closed(server.url, users, 2 * users, ANSWER_LIMIT_S)
            with standstill(server, LEAD_S + freeze.after_s, freeze.for_s):
                open_load = crowd.run(server.url, plan_of_all, ANSWER_LIMIT_S)
                server.check_alive()
                samples = [Sample(one.planned_s, one.done_s - one.planned_s, one.status) for one in open_load.samples]
                Load(samples, None, open_load.stopped).check_complete(len(samples))
            planned = Seen("planned", "locust", tuple(samples))
    return [closed, planned]


def settings(experiment: Experiment) -> Freeze:
    """Return when the server is to stand still; raises UsageError for an experiment that does not say so."""
    if experiment.freeze is None:
        raise UsageError(f"experiment {experiment.name} has no [freeze]: take experiments/freeze.toml")
    return experiment.freeze


@contextmanager
def standstill(server: Server, after_s: float, for_s: float) -> Iterator[None]:
    """Let a server stand still once in the block; at its end it goes on, whatever happened.

    Raises TrialFailed where it did not stand still: what was measured then is of something else.
    """
    over = threading.Event()
    why = [TrialFailed(f"the load ended before the server stood still for {for_s:g} s")]

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

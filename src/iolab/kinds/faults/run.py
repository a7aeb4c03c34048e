"""One fault: it happens to a server with many connected users, while users click.

The users stay for all faults: after each fault, disconnected users reconnect, so that the next fault starts with all of
them. An answered click must never be lost: it must be in the rows on disk, and the server writes it to its log before
it answers (JOURNAL=1).
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from iolab.bench import Bench
from iolab.errors import TrialFailed
from iolab.findings.generator import share_of_a_core
from iolab.host import limits
from iolab.host.activity import watching
from iolab.kind import Measured
from iolab.kinds.faults import acts, words
from iolab.kinds.faults.clicks import checked
from iolab.kinds.faults.plan import Trial
from iolab.kinds.faults.records import KIND_OF_ROWS, Clicks, Fault, FaultRecord, Figures
from iolab.kinds.faults.settings import FaultsExperiment
from iolab.kinds.faults.stage import ANSWER_S, Spending, Stage
from iolab.loadgen.users import UserProcesses, clients, holding
from iolab.results.records import ClientUsage
from iolab.runtime import Server

ACTS: Mapping[Fault, Callable[[Stage], Figures]] = {
    "baseline": acts.baseline,
    "broadcast": acts.broadcast,
    "slow": acts.slow,
    "vanished": acts.vanished,
    "half_open": acts.half_open,
    "killed": acts.killed,
    "herd": acts.herd,
}
STAGE = "stage"  # its name among what the trials share
LINUX_ONLY: frozenset[Fault] = frozenset({"vanished", "half_open"})
LAST_ANSWERS_S, DEAD_ANSWERS_S = 10.0, 1.0  # for the answers of the last clicks; a dead server sends none
SPARE_USERS = 256  # of a container: users that click on a connection of their own


def run(experiment: FaultsExperiment, trial: Trial, bench: Bench) -> Measured[FaultRecord]:
    """Cause one fault, and measure its effect; a fault that cannot be measured is a record with a reason.

    Raises TrialFailed if the users cannot connect: then no fault can be measured.
    """
    stage: Stage = bench.others.get(STAGE, lambda: opened(experiment, trial, bench))
    stage.rows = []
    if trial.fault in LINUX_ONLY and bench.runtime.name == "local" and sys.platform != "linux":
        reason = "only Linux can drop the packets of a connection (IP_MINTTL): use RUNTIME=docker"
        left_out = {"started": datetime.now(UTC), "duration_s": 0.0, "valid": True, "reason": reason}
        return Measured(_record(experiment, trial, users=_held(stage.users), **left_out))
    return _measured(experiment, trial, bench, stage)


@contextmanager
def opened(experiment: FaultsExperiment, trial: Trial, bench: Bench) -> Iterator[Stage]:
    """Start the server, connect its users, and yield both; raises TrialFailed if that fails."""
    chat, crowd, faults = trial.chat, experiment.crowd, experiment.faults
    facts, cpus = limits.read(), bench.plans[experiment.cpus[0]]
    variables = {**crowd.variables(1), "JOURNAL": "1"}
    command = chat.command(trial.allowed + 2 * faults.newcomers + SPARE_USERS, facts, variables)
    with ExitStack() as serving:

        def start() -> Server:
            serving.close()  # the server before: the new one needs its container's name
            return serving.enter_context(bench.runtime.serve(chat.model, cpus, experiment.variables(), command))

        bench.say(f"{trial.allowed:,} users connect to {chat.title}")
        server = start()
        shares = clients(trial.allowed, facts, docker=bench.runtime.name == "docker")
        with holding(bench.runtime, cpus, shares) as users:
            stage = Stage(server, users, chat, crowd, faults, start)
            users.connect(stage.place, chat.transport, crowd.connect_rps, crowd.patience_s)
            yield stage


def _measured(experiment: FaultsExperiment, trial: Trial, bench: Bench, stage: Stage) -> Measured[FaultRecord]:
    """Cause a fault while users click; it lasts long enough for percentiles of the clicks."""
    began, started = time.monotonic(), datetime.now(UTC)
    users, figures, back, reason = 0, None, None, None
    clicks, files = Clicks(), dict[str, str]()
    stage.used, client = Spending.of(stage.server), ClientUsage()
    killed = trial.fault == "killed"
    bench.say(words.name(trial.fault))
    with watching() as watch:
        try:
            users = _held(stage.users)
            since, before_s = time.monotonic(), stage.users.cpu_of_each_s
            begin_s = _begin_clicks(experiment, trial, stage.users)
            stage.clicks_since_s = time.monotonic()
            figures = ACTS[trial.fault](stage)
            if not killed:
                time.sleep(max(0.0, experiment.faults.least_s - (time.monotonic() - stage.clicks_since_s)))
            wait_s = DEAD_ANSWERS_S if killed else LAST_ANSWERS_S
            answers = stage.users.all("end_clicks", wait_s + ANSWER_S, wait_s=wait_s)
            client = used(before_s, stage.users.cpu_of_each_s, time.monotonic() - since)
            clicks, files = checked(bench, trial.index, begin_s, answers, stage.server)
            if not killed:
                stage.server.check_alive()
                stage.reconnect()
                back = _held(stage.users)
        except TrialFailed as failed:
            reason = str(failed)
    record = _record(
        experiment,
        trial,
        started=started,
        duration_s=round(time.monotonic() - began, 6),
        valid=reason is None,
        reason=reason,
        users=users,
        back=back,
        figures=figures,
        clicks=clicks,
        server=stage.used.usage(stage.server),
        client=client,
        machine=watch.usage(),
        rows=files,
    )
    return Measured(record, {KIND_OF_ROWS[trial.fault]: stage.rows} if trial.fault in KIND_OF_ROWS else {})


def used(before_s: Sequence[float], after_s: Sequence[float], span_s: float) -> ClientUsage:
    """Return what the client's processes used between two readings of their CPU times; each computes on one core."""
    each_s = [after - before for before, after in zip(before_s, after_s, strict=True)]
    return ClientUsage(cpu_s=round(sum(each_s), 6), busiest_share=share_of_a_core(max(each_s), span_s))


def _record(experiment: FaultsExperiment, trial: Trial, **outcome: Any) -> FaultRecord:
    model = trial.chat.model
    return FaultRecord(
        index=trial.index,
        model=model.letter,
        title=model.title,
        service=model.name,
        transport=trial.chat.transport,
        asked=trial.asked,
        allowed=trial.allowed,
        capped=trial.capped,
        cpus=experiment.cpus[0],
        fault=trial.fault,
        **outcome,
    )


def _begin_clicks(experiment: FaultsExperiment, trial: Trial, users: UserProcesses) -> float:
    begin_s = time.perf_counter()
    jobs: list[dict[str, Any]] = [
        {
            "rate": experiment.faults.click_rps * share / sum(users.shares),
            "seed": experiment.seed * 1000 + number,
        }
        for number, share in enumerate(users.shares, 100 * trial.index)
    ]
    users.ask("begin_clicks", jobs, ANSWER_S)
    return begin_s


def _held(users: UserProcesses) -> int:
    """Return how many users have a connection to a server that has answered them."""
    return sum(answer["held"] + answer["late"] for answer in users.all("count_outcomes", ANSWER_S))

"""One fault: it happens to a server with a crowd on it, while users click.

The crowd stays over all faults: after each one, the users that it has cut off come again, so that the next one finds
the crowd whole. A click that was answered must never be lost: it is in the rows on disk, and the server wrote it down
before it answered (JOURNAL=1).
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

from iolab.bench import Bench
from iolab.errors import TrialFailed
from iolab.host import limits
from iolab.host.activity import watching
from iolab.kind import Measured
from iolab.kinds.faults import acts, words
from iolab.kinds.faults.clicks import judged
from iolab.kinds.faults.plan import Trial
from iolab.kinds.faults.records import KIND_OF_ROWS, Clicks, Fault, FaultRecord, Figures
from iolab.kinds.faults.settings import FaultsExperiment
from iolab.kinds.faults.stage import ANSWER_S, Stage
from iolab.loadgen.users import UserProcesses, clients, holding
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
LAST_ANSWERS_S, DEAD_ANSWERS_S = 10.0, 1.0  # for the last clicks' answers; of a server that is dead none comes
SPARE_USERS = 256  # of a container: users that click by a connection of their own


def run(experiment: FaultsExperiment, trial: Trial, bench: Bench) -> Measured[FaultRecord]:
    """Let one fault happen to the crowd; one that cannot be measured is a record with a reason.

    Raises TrialFailed where the crowd does not come: then no fault can happen.
    """
    stage: Stage = bench.others.get(STAGE, lambda: opened(experiment, trial, bench))
    stage.rows = []
    if trial.fault in LINUX_ONLY and bench.runtime.name == "local" and sys.platform != "linux":
        reason = "only Linux drops all that comes for a connection (IP_MINTTL): take RUNTIME=docker"
        left_out = {"started": datetime.now(UTC), "duration_s": 0.0, "valid": True, "reason": reason}
        return Measured(_record(experiment, trial, users=_held(stage.people), **left_out))
    return _happens(experiment, trial, bench, stage)


@contextmanager
def opened(experiment: FaultsExperiment, trial: Trial, bench: Bench) -> Iterator[Stage]:
    """Start the server, let its users come, and yield both; raises TrialFailed where that fails."""
    limits.raise_soft_limits()
    chat, crowd, faults = trial.chat, experiment.crowd, experiment.faults
    facts, cpus = limits.read(), bench.plans[experiment.cpus[0]]
    variables = {**crowd.variables(1), "JOURNAL": "1"}
    command = chat.command(trial.came + 2 * faults.newcomers + SPARE_USERS, facts, variables)
    with ExitStack() as serving:

        def start() -> Server:
            serving.close()  # the one before: its container's name is wanted
            return serving.enter_context(bench.runtime.serve(chat.model, cpus, experiment.variables(), command))

        bench.say(f"{trial.came:,} users come to {chat.title}")
        server = start()
        shares = clients(trial.came, facts, docker=bench.runtime.name == "docker")
        with holding(bench.runtime, cpus, shares) as people:
            stage = Stage(server, people, chat, crowd, faults, start)
            people.come(stage.place, chat.transport, crowd.come_rps, crowd.patience_s)
            yield stage


def _happens(experiment: FaultsExperiment, trial: Trial, bench: Bench, stage: Stage) -> Measured[FaultRecord]:
    """Let a fault happen while users click; it lasts long enough for their percentiles."""
    began, started = time.monotonic(), datetime.now(UTC)
    users, figures, back, reason = 0, None, None, None
    clicks, files = Clicks(), dict[str, str]()
    killed = trial.fault == "killed"
    bench.say(words.name(trial.fault))
    with watching() as watch:
        try:
            users = _held(stage.people)
            begin_s = _begin_clicks(experiment, trial, stage.people)
            figures = ACTS[trial.fault](stage)
            if not killed:
                time.sleep(max(0.0, experiment.faults.least_s - (time.monotonic() - began)))
            wait_s = DEAD_ANSWERS_S if killed else LAST_ANSWERS_S
            answers = stage.people.all("end_clicks", wait_s + ANSWER_S, wait_s=wait_s)
            clicks, files = judged(bench, trial.index, begin_s, answers, stage.server)
            if not killed:
                stage.server.check_alive()
                stage.come_back()
                back = _held(stage.people)
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
        machine=watch.usage(),
        rows=files,
    )
    return Measured(record, {KIND_OF_ROWS[trial.fault]: stage.rows} if trial.fault in KIND_OF_ROWS else {})


def _record(experiment: FaultsExperiment, trial: Trial, **outcome: Any) -> FaultRecord:
    model = trial.chat.model
    return FaultRecord(
        index=trial.index,
        model=model.letter,
        title=model.title,
        service=model.name,
        transport=trial.chat.transport,
        asked=trial.asked,
        came=trial.came,
        capped=trial.capped,
        cpus=experiment.cpus[0],
        fault=trial.fault,
        **outcome,
    )


def _begin_clicks(experiment: FaultsExperiment, trial: Trial, people: UserProcesses) -> float:
    begin_s = time.perf_counter()
    jobs: list[dict[str, Any]] = [
        {
            "rate": experiment.faults.click_rps * share / sum(people.shares),
            "seed": experiment.seed * 1000 + number,
        }
        for number, share in enumerate(people.shares, 100 * trial.index)
    ]
    people.ask("begin_clicks", jobs, ANSWER_S)
    return begin_s


def _held(people: UserProcesses) -> int:
    """Return how many users have a connection to a server that has answered them."""
    return sum(answer["held"] + answer["late"] for answer in people.all("census", ANSWER_S))

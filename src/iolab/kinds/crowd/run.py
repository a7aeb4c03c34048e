"""One trial of a crowd run: users connect to a new chat server, stay, and click now and then."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from iolab.bench import Bench
from iolab.chat.entries import Entry, entries, first_s, since
from iolab.errors import TrialFailed
from iolab.host import limits
from iolab.host.activity import watching
from iolab.kind import Measured
from iolab.kinds.crowd.obstacle import LossDiagnosis
from iolab.kinds.crowd.plan import CrowdTrial
from iolab.kinds.crowd.records import Click, CrowdRecord, Obstacle
from iolab.kinds.crowd.settings import CrowdExperiment
from iolab.loadgen.users import UserProcesses, clients, holding
from iolab.results.records import ClientUsage, Holding, MachineUsage, ServerUsage
from iolab.runtime import ServerCommand, footprint, probe
from iolab.runtime.usage import Meter

SETTLE_S = 0.5
CLICK_WAIT_S = 10.0  # for the last answers


@dataclass
class CrowdResult:
    """Result of one trial; `reason` says why it cannot be trusted."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    entries: list[Entry] = field(default_factory=list)
    clicks: list[Click] = field(default_factory=list)
    moments: dict[str, Holding] = field(default_factory=dict)
    obstacle: Obstacle | None = None
    evidence: str = ""
    client: ClientUsage = field(default_factory=ClientUsage)
    client_share: float | None = None
    server: ServerUsage = field(default_factory=ServerUsage)
    machine: MachineUsage = field(default_factory=MachineUsage)
    reason: str | None = None

    def count(self, outcome: str) -> int:
        """Return how many users have this outcome."""
        return sum(entry.outcome == outcome for entry in self.entries)


def run(experiment: CrowdExperiment, trial: CrowdTrial, bench: Bench) -> Measured[CrowdRecord]:
    """Measure one trial with a new server and new users; a trial that fails is a record with a reason."""
    facts = limits.read()
    shares = clients(trial.users, facts, docker=bench.runtime.name == "docker")
    variables = {**experiment.variables(), **experiment.crowd.variables(trial.chat.processes)}
    result, began = CrowdResult(), time.monotonic()
    with watching() as watch:
        try:
            _load(experiment, trial, bench, shares, trial.chat.command(trial.users, facts, variables), result)
        except TrialFailed as error:
            result.reason = str(error)
    result.machine = watch.usage()
    record = _record(experiment, trial, result, time.monotonic() - began, len(shares))
    return Measured(record, {"users": result.entries, "clicks": result.clicks})


def _load(  # noqa: PLR0917
    experiment: CrowdExperiment,
    trial: CrowdTrial,
    bench: Bench,
    shares: Sequence[int],
    command: ServerCommand,
    result: CrowdResult,
) -> None:
    """Connect users and make them click; measurements are in `result`, whatever happens."""
    crowd, chat, cpus = experiment.crowd, trial.chat, bench.plans[experiment.cpus[0]]
    with (
        bench.runtime.serve(chat.model, cpus, experiment.variables(), command) as server,
        holding(bench.runtime, cpus, shares) as users,
    ):
        time.sleep(SETTLE_S)
        diagnosis = LossDiagnosis(server)
        diagnosis.begin()
        meter = Meter(server)
        meter.begin()
        result.moments["empty"] = footprint.read(server)
        url = urlsplit(server.url)
        rows = users.connect((url.hostname or "", url.port or 0), chat.users, crowd.connect_rps, crowd.patience_s)
        begin_s = first_s(rows)
        result.entries = entries(rows, begin_s)
        result.moments["quiet"] = footprint.read(server)
        time.sleep(crowd.quiet_s)
        result.moments["quiet_end"] = footprint.read(server)
        _click(experiment, users, trial, result)
        pause_s = probe.reported(server.address, "longest_pause_s") if result.count("held") == trial.users else None
        result.moments["busy"] = footprint.read(server).model_copy(update={"collector_pause_s": pause_s})
        outcomes = users.all("outcomes", 60.0)
        result.entries = entries([row for answer in outcomes for row in answer["rows"]], begin_s)
        result.client = ClientUsage(cpu_s=round(users.cpu_s, 6))
        meter.end()
        result.server = meter.usage()
        pool = None if chat.thread_each else chat.threads
        if result.count("waiting") + result.count("refused") + result.count("lost"):
            result.obstacle, result.evidence = diagnosis.why(result.count("waiting"), result.count("refused"), pool)
        elif result.count("late"):
            result.obstacle, result.evidence = "slow", f"{result.count('late'):,} users were served late"
        else:
            server.check_alive()


def _click(experiment: CrowdExperiment, users: UserProcesses, trial: CrowdTrial, result: CrowdResult) -> None:
    crowd = experiment.crowd
    rate = trial.users / crowd.click_every_s
    answers = users.click(rate, crowd.busy_s, CLICK_WAIT_S, experiment.seed + trial.index)
    begin_s = min(answer["begin_s"] for answer in answers)
    rows = (row for answer in answers for row in answer["rows"])
    clicks = (
        Click(int(user), planned_s - begin_s, sent_s - begin_s, since(begin_s, answered_s))
        for user, planned_s, sent_s, answered_s in rows
    )
    result.clicks = sorted(clicks, key=lambda click: click.planned_s)
    costs = [answer["clicking_cpu_s"] for answer in answers]
    result.client_share = round(max(costs) / crowd.busy_s, 6)


def _record(
    experiment: CrowdExperiment, trial: CrowdTrial, result: CrowdResult, duration_s: float, processes: int
) -> CrowdRecord:
    chat, crowd = trial.chat, experiment.crowd
    outcomes = Counter(entry.outcome for entry in result.entries)
    moments: dict[str, Any] = dict(result.moments)
    return CrowdRecord(
        index=trial.index,
        model=chat.model.letter,
        title=chat.model.title,
        service=chat.model.name,
        transport=chat.transport,
        form=chat.form,
        asked=trial.asked,
        users=trial.users,
        capped=trial.capped,
        cpus=experiment.cpus[0],
        processes=chat.processes,
        threads=chat.threads,
        started=result.started,
        duration_s=round(duration_s, 6),
        valid=result.reason is None,
        reason=result.reason,
        patience_s=crowd.patience_s,
        held=outcomes["held"],
        late=outcomes["late"],
        waiting=outcomes["waiting"],
        refused=outcomes["refused"],
        lost=outcomes["lost"],
        obstacle=result.obstacle,
        evidence=result.evidence,
        quiet_s=crowd.quiet_s,
        busy_s=crowd.busy_s,
        clicks_per_s=trial.users / crowd.click_every_s,
        clicks=len(result.clicks),
        answered=sum(click.answered_s is not None for click in result.clicks),
        **moments,
        server=result.server,
        client=result.client,
        client_share=result.client_share,
        client_processes=processes,
        machine=result.machine,
    )

"""The crowd: people come to a chat server, stay, and now and then click, at one level after the other."""

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from iolab import session
from iolab.errors import TrialFailed, UsageError
from iolab.experiment import Experiment
from iolab.host import capacity, limits
from iolab.host.activity import watching
from iolab.host.signals import Interrupted
from iolab.kinds.crowd.obstacle import Doorkeeper
from iolab.kinds.crowd.plan import Crowd, Scene
from iolab.kinds.crowd.records import Click, CrowdRecord, Entry, Holding
from iolab.loadgen.users import Holders, clients, containers, holding
from iolab.results.folder import RunFolder
from iolab.results.records import ClientUsage, MachineUsage, Status
from iolab.runtime import Mode, Server, footprint
from iolab.runtime.choice import Place

SETTLE_S = 0.5
CLICK_WAIT_S = 10.0  # for the last answers


class Observer(Protocol):
    """Who wants to know how far it is."""

    def says(self, what: str) -> None:
        """Take note of what is done just now."""

    def finished(self, record: CrowdRecord, clicks: Sequence[Click]) -> None:
        """Take note that a level has ended and is on disk."""


@dataclass
class Seen:
    """What came of a level; `reason` says why it cannot be trusted."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    entries: list[Entry] = field(default_factory=list)
    clicks: list[Click] = field(default_factory=list)
    moments: dict[str, Holding] = field(default_factory=dict)
    obstacle: Any = None
    evidence: str = ""
    client: ClientUsage = field(default_factory=ClientUsage)
    client_share: float | None = None
    machine: MachineUsage = field(default_factory=MachineUsage)
    reason: str | None = None

    def count(self, outcome: str) -> int:
        """Return of how many users it came out so."""
        return sum(entry.outcome == outcome for entry in self.entries)


@dataclass(frozen=True)
class Level:
    """So many users: as many as `asked`, or as many as the machine allows (`capped` says why)."""

    scene: Scene
    asked: int
    users: int
    capped: str


def crowd_of(experiment: Experiment) -> Crowd:
    """Return what the crowd is to do; raises UsageError for an experiment that does not say so."""
    if experiment.crowd is None:
        raise UsageError(f"experiment {experiment.name} has no [crowd]: take experiments/crowd.toml")
    return experiment.crowd


def measure(
    plan: session.Plan, scenes: Sequence[Scene], place: Place, results: Path, observer: Observer
) -> session.Outcome:
    """Measure all levels into a new run folder; what is measured by the time of an interruption stays."""
    began = time.monotonic()
    folder = RunFolder.create(results, plan.experiment.name)
    info = session.info(plan, place, generator="crowd").model_copy(update={"theory_s": 0.0})
    folder.write_run(info)
    status: Status = "failed"
    exit_status = 1
    records: list[CrowdRecord] = []
    try:
        records.extend(CrowdBench(plan.experiment, place, folder, observer).run(scenes))
        if all(record.valid for record in records):
            status, exit_status = "complete", 0
    except Interrupted as interrupted:
        status, exit_status = "partial", interrupted.exit_status
    finally:
        folder.write_run(info.ended(status, time.monotonic() - began, trials_planned=len(records)))
    return session.Outcome(folder, exit_status)


class CrowdBench:
    """Measures levels, each on a server of its own, and appends each to a run folder as soon as it ends."""

    def __init__(self, experiment: Experiment, place: Place, folder: RunFolder, observer: Observer) -> None:
        self._crowd, self._settings, self._seed = crowd_of(experiment), experiment.server, experiment.seed
        self._runtime, self._cpus = place.runtime, place.plans[experiment.cpus[0]]
        self._folder, self._observer = folder, observer
        self._facts, self._docker = limits.read(), place.runtime.name == "docker"
        self._index = 0

    def run(self, scenes: Sequence[Scene]) -> Iterator[CrowdRecord]:
        """Yield the records, level by level in each scene; raises Interrupted."""
        limits.raise_soft_limits()
        with self._runtime:
            for scene in scenes:
                last: CrowdRecord | None = None
                for level in self._levels(scene):
                    if level.asked == self._crowd.most and not _worth_more(level, last):
                        continue
                    last = self._measured(level)
                    yield last

    def _levels(self, scene: Scene) -> Iterator[Level]:
        """Yield the levels, each as high as the machine allows."""
        for asked in dict.fromkeys((*self._crowd.levels, *([self._crowd.most] if self._crowd.most else []))):
            users, sentence = capacity.capped(asked, capacity.applicable(self._facts, self._need(scene, asked)))
            if users < 1:
                raise UsageError(f"USERS={asked}: nobody can come: {sentence}")
            yield Level(scene, asked, users, sentence)

    def _need(self, scene: Scene, users: int) -> capacity.Need:
        return scene.need(users, len(self._shares(users)), containers(users) if self._docker else None)

    def _shares(self, users: int) -> list[int]:
        """Return how many users each of the client's processes holds."""
        return clients(users, self._facts, docker=self._docker)

    def _measured(self, level: Level) -> CrowdRecord:
        self._observer.says(f"{level.scene.title}: {level.users:,} users")
        seen = Seen()
        began = time.monotonic()
        try:
            with watching() as watch:
                self._load(level, seen)
            seen.machine = watch.usage()
        except TrialFailed as error:
            seen.reason = str(error)
        record = self._record(level, seen, time.monotonic() - began)
        self._folder.append(record)
        self._observer.finished(record, seen.clicks)
        self._index += 1
        return record

    def _load(self, level: Level, seen: Seen) -> None:
        """Let people come, stay, and click; what is seen is in `seen`, whatever happens."""
        crowd, scene = self._crowd, level.scene
        with (
            self._runtime.serve(scene.model, self._cpus, self._settings.variables(), self._mode(level)) as server,
            holding(self._runtime, self._cpus, self._shares(level.users)) as people,
        ):
            time.sleep(SETTLE_S)
            door = Doorkeeper(server)
            door.begin()
            seen.moments["empty"] = footprint.read(server)
            url = urlsplit(server.url)
            rows = people.come((url.hostname or "", url.port or 0), scene.way, crowd.come_rps, crowd.patience_s)
            begin_s = min((row[1] for row in rows), default=0.0)
            seen.entries = entries(rows, begin_s)
            seen.moments["quiet"] = footprint.read(server)
            time.sleep(crowd.quiet_s)
            seen.moments["quiet_end"] = footprint.read(server)
            self._click(people, level, seen)
            pause_s = _told_pause_s(server) if seen.count("held") == level.users else None
            seen.moments["busy"] = footprint.read(server).model_copy(update={"collector_pause_s": pause_s})
            outcomes = people.all("outcomes", 60.0)
            seen.entries = entries([row for answer in outcomes for row in answer["rows"]], begin_s)
            seen.client = ClientUsage(cpu_s=round(people.cpu_s, 6))
            pool = None if scene.thread_each or scene.model.workers == float("inf") else int(scene.model.workers)
            if seen.count("waiting") + seen.count("refused") + seen.count("lost"):
                seen.obstacle, seen.evidence = door.why(seen.count("waiting"), seen.count("refused"), pool)
            elif seen.count("late"):
                seen.obstacle, seen.evidence = "slow", f"{seen.count('late'):,} were served, but later"
            else:
                server.check_alive()

    def _click(self, people: Holders, level: Level, seen: Seen) -> None:
        crowd = self._crowd
        rate = level.users / crowd.click_every_s
        answers = people.click(rate, crowd.busy_s, CLICK_WAIT_S, self._seed + self._index)
        begin_s = min(answer["begin_s"] for answer in answers)
        rows = (row for answer in answers for row in answer["rows"])
        clicks = (
            Click(int(user), planned_s - begin_s, sent_s - begin_s, _since(begin_s, answered_s))
            for user, planned_s, sent_s, answered_s in rows
        )
        seen.clicks = sorted(clicks, key=lambda click: click.planned_s)
        costs = [answer["clicking_cpu_s"] for answer in answers]
        seen.client_share = round(max(costs) / crowd.busy_s, 6)

    def _mode(self, level: Level) -> Mode:
        scene = level.scene
        room = capacity.container_limits(level.users, int(scene.thread_each), scene.processes, self._facts)
        variables = {"THREADS": str(self._settings.threads), **self._crowd.variables(scene.processes)}
        return Mode(("python3", scene.script), variables, room.files, room.pids, room.memory_bytes)

    def _record(self, level: Level, seen: Seen, duration_s: float) -> CrowdRecord:
        scene, crowd = level.scene, self._crowd
        outcomes = Counter(entry.outcome for entry in seen.entries)
        return CrowdRecord(
            index=self._index,
            model=scene.model.letter,
            title=scene.model.title,
            service=scene.model.name,
            way=scene.way,
            asked=level.asked,
            users=level.users,
            capped=level.capped,
            cpus=self._cpus.cpus,
            processes=scene.processes,
            threads=None if scene.model.workers == float("inf") else int(scene.model.workers),
            started=seen.started,
            duration_s=round(duration_s, 6),
            valid=seen.reason is None,
            reason=seen.reason,
            patience_s=crowd.patience_s,
            **{name: outcomes[name] for name in ("held", "late", "waiting", "refused", "lost")},
            obstacle=seen.obstacle,
            evidence=seen.evidence,
            quiet_s=crowd.quiet_s,
            busy_s=crowd.busy_s,
            clicks_per_s=level.users / crowd.click_every_s,
            clicks=len(seen.clicks),
            answered=sum(click.answered_s is not None for click in seen.clicks),
            **seen.moments,
            client=seen.client,
            client_share=seen.client_share,
            client_processes=len(self._shares(level.users)),
            machine=seen.machine,
            rows=self._folder.write_rows(self._index, users=seen.entries, clicks=seen.clicks),
        )


def _worth_more(level: Level, last: CrowdRecord | None) -> bool:
    """Say whether to go on as far as the machine allows: who has broken already does not hold more."""
    return last is None or (last.valid and last.held == last.users and level.users > last.users)


def entries(rows: Sequence[Sequence[Any]], begin_s: float) -> list[Entry]:
    """Return a driver's rows as entries, by user; times count from `begin_s`."""
    made = (
        Entry(int(user), came - begin_s, _since(begin_s, connected), _since(begin_s, served), outcome)
        for user, came, connected, served, outcome in rows
    )
    return sorted(made, key=lambda entry: entry.user)


def _since(begin_s: float, moment: float | None) -> float | None:
    return None if moment is None else moment - begin_s


def _told_pause_s(server: Server) -> float | None:
    """Return the longest pause for the garbage collector, where the server tells it."""
    connection = http.client.HTTPConnection(*server.address, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return float(json.loads(connection.getresponse().read())["longest_pause_s"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None  # this server does not tell
    finally:
        connection.close()

"""Faults: one server with a crowd on it, clicks all the while, and one thing after the other that goes wrong.

After each fault, those whom it cost come again, so that the next one finds the crowd whole. A click that was answered
must never be lost: it is in the rows on disk, and the server wrote it down before it answered (JOURNAL=1).
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from iolab.errors import TrialFailed, UsageError
from iolab.experiment import Experiment
from iolab.host import capacity, environment, limits
from iolab.host.activity import watching
from iolab.host.signals import Interrupted
from iolab.kinds.crowd import plan as crowd_plan
from iolab.kinds.crowd.plan import Scene
from iolab.kinds.crowd.run import crowd_of
from iolab.kinds.faults import acts as fault_kinds
from iolab.kinds.faults.clicks import judged
from iolab.kinds.faults.plan import Faults
from iolab.kinds.faults.records import Clicks, Fault, FaultRecord, FaultsRun, Figures
from iolab.kinds.faults.stage import ANSWER_S, Stage
from iolab.loadgen.users import Holders, clients, containers, holding
from iolab.results.folder import RunFolder
from iolab.runtime import Mode, Runtime, Server
from iolab.runtime.choice import Place
from iolab.session import Outcome, Plan

KINDS: Mapping[Fault, Callable[[Stage], Figures]] = {
    "calm": fault_kinds.calm,
    "broadcast": fault_kinds.broadcast,
    "slow": fault_kinds.slow,
    "vanished": fault_kinds.vanished,
    "half_open": fault_kinds.half_open,
    "killed": fault_kinds.killed,
    "herd": fault_kinds.herd,
}
LINUX_ONLY: frozenset[Fault] = frozenset({"vanished", "half_open"})
LAST_ANSWERS_S, DEAD_ANSWERS_S = 10.0, 1.0  # for the last clicks' answers; of a server that is dead none comes
SPARE_USERS = 256  # of a container: who click by a connection of their own


class Observer(Protocol):
    """Who wants to know how far it is."""

    def says(self, what: str) -> None:
        """Take note of what is done just now."""

    def finished(self, record: FaultRecord) -> None:
        """Take note that a fault is over and on disk."""


def settings(experiment: Experiment) -> Faults:
    """Return what is to go wrong; raises UsageError for an experiment that does not say so."""
    if experiment.faults is None:
        raise UsageError(f"experiment {experiment.name} has no [faults]: take experiments/faults.toml")
    return experiment.faults


def scene_of(plan: Plan) -> Scene:
    """Return the chat server to be troubled; raises UsageError where it is not one, or not one that holds a crowd."""
    if len(plan.models) != 1:
        raise UsageError(f"MODELS={','.join(plan.experiment.models)}: one server at a time is troubled")
    (model,) = plan.models
    if model.workers != float("inf"):
        raise UsageError(
            f"MODELS={model.letter}: {model.title} holds {int(model.workers)} at a time, which is no crowd: take C or D"
        )
    return crowd_plan.scenes(plan.models, crowd_of(plan.experiment))[0]


def measure(plan: Plan, place: Place, results: Path, observer: Observer) -> Outcome:
    """Let all faults happen, and write each into a new run folder as soon as it is over; an interruption keeps them."""
    scene, crowd, faults = scene_of(plan), crowd_of(plan.experiment), settings(plan.experiment)
    asked, facts = crowd.levels[0], limits.read()
    docker = place.runtime.name == "docker"
    client = len(clients(asked, facts, docker=docker))
    need = scene.need(asked + faults.newcomers, client, containers(asked) if docker else None)
    users, capped = capacity.capped(asked, capacity.applicable(facts, need))
    folder = RunFolder.create(results, plan.experiment.name, newest=False)
    run = FaultsRun(
        status="running",
        model=scene.model.letter,
        title=scene.model.title,
        service=scene.model.name,
        way=scene.way,
        runtime=place.runtime.name,
        runtime_reason=place.reason,
        cpus=plan.experiment.cpus[0],
        asked=asked,
        users=users,
        capped=capped,
        dead_after_s=crowd.dead_after_s,
        hold_s=crowd.hold_s,
        click_rps=faults.click_rps,
        environment=environment.facts(plan.models, place.runtime.name, place.runtime.facts()),
        started=datetime.now(UTC),
    )
    done: list[FaultRecord] = []
    status, exit_status = "failed", 1
    try:
        for record in FaultBench(plan.experiment, scene, place, folder, facts).run(users, observer):
            done.append(record)
            folder.write("faults.json", _text(run, faults=tuple(done)))
            observer.finished(record)
        if len(done) == len(KINDS) and all(record.kept_its_word for record in done):
            status, exit_status = "complete", 0
    except Interrupted as interrupted:
        status, exit_status = "partial", interrupted.exit_status
    finally:
        folder.write("faults.json", _text(run, faults=tuple(done), status=status, finished=datetime.now(UTC)))
    return Outcome(folder, exit_status)


def _text(run: FaultsRun, **changes: Any) -> str:
    return run.model_copy(update=changes).model_dump_json(by_alias=True, indent=1) + "\n"


class FaultBench:
    """Troubles one server, fault by fault."""

    def __init__(
        self, experiment: Experiment, scene: Scene, place: Place, folder: RunFolder, facts: limits.Facts
    ) -> None:
        self._crowd, self._faults, self._settings = crowd_of(experiment), settings(experiment), experiment.server
        self._scene, self._folder, self._facts, self._seed = scene, folder, facts, experiment.seed
        self._runtime: Runtime = place.runtime
        self._cpus = place.plans[experiment.cpus[0]]

    def run(self, users: int, observer: Observer) -> Iterator[FaultRecord]:
        """Yield a record a fault; ends early where one could not be measured. Raises Interrupted, TrialFailed."""
        limits.raise_soft_limits()
        with self._runtime, ExitStack() as serving, ExitStack() as stack:

            def start() -> Server:
                serving.close()  # the one before: its container's name is wanted
                mode = self._mode(users)
                return serving.enter_context(
                    self._runtime.serve(self._scene.model, self._cpus, self._settings.variables(), mode)
                )

            shares = clients(users, self._facts, docker=self._runtime.name == "docker")
            observer.says(f"{users:,} users come to {self._scene.title}")
            server = start()
            people = stack.enter_context(holding(self._runtime, self._cpus, shares))
            stage = Stage(server, people, self._scene, self._crowd, self._faults, start)
            crowd = self._crowd
            people.come(stage.place, self._scene.way, crowd.come_rps, crowd.patience_s)
            for index, (fault, act) in enumerate(KINDS.items()):
                observer.says(fault.replace("_", " "))
                record = self._happens(stage, index, fault, act)
                yield record
                if not record.valid:
                    return

    def _happens(self, stage: Stage, index: int, fault: Fault, act: Callable[[Stage], Figures]) -> FaultRecord:
        """Let one fault happen while people click; it lasts long enough for their percentiles."""
        began, started = time.monotonic(), datetime.now(UTC)
        users, figures, back = 0, None, None
        clicks, rows = Clicks(), dict[str, str]()
        stage.rows = []
        if fault in LINUX_ONLY and self._runtime.name == "local" and sys.platform != "linux":
            return FaultRecord(
                index=index,
                fault=fault,
                users=_held(stage.people),
                started=started,
                duration_s=0,
                valid=True,
                reason="only Linux drops all that comes for a connection (IP_MINTTL): take RUNTIME=docker",
            )
        reason: str | None = None
        with watching() as watch:
            try:
                users = _held(stage.people)
                begin_s = self._begin_clicks(stage, index)
                figures = act(stage)
                if fault != "killed":
                    time.sleep(max(0.0, self._faults.least_s - (time.monotonic() - began)))
                wait_s = DEAD_ANSWERS_S if fault == "killed" else LAST_ANSWERS_S
                answers = stage.people.all("end_clicks", wait_s + ANSWER_S, wait_s=wait_s)
                clicks, rows = judged(self._folder, index, begin_s, answers, stage.server)
                if fault != "killed":
                    stage.server.check_alive()
                    stage.come_back()
                    back = _held(stage.people)
            except TrialFailed as failed:
                reason = str(failed)
        return FaultRecord(
            index=index,
            fault=fault,
            users=users,
            back=back,
            started=started,
            duration_s=round(time.monotonic() - began, 6),
            valid=reason is None,
            reason=reason,
            figures=figures,
            clicks=clicks,
            rows=rows | self._folder.write_rows(index, users=stage.rows),
            machine=watch.usage(),
        )

    def _begin_clicks(self, stage: Stage, index: int) -> float:
        begin_s = time.perf_counter()
        jobs = [
            {"rate": self._faults.click_rps * share / sum(stage.people.shares), "seed": self._seed * 1000 + number}
            for number, share in enumerate(stage.people.shares, 100 * index)
        ]
        stage.people.ask("begin_clicks", jobs, ANSWER_S)
        return begin_s

    def _mode(self, users: int) -> Mode:
        more = users + 2 * self._faults.newcomers + SPARE_USERS
        room = capacity.container_limits(more, int(self._scene.thread_each), 1, self._facts)
        variables = {**self._crowd.variables(1), "JOURNAL": "1"}
        return Mode(("python3", self._scene.script), variables, room.files, room.pids, room.memory_bytes)


def _held(people: Holders) -> int:
    """Return how many have a server that has spoken to them."""
    return sum(answer["held"] + answer["late"] for answer in people.all("census", ANSWER_S))

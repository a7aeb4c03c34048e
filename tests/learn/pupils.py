"""Students for tests: each has a checkout, a journal by a clock of its own, runs, a log and texts of hey.

Rows are those of the recorded run, each student's a little slower by a factor of its own: with one factor for all
times, what holds of them still holds.
"""

import gzip
import heapq
import os
import random
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from iolab.contract import outcome, suite
from iolab.contract.outcome import Outcome
from iolab.contract.promise import Kept
from iolab.kinds.closed.plan import trials
from iolab.kinds.closed.records import ClosedRecord
from iolab.kinds.closed.settings import ClosedExperiment
from iolab.lab import Model
from iolab.learn import bundle, plan
from iolab.learn import values as personal
from iolab.learn.course import Learning
from iolab.learn.evidence import sha256
from iolab.learn.facts import Facts
from iolab.learn.journal import Journal
from iolab.learn.plan import Step
from iolab.learn.student import Student
from iolab.results.folder import RunFolder
from iolab.results.samples import Sample
from iolab.service import Service
from tests.conftest import RECORDED, ROOT

LOG = ROOT / "tests/data/strace/k2_recommended_seccomp_2click.txt.gz"
BEGAN = datetime(2026, 10, 1, 8, tzinfo=UTC)
STAMP = re.compile(rb"(?<= )\d{10}\.\d{6}(?= )")
PROGRAM = b"# a server of my own\n"


@dataclass
class Clock:
    """Time that passes by a minute whenever it is asked for."""

    now: datetime = BEGAN

    def __call__(self) -> datetime:
        """Return the next minute."""
        self.now += timedelta(minutes=1)
        return self.now


@dataclass
class Pupil:
    """A student with a checkout; `factor` makes all measured times its own."""

    id: str
    root: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.plan, self.course = plan.read_plan(self.root), plan.read_course(self.root)
        self.values = personal.of(self.course.term, self.id)
        self.chance = random.Random(self.id)
        self.factor = 1 + self.chance.random() / 50

    @property
    def mylab(self) -> Path:
        """The folder of the student."""
        return self.root / "mylab"

    @property
    def learning(self) -> Learning:
        """The course of this student, with the clock of the test."""
        student = Student.read(self.root)
        return Learning(
            self.root, replace(student, journal=Journal(student.journal.path, self.clock)), self.plan, self.course
        )

    def begin(self) -> None:
        """Begin the course."""
        self.mylab.mkdir()
        (self.mylab / "student.toml").write_text(f'student = "{self.id}"\nterm = "{self.course.term}"\n')
        Journal(self.mylab / "journal.jsonl", self.clock).add("begin", student=self.id, term=self.course.term)

    def write(self, name: str, content: bytes) -> None:
        """Write a file, now."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (self.clock().timestamp(),) * 2)

    def log(self, source: Path = LOG) -> None:
        """Record the log: a real one, at another time."""
        later = self.chance.randrange(10**6)
        text = STAMP.sub(lambda match: b"%.6f" % (float(match[0]) + later), gzip.decompress(source.read_bytes()))
        self.write("mylab/trace.log", text + f"{later} +++ exited with 0 +++\n".encode())

    def hey(self) -> None:
        """Keep the six texts of hey."""
        for model, users, median_ms in [
            ("A", 4, 82),
            ("A", 16, 142),
            ("B", 4, 21),
            ("B", 16, 41),
            ("C", 4, 21),
            ("C", 16, 21.5),
        ]:
            self.write(f"mylab/hey-{model}-{users}.txt", hey_text(median_ms * self.factor, 208, self.chance))

    def bench(
        self,
        *,
        name: str = "bench",
        seed: int | None = None,
        models: str = "ABC",
        server: Mapping[str, Any] | None = None,
        concurrency: Sequence[int] = (4, 16),
        rows: "Rows | None" = None,
    ) -> RunFolder:
        """Measure a closed loop: rows of the recorded run, or those that `rows` makes."""
        experiment, infos = settings(
            name, self.values.seed if seed is None else seed, models, concurrency, server or {}
        )
        started = self.clock()
        path = self.root / "results" / f"{started:%Y%m%dT%H%M%SZ}-{name}"
        (path / "samples").mkdir(parents=True)
        folder = RunFolder(path)
        run, factor = recorded_run(), self.factor + self.chance.random() / 1000
        plans = trials(
            experiment,
            [
                Model(each.letter, each.title, each.workers, Service(each.service, "", None, (), {}, {}, (), ()))
                for each in infos
            ],
        )
        info = run.model_copy(
            update={
                "experiment": experiment.model_dump(mode="json", by_alias=True),
                "models": tuple(infos),
                "started": started,
                "finished": started + timedelta(seconds=50),
                "trials_planned": len(plans),
            }
        )
        for number, each in enumerate(plans):
            like, samples = (rows or recorded_rows)(each, self.chance)
            mine = [
                Sample(
                    None if one.start_s is None else one.start_s * factor,
                    None if one.latency_s is None else one.latency_s * factor,
                    one.status,
                )
                for one in samples
            ]
            names = folder.write_rows(each.index, requests=mine)
            folder.append(
                like.model_copy(
                    update={
                        "index": each.index,
                        "repeat": each.repeat,
                        "model": each.model,
                        "service": each.service,
                        "concurrency": each.concurrency,
                        "requested": each.requests,
                        "sent": len(mine),
                        "ok": sum(one.status == 200 for one in mine),
                        "errors": sum(one.status != 200 for one in mine),
                        "duration_s": like.duration_s * factor + 0.01,
                        "started": started + timedelta(seconds=number),
                        "rows": names,
                    }
                )
            )
        folder.write_run(info)
        return folder

    def predict(self, step: str) -> None:
        """Record a prediction."""
        found = self.plan.named(step)
        self.learning.answer(
            found, {ask.name: 20.0 + place for place, ask in enumerate(found.asks)}, "It follows from the wait."
        )

    def answer_all(self) -> None:
        """Answer what can be answered: readings from the facts, texts that cite them."""
        learning = self.learning
        facts = Facts(learning.place, self.plan, self.values)
        for step in self.plan:
            if step.kind == "observe" and (given := readings(step, facts)):
                learning.answer(step, given, "")
            if step.kind == "explain" and (text := self.text(step, facts)):
                learning.answer(step, {}, text)

    def text(self, step: Step, facts: Facts) -> str:
        """Return a text that cites three facts; "" where there are fewer."""
        known = {
            name: fact.values[0]
            for prefix in step.cites
            for name, fact in facts.all_of(prefix.partition(".")[0]).items()
            if name.startswith(prefix)
            and fact.values
            and fact.values[0]
            and fact.values[0] > 20.5
            and (name.startswith("trace.") or name.endswith("_ms"))
        }
        named = [f"{name} is {value:.2f}" for name, value in list(known.items())[:3]]
        return f"I, {self.id}, have measured that {' and '.join(named)}, as the theory says." if len(named) > 1 else ""

    def contract(self) -> None:
        """Build a server that keeps its promises."""
        self.write("services/yours/server_yours.py", PROGRAM + self.id.encode())
        kept = tuple(Kept(name=each.name, says=each.says, kept=True, extra=each.extra) for each in suite.PROMISES)
        program = {"file": "services/yours/server_yours.py", "sha256": sha256(PROGRAM + self.id.encode())}
        outcome.write(self.root / "results", Outcome(model="yours", letter="Y", promises=kept, **program))

    def work(self) -> None:
        """Do the course honestly, but for the crowd, chess, and the own server's run."""
        self.begin()
        self.predict("1.1")
        self.log()
        self.predict("2.1")
        self.hey()
        self.bench()
        self.predict("2.7")
        self.bench(name="backlog", models="A", concurrency=(16,), server={"backlog": self.values.backlog})
        self.predict("2.10")
        self.bench(
            name="pool",
            models="B",
            concurrency=(self.values.users,),
            server={"threads": self.values.threads},
            rows=pooled(self.values.threads),
        )
        self.contract()
        self.look()
        self.answer_all()

    def look(self) -> None:
        """Let the lab see the evidence, as make learn does."""
        self.learning.look()

    def submit(self, folder: Path) -> Path:
        """Hand in what the lab has seen: return the zip in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(bundle.write(self.root, self.plan, self.values), folder))


Rows = Callable[[Any, random.Random], tuple[ClosedRecord, list[Sample]]]


def pupil(folder: Path, name: str) -> Pupil:
    """Return a student with a checkout of its own, which has nothing of a student yet."""
    root = folder / name
    root.mkdir(parents=True)
    shutil.copy(ROOT / "docker-compose.yml", root)
    for each in ("labs", "services"):
        shutil.copytree(ROOT / each, root / each, ignore=shutil.ignore_patterns("__pycache__"))
    return Pupil(name, root)


def two_clicks(number: int) -> list[str]:
    """Return ids of students that have to click twice, as in the recorded log."""
    term = plan.read_course(ROOT).term
    ids = (f"s{place:03d}" for place in range(1000, 9999))
    return [each for each in ids if personal.of(term, each).clicks == 2][:number]


def recorded_run() -> Any:
    """Return run.json of the recorded run."""
    return RunFolder(RECORDED).read_run()


def settings(
    name: str, seed: int, models: str, concurrency: Sequence[int], server: Mapping[str, Any]
) -> tuple[ClosedExperiment, list[Any]]:
    """Return the settings of an experiment, and the models of the recorded run that it measures."""
    run = recorded_run()
    given = {
        **run.experiment,
        "name": name,
        "seed": seed,
        "models": list(models),
        "concurrency": list(concurrency),
        "server": {**run.experiment["server"], **server},
    }
    return ClosedExperiment.model_validate(given), [each for each in run.models if each.letter in models]


def recorded_rows(trial: Any, chance: random.Random) -> tuple[ClosedRecord, list[Sample]]:
    """Return a trial of the recorded run, and its rows."""
    folder = RunFolder(RECORDED)
    like = next(
        each
        for each in folder.read_trials(ClosedRecord)
        if (each.model, each.concurrency, each.repeat) == (trial.model, trial.concurrency, trial.repeat)
    )
    return like, folder.rows_of(like, "requests", Sample)


def pooled(threads: int) -> Rows:
    """Return what makes rows of a pool: each user sends its next request when it has the response."""

    def rows(trial: Any, chance: random.Random) -> tuple[ClosedRecord, list[Sample]]:
        like, _ = recorded_rows(trial.model_copy(update={"concurrency": 16}), chance)
        free, users, found = [0.0] * threads, [0.0] * trial.concurrency, []
        for _ in range(trial.requests):
            begin = heapq.heappop(users)
            end = max(begin, heapq.heappop(free)) + 0.0205 + chance.random() / 1000
            found.append(Sample(begin, end - begin, 200))
            heapq.heappush(free, end)
            heapq.heappush(users, end)
        last = max(
            each.start_s + each.latency_s for each in found if each.start_s is not None and each.latency_s is not None
        )
        return like.model_copy(update={"duration_s": last}), found

    return rows


def hey_text(median_ms: float, responses: int, chance: random.Random) -> bytes:
    """Return what hey prints, of one median."""
    spread = 1 + chance.random() / 100
    return f"""
Summary:
  Total:	{median_ms * responses / 16000:.4f} secs
  Slowest:	{median_ms * 3 * spread / 1000:.4f} secs
  Fastest:	{median_ms * 0.97 / 1000:.4f} secs
  Requests/sec:	{16000 / median_ms * spread:.4f}

Latency distribution:
  50% in {median_ms / 1000:.4f} secs
  99% in {median_ms * 2.5 * spread / 1000:.4f} secs

Status code distribution:
  [200]	{responses} responses
""".encode()


def readings(step: Step, facts: Facts) -> Mapping[str, float]:
    """Return the right readings of a step, all of the last event; {} where a fact is not known."""
    found = {}
    for ask in step.asks:
        fact = facts.get(ask.fact)
        known = [value for value in fact.values if value is not None] if fact else []
        if not known:
            return {}
        found[ask.name] = known[-1] / ask.per
    return found

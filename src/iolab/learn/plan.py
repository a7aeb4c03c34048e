"""Reads labs/plan.toml, the steps of the course, and labs/course.toml, what a teacher sets."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from iolab.errors import UsageError

PLAN, COURSE = "plan.toml", "course.toml"
StepId = Annotated[str, Field(pattern=r"^\d\.\d{1,2}$")]
Kind = Literal["observe", "predict", "run", "explain", "build"]
TAKES: Mapping[str, str] = {
    "observe": "asks",
    "predict": "asks",
    "run": "evidence",
    "build": "evidence",
    "explain": "cites",
}


class Part(BaseModel):
    """Base of what the files have; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Ask(Part):
    """A value that a step asks for, and the fact, divided by `per`, that it is compared with.

    `must` is what the fact itself has to be, such as the student's own number of clicks.
    """

    name: Annotated[str, Field(pattern=r"^\w+$")]
    fact: str
    per: Annotated[float, Field(gt=0)] = 1
    must: str = ""


class Evidence(Part):
    """What a step needs: a log, texts, a run of a kind with these settings, a contract, or a student's folder.

    The keys of `settings` are paths in the experiment, such as server.backlog; {seed} and others are personal values.
    """

    student: bool = False
    log: str = ""
    texts: tuple[str, ...] = ()
    kind: str = ""
    models: tuple[str, ...] = ()
    users: tuple[int | str, ...] = ()
    settings: Mapping[str, Any] = {}
    facts: str = ""
    contract: str = ""


class Step(Part):
    """A step of the course; plan.toml says what the fields mean."""

    id: StepId
    kind: Kind
    points: Annotated[float, Field(ge=0, le=100)] = 0
    needs: tuple[str, ...] = ()
    asks: tuple[Ask, ...] = ()
    together: bool = False
    evidence: Evidence = Evidence()
    cites: tuple[str, ...] = ()

    @property
    def part(self) -> int:
        """The part of the course to which it belongs."""
        return int(self.id.partition(".")[0])

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> "Step":
        given = {name for name in ("asks", "cites") if getattr(self, name)}
        given |= {"evidence"} if self.evidence != Evidence() else set()
        if given != {TAKES[self.kind]}:
            raise ValueError(f"step {self.id} ({self.kind}) must have {TAKES[self.kind]}, and nothing else of its kind")
        return self


class Plan(Part):
    """The steps, in the order in which they are done."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    step: Annotated[tuple[Step, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_in_order(self) -> "Plan":
        before: set[str] = set()
        for each in self.step:
            if each.id in before:
                raise ValueError(f"step {each.id} is there twice")
            if missing := set(each.needs) - before:
                raise ValueError(f"step {each.id} needs {', '.join(sorted(missing))}, which does not come before it")
            before.add(each.id)
        return self

    def __iter__(self) -> Iterator[Step]:  # type: ignore[override]
        return iter(self.step)

    def named(self, name: str) -> Step:
        """Return a step by its id; raises UsageError where there is none."""
        for each in self.step:
            if each.id == name:
                return each
        raise UsageError(
            f"STEP={name[:20]}: there is no such step; there are {', '.join(each.id for each in self.step)}"
        )


class Course(Part):
    """What a teacher sets; a weight of 0 leaves a step out."""

    term: Annotated[str, Field(pattern=r"^[\w.-]{1,40}$")]
    student_id: str
    deadline: str = ""
    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.05
    tolerance_ms: Annotated[float, Field(ge=0, le=1000)] = 1.0
    weights: Mapping[str, Annotated[float, Field(ge=0, le=100)]] = {}

    @field_validator("student_id")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        re.compile(value)
        return value

    @field_validator("deadline")
    @classmethod
    def _is_a_moment(cls, value: str) -> str:
        if value and datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("must have a time zone, such as 2026-12-18T23:59:00+08:00")
        return value

    def leaves_out(self, step: Step) -> bool:
        """Return whether the teacher has left a step out."""
        return self.weights.get(step.id) == 0

    def points(self, step: Step) -> float:
        """Return what a step is worth."""
        return self.weights.get(step.id, step.points)


Read = TypeVar("Read", bound=Part)


def read_plan(root: Path) -> Plan:
    """Read the steps of the lab in `root`; raises UsageError, which names the step."""
    return _read(root / "labs" / PLAN, Plan)


def read_course(root: Path) -> Course:
    """Read what the teacher has set; raises UsageError, which names the key."""
    course = _read(root / "labs" / COURSE, Course)
    if unknown := sorted(set(course.weights) - {each.id for each in read_plan(root)}):
        raise UsageError(f'labs/{COURSE}: weights: there is no step {unknown[0]}; write a step as "2.10" = 0')
    return course


def _read(path: Path, kind: type[Read]) -> Read:
    try:
        return kind.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, re.error) as error:
        raise UsageError(f"labs/{path.name} cannot be read: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"labs/{path.name}: {where}: {first['msg'].removeprefix('Value error, ')}") from error

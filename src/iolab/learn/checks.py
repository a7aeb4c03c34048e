"""Checks of the steps: each says that the evidence agrees, that it differs and where, or that it cannot tell.

No check holds a number: readings are compared with facts of the same student's log and runs.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from iolab.contract.suite import PROMISES
from iolab.learn.evidence import Found, Place, differing
from iolab.learn.facts import Fact, Facts
from iolab.learn.journal import Entry, at, moment
from iolab.learn.near import near
from iolab.learn.plan import Ask, Course, Plan, Step
from iolab.learn.student import first, last

Verdict = Literal["agrees", "differs", "cannot tell", "open"]
NUMBER = re.compile(r"(?<![A-Za-z0-9_.])[0-9][0-9,]*(?:\.[0-9]+)?")
LEAST_CITED = 2
TELLING = 20  # a whole number up to this can be anything: a number of users, threads, milliseconds of the wait
CLOSE = 0.02  # a number in a text is a rounded fact


@dataclass(frozen=True)
class Result:
    """What a check found: `key` is the name of a sentence of ui.toml, `with_` what it is filled with.

    `shows` are the lines or cells that the sentence is about. `points` are of the machine; those of a text are a
    person's. An "open" step is not done yet.
    """

    step: Step
    verdict: Verdict
    key: str
    with_: Mapping[str, str] = field(default_factory=dict)
    shows: tuple[str, ...] = ()
    points: float = 0.0


class Checks:
    """The checks of all steps of a student's evidence."""

    def __init__(self, plan: Plan, course: Course, place: Place, facts: Facts, entries: list[Entry]) -> None:
        self._plan, self._course, self._place, self._facts, self._entries = plan, course, place, facts, entries

    def all(self) -> list[Result]:
        """Return the results of all steps, in their order."""
        return [self.one(step) for step in self._plan]

    def one(self, step: Step) -> Result:
        """Return the result of a step."""
        check = {
            "observe": self._observe,
            "predict": self._predict,
            "run": self._run,
            "explain": self._explain,
            "build": self._build,
        }[step.kind]
        return check(step)

    def _agrees(self, step: Step, key: str, **with_: str) -> Result:
        return Result(step, "agrees", key, with_, points=self._course.points(step))

    def _run(self, step: Step) -> Result:
        found = self._place.find(step, self._facts.values)
        if found is None:
            broken = self._place.broken_off(step, self._facts.values)
            if broken:
                return Result(step, "cannot tell", "run_not_whole", {"run": broken.names[0]})
            other = near(self._place, step, self._facts.values) if step.evidence.kind else None
            if other:
                name, (is_, must) = next(iter(differing(other.info, step.evidence, self._facts.values).items()))
                with_ = {"run": other.names[0], "setting": name, "is": str(is_), "must": str(must)}
                return Result(step, "differs", "run_of_other_setting", with_)
            missing = self._missing(step)
            return Result(step, "open", "files_missing" if missing else "run_missing", {"missing": ", ".join(missing)})
        if problem := self._unreadable(step):
            return problem
        if too_early := self._began_before(step, found):
            return Result(step, "differs", "run_before_prediction", {"need": too_early, "run": found.names[0]})
        return self._agrees(step, "run_found", found=", ".join(found.names))

    def _missing(self, step: Step) -> tuple[str, ...]:
        names = (step.evidence.log, *step.evidence.texts)
        return tuple(name for name in names if name and not self._place.path(name).is_file())

    def _unreadable(self, step: Step) -> Result | None:
        """Return why a log or a text is no evidence: no server in it, or no response."""
        if step.evidence.log and not self._facts.get("trace.listen_fd"):
            return Result(step, "differs", "log_without_server", {"log": step.evidence.log})
        answered = {fact.where for name, fact in self._facts.all_of("hey").items() if name.endswith(".responses")}
        if empty := [name for name in step.evidence.texts if name not in answered]:
            return Result(step, "differs", "text_without_response", {"text": empty[0]})
        return None

    def _began_before(self, step: Step, found: Found) -> str:
        """Return a prediction that was recorded after this run had begun; "" if there is none."""
        needs = (need for need in step.needs if self._plan.named(need).kind == "predict")
        return next((need for need in needs if self._is_late(need, step, found)), "")

    def _is_late(self, prediction: str, step: Step, found: Found) -> bool:
        """Return whether a prediction is missing, or was recorded after this evidence of a step had begun.

        Of several answers the first one counts as the prediction.
        """
        entry = first(self._entries, "answer", prediction)
        return entry is None or _later(entry, self._begin(step, found))

    def _begin(self, step: Step, found: Found) -> datetime | None:
        """Return when evidence began: a run says so; of files, the journal says when the newest was made."""
        if found.began:
            return found.began
        seen = (each for each in self._entries if each["what"] == "evidence" and each.get("step") == step.id)
        return max((made for each in seen if (made := moment(each.get("made")))), default=None)

    def _predict(self, step: Step) -> Result:
        entry = first(self._entries, "answer", step.id)
        if entry is None:
            return Result(step, "open", "not_predicted")
        if not entry.get("text", "").strip():
            return Result(step, "differs", "prediction_without_text")
        for run in self._plan:
            found = self._place.find(run, self._facts.values) if step.id in run.needs else None
            if found and self._is_late(step.id, run, found):
                return Result(step, "differs", "predicted_after_run", {"step": run.id})
        return self._agrees(step, "predicted")

    def _observe(self, step: Step) -> Result:
        entry = last(self._entries, "answer", step.id)
        if entry is None:
            return Result(step, "open", "not_answered")
        given: Mapping[str, float] = entry.get("values", {})
        known = {ask.name: self._facts.get(ask.fact) for ask in step.asks}
        for ask in step.asks:
            fact = known[ask.name]
            if fact is None or not fact.known:
                return Result(step, "cannot tell", "fact_missing", {"fact": ask.fact, "name": ask.name})
            if ask.must and self._facts.values.filled(ask.must) not in fact.values:
                is_, must = _shown(fact), str(self._facts.values.filled(ask.must))
                return Result(step, "differs", "fact_is_not_yours", {"name": ask.name, "is": is_, "must": must})
        for ask in step.asks:
            fact = known[ask.name]
            if fact and not self._places(ask, fact, given.get(ask.name)):
                return self._differs(step, ask, fact, given.get(ask.name))
        if step.together and not set.intersection(
            *({*self._places(ask, fact, given.get(ask.name))} for ask in step.asks if (fact := known[ask.name]))
        ):
            return Result(step, "differs", "not_of_one_event")
        return self._agrees(step, "agrees")

    def _differs(self, step: Step, ask: Ask, fact: Fact, given: float | None) -> Result:
        with_ = {"name": ask.name, "given": "?" if given is None else f"{given:.10g}", "where": fact.where}
        texts = tuple(text for text in fact.shows if text)[:3]
        shown = texts or (f"{self._facts.values.fill(ask.fact)} = {_shown(fact, ask.per)}",)
        return Result(step, "differs", "reading_differs", with_, shown)

    def _places(self, ask: Ask, fact: Fact, given: float | None) -> list[int]:
        """Return the indices of the values of a fact with which a reading agrees."""
        if given is None:
            return []
        return [
            place
            for place, value in enumerate(fact.values)
            if value is not None and self._close(given, value / ask.per, ask, fact)
        ]

    def _close(self, given: float, value: float, ask: Ask, fact: Fact) -> bool:
        if fact.exact:
            return given == value
        least = self._course.tolerance_ms if ask.fact.endswith("_ms") else 0.0
        return abs(given - value) <= max(self._course.tolerance * abs(value), least)

    def _explain(self, step: Step) -> Result:
        entry = last(self._entries, "answer", step.id)
        text = entry.get("text", "") if entry else ""
        if not text.strip():
            return Result(step, "open", "not_explained")
        cited = cited_facts(text, self._citable(step))
        if len(cited) < LEAST_CITED:
            return Result(
                step, "differs", "too_few_numbers", {"number": str(len(cited)), "least": str(LEAST_CITED)}, tuple(cited)
            )
        return Result(step, "agrees", "explained", {"facts": ", ".join(cited)})

    def _citable(self, step: Step) -> Mapping[str, Sequence[float]]:
        """Return the facts that a text can cite, each with its values in the units in which it is asked for."""
        per = {self._facts.values.fill(ask.fact): ask.per for each in self._plan for ask in each.asks}
        found: dict[str, Sequence[float]] = {}
        for prefix in step.cites:
            for name, fact in self._facts.all_of(prefix.partition(".")[0]).items():
                if name.startswith(prefix) and fact.result:
                    known = [value for value in fact.values if value is not None]
                    found[name] = [*known, *(value / per[name] for value in known if per.get(name, 1) != 1)]
        return found

    def _build(self, step: Step) -> Result:
        found = self._place.contract(step.evidence.contract)
        if not found:
            return Result(step, "open", "not_built")
        kept = {each.name for each in found.promises if each.kept}
        wanted = [each.name for each in PROMISES if not each.extra]
        if broken := [name for name in wanted if name not in kept]:
            return Result(step, "differs", "promises_broken", {"broken": ", ".join(broken)})
        return self._agrees(step, "promises_kept", number=str(len(wanted)))


def cited_facts(text: str, facts: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the names of facts that a text cites: each number counts once, for the fact that is nearest."""
    names: list[str] = []
    for number, least in _numbers(text):
        near = [
            (abs(number - value * times), name)
            for name, values in facts.items()
            for value in values
            for times in (1, 0.001)  # ms as s
            if value and math.isfinite(value) and abs(number - value * times) <= max(least, CLOSE * abs(value * times))
        ]
        if near and (name := min(near)[1]) not in names:
            names.append(name)
    return names


def _numbers(text: str) -> Iterator[tuple[float, float]]:
    """Yield the telling numbers of a text, each with half of its last digit."""
    for match in NUMBER.finditer(text):
        word = match[0].replace(",", "")
        decimals = len(word.partition(".")[2])
        if decimals or float(word) > TELLING:
            yield float(word), 0.5 * 10**-decimals


def _later(entry: Entry, begin: datetime | None) -> bool:
    recorded = at(entry)
    return begin is not None and recorded is not None and recorded > begin


def _shown(fact: Fact, per: float = 1) -> str:
    return ", ".join(f"{value / per:.4g}" for value in fact.values if value is not None) or "?"

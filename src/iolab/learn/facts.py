"""Facts: what readings are compared with. Each comes from the student's own log, texts or runs, never from a constant.

The names are those of labs/plan.toml: trace.listen_fd, hey.A.16.median_ms, bench.A.16.median_ms, theory.A.16.median_ms.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from iolab.errors import LabError
from iolab.kinds import registry
from iolab.learn.evidence import Place
from iolab.learn.plan import Plan, Step
from iolab.learn.values import Values
from iolab.results.folder import RunFolder
from iolab.trace import loops
from iolab.trace.source import open_log
from iolab.trace.story import Story, tell

NAMED_BY = ("model", "concurrency", "transport")  # fields of a cell that are in the names of its facts
MEASURED = ("_ms", "_rps", "_s")
SETTINGS = ("service_ms", "scale_ms", "master_s", "opponent_s", "patience_s", "quiet_s", "busy_s", "clicks_per_s")
EXPECTED = "predicted_median_ms"  # the field of a cell that is theory
HEY = re.compile(r"hey-([A-Z])-(\d+)\.txt")


@dataclass(frozen=True)
class Fact:
    """A fact; several `values` are those of several events, such as clicks. None: that event has no such value.

    `where` is the file that shows it, `shows` the lines of it. An `exact` fact is counted, not measured. A setting of a
    run is no result (`result`): to cite it proves nothing.
    """

    values: tuple[float | None, ...]
    where: str
    shows: tuple[str, ...] = ()
    exact: bool = False
    result: bool = True

    @property
    def known(self) -> bool:
        """Whether it has any value."""
        return any(value is not None for value in self.values)


class Facts:
    """The facts of a place, computed when they are asked for."""

    def __init__(self, place: Place, plan: Plan, values: Values) -> None:
        self._place, self._plan, self.values = place, plan, values

    def get(self, name: str) -> Fact | None:
        """Return a fact; None where its evidence is not there."""
        return self.all_of(name.partition(".")[0]).get(self.values.fill(name))

    def all_of(self, prefix: str) -> Mapping[str, Fact]:
        """Return all facts whose names begin with a prefix, such as trace or bench."""
        if prefix == "trace":
            return self._trace
        if prefix == "hey":
            return self._hey
        if prefix == "theory":
            return self._theory
        return self._runs.get(prefix, {})

    @cached_property
    def story(self) -> Story | None:
        """The story of the student's log."""
        name = next((each.evidence.log for each in self._plan if each.evidence.log), "")
        path = self._place.path(name)
        if not name or not path.is_file():
            return None
        try:
            with open_log(path) as lines:
                return tell(lines, name, draw=False)
        except (LabError, OSError):
            return None

    @cached_property
    def _trace(self) -> Mapping[str, Fact]:
        return dict(_of_story(self.story)) if self.story else {}

    @cached_property
    def _hey(self) -> Mapping[str, Fact]:
        found: dict[str, Fact] = {}
        for name in (name for step in self._plan for name in step.evidence.texts):
            match, path = HEY.search(name), self._place.path(name)
            if match and path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                found |= {f"hey.{match[1]}.{match[2]}.{key}": fact for key, fact in _of_hey(text, name)}
        return found

    @cached_property
    def _runs(self) -> Mapping[str, Mapping[str, Fact]]:
        return {step.evidence.facts: self._of_step(step) for step in self._plan if step.evidence.facts}

    def _of_step(self, step: Step) -> Mapping[str, Fact]:
        found = self._place.find(step, self.values)
        if not found or not found.run:
            return {}
        return dict(of_run(found.run, step.evidence.facts, found.names[0]))

    @cached_property
    def _theory(self) -> Mapping[str, Fact]:
        expected = {
            name.replace(f"{prefix}.", "theory.", 1).replace(EXPECTED, "median_ms"): replace(fact, result=True)
            for prefix, facts in self._runs.items()
            for name, fact in facts.items()
            if name.endswith(f".{EXPECTED}")
        }
        in_flight = Fact((self.values.webhooks_in_flight,), "rate x handling time")
        return {**expected, "theory.webhooks_in_flight": in_flight}


def of_run(folder: RunFolder, prefix: str, where: str) -> Iterator[tuple[str, Fact]]:
    """Yield the facts of a run by name: each number of each cell, as its report has it; nothing of a damaged run."""
    try:
        kind = registry.kind_of(folder)
        cells = kind.report(folder).cells
    except (LabError, OSError):
        return
    for cell in cells:
        name = ".".join([prefix, *(str(cell[key]) for key in NAMED_BY if cell.get(key) not in (None, ""))])
        for key, value in cell.items():
            if key not in NAMED_BY and _is_number(value):
                counted, measured = isinstance(value, int), _is_result(key, kind.metrics)
                yield f"{name}.{key}", Fact((float(value),), where, exact=counted, result=measured)


def _is_result(key: str, metrics: Sequence[str]) -> bool:
    """Return whether a number of a cell was measured; others are settings, or theory."""
    measured = key.endswith(MEASURED) and not key.startswith("predicted_")
    return key in metrics or (measured and key not in SETTINGS)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _of_story(story: Story) -> Iterator[tuple[str, Fact]]:
    """Yield the facts of a log; lines count from 1."""

    def fact(values: Sequence[Any], texts: Sequence[str] = (), *, exact: bool = True) -> Fact:
        return Fact(tuple(values), story.source, tuple(texts), exact)

    watch = story.watch
    listeners = [each for run in watch.runs for each in run.listeners]
    if listeners:
        yield "trace.listen_fd", fact([each.fd for each in listeners], [each.bind.text for each in listeners])
        yield "trace.bind_line", fact([each.bind.line for each in listeners], [each.bind.text for each in listeners])
        listens = [cited for each in listeners for cited in each.listens]
        yield "trace.listen_line", fact([each.line for each in listens], [each.text for each in listens])
    added = [each for each in listeners if each.add]
    if added:
        texts = [each.add.text for each in added if each.add]
        yield "trace.epoll_add_line", fact([each.add.line for each in added if each.add], texts)
        yield "trace.epoll_fd", fact([each.epoll_fd for each in added], texts)
    accepted = [each for run in watch.runs for each in run.connections if each.accept]
    accepted = [each for each in accepted if each.websocket] or accepted  # the browser's clicks come on its websocket
    texts = [each.accept.text for each in accepted if each.accept]
    yield "trace.browser_fd", fact([each.fd for each in accepted], texts)
    yield "trace.browser_accept_line", fact([each.accept.line for each in accepted if each.accept], texts)
    yield from _of_clicks(story, fact)
    idle = loops.facts(story).idle_wakeups_per_s if watch.runs else None
    yield "trace.idle_wakes_per_s", fact([idle], exact=False)
    share = _share_asleep(story)
    yield "trace.asleep_percent", fact([None if share is None else 100 * share], exact=False)


def _of_clicks(story: Story, fact: Any) -> Iterator[tuple[str, Fact]]:
    clicks = story.clicks
    yield "trace.clicks", fact([len(clicks)])
    opened = [each.opened for each in clicks]
    found: dict[str, list[Any]] = {
        "wake": [each.wake for each in opened],
        "recv": [each.wake.read if each.wake and each.wake.frame == "binary" else None for each in opened],
        "clone": [each.clone for each in opened],
        "open": [each.cited for each in opened],
        "answer": [each.answer for each in opened],
    }
    for name, cited in found.items():
        yield (
            f"trace.click_{name}_line",
            fact([each and each.line for each in cited], [each.text if each else "" for each in cited]),
        )
    yield "trace.click_thread", fact([story.thread(each.tid) for each in opened], [each.cited.text for each in opened])


def _share_asleep(story: Story) -> float | None:
    from iolab.trace.facts import task_serving_s  # noqa: PLC0415

    run = story.watch.run
    total_s = task_serving_s(run, run.main) if run and run.main else None
    return min(1.0, run.sleep.slept_s / total_s) if run and total_s and run.sleep.timed else None


def _of_hey(text: str, where: str) -> Iterator[tuple[str, Fact]]:
    """Yield what hey's own summary says; times in ms. https://github.com/rakyll/hey"""
    patterns = {
        "median_ms": (r"^\s*50%+ in (\d+(?:\.\d+)?) secs", 1000),
        "p95_ms": (r"^\s*95%+ in (\d+(?:\.\d+)?) secs", 1000),
        "p99_ms": (r"^\s*99%+ in (\d+(?:\.\d+)?) secs", 1000),
        "slowest_ms": (r"^\s*Slowest:\s*(\d+(?:\.\d+)?) secs", 1000),
        "fastest_ms": (r"^\s*Fastest:\s*(\d+(?:\.\d+)?) secs", 1000),
        "rps": (r"^\s*Requests/sec:\s*(\d+(?:\.\d+)?)", 1),
        "total_s": (r"^\s*Total:\s*(\d+(?:\.\d+)?) secs", 1),
    }
    for name, (pattern, times) in patterns.items():
        if match := re.search(pattern, text, re.MULTILINE):
            yield name, Fact((float(match[1]) * times,), where, (match[0].strip(),))
    answers = re.findall(r"^\s*\[200\]\s+(\d+) responses", text, re.MULTILINE)
    if answers:
        yield "responses", Fact((float(answers[0]),), where, (f"[200] {answers[0]} responses",), exact=True)

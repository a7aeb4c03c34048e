"""Oral questions from a student's own data: easy after one has measured it, hard with a copied zip."""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from iolab.learn.facts import Fact, Facts
from iolab.learn.journal import Entry
from iolab.learn.plan import Plan
from iolab.learn.student import first
from iolab.learn.values import Values

NUMBER = 3
CALLS = ("clone3", "clone", "vfork", "fork")


@dataclass(frozen=True)
class Question:
    """A question: `key` is the name of a sentence of ui.toml, and `with_` what it is filled with."""

    key: str
    with_: Mapping[str, str]


def questions(values: Values, plan: Plan, facts: Facts, entries: list[Entry]) -> tuple[Question, ...]:
    """Return three questions, fewer where there is too little evidence; the id chooses, so that they stay the same."""
    groups = [
        list(_of_log(facts)),
        list(_of_runs(facts, values)),
        list(_of_predictions(plan, facts, entries)),
        list(_of_larger(facts)),
    ]
    seed = int.from_bytes(hashlib.sha256(f"oral:{values.student}".encode()).digest()[:8], "big")
    chance = random.Random(seed)  # noqa: S311 (a choice that must be the same each time)
    for group in groups:
        chance.shuffle(group)
    in_turn = [question for row in zip_longest(*groups) for question in row if question]
    return tuple(in_turn[:NUMBER])


def _of_log(facts: Facts) -> Iterator[Question]:
    for name in ("clone", "wake", "recv", "answer"):
        fact = facts.get(f"trace.click_{name}_line")
        for line, text in zip(fact.values, fact.shows, strict=False) if fact else ():
            if line is not None:
                call = next((each for each in CALLS if f"{each}(" in text), "clone")
                yield Question(f"oral_{name}", {"line": f"{line:g}", "call": call})
                break
    for name, line_name in (("listen_fd", "epoll_add_line"), ("browser_fd", "browser_accept_line")):
        descriptor, line = _value(facts.get(f"trace.{name}")), _value(facts.get(f"trace.{line_name}"))
        if descriptor is not None and line is not None:
            yield Question(f"oral_{name}", {"fd": f"{descriptor:g}", "line": f"{line:g}"})


def _of_runs(facts: Facts, values: Values) -> Iterator[Question]:
    a16, a99 = _ms(facts, "bench.A.16.median_ms"), _ms(facts, "bench.A.16.p99_ms")
    if a16 and a99:
        yield Question("oral_tail", {"median": a16, "p99": a99})
    b4, b16 = _ms(facts, "bench.B.4.median_ms"), _ms(facts, "bench.B.16.median_ms")
    if b4 and b16:
        yield Question("oral_pool", {"four": b4, "sixteen": b16})
    if backlog := _ms(facts, "backlog.A.16.median_ms"):
        yield Question("oral_backlog", {"backlog": str(values.backlog), "median": backlog})
    if turns := _ms(facts, "pool.B.{users}.median_ms"):
        yield Question("oral_turns", {"threads": str(values.threads), "users": str(values.users), "median": turns})
    c4, c16 = _ms(facts, "bench.C.4.median_ms"), _ms(facts, "bench.C.16.median_ms")
    if c4 and c16:
        yield Question("oral_loop", {"four": c4, "sixteen": c16})


def _of_predictions(plan: Plan, facts: Facts, entries: list[Entry]) -> Iterator[Question]:
    """Yield the prediction that is farthest from what was measured."""
    found: list[tuple[float, str, str, str, str]] = []
    for step in plan:
        entry = first(entries, "answer", step.id) if step.kind == "predict" else None
        given: Mapping[str, float] = entry.get("values", {}) if entry else {}
        for ask in step.asks:
            value, measured = given.get(ask.name), _value(facts.get(ask.fact))
            if value is not None and measured:
                share = abs(value / (measured / ask.per) - 1)
                found.append((share, step.id, ask.name, f"{value:g}", f"{measured / ask.per:.4g}"))
    if found:
        _, step_id, name, predicted, is_ = max(found)
        yield Question("oral_prediction", {"step": step_id, "name": name, "predicted": predicted, "measured": is_})


def _of_larger(facts: Facts) -> Iterator[Question]:
    held = _value(facts.get("crowd.B.poll.held"))
    if held is not None:
        yield Question("oral_crowd", {"held": f"{held:g}"})
    a, c = _value(facts.get("chess.A.took_s")), _value(facts.get("chess.C.took_s"))
    if a and c:
        yield Question("oral_chess", {"A": f"{a / 3600:.3g}", "C": f"{c / 3600:.3g}"})


def _value(fact: Fact | None) -> float | None:
    known: Sequence[float] = [value for value in fact.values if value is not None] if fact else ()
    return known[0] if known else None


def _ms(facts: Facts, name: str) -> str:
    value = _value(facts.get(name))
    return "" if value is None else f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.0f} ms"

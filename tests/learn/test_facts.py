"""Facts are those of the student's log, texts and runs."""

from pathlib import Path

import pytest

from iolab.learn.course import Learning
from iolab.learn.facts import Facts
from tests.learn.students import BEGIN, LOGS, begun, put_hey, put_log, put_run

NAMES = sorted(path.name.removesuffix(".json") for path in LOGS.glob("*.json"))


def facts_of(root: Path) -> Facts:
    learning = begun(root)
    return Facts(learning.place, learning.plan, learning.student.values)


@pytest.mark.parametrize("name", NAMES)
def test_facts_of_recorded_logs_are_what_is_true_of_them(tmp_path: Path, name: str) -> None:
    facts = facts_of(tmp_path)
    truth = put_log(tmp_path, name)
    if truth["listeners"]:
        listen_fd, line = facts.get("trace.listen_fd"), facts.get("trace.bind_line")
        assert listen_fd
        assert line
        assert listen_fd.values == tuple(each["fd"] for each in truth["listeners"])
        assert line.values == tuple(each["bind_line"] for each in truth["listeners"])
        assert listen_fd.exact
        assert all("bind(" in text for text in line.shows)
    else:
        assert facts.get("trace.listen_fd") is None
    opens = [each for each in truth["opens"] if each["by"] == "script thread"]
    clicks, lines = facts.get("trace.clicks"), facts.get("trace.click_open_line")
    assert clicks
    assert clicks.values == (len(opens),)
    assert lines
    assert lines.values == tuple(each["line"] for each in opens)
    wakes = facts.get("trace.click_wake_line")
    assert wakes
    assert wakes.values == tuple(each.get("wake_line") for each in opens)


def test_a_log_that_is_not_there_has_no_facts_and_neither_has_another_file(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    assert facts.get("trace.listen_fd") is None
    (tmp_path / "mylab" / "trace.log").write_bytes(b"\x00\xff no log\n" * 100)
    again = facts_again(tmp_path)
    assert again.get("trace.listen_fd") is None
    assert again.get("trace.no_such") is None


def test_facts_of_hey_are_those_of_its_own_text(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    put_hey(tmp_path)
    expected = {"median_ms": 142.1, "slowest_ms": 2050.0, "responses": 192, "p99_ms": 2010.0, "rps": 91.4286}
    for name, value in expected.items():
        fact = facts.get(f"hey.A.16.{name}")
        assert fact
        assert fact.values[0] == pytest.approx(value)
    (tmp_path / "mylab" / "hey-A-4.txt").write_text("connection refused\n")
    other = facts_again(tmp_path)
    assert other.get("hey.A.4.median_ms") is None
    assert other.get("hey.A.16.median_ms")


def facts_again(root: Path) -> Facts:
    learning = Learning.open(root)
    return Facts(learning.place, learning.plan, learning.student.values)


def test_facts_of_a_run_are_those_of_its_report_and_theory_stands_beside(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    seed = facts.values.seed
    put_run(tmp_path, started=BEGIN, seed=seed)
    median, theory = facts.get("bench.A.16.median_ms"), facts.get("theory.A.16.median_ms")
    assert median
    assert median.values[0] == pytest.approx(142, rel=0.05)
    assert median.where == "results/20261120T100000Z-bench"
    assert not median.exact
    assert theory
    assert theory.values == (140.0,)
    assert facts.get("backlog.A.16.median_ms") is None  # another backlog than the student's


def test_a_run_with_another_seed_or_without_a_model_is_not_the_students(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    put_run(tmp_path, started=BEGIN, seed=facts.values.seed + 1)
    assert facts.get("bench.A.16.median_ms") is None


def test_webhooks_in_flight_are_rate_times_time(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    fact = facts.get("theory.webhooks_in_flight")
    assert fact
    assert fact.values == (facts.values.rate * facts.values.handling_ms / 1000,)

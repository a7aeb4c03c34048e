from dataclasses import replace

import pytest

from iolab.errors import LoadFailed
from iolab.loadgen import Job
from iolab.loadgen.hey import Hey, read_rows
from iolab.results.samples import Sample

HEADER = "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n"
ROWS = (
    HEADER
    + "0.0845,0.0007,0.0005,0.0000,0.0835,0.0002,200,4.1080\n0.0213,0.0011,0.0009,0.0000,0.0834,0.0002,503,0.0010\n"
)


JOB = Job("http://x:1", users=4, requests=4, answer_limit_s=20.5, timeout_s=9)


class FakeDriver:
    def __init__(self, **answer: object) -> None:
        self.answer_ = {"status": 0, "stdout": ROWS, "stderr": "", "cpu_s": 0.01, "timed_out": False, **answer}
        self.job: dict[str, object] = {}

    def ask(self, job: dict[str, object], timeout_s: float) -> dict[str, object]:
        self.job = job
        return self.answer_


def test_a_load_of_more_requests_than_hey_keeps_is_not_started() -> None:
    driver = FakeDriver()
    with pytest.raises(LoadFailed, match="hey keeps the results of 1,000,000 requests, and this load has 1,000,004"):
        Hey(driver).run(replace(JOB, requests=1_000_004))  # type: ignore[arg-type]
    assert driver.job == {}
    Hey(driver).run(replace(JOB, requests=1_000_000))  # type: ignore[arg-type]
    assert driver.job


def test_rows_are_read_by_name_and_put_in_order() -> None:
    assert read_rows(ROWS) == [Sample(0.001, 0.0213, 503), Sample(4.108, 0.0845, 200)]


def test_a_dead_port_gives_a_header_alone() -> None:
    assert read_rows(HEADER) == []


@pytest.mark.parametrize(
    "text", [HEADER + "fast,0,0,0,0,0,200,0\n", "a,b\n1,2\n", HEADER + "nan,0,0,0,0,0,200,0\n", HEADER + "0.1,0\n"]
)
def test_rows_that_cannot_be_read_fail_the_trial(text: str) -> None:
    with pytest.raises(LoadFailed, match=r"hey printed (a|no) "):
        read_rows(text)


def test_requests_that_hey_leaves_out_are_counted_as_unanswered() -> None:
    driver = FakeDriver()
    load = Hey(driver).run(JOB)  # type: ignore[arg-type]
    assert [sample.status for sample in load.samples] == [503, 200, 0, 0]
    assert load.ok == 1
    assert load.cpu_s == 0.01
    assert driver.job == {
        "argv": ["hey", "-n", "4", "-c", "4", "-t", "21", "-o", "csv", "-disable-redirects", "http://x:1"]
    }


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"status": 1, "stderr": "flag provided but not defined\nUsage: x"}, "hey ended with status 1: Usage: x"),
        ({"status": -9, "stdout": "", "stderr": ""}, "hey ended with status -9: it printed nothing"),
    ],
)
def test_a_hey_that_fails_fails_the_trial(answer: dict[str, object], reason: str) -> None:
    with pytest.raises(LoadFailed) as caught:
        Hey(FakeDriver(**answer)).run(JOB)  # type: ignore[arg-type]
    assert str(caught.value) == reason


def test_a_hey_that_was_stopped_keeps_the_rows_it_has() -> None:
    load = Hey(FakeDriver(timed_out=True, status=0)).run(JOB)  # type: ignore[arg-type]
    assert [sample.status for sample in load.samples] == [503, 200]
    with pytest.raises(LoadFailed, match="hey was stopped after 9 s, with 1 of 4 requests answered"):
        load.check_complete(4)
    assert Hey(FakeDriver(timed_out=True, stdout="")).run(JOB).samples == []  # type: ignore[arg-type]

"""Planned arrivals: the plan in itself, and the client that sends it to a real server."""

import itertools
import json
import statistics
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import arrivals_driver
import arrivals_rows
import psutil
import pytest
from arrivals_plan import Plan

from iolab.loadgen import driver, openloop
from iolab.loadgen.openloop import Arrivals, OpenLoop
from tests.conftest import ROOT
from tests.fakes import answering
from tests.waiting import wait_until

COMMAND = (sys.executable, str(ROOT / "loadtest" / OpenLoop.driver_script))


@contextmanager
def client() -> Iterator[OpenLoop]:
    """Start the driver of the client for planned arrivals."""
    with driver.start(COMMAND) as started:
        yield OpenLoop(started)


def clients() -> list[psutil.Process]:
    """Return the processes of the client."""
    below = psutil.Process().children(recursive=True)
    return [each for each in below if "arrivals_client.py" in " ".join(each.cmdline())]


def test_a_poisson_stream_has_its_rate_and_exponential_gaps() -> None:
    moments, again, other = (list(Plan("poisson", 200.0, 20.0, seed).stream()) for seed in (3, 3, 4))
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert len(moments) == pytest.approx(4000, abs=4 * 4000**0.5)
    assert statistics.stdev(gaps) / statistics.mean(gaps) == pytest.approx(1, abs=0.1)
    assert 0 < moments[0] < moments[-1] < 20
    assert moments == again
    assert moments != other


def test_streams_of_several_add_up_to_the_same_process() -> None:
    together = sorted(moment for n in range(4) for moment in Plan("poisson", 200.0, 20.0, 3).stream(n, 4))
    gaps = [later - earlier for earlier, later in itertools.pairwise(together)]
    assert len(together) == pytest.approx(4000, abs=4 * 4000**0.5)
    assert statistics.stdev(gaps) / statistics.mean(gaps) == pytest.approx(1, abs=0.1)


def test_constant_arrivals_are_even_alone_and_together() -> None:
    alone = list(Plan("constant", 10.0, 1.0).stream())
    together = sorted(moment for n in range(3) for moment in Plan("constant", 10.0, 1.0).stream(n, 3))
    assert alone == pytest.approx([number / 10 for number in range(len(alone))])
    assert together == pytest.approx([number / 10 for number in range(len(together))])


def test_moments_are_shared_out_and_a_plan_can_be_endless() -> None:
    assert list(Plan(moments=(0.1, 0.2, 0.3)).stream(1, 2)) == [0.2]
    assert len(list(itertools.islice(Plan("poisson", 1e9, None).stream(), 5000))) == 5000


def test_both_sides_know_the_same_columns_and_failures() -> None:
    assert arrivals_rows.Row._fields == openloop.Told._fields
    assert tuple(arrivals_rows.ERRORS) == tuple(openloop.FAILURES)


@pytest.mark.measures
def test_everybody_of_a_plan_comes_in_time_and_is_noted() -> None:
    moments = tuple(number / 100 for number in range(100))
    with answering() as (host, port), client() as crowd:
        load = crowd.run(f"http://{host}:{port}", Arrivals("trace", 100.0, 1.0, 1, moments), 5.0)
        turns = crowd.closed(f"http://{host}:{port}", 2, 10, 5.0)
    assert [sample.planned_s for sample in load.samples] == pytest.approx(moments)
    assert {sample.status for sample in load.samples} == {200}
    assert {sample.service_s for sample in load.samples} == {None}  # it tells none
    late = sorted(sample.sent_s - sample.planned_s for sample in load.samples)
    assert late[0] >= 0
    assert late[50] < 0.002
    assert all(sample.sent_s < (sample.first_s or 0) <= sample.done_s for sample in load.samples)
    assert len(load.read_late_s) == 100
    assert load.loop_late_p99_ms is not None
    assert load.loop_late_p99_ms < 50
    assert load.busiest_share is not None
    assert load.busiest_share < 0.5  # it does not spin
    assert (load.resent, load.waited) == (0, 0)
    assert len(turns) == 10
    assert load.stopped == ""


def test_who_refuses_is_noted_too() -> None:
    with client() as crowd:
        load = crowd.run("http://127.0.0.1:9", Arrivals("constant", 20.0, 0.5, 1), 2.0)
    assert 10 <= len(load.samples) <= 11
    assert {(sample.status, sample.failure, sample.first_s) for sample in load.samples} == {(0, "refused", None)}
    assert (load.stopped, load.loop_late_p99_ms) == ("", None)


def test_an_address_that_cannot_be_used_is_said() -> None:
    with client() as crowd:
        for url in ("https://127.0.0.1:9", "http://no-such-host.invalid"):
            load = crowd.run(url, Arrivals("constant", 20.0, 0.5, 1), 2.0)
            assert load.samples == []
            assert url in load.stopped
        assert len(crowd.run("http://127.0.0.1:9", Arrivals("constant", 20.0, 0.1, 1), 2.0).samples) == 2


@pytest.mark.needs("cores")
def test_several_processes_make_one_plan() -> None:
    moments = tuple(number / 100 for number in range(40))
    busy = Arrivals("trace", 1.8 * arrivals_driver.A_PROCESS, 0.4, 1, moments)  # so many would come in a second
    with answering() as (host, port), client() as crowd:
        load = crowd.run(f"http://{host}:{port}", busy, 5.0)
        assert len(clients()) == 2
        assert len({tuple(each.cpu_affinity() or ()) for each in clients()}) == 2
    assert [sample.planned_s for sample in load.samples] == pytest.approx(moments)
    assert {sample.status for sample in load.samples} == {200}
    sent = [sample.sent_s for sample in load.samples]
    assert statistics.correlation(sent, moments) > 0.9  # both count from the same moment


def test_so_many_processes_as_a_rate_needs_and_cores_allow() -> None:
    def count(rate_rps: float, most: int) -> int:
        return arrivals_driver.processes({"arrivals": {"rate_rps": rate_rps}}, most)

    assert [count(rate, 64) for rate in (1.0, 5_000.0, 5_001.0, 20_000.0)] == [1, 1, 2, 4]
    assert count(1e6, 3) == 3
    assert arrivals_driver.processes({"users": 9, "requests": 99}, 64) == 1


def test_a_client_that_is_killed_is_said_and_its_rows_are_kept() -> None:
    told: list[dict[str, Any]] = []

    def kill() -> None:
        wait_until(lambda: told)
        clients()[0].kill()

    with answering() as (host, port), driver.start(COMMAND) as started:
        crowd, url = OpenLoop(started), f"http://{host}:{port}"
        killer = threading.Thread(target=kill)
        killer.start()
        plan = {"process": "constant", "rate_rps": 50.0, "duration_s": 30.0}
        done = started.ask({"url": url, "arrivals": plan, "answer_limit_s": 5.0}, 60.0, told)
        killer.join()
        assert done["lost"] == ["the client ended with status -9"]
        assert openloop.samples(told)
        assert len(crowd.closed(url, 1, 3, 5.0)) == 3  # a new process plays the next job


def test_clients_end_with_their_driver_in_the_middle_of_a_plan() -> None:
    with answering() as (host, port), driver.start(COMMAND) as started:
        job = {"url": f"http://{host}:{port}", "arrivals": {"rate_rps": 100.0, "duration_s": None}}
        line = json.dumps({**job, "answer_limit_s": 5, "timeout_s": 1e6, "job": 1}).encode() + b"\n"
        assert started._process.stdin
        started._process.stdin.write(line)
        started._process.stdin.flush()
        started.answer(10.0)
        assert "rows" in started.answer(10.0)
        (one,) = clients()
        started._process.kill()
    wait_until(lambda: not one.is_running() or one.status() == psutil.STATUS_ZOMBIE)

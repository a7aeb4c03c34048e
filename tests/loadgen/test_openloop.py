"""Planned arrivals: the plan in itself, and Locust playing it to a real server."""

import itertools
import json
import statistics
import subprocess
import sys

import pytest

from iolab.loadgen import driver
from iolab.loadgen.openloop import Arrivals, OpenLoop
from tests.conftest import ROOT
from tests.fakes import answering

LOADTEST = ROOT / "loadtest"


def streams(*expressions: str) -> list[list[float]]:
    """Evaluate expressions over loadtest/openloop.py, in a process of its own: Locust patches the one it is in."""
    code = f"import json; from openloop import Plan; print(json.dumps([{', '.join(expressions)}]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=LOADTEST, capture_output=True, text=True, check=True)
    found: list[list[float]] = json.loads(done.stdout)
    return found


def stream(expression: str) -> list[float]:
    """Evaluate one."""
    return streams(expression)[0]


@pytest.mark.load
def test_a_poisson_stream_has_its_rate_and_exponential_gaps() -> None:
    plan = "Plan('poisson', 200.0, 20.0, {}).stream()"
    moments, again, other = streams(plan.format(3), plan.format(3), plan.format(4))
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert len(moments) == pytest.approx(4000, abs=4 * 4000**0.5)
    assert statistics.stdev(gaps) / statistics.mean(gaps) == pytest.approx(1, abs=0.1)
    assert 0 < moments[0] < moments[-1] < 20
    assert moments == again == stream(plan.format(3))  # in another process, too
    assert moments != other


def test_streams_of_several_add_up_to_the_same_process() -> None:
    together = sorted(stream("sum((Plan('poisson', 200.0, 20.0, 3).stream(n, 4) for n in range(4)), [])"))
    gaps = [later - earlier for earlier, later in itertools.pairwise(together)]
    assert len(together) == pytest.approx(4000, abs=4 * 4000**0.5)
    assert statistics.stdev(gaps) / statistics.mean(gaps) == pytest.approx(1, abs=0.1)


@pytest.mark.load
def test_constant_arrivals_are_even_alone_and_together() -> None:
    several = "sum((Plan('constant', 10.0, 1.0).stream(n, 3) for n in range(3)), [])"
    alone, together = streams("Plan('constant', 10.0, 1.0).stream()", several)
    assert alone == pytest.approx([number / 10 for number in range(len(alone))])
    assert sorted(together) == pytest.approx([number / 10 for number in range(len(together))])


def test_moments_are_shared_out() -> None:
    assert stream("Plan(moments=(0.1, 0.2, 0.3)).stream(1, 2)") == [0.2]


@pytest.mark.measures
def test_everybody_of_a_plan_comes_in_time_and_is_noted() -> None:
    moments = tuple(number / 50 for number in range(100))
    with answering() as (host, port), driver.start((sys.executable, str(LOADTEST / "locust_driver.py"))) as started:
        crowd = OpenLoop(started)
        load = crowd.run(f"http://{host}:{port}", Arrivals("trace", 50.0, 2.0, 1, moments), 5.0)
        turns = crowd.closed(f"http://{host}:{port}", 2, 10, 5.0)
    assert [sample.planned_s for sample in load.samples] == pytest.approx(moments)
    assert {sample.status for sample in load.samples} == {200}
    assert {sample.service_s for sample in load.samples} == {None}  # it tells none
    late = sorted(sample.sent_s - sample.planned_s for sample in load.samples)
    assert late[0] >= 0
    assert late[50] < 0.002
    assert all(sample.done_s > sample.sent_s for sample in load.samples)
    assert len(turns) == 10
    assert load.stopped == ""


def test_who_refuses_is_noted_too() -> None:
    with driver.start((sys.executable, str(LOADTEST / "locust_driver.py"))) as started:
        load = OpenLoop(started).run("http://127.0.0.1:9", Arrivals("constant", 20.0, 0.5, 1), 2.0)
    assert 10 <= len(load.samples) <= 11
    assert {sample.status for sample in load.samples} == {0}

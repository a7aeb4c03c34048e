"""What theory expects of work that blocks, what is computed of what was measured, and what a log names."""

import math

import pytest

from iolab.kinds.breaking.cells import StrategyResult
from iolab.kinds.breaking.culprit import Culprit, find_culprit
from iolab.kinds.breaking.plan import Strategy, expected
from iolab.results.records import ServerUsage
from iolab.results.samples import Sample
from iolab.theory.closed_loop import closed_loop


def strategy(work: str, place: str, pool: int = 8) -> Strategy:
    return Strategy.model_validate({"name": f"{work} in {place}", "work": work, "place": place, "pool": pool})


@pytest.mark.parametrize(
    ("which", "cpus", "rate_rps"),
    [
        (strategy("wait", "await"), 2, 800),
        (strategy("wait", "loop"), 2, 50),
        (strategy("wait", "thread"), 2, 400),
        (strategy("wait", "process", 4), 2, 200),
        (strategy("compute", "loop"), 2, 50),
        (strategy("compute", "thread"), 2, 50),
        (strategy("compute", "process", 2), 2, 100),
        (strategy("compute", "process", 8), 2, 100),
        (strategy("compute", "process", 8), 1, 50),
        (strategy("compute", "process", 8), 0.5, 50),
    ],
    ids=lambda value: value.name if isinstance(value, Strategy) else str(value),
)
def test_theory_knows_who_works_at_the_same_time(which: Strategy, cpus: float, rate_rps: float) -> None:
    found = expected(which, 16, 0.02, cpus)
    assert found.throughput_rps == pytest.approx(rate_rps)
    assert found.latency_s == pytest.approx(16 / rate_rps)


def test_threads_that_compute_work_at_the_same_time_without_an_interpreter_lock() -> None:
    threads = strategy("compute", "thread", 8)
    assert [threads.at_once(cpus, lock=False) for cpus in (1, 2, 16)] == [1, 2, 8]
    assert expected(threads, 16, 0.02, 2, lock=False).throughput_rps == pytest.approx(100)
    assert strategy("compute", "loop").at_once(8, lock=False) == 1


def test_figures_are_of_answers() -> None:
    samples = tuple(Sample(number * 0.1, 0.05, 200) for number in range(10))
    bystander = (Sample(0.0, 0.001, 200), Sample(0.1, 0.6, 200), Sample(0.2, 0.003, 200), Sample(0.3, None, 0))
    result = StrategyResult(strategy("wait", "loop"), closed_loop(1, 1, 0.02), samples, bystander, ServerUsage())
    assert result.median_ms == pytest.approx(50)
    assert result.p95_ms is None  # too few to know
    assert result.rate_rps == pytest.approx(10 / 0.95)
    assert result.bystander_median_ms == pytest.approx(3)
    assert result.bystander_slowest_ms == pytest.approx(600)
    nobody = StrategyResult(
        strategy("wait", "loop"), closed_loop(1, 1, 0.02), (), (Sample(0.0, None, 0),), ServerUsage()
    )
    assert (nobody.median_ms, nobody.rate_rps, nobody.bystander_median_ms) == (None, 0.0, None)


LOG = """broken server, port 8085: wait 20 ms, CPU 0 ms, loop
Executing <Handle BaseSelectorEventLoop._accept_connection(<aiohttp.web_...>, 128)> took 0.015 seconds
Executing <Task pending name='Task-3' coro=<RequestHandler.start() running at /lib/aiohttp/web_protocol.py:577> wait_for=<Task pending name='Task-5' coro=<answer() running at /app/server_broken.py:46>> took 0.016 seconds
Executing <Task finished name='Task-5' coro=<answer() done, defined at /app/server_broken.py:46> result=<Response OK not prepared> created at /lib/asyncio/tasks.py:384> took 0.021 seconds
Executing <Task finished name='Task-6' coro=<answer() done, defined at /app/server_broken.py:46> result=<Response OK not prepared> created at /lib/asyncio/tasks.py:384> took 0.020 seconds
watchdog: no turn for 61 ms, in a library
watchdog: no turn for 62 ms, server_broken.py:40 time.sleep(WAIT_S) (in work) < server_broken.py:50 work() (in answer)
watchdog: no turn for 63 ms, server_broken.py:40 time.sleep(WAIT_S) (in work) < server_broken.py:50 work() (in answer)
"""


def test_the_culprit_is_what_a_log_names_most_often() -> None:
    found = find_culprit("wait", LOG)
    assert found.coroutine
    assert (found.coroutine.what, found.coroutine.where) == ("answer()", "server_broken.py:46")
    assert (found.coroutine.count, found.coroutine.of) == (2, 4)
    assert "Task-5" in found.coroutine.said
    assert found.coroutine.said.startswith("Executing <Task finished")
    assert found.line
    assert (found.line.what, found.line.where) == ("time.sleep(WAIT_S)", "server_broken.py:40")
    assert (found.line.count, found.line.of) == (2, 3)


def test_a_log_that_names_nothing_has_no_culprit() -> None:
    found = find_culprit("compute", "broken server\nwatchdog: no turn for 61 ms, in a library\n")
    assert found == Culprit(work="compute", coroutine=None, line=None)


def test_only_an_await_lets_any_number_wait() -> None:
    assert strategy("wait", "await").at_once(2) == math.inf
    assert strategy("wait", "loop").at_once(2) == 1

import heapq
import math

import numpy as np
import pytest

from iolab.theory.closed_loop import behind_short_queue, closed_loop, even, split_queues
from iolab.theory.retries import attempts_again_s


@pytest.mark.parametrize(
    ("users", "workers", "latency_s", "throughput_rps"),
    [
        # The course's own table: 20 ms of wait, 4 and 16 users, 1, 8 and any number of workers.
        (4, 1, 0.080, 50),
        (16, 1, 0.320, 50),
        (4, 8, 0.020, 200),
        (16, 8, 0.040, 400),
        (4, math.inf, 0.020, 200),
        (16, math.inf, 0.020, 800),
        (1, 1, 0.020, 50),
    ],
)
def test_the_closed_loop_of_the_course(users: int, workers: float, latency_s: float, throughput_rps: float) -> None:
    prediction = closed_loop(users, workers, 0.020)
    assert prediction.latency_s == pytest.approx(latency_s)
    assert prediction.throughput_rps == pytest.approx(throughput_rps)


@pytest.mark.parametrize(
    ("users", "workers", "connections", "latency_s", "throughput_rps"),
    [
        # Eight connections: C and D step as B's eight threads do.
        (4, math.inf, 8, 0.020, 200),
        (16, math.inf, 8, 0.040, 400),
        (64, math.inf, 8, 0.160, 400),
        (64, 8, 8, 0.160, 400),
        (16, 1, 8, 0.320, 50),  # the only thread is the limit, not the connections
        (64, 4, 8, 0.320, 200),
        (64, 16, 8, 0.160, 400),
        (64, math.inf, 64, 0.020, 3200),
    ],
)
def test_the_fewer_of_workers_and_connections_are_the_limit(
    users: int, workers: float, connections: float, latency_s: float, throughput_rps: float
) -> None:
    prediction = closed_loop(users, workers, 0.020, connections=connections)
    assert prediction.latency_s == pytest.approx(latency_s)
    assert prediction.throughput_rps == pytest.approx(throughput_rps)


def test_a_connection_is_held_for_the_wait_and_not_for_the_computing() -> None:
    """16 connections x 20 ms are 800 a second; a worker is busy for 25 ms, so 16 of them serve 640."""
    assert closed_loop(64, math.inf, 0.02, 0.005, 8, 8, 16).throughput_rps == pytest.approx(800)
    assert closed_loop(64, 16, 0.02, 0.005, 8, 8, 16).throughput_rps == pytest.approx(640)
    assert closed_loop(64, math.inf, 0.02, 0.005, 1, 1, 16).throughput_rps == pytest.approx(200)  # of one core
    assert closed_loop(16, math.inf, 0.0, 0.005, connections=1).throughput_rps == pytest.approx(200)  # without a wait
    with pytest.raises(ValueError, match="0 connections"):
        closed_loop(64, math.inf, 0.02, connections=0)


@pytest.mark.parametrize(("users", "seconds", "requests"), [(4, 1.0, 52), (16, 10.0, 512), (16, 0.001, 16)])
def test_a_load_for_some_seconds_is_as_many_requests_for_each_user(users: int, seconds: float, requests: int) -> None:
    assert closed_loop(users, 1, 0.020).requests(users, seconds) == requests


def test_littles_law_holds_everywhere() -> None:
    for users in (1, 3, 8, 100):
        for workers in (1.0, 8.0, math.inf):
            prediction = closed_loop(users, workers, 0.02, cpu_s=0.005, cpus=0.5)
            assert prediction.throughput_rps * prediction.latency_s == pytest.approx(users)


@pytest.mark.parametrize(
    ("threads", "cpus", "rate_rps"),
    [(1.0, 2.0, 200), (8.0, 2.0, 400), (8.0, 0.5, 100), (2.0, 8.0, 400), (math.inf, 4.0, 800), (1.0, 1.0, 200)],
)
def test_without_an_interpreter_lock_as_many_threads_compute_as_there_are_threads_and_cpus(
    threads: float, cpus: float, rate_rps: float
) -> None:
    assert closed_loop(64, math.inf, 0.02, 0.005, cpus, threads).throughput_rps == pytest.approx(rate_rps)
    with pytest.raises(ValueError, match="threads"):
        closed_loop(64, math.inf, 0.02, 0.005, cpus, 0)


def test_computing_binds_where_one_thread_at_a_time_may_compute() -> None:
    """5 ms of CPU and no wait at c = 16: about 200 a second, however many threads (measured: 165 to 197)."""
    for workers in (1, 8, math.inf):
        assert closed_loop(16, workers, 0.0, cpu_s=0.005, cpus=2).throughput_rps == pytest.approx(200)
    assert closed_loop(16, math.inf, 0.0, cpu_s=0.005, cpus=0.25).throughput_rps == pytest.approx(50)


@pytest.mark.parametrize(("users", "workers", "wait_s"), [(0, 1, 0.02), (1, 0, 0.02), (1, 1, 0.0), (1, 1, -1.0)])
def test_nonsense_is_refused(users: int, workers: float, wait_s: float) -> None:
    with pytest.raises(ValueError, match="closed loop of"):
        closed_loop(users, workers, wait_s)


@pytest.mark.parametrize(
    ("users", "workers", "same"), [(4, 8, True), (16, 8, True), (12, 8, False), (16, math.inf, True), (7, 1, True)]
)
def test_median_is_mean_where_users_come_in_whole_turns(users: int, workers: float, same: bool) -> None:
    assert even(users, workers) is same


@pytest.mark.parametrize(
    ("users", "backlog", "latency_s"),
    [(16, 5, 0.14), (64, 5, 0.14), (8, 5, 0.14), (7, 5, None), (16, 14, None), (16, 13, 0.3), (16, 128, None)],
)
def test_behind_a_short_accept_queue_backlog_and_two_users_circulate(
    users: int, backlog: int, latency_s: float | None
) -> None:
    """Measured here: medians of 143 ms at 8, 16, 32 and 64 users behind a backlog of 5, with S = 20.4 ms."""
    found = behind_short_queue(users, backlog, 0.020)
    assert (found.latency_s if found else None) == (latency_s and pytest.approx(latency_s))
    assert found is None or found.throughput_rps == pytest.approx(50)


def test_behind_a_short_accept_queue_the_cpu_may_be_the_limit() -> None:
    found = behind_short_queue(16, 5, 0.020, cpu_s=0.005, cpus=0.1)
    assert found is not None
    assert found.latency_s == pytest.approx(7 * 0.005 / 0.1)


@pytest.mark.parametrize(
    ("linear", "moments_s"), [(4, [1, 2, 3, 4, 5, 7, 11, 19]), (0, [1, 3, 7, 15]), (1, [1, 2, 4, 8, 16])]
)
def test_attempts_are_sent_again_as_linux_does(linear: int, moments_s: list[float]) -> None:
    # https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html, tcp_syn_linear_timeouts
    assert attempts_again_s(linear, 20.0) == moments_s
    assert attempts_again_s(linear, 0.9) == []
    with pytest.raises(ValueError, match="-1 linear"):
        attempts_again_s(-1, 20.0)


def test_several_interpreters_compute_on_as_many_cpus() -> None:
    """5 ms of computing: a lock allows 200 a second, whatever the CPUs; eight interpreters min(8, CPUs) times as many."""
    for interpreters, cpus, rps in ((1.0, 2.0, 200), (8.0, 2.0, 400), (8.0, 1.0, 200), (1.0, 0.5, 100)):
        found = closed_loop(64, 8, 0.0, 0.005, cpus, threads=interpreters)
        assert found.throughput_rps == pytest.approx(min(rps, 8 / 0.005))


def test_split_queues_leave_workers_idle() -> None:
    """A balanced closed network: users / (users + queues - 1) of the workers are busy (Lazowska et al., chapter 5)."""
    assert split_queues(8, 8, 0.02).throughput_rps == pytest.approx(8 / 0.02 * 8 / 15)
    assert split_queues(1, 8, 0.02).latency_s == pytest.approx(0.02)
    assert split_queues(8, 1, 0.02).throughput_rps == pytest.approx(1 / 0.02)
    for users in (2, 4, 16, 64):
        assert split_queues(users, 8, 0.02).throughput_rps < closed_loop(users, 8, 0.02).throughput_rps
    assert split_queues(10_000, 8, 0.02).throughput_rps == pytest.approx(8 / 0.02, rel=0.01)
    assert split_queues(64, 8, 0.02, 0.005, 1.0, threads=8).throughput_rps == pytest.approx(200)


def test_split_queues_are_those_of_a_simulated_network() -> None:
    """Exponential services, each request to a random queue: throughput within 3% of the formula."""
    dice, users, queues, requests = np.random.default_rng(3), 6, 4, 40_000
    ready = [(0.0, user) for user in range(users)]
    free, ended = [0.0] * queues, 0.0
    for _ in range(requests):
        at, user = heapq.heappop(ready)
        queue = int(dice.integers(queues))
        free[queue] = max(free[queue], at) + dice.exponential(0.02)
        ended = max(ended, at)
        heapq.heappush(ready, (free[queue], user))
    assert requests / ended == pytest.approx(split_queues(users, queues, 0.02).throughput_rps, rel=0.03)

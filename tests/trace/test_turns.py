"""The longest turn of an event loop, on lines as strace writes them."""

import pytest

from iolab.report.costs_terminal import away
from iolab.trace.turns import longest

BEGIN_S, END_S = 1795426100.0, 1795426200.0
LOG = """\
7 1795426100.000000 epoll_wait(3<anon_inode:[eventpoll]>, [{events=EPOLLIN, data=0x6}], 2, -1) = 1 <0.100000>
7 1795426100.110000 accept4(6<TCP:[0.0.0.0:8085]>, NULL, NULL, SOCK_CLOEXEC) = 7<TCP:[1]> <0.000010>
7 1795426100.120000 epoll_wait(3<anon_inode:[eventpoll]>, [{events=EPOLLIN, data=0x7}], 2, -1) = 1 <0.000005>
7 1795426100.121000 recvfrom(7<TCP:[1]>, "GET /", 262144, 0, NULL, NULL) = 5 <0.000010>
7 1795426100.122000 clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, {tv_sec=1, tv_nsec=0}, NULL) = 0 <0.020100>
8 1795426100.130000 futex(0x1, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL) = 0 <5.000000>
7 1795426100.143000 clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, {tv_sec=2, tv_nsec=0}, NULL) = 0 <0.020200>
7 1795426100.170000 epoll_wait(3<anon_inode:[eventpoll]>, [], 2, 0) = 0 <0.000005>
7 1795426100.171000 sendto(7<TCP:[1]>, "HTTP/1.1 200 OK", 15, 0, NULL, 0) = 15 <0.000010>
7 1795426100.180000 epoll_wait(3<anon_inode:[eventpoll]>, [], 2, -1) = 0 <0.500000>
"""


def test_a_turn_is_between_two_waits_of_one_thread() -> None:
    turn = longest(LOG.splitlines(), BEGIN_S, END_S)
    assert turn
    assert (turn.tid, turn.begin_line, turn.end_line) == (7, 3, 8)
    assert turn.length_s == pytest.approx(0.05 - 5e-6, abs=1e-6)
    assert turn.calls == {"clock_nanosleep": 2}  # the other call took no time
    assert turn.in_calls_s["clock_nanosleep"] == pytest.approx(0.0403)
    assert turn.blocker == "clock_nanosleep"
    assert "It spent 40.3 ms of that in 2 calls of clock_nanosleep" in away(turn)


def test_a_thread_that_computes_is_in_no_system_call() -> None:
    spinning = [line.replace("0.020100", "0.000900").replace("0.020200", "0.000900") for line in LOG.splitlines()]
    turn = longest(spinning, BEGIN_S, END_S)
    assert turn
    assert turn.blocker is None
    assert "No system call held the thread: it computed" in away(turn)


def test_turns_outside_the_load_do_not_count() -> None:
    turn = longest(LOG.splitlines(), BEGIN_S + 0.165, END_S)
    assert turn
    assert (turn.begin_line, turn.end_line) == (8, 10)
    assert longest(LOG.splitlines(), 0, 1) is None


def test_a_server_without_a_loop_has_no_turn() -> None:
    assert longest([line for line in LOG.splitlines() if "epoll" not in line], BEGIN_S, END_S) is None

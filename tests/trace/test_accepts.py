"""Servers that wait for a connection in accept itself, and threads that wait for something else than descriptors."""

import io
import re

from rich.console import Console

from iolab.report.trace_terminal import show
from iolab.trace.story import Story
from iolab.trace.truth import as_json
from tests.trace.logs import story_of

BIND = '10 1700000000.0 bind(3, {sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("0.0.0.0")}, 16) = 0 <0.0001>\n'
LISTEN = "10 1700000000.1 listen(3, 5) = 0 <0.0001>\n"
FORK = "10 1700000000.2 fork() = 20 <0.0001>\n"
# As Apache's prefork does: a blocking accept, then a poll of the connection.
WORKER = (
    "20 1700000001.0 accept4(3, NULL, NULL, SOCK_CLOEXEC) = 4 <2.000000>\n"
    "20 1700000003.0 poll([{fd=4, events=POLLIN}], 1, 5000) = 1 ([{fd=4, revents=POLLIN}]) <0.000100>\n"
    '20 1700000003.1 read(4, "GET / HTTP/1.1\\r\\n", 8000) = 16 <0.000010>\n'
    '20 1700000003.2 writev(4, [{iov_base="HTTP/1.1 200 OK\\r\\n", iov_len=17}], 1) = 17 <0.000010>\n'
)


def _shown(story: Story) -> str:
    out = io.StringIO()
    show(Console(width=200, file=out), story)
    return out.getvalue()


def test_a_wait_in_accept_is_time_asleep() -> None:
    story = story_of(BIND + LISTEN + FORK + WORKER + "20 1700000003.3 accept4(3,  <unfinished ...>\n"
                     "20 1700000004.5 +++ killed by SIGKILL +++\n")  # fmt: skip
    waiting = as_json(story)["waiting"]
    assert (waiting["calls"], waiting["by_event"], waiting["in_accept"]) == (1, 1, 2)
    assert round(waiting["in_accept_s"], 3) == 3.2
    assert round(waiting["share_asleep"], 2) == round(3.2001 / 3.5, 2)
    step = story.steps[2].sentence
    assert "Process 20 waited for a connection in accept4 twice, 3.20 s in all. It waited once in poll:" in step
    assert [cited.line for cited, _ in story.steps[2].lines] == [8]


def test_a_server_that_waits_in_accept_has_no_event_loop() -> None:
    story = story_of(BIND + LISTEN + FORK + WORKER)
    shown = _shown(story)
    assert as_json(story)["loop_kind"] == "accept"
    assert "Server: A server that waits in accept: it waits in accept4" in shown
    assert "the event loop" not in shown
    assert "a second" not in story.steps[5].sentence


def test_an_accept_of_a_socket_that_does_not_block_is_no_wait() -> None:
    nonblocking = "10 1700000000.15 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0 <0.0001>\n"
    for log in (
        "10 1700000000.0 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, IPPROTO_TCP) = 3 <0.0001>\n"
        + BIND + LISTEN + FORK + WORKER,
        BIND + LISTEN + nonblocking + FORK + WORKER,
        BIND + LISTEN + nonblocking.replace("fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK)", "ioctl(3, FIONBIO, [1])") + FORK + WORKER,
        BIND + LISTEN + FORK + "20 1700000000.3 accept4(3, NULL, NULL, 0) = -1 EAGAIN (Resource temporarily unavailable) <0.1>\n"
        + WORKER,
    ):  # fmt: skip
        waiting = as_json(story_of(log))["waiting"]
        assert (waiting["in_accept"], waiting["in_accept_s"]) == (0, None)
        assert waiting["slept_s"] < 0.001


def test_an_accept_after_a_wait_for_the_socket_is_no_wait() -> None:
    woken = "20 1700000000.5 poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLIN}]) <0.400000>\n"
    waiting = as_json(story_of(BIND + LISTEN + FORK + woken + WORKER))["waiting"]
    assert (waiting["in_accept"], round(waiting["slept_s"], 4)) == (0, 0.4001)


def test_an_accept_that_a_signal_ended_was_a_wait() -> None:
    killed = (
        "20 1700000003.3 accept4(3, NULL, NULL, 0) = ? ERESTARTSYS (To be restarted if SA_RESTART is set) <0.500000>\n"
    )
    waiting = as_json(story_of(BIND + LISTEN + FORK + WORKER + killed))["waiting"]
    assert (waiting["in_accept"], waiting["in_accept_s"]) == (2, 2.5)


def test_times_say_what_they_begin_with() -> None:
    accepted = WORKER.replace("poll([{fd=4, events=POLLIN}], 1, 5000) = 1 ([{fd=4, revents=POLLIN}])", "getpid() = 20")
    step = story_of(BIND + LISTEN + FORK + accepted).steps[4].sentence
    assert "From the accept to the answer: 200.0 ms" in step
    assert "wake-up" not in step


def test_what_is_drained_after_shutdown_is_no_request() -> None:
    drained = (
        "20 1700000003.3 shutdown(4, SHUT_WR) = 0 <0.000010>\n"
        '20 1700000003.4 recvfrom(4, "\\1\\5\\0\\1", 8, 0, NULL, NULL) = 4 <0.000010>\n'
    )
    assert "1 request, 1 of them answered" in story_of(BIND + LISTEN + FORK + WORKER + drained).steps[4].sentence
    going_on = drained.replace("SHUT_WR", "SHUT_RD")
    assert "2 requests, 1 of them answered" in story_of(BIND + LISTEN + FORK + WORKER + going_on).steps[4].sentence


def test_a_thread_that_waits_for_a_lock_is_not_said_to_wait_for_events_alone() -> None:
    epoll = (
        "10 1700000000.3 epoll_create1(0) = 5 <0.0001>\n"
        "10 1700000000.4 epoll_ctl(5, EPOLL_CTL_ADD, 3, {events=EPOLLIN, data={u32=3, u64=3}}) = 0 <0.0001>\n"
        "10 1700000000.5 epoll_wait(5, [{events=EPOLLIN, data={u32=3, u64=3}}], 1, -1) = 1 <1.000000>\n"
        "10 1700000001.5 accept4(3, NULL, NULL, 0) = 4 <0.000010>\n"
    )
    lock = "10 1700000001.6 futex(0x7f, FUTEX_WAIT_PRIVATE, 2, NULL) = 0 <2.500000>\n"
    step = story_of(BIND + LISTEN + epoll + lock).steps[2].sentence
    assert "For another 2.50 s it was in futex, which is no wait for descriptors" in step
    short = lock.replace("2.500000", "0.000050")
    assert "futex" not in story_of(BIND + LISTEN + epoll + short).steps[2].sentence


def test_each_thread_that_accepts_has_its_number_in_the_table_of_one_process_too() -> None:
    threads = "".join(
        f"10 1700000000.2 clone3({{flags=CLONE_VM|CLONE_THREAD|CLONE_FILES}}, 88) = {tid} <0.0001>\n"
        for tid in (20, 21)
    )
    other = "21 1700000004.0 accept4(3, NULL, NULL, 0) = 9 <1.000000>\n"
    shown = _shown(story_of(BIND + LISTEN + threads + WORKER + other))
    assert shown.count("accepts, accepted 1, ") == 2


def test_a_log_without_the_listening_socket_says_nothing_of_clients() -> None:
    for line in (
        "10 1700000000.0 accept4(6<TCP:[0.0.0.0:8079]>, NULL, NULL, 0) = 7<TCP:[127.0.0.1:8079->127.0.0.1:4000]>\n",
        "10 1700000000.0 accept4(6, NULL, NULL, 0) = 7\n",
    ):
        for step in story_of(line).steps[2:5]:
            assert step.status == "missing"
            assert "The log does not show the listening socket of port 8079 (step 1)" in step.sentence
    bound = story_of(BIND.replace("8079", "80"))
    assert "a client cannot connect" in bound.steps[3].sentence


def test_a_udp_server_is_not_said_to_have_no_server() -> None:
    for step in story_of("10 1700000000.0 socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) = 3\n" + BIND).steps[2:5]:
        assert "UDP has no connections" in step.sentence


def test_the_page_draws_a_wait_in_accept_up_to_the_connection() -> None:
    timeline = story_of(BIND + LISTEN + FORK + WORKER).timeline
    (bar,) = [bar for bar in timeline.bars if bar.lane == ("thread", 20, 0)]  # with the poll that follows at once
    assert (bar.kind, bar.start, round(bar.end, 3)) == ("wait", 1.0, 3.0)
    (accepted,) = [mark for mark in timeline.marks if mark.kind == "accept" and mark.lane == ("thread", 20, 0)]
    assert accepted.start == 3.0


def test_what_a_thread_did_before_it_served_is_no_part_of_that_time() -> None:
    """Go's threads wait in futex before the runtime gives them work."""
    thread = "10 1700000000.2 clone3({flags=CLONE_VM|CLONE_THREAD|CLONE_FILES}, 88) = 20 <0.0001>\n"
    before = "20 1700000000.3 futex(0x7f, FUTEX_WAIT_PRIVATE, 0, NULL) = 0 <0.600000>\n"
    during = "20 1700000003.3 futex(0x7f, FUTEX_WAIT_PRIVATE, 0, NULL) = 0 <1.000000>\n"
    assert "futex" not in story_of(BIND + LISTEN + thread + before + WORKER).steps[2].sentence
    step = story_of(BIND + LISTEN + thread + before + WORKER + during).steps[2].sentence
    assert "For another 1.00 s it was in futex" in step


def test_a_thread_that_only_another_one_s_registration_wakes_does_not_register() -> None:
    thread = "10 1700000000.2 clone3({flags=CLONE_VM|CLONE_THREAD|CLONE_FILES}, 88) = 21 <0.0001>\n"
    epoll = (
        "10 1700000000.3 epoll_create1(0) = 5 <0.0001>\n"
        "10 1700000000.4 epoll_ctl(5, EPOLL_CTL_ADD, 3, {events=EPOLLIN, data={u32=3, u64=3}}) = 0 <0.0001>\n"
        "21 1700000000.9 epoll_pwait(5, [{events=EPOLLIN, data={u32=3, u64=3}}], 1, 0, NULL, 0) = 1 <0.0001>\n"
        "10 1700000001.0 epoll_pwait(5, [{events=EPOLLIN, data={u32=3, u64=3}}], 1, -1, NULL, 0) = 1 <0.5000>\n"
    )
    shown = _shown(story_of(BIND + LISTEN + thread + epoll))
    assert re.search(r" 21 +is woken by the listening socket", shown)
    assert not re.search(r" 21 +registers", shown)

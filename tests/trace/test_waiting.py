"""Calls that wait: where the timeout of each stands, in which unit, and how long they took."""

import pytest

from iolab.trace.events import Syscall
from iolab.trace.strace import Strace
from iolab.trace.truth import as_json
from iolab.trace.waiting import FOR_EVER, WAIT_CALLS, timeout_s, waits
from tests.trace.logs import SERVER, story_of


def call(text: str) -> Syscall:
    (found,) = Strace([f"10 {text}"])
    assert isinstance(found, Syscall)
    return found


TIMEOUTS = [
    ("epoll_wait(3, [], 9, 100) = 0 <0.1>", 0.1),
    ("epoll_wait(3<anon_inode:[eventpoll]>, [{events=EPOLLIN, data=0x7}], 9, -1) = 1", FOR_EVER),
    ("epoll_wait(3, {{EPOLLIN, {u32=7, u64=7}}}, 2, 4294967295) = 1", FOR_EVER),
    ("epoll_wait(3, [], 9, 0) = 0", 0),
    ("epoll_wait(3, 0x7ffd, 9, 0x64) = -1 EINTR (Interrupted system call)", 0.1),
    ("epoll_pwait(3, [], 128, 999, NULL, 0) = 0", 0.999),
    ("epoll_pwait(3, [], 128, 0, NULL, 0) = 0", 0),
    ("epoll_pwait(3, [], 1024, -1, NULL, 8) = 0", FOR_EVER),
    ("epoll_pwait(3, [], 1024, 250, [INT TERM], 8) = 0", 0.25),
    ("epoll_pwait(3, [], 1024, 7, ~[KILL STOP RTMIN RT_1], 8) = 0", 0.007),
    ("epoll_pwait2(3, [], 9, NULL, NULL, 8) = 0", FOR_EVER),
    ("epoll_pwait2(3, [], 9, {tv_sec=1, tv_nsec=500000000}, NULL, 8) = 0", 1.5),
    ("epoll_pwait2(3, [], 9, {tv_sec=0, tv_nsec=0}, [INT], 8) = 0", 0),
    ("poll([{fd=5, events=POLLIN}], 1, 1000) = 0 (Timeout)", 1.0),
    ("poll([{fd=5, events=POLLIN}, {fd=6, events=POLLIN}], 2, -1) = 1 ([{fd=5, revents=POLLIN}])", FOR_EVER),
    ("poll([{fd=5, events=POLLIN}], 1, 0) = 0 (Timeout)", 0),
    ("ppoll([{fd=3, events=POLLIN}], 1, {tv_sec=0, tv_nsec=50000000}, NULL, 8) = 0 (Timeout)", 0.05),
    ("ppoll([{fd=3, events=POLLIN}], 1, NULL, [], 8) = 1 ([{fd=3, revents=POLLIN}])", FOR_EVER),
    ("select(5, [4], NULL, NULL, {tv_sec=1, tv_usec=250000}) = 1 (in [4], left {tv_sec=0, tv_usec=9})", 1.25),
    ("select(5, [4], [], [], {0, 0}) = 0 (Timeout)", 0),
    ("select(5, [4], NULL, NULL, NULL) = 1 (in [4])", FOR_EVER),
    ("pselect6(5, [4], NULL, NULL, {tv_sec=0, tv_nsec=500000000}, NULL) = 0 (Timeout)", 0.5),
    ("pselect6(5, [4], NULL, NULL, {tv_sec=2, tv_nsec=0}, {sigmask=[INT], sigsetsize=8}) = 0 (Timeout)", 2.0),
    ("pselect6(5, [4], NULL, NULL, NULL, {[], 8}) = 1 (in [4])", FOR_EVER),
    ("io_uring_enter(4, 0, 1, IORING_ENTER_GETEVENTS, NULL, 8) = 0", FOR_EVER),
    (
        "io_uring_enter(4<anon_inode:[io_uring]>, 1, 1, IORING_ENTER_GETEVENTS|IORING_ENTER_EXT_ARG, 0x7ffd, 24) = 1",
        None,
    ),
    (
        "io_uring_enter(4, 0, 1, IORING_ENTER_GETEVENTS|IORING_ENTER_EXT_ARG,"
        " {sigmask=NULL, sigmask_sz=8, ts={tv_sec=0, tv_nsec=20000000}}, 24) = -1 ETIME (Timer expired)",
        0.02,
    ),
    ("epoll_wait(3, <unfinished ...>) = ?", None),
]


@pytest.mark.parametrize(("text", "expected"), TIMEOUTS)
def test_the_timeout_of_each_call_that_waits(text: str, expected: float | None) -> None:
    assert timeout_s(call(text)) == (None if expected is None else pytest.approx(expected))


def test_every_call_of_the_table_is_tested() -> None:
    tested = {text.partition("(")[0] for text, _ in TIMEOUTS}
    assert {name for name in WAIT_CALLS if not name.endswith("_time64") and name != "_newselect"} <= tested


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("io_uring_enter(4, 3, 0, 0, NULL, 8) = 3", False),
        ("io_uring_enter(4, 3, 0, IORING_ENTER_SQ_WAKEUP, NULL, 8) = 3", False),
        ("io_uring_enter(4, 3, 1, IORING_ENTER_GETEVENTS, NULL, 8) = 3", True),
        ("io_uring_enter(4, 3, 1, 0x1, NULL, 8) = 3", True),
        ("io_uring_enter(4, 3, 0, IORING_ENTER_GETEVENTS, NULL, 8) = 3", False),
        ("poll([{fd=5, events=POLLIN}], 1, 0) = 0 (Timeout)", True),
    ],
)
def test_io_uring_waits_only_for_completions(text: str, expected: bool) -> None:
    assert waits(call(text)) == expected


def waiting(*lines: str) -> dict[str, float]:
    found: dict[str, float] = as_json(story_of(SERVER + "".join(f"10 {line}\n" for line in lines)))["waiting"]
    return found


def test_a_wait_that_the_log_ends_in_counts_to_the_last_known_moment() -> None:
    before = waiting()
    found = waiting("1700000010.000000 epoll_wait(3,  <unfinished ...>", "1700000012.5 --- SIGWINCH {} ---")
    assert found["slept_s"] - before["slept_s"] == pytest.approx(2.5)
    assert (found["unended"], found["calls"]) == (1, before["calls"])
    assert found["share_asleep"] <= 1


def test_a_wait_that_strace_was_detached_from_is_one_too() -> None:
    found = waiting("1700000010.000000 epoll_wait(3,  <detached ...>", "1700000011.0 --- SIGWINCH {} ---")
    assert found["unended"] == 1


def test_a_wait_in_which_its_thread_was_killed_ends_there() -> None:
    before = waiting()
    for end in (
        ["1700000010.000000 epoll_wait(3,  <unfinished ...>", "1700000013.0 +++ killed by SIGKILL +++"],
        ["1700000010.000000 epoll_wait(3, <unfinished ...>) = ? <3.000000>"],
    ):
        found = waiting(*end)
        assert found["slept_s"] - before["slept_s"] == pytest.approx(3.0)
        assert found["unended"] == 1


def test_an_interrupted_wait_is_neither_an_event_nor_a_timeout() -> None:
    before = waiting()
    found = waiting(
        "1700000010.000000 epoll_wait(3, 0x7f, 9, 500) = -1 EINTR (Interrupted system call) <0.2>",
        "1700000010.300000 poll([{fd=5, events=POLLIN}], 1, 500) = ? ERESTART_RESTARTBLOCK (Interrupted) <0.1>",
    )
    assert [found[key] - before[key] for key in ("calls", "by_event", "by_timeout", "polls")] == [2, 0, 0, 0]
    assert found["slept_s"] - before["slept_s"] == pytest.approx(0.3)


def test_no_rate_comes_from_less_than_a_second() -> None:
    short = story_of("".join(SERVER.splitlines(keepends=True)[:7])).steps[5].sentence
    assert "a second" not in short
    waits_once = "10 1700000000.001000 epoll_wait(3, [], 9, 100) = 0 <0.1>\n"
    assert "a second" not in story_of("".join(SERVER.splitlines(keepends=True)[:7]) + waits_once).steps[5].sentence


def test_what_epoll_returns_may_be_a_pointer_or_a_tag() -> None:
    """As nginx and Go do; the lower half of the word is no descriptor."""
    text = (
        '10 1700000000.1 bind(6, {sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("1.1.1.1")}, 16) = 0\n'
        "10 1700000000.2 listen(6, 9) = 0\n"
        "10 1700000000.3 epoll_ctl(5, EPOLL_CTL_ADD, 6, {events=EPOLLIN, data=0x7f0a0000b6300003}) = 0\n"
        "10 1700000001.0 epoll_pwait(5, [{events=EPOLLIN, data=0x7f0a0000b6300003}], 128, -1, NULL, 0) = 1 <0.5>\n"
        "10 1700000001.6 accept4(6, {sa_family=AF_INET, sin_port=htons(5)}, [16], 0) = 7 <0.1>\n"
        "10 1700000001.8 epoll_ctl(5, EPOLL_CTL_ADD, 7, {events=EPOLLIN, data={u32=854355600, u64=94253911666320}}) = 0\n"
        "10 1700000002.0 epoll_pwait(5, [{events=EPOLLIN, data={u32=854355600, u64=94253911666320}}], 128, -1, NULL, 0) = 1 <0.5>\n"
        '10 1700000002.6 read(7, "GET / HTTP/1.1", 99) = 14 <0.1>\n'
        '10 1700000002.8 write(7, "HTTP/1.1 200 OK", 15) = 15 <0.1>\n'
    )
    story = story_of(text)
    (request,) = as_json(story)["requests"]["first"]
    assert story.watch.runs[0].listeners[0].woke
    assert (request["wake_line"], request["wake_to_answer_ms"]) == (7, pytest.approx(300))

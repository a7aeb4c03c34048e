"""Sentences that were wrong of some server's log: each test is the smallest log that shows it."""

import re

import pytest

from iolab.trace.lanes import roles
from iolab.trace.story import Story
from tests.trace.logs import story_of

BIND = '{tid} {s}.1 bind(6, {{sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("0.0.0.0")}}, 16) = 0 <0.00001>\n'
LISTEN = "{tid} {s}.2 listen(6, 511) = 0 <0.00001>\n"
ADD = "{tid} {s}.3 epoll_ctl(5, EPOLL_CTL_ADD, {fd}, {{events=EPOLLIN, data={{u32=6, u64=6}}}}) = 0 <0.00001>\n"
ADD_PIPE = "10 100.35 epoll_ctl(5, EPOLL_CTL_ADD, 3{}, {{events=EPOLLIN, data={{u32=3, u64=3}}}}) = 0 <0.00001>\n"
READ_PIPE = '10 100.4 read(3, "*", 1) = 1 <0.00001>\n'
WAIT = "{tid} {s}.5 epoll_wait(5, [{{events=EPOLLIN, data={{u32=6, u64=6}}}}], 9, -1) = 1 <0.400000>\n"
ACCEPT = '{tid} {s}.91 accept4(6, {{sa_family=AF_INET, sin_port=htons(5), sin_addr=inet_addr("1.1.1.1")}}, [16], 0) = 7 <0.00001>\n'
READ = '{tid} {s}.92 read(7, "GET / HTTP/1.1\\r\\n", 99) = 16 <0.00001>\n'
ANSWER = '{tid} {s}.93 write(7, "HTTP/1.1 200 OK\\r\\n", 17) = 17 <0.00001>\n'
CLOSE = "{tid} {s}.94 close(7) = 0 <0.00001>\n"
KILLED = "{tid} 103.0 +++ killed by SIGTERM +++\n"
FORK = "10 100.05 clone(child_stack=NULL, flags=SIGCHLD) = 20 <0.00001>\n"
THREAD = "10 100.25 clone3({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD, exit_signal=0}, 88) = 11 <0.00001>\n"


def story(*lines: str, tid: int = 10, s: int = 100) -> Story:
    """Return the story of some lines: the fields that they leave open get these values."""
    text = "".join(line.format(tid=tid, s=s, fd=6) if "{tid}" in line else line for line in lines)
    return story_of(re.sub(r"(?m)^(\d+) (\d{3}\.)", r"\1 1700000\2", text))


def of(tid: int, *lines: str, s: int = 100) -> str:
    return "".join(lines).format(tid=tid, s=s, fd=6)


@pytest.mark.parametrize("name", ["", "<pipe:[77]>"])
def test_a_pipe_on_the_list_is_no_connection_once_the_log_shows_accepts(name: str) -> None:
    found = story(BIND, LISTEN, ADD, ADD_PIPE.format(name), READ_PIPE, WAIT, ACCEPT, READ_PIPE, READ, ANSWER)
    assert found.steps[3].sentence == "The server accepted 1 connection; fd 7 is the first of them."
    assert found.steps[4].sentence.startswith("The log shows 1 request, 1 of them answered.")
    assert "served 1 connection" in found.steps[5].sentence


@pytest.mark.parametrize(("made", "name"), [("", "<pipe:[77]>"), ("10 100.01 pipe2([3, 4], O_CLOEXEC) = 0\n", "")])
def test_a_pipe_on_the_list_is_no_connection_where_the_log_shows_none(made: str, name: str) -> None:
    found = story(made, BIND, LISTEN, ADD, ADD_PIPE.format(name), READ_PIPE)
    assert found.steps[3].sentence == "The log shows no connection yet."


@pytest.mark.parametrize("name", ["", "<TCP:[1.1.1.1:8079->2.2.2.2:5]>", "<socket:[77]>"])
def test_what_may_be_a_connection_is_one_where_the_log_has_no_accept(name: str) -> None:
    found = story(BIND, LISTEN, ADD, ADD_PIPE.format(name), READ_PIPE)
    assert "fd 3 is the first of them. This log has no accept" in found.steps[3].sentence


def test_a_new_pipe_does_not_close_fd_0() -> None:
    """Its result, 0, says that it succeeded: the descriptors are in its argument."""
    copy = "10 100.25 dup2(6, 0) = 0\n10 100.26 pipe([3, 4]) = 0\n"
    found = story(BIND, LISTEN, copy, ACCEPT.replace("(6, ", "(0, "))
    assert found.steps[3].sentence.startswith("The server accepted 1 connection;")


def test_only_what_was_answered_is_said_to_be_answered() -> None:
    start = BIND + LISTEN + ADD + WAIT + ACCEPT
    more = of(10, WAIT, ACCEPT, READ, s=101)
    no_answer = story(of(10, start, READ)).steps[4].sentence
    assert no_answer.endswith("0 of them answered. The listening thread read it.")
    no_answers = story(of(10, start, READ, CLOSE), more).steps[4].sentence
    assert no_answers.endswith("0 of them answered. The listening thread read them all.")
    some = story(of(10, start, READ, ANSWER, CLOSE), more).steps[4].sentence
    assert "2 requests, 1 of them answered." in some
    assert some.endswith("The listening thread read them all, and sent each answer.")
    both = story(of(10, start, READ, ANSWER)).steps[4].sentence
    assert both.endswith("The listening thread read and answered it.")


@pytest.mark.parametrize(
    "end",
    [
        "10 101.0 epoll_wait(5,  <unfinished ...>\n" + KILLED.format(tid=10),
        "10 101.0 epoll_wait(5,  <unfinished ...>) = ? <2.0>\n" + KILLED.format(tid=10),
    ],
)
def test_a_wait_in_which_the_thread_was_killed_is_said(end: str) -> None:
    waiting = story(BIND, LISTEN, ADD, end).steps[2]
    assert "The listening thread was in a wait when it ended (killed by SIGTERM, line 4)." in waiting.sentence
    assert "0 times" not in waiting.sentence
    assert "It slept for 2.00 s of the 2.70 s" in waiting.sentence
    assert [cited.line for cited, _ in waiting.lines] == [4]


def test_without_times_a_wait_ends_with_its_thread_too() -> None:
    lines = [BIND, LISTEN, ADD, "10 101.0 epoll_wait(5,  <unfinished ...>\n", KILLED]
    untimed = "".join(line.format(tid=10, s=100, fd=6) for line in lines)
    untimed = "".join(f"10 {line.split(' ', 2)[2]}" for line in untimed.splitlines(keepends=True))
    assert "was in a wait when it ended (killed by SIGTERM, line 4)." in story_of(untimed).steps[2].sentence


def test_a_wait_that_a_signal_interrupts_is_a_wait() -> None:
    interrupted = "10 101.0 epoll_wait(5, 0x7f, 9, -1) = -1 EINTR (Interrupted system call) <2.000000>\n"
    sentence = story(BIND, LISTEN, ADD, interrupted).steps[2].sentence
    assert (
        "waited once: 0 of these waits ended with an event, 0 with a timeout, 1 with a signal or an error." in sentence
    )


def test_of_processes_that_share_the_port_the_story_is_about_one_that_serves() -> None:
    idle = of(10, BIND, LISTEN, ADD) + "10 101.0 epoll_wait(5,  <unfinished ...>\n"
    shares = "{tid} {s}.05 socket(AF_INET, SOCK_STREAM, 0) = 6\n{tid} {s}.06 setsockopt(6, SOL_SOCKET, SO_REUSEPORT, [1], 4) = 0\n"
    serving = of(20, shares, BIND, LISTEN, ADD) + of(20, WAIT, ACCEPT, READ, ANSWER, s=102)
    found = story(FORK, of(10, shares), idle, serving, KILLED)
    assert "Process 20 waited once: 1 of these waits ended with an event" in found.steps[2].sentence
    assert "1 other thread waited and served too (2 processes in all)" in found.steps[2].sentence
    assert found.steps[4].sentence.endswith("Process 20 read and answered it.")


def test_a_process_without_a_call_that_waits_does_not_wake() -> None:
    """A server of processes that block in accept."""
    found = story(BIND.replace(".1", ".01"), LISTEN.replace(".2", ".02"), FORK, of(20, ACCEPT, READ, ANSWER, s=102))
    assert "woke" not in found.steps[5].sentence
    assert "Process 20 served 1 connection." in found.steps[5].sentence


def test_a_thread_that_only_registers_is_no_event_loop() -> None:
    """Apache: the main thread of a process registers the socket, another one waits for it."""
    waits = of(11, WAIT, ACCEPT, READ, ANSWER, s=101)
    checks = "10 100.4 epoll_wait(5, [], 9, 0) = 0 <0.00001>\n"
    for check in ("", checks):
        found = story(BIND, LISTEN, THREAD, ADD, check, waits)
        assert roles(found) == {10: "registers the listening socket", 11: "the event loop"}
        assert "other thread" not in found.steps[2].sentence

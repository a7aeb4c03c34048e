"""Small logs of other servers and other straces, each with what it shows; see tests/data/strace_cases."""

from typing import Any

import pytest

from iolab.trace.story import Story
from iolab.trace.strace import Strace
from iolab.trace.truth import as_json
from iolab.trace.words import of_line
from tests.conftest import ROOT, Run
from tests.trace.logs import case, story_of


def told(name: str) -> tuple[Story, dict[str, Any], list[str]]:
    story = story_of(case(name))
    return story, as_json(story), [step.status for step in story.steps]


def test_a_wait_that_the_log_ends_in_is_a_wait() -> None:
    story, found, _ = told("a-wait-without-end")
    step = story.steps[2]
    assert "was in a wait that had not ended when the log did (line 4)" in step.sentence
    assert [cited.line for cited, _ in step.lines] == [4]
    assert found["waiting"]["unended"] == 1


def test_a_child_listens_on_the_socket_that_its_parent_bound() -> None:
    story, found, statuses = told("bind-in-parent-listen-in-child")
    assert statuses[:3] == ["proved"] * 3
    (listener,) = found["listeners"]
    assert (listener["fd"], listener["tid"], listener["listen_lines"], listener["epoll_add_line"]) == (3, 10, [3], 4)
    assert found["accept_lines"] == [6]
    assert [(each["pid"], each["parent"], each["how"]) for each in found["processes"]] == [
        (10, None, "not shown"),
        (20, 10, "vfork"),
    ]
    assert "Thread 10 bound it, 20 listens on it" in story.steps[0].sentence
    assert story.steps[2].sentence.startswith("Process 20 waited once: 1 of these waits ended with an event")
    assert found["waiting"]["slept_s"] == pytest.approx(0.5)


def test_a_log_of_one_thread_may_be_one_file_of_several() -> None:
    story, _, _ = told("ff-one-thread")
    text = " ".join(step.sentence + step.advice for step in story.steps)
    assert "it started others (line 4)" in text
    assert "strace ran without -f, or this is one file of strace -ff" in text
    assert "iolab trace log.*" in text


def test_the_end_of_a_file_is_no_hang_up() -> None:
    assert of_line(case("file-end-is-no-hangup").splitlines()[2]) == "The end of the file."


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('20 read(18, "", 1024) = 0', "of a file, or of a connection"),
        ('20 read(18</app/balloons.py>, "", 1024) = 0', "The end of the file"),
        ('20 read(18</tmp/x (deleted)>, "", 1024) = 0', "The end of the file"),
        ('20 read(18<TCP:[127.0.0.1:1->127.0.0.1:2]>, "", 1024) = 0', "other side of fd 18 has closed"),
        ('20 read(18<TCPv6:[[::1]:1->[::1]:2]>, "", 1024) = 0', "other side of fd 18 has closed"),
        ('20 recvfrom(18, "", 1024, 0, NULL, NULL) = 0', "other side of fd 18 has closed"),
        ("20 vfork() = 30", "Starts a new process: 30."),
        ("20 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 30", "new process: 30."),
        ("20 clone3({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD, exit_signal=0}, 88) = 30", "new thread: 30."),
        ("20 clone(child_stack=0x7f, flags=0x3d0f00, parent_tid=0x7f) = 30", "new thread: 30."),
        ("20 epoll_pwait(3, [], 128, 0, NULL, 0) = 0", "A check without waiting"),
        ("20 epoll_ctl(3, 0x1 /* EPOLL_CTL_ADD */, 7, {events=0x1, data=0x7}) = 0", "epoll now watches fd 7"),
        ("20 epoll_ctl(3, 0x2, 7, NULL) = 0", "epoll no longer watches fd 7"),
    ],
)
def test_a_line_says_what_it_is(line: str, words: str) -> None:
    assert words in of_line(line)


def test_go_passes_no_signal_mask() -> None:
    _, found, _ = told("go-epoll-pwait")
    waiting = found["waiting"]
    assert (waiting["calls"], waiting["by_event"], waiting["by_timeout"], waiting["polls"]) == (3, 1, 1, 1)
    assert waiting["slept_s"] == pytest.approx(3.0)
    assert waiting["share_asleep"] <= 1
    assert found["loop"] is None


def test_numbers_of_grep_are_refused_with_the_reason(inside: Run) -> None:
    done = inside("trace", str(ROOT / "tests/data/strace_cases/grep-n-prefix.txt"))
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    assert "grep -n wrote something before each line" in done.stderr
    _, found, _ = told("grep-n-prefix")
    assert (found["listeners"], found["unreadable_lines"], found["calls_by_thread"]) == ([], 3, {})


@pytest.mark.parametrize(
    ("prefix", "program"),
    [
        ("{n}:", "grep -n"),
        ("log.txt:{n}:", "grep -n"),
        ("{n}-", "grep -n"),
        ("log.txt:", "grep -H"),
        ("     {n}\t", "cat -n"),
        ("streamlit-1  | ", "docker compose logs"),
        ("Nov 26 21:00:00 host strace[12]: ", "another program"),
    ],
)
def test_what_another_program_wrote_is_named(prefix: str, program: str) -> None:
    lines = [f"{prefix.format(n=n)}{line}" for n, line in enumerate(case("prefork-worker-registers").splitlines(), 1)]
    log = Strace(lines)
    assert list(log) == []
    assert log.foreign.most_common(1)[0] == (program, len(lines))


def test_not_every_epoll_is_asyncio() -> None:
    story, found, statuses = told("not-every-epoll-is-asyncio")
    assert (found["loop"], found["server"], found["accept_call"]) == (None, "redis", "accept")
    assert found["loop_evidence"] == ["execve of /usr/bin/redis-server"]
    assert statuses[3] == "proved"
    assert "accept takes a connection" in story.steps[3].lines[0][1]
    assert story.steps[3].title == "A client connects"
    assert story.steps[4].title == "A request is answered"


def test_not_every_epoll_pwait_is_uvloop() -> None:
    story, found, statuses = told("not-every-epoll-pwait-is-uvloop")
    assert (found["loop"], found["server"]) == (None, "tornado")
    assert statuses[1] == "inferred"
    assert "waits in epoll_pwait, but the log has no epoll_ctl: the filter leaves it out" in story.steps[1].sentence
    assert "uvloop" not in " ".join(step.sentence + step.advice for step in story.steps)


def test_an_old_strace_names_a_thread_without_its_own_name() -> None:
    story, found, _ = told("old-strace-attached")
    assert (found["clicks_visible"], found["unreadable_lines"], found["main_tid"]) == (1, 0, 10)
    assert [(each["tid"], each["clone_line"], each["by"]) for each in found["opens"]] == [(20, 10, "script thread")]
    assert story.clicks[0].status == "proved"
    assert list(found["calls_by_thread"]) == ["10", "20"]


def test_a_worker_registers_the_socket_that_it_inherited() -> None:
    story, found, statuses = told("prefork-worker-registers")
    assert statuses[1] == "proved"
    assert (found["epoll_add_line"], found["epoll_fd"]) == (5, 8)
    assert [(each["accept_line"], each["epoll_add_line"], each["tid"]) for each in found["connections"]] == [(7, 8, 20)]
    assert (found["waiting"]["calls"], found["waiting"]["by_event"]) == (1, 1)
    assert "Process 20 served 1 connection" in story.steps[5].sentence


def test_the_second_bind_of_dual_stack_is_its_own() -> None:
    story, _, statuses = told("second-bind-of-dual-stack")
    sentence = story.steps[0].sentence
    assert statuses[0] == "proved"
    assert "the server's own socket [::]:8079 holds the port" in sentence
    assert "in use" not in sentence
    assert story.watch.listening.busy is None


def test_time_served_ends_with_the_end_of_the_last_call() -> None:
    story, found, _ = told("slept-longer-than-served")
    assert found["waiting"]["serving_s"] == pytest.approx(20.0001, abs=1e-4)
    assert found["waiting"]["share_asleep"] == pytest.approx(1, abs=1e-4)
    assert found["duration_s"] == pytest.approx(20.0003, abs=1e-4)
    assert "It slept for 20.00 s of the 20.00 s" in story.steps[2].sentence
    assert "woke 0.05 times a second" in story.steps[5].sentence


def test_a_datagram_socket_never_listens() -> None:
    story, _, statuses = told("udp-never-listens")
    assert statuses[0] == "missing"
    assert "UDP has neither listen nor connections" in story.steps[0].sentence
    assert [cited.line for cited, _ in story.steps[0].lines] == [1, 2]
    assert story.steps[0].advice == ""


def test_numbers_with_names_in_comments_are_read() -> None:
    _, found, statuses = told("x-verbose")
    assert statuses[:2] == ["proved", "proved"]
    assert (found["listen_fd"], found["epoll_add_line"]) == (7, 3)


def test_no_escape_sequence_of_a_log_reaches_the_terminal(inside: Run) -> None:
    for option in ((), ("--json",)):
        done = inside("trace", *option, str(ROOT / "tests/data/strace_cases/escapes-in-names.txt"))
        assert done.returncode == 0
        assert "\x1b" not in done.stdout + done.stderr
        assert "\x07" not in done.stdout + done.stderr


def test_a_server_that_listened_before_the_log_began_is_known_by_the_name_of_its_socket() -> None:
    line = "10 accept4(6<TCP:[0.0.0.0:8079]>, NULL, NULL, 0) = 7<TCP:[127.0.0.1:8079->127.0.0.1:4000]>\n"
    step = story_of(line).steps[0]
    assert step.status == "missing"
    assert "accept4 in line 1 takes a connection from a socket of port 8079" in step.sentence


def test_a_server_that_waits_in_accept_has_no_rate_of_wakes() -> None:
    log = (
        '10 1700000000.0 bind(3, {sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("0.0.0.0")}, 16) = 0 <0.1>\n'
        "10 1700000000.1 listen(3, 5) = 0 <0.1>\n10 1700000000.2 fork() = 20 <0.1>\n"
        "20 1700000000.3 accept4(3, NULL, NULL, 0) = 4 <2.0>\n20 1700000002.7 accept4(3, <unfinished ...>\n"
    )
    story = story_of(log)
    assert "Process 20 waited for a connection in accept4 twice, 2.00 s in all." in story.steps[2].sentence
    assert "a second" not in story.steps[5].sentence
    assert "Process 20 served 1 connection" in story.steps[5].sentence


def test_a_select_that_does_not_end_says_what_the_server_waits_in() -> None:
    log = case("a-wait-without-end").splitlines()
    wait = "10 1700000000.000300 pselect6(8, [7], NULL, NULL, {tv_sec=5, tv_nsec=0}, NULL <unfinished ...>"
    story = story_of("\n".join([*log[:2], wait]))
    assert "it waits in pselect6" in story.steps[1].sentence
    assert as_json(story)["loop_kind"] == "select"

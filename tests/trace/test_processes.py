"""Who has which descriptor: processes, threads, and what is inherited, shared, passed and closed."""

from typing import Any

import pytest

from iolab.trace.tables import Table
from iolab.trace.truth import as_json
from tests.trace.logs import story_of

BIND = '10 bind(6, {sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("0.0.0.0")}, 16) = 0\n'
LISTEN = "10 listen(6, 511) = 0\n"
FORK = "10 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f10) = {}\n"
THREAD = "10 clone3({{flags=CLONE_VM|CLONE_FILES|CLONE_THREAD, exit_signal=0}}, 88) = {}\n"
PEER = '{sa_family=AF_INET, sin_port=htons(5), sin_addr=inet_addr("127.0.0.1")}, [16], 0'


def accept(tid: int, listening: int, fd: int, call: str = "accept4") -> str:
    return f"{tid} {call}({listening}, {PEER}) = {fd}\n"


def serve(tid: int, fd: int) -> str:
    return (
        f'{tid} recvfrom({fd}, "GET / HTTP/1.1\\r\\n", 99, 0, NULL, NULL) = 16\n'
        f'{tid} sendto({fd}, "HTTP/1.1 200 OK\\r\\n", 17, 0, NULL, 0) = 17\n'
    )


def found(*lines: str) -> dict[str, Any]:
    result: dict[str, Any] = as_json(story_of("".join(lines)))
    return result


def served(result: dict[str, Any]) -> list[tuple[int, int]]:
    return [(each["read_tid"], each["answer_tid"]) for each in result["requests"]["first"]]


@pytest.mark.parametrize("birth", [FORK, THREAD, "10 fork() = {}\n", "10 vfork() = {}\n"])
def test_a_child_accepts_from_the_socket_of_its_parent(birth: str) -> None:
    result = found(BIND, LISTEN, birth.format(20), accept(20, 6, 8), serve(20, 8))
    assert [each["tid"] for each in result["connections"]] == [20]
    assert served(result) == [(20, 20)]


def test_a_thread_shares_what_is_opened_later_and_a_fork_does_not() -> None:
    for birth, expected in ((THREAD, [(20, 20)]), (FORK, [])):
        result = found(BIND, LISTEN, birth.format(20), accept(10, 6, 8), serve(20, 8))
        assert served(result) == expected


def test_a_fork_keeps_what_its_parent_closes() -> None:
    """A process for each connection: the parent closes its descriptor at once, the child serves."""
    one = accept(10, 6, 8) + FORK.format(20) + "10 close(8) = 0\n" + serve(20, 8) + "20 +++ exited with 0 +++\n"
    two = accept(10, 6, 8) + FORK.format(30) + "10 close(8) = 0\n" + serve(30, 8)
    result = found(BIND, LISTEN, one, two)
    assert served(result) == [(20, 20), (30, 30)]
    assert [each["worker_line"] for each in result["requests"]["first"]] == [4, 10]


def test_a_descriptor_that_a_close_freed_is_another() -> None:
    result = found(BIND, LISTEN, accept(10, 6, 8), "10 close(8) = 0\n", serve(10, 8))
    assert result["requests"]["count"] == 0
    result = found(BIND, LISTEN, accept(10, 6, 8), '10 openat(AT_FDCWD, "/x", O_RDONLY) = 8\n', serve(10, 8))
    assert result["requests"]["count"] == 0


def test_the_first_calls_of_a_child_may_come_before_its_birth_returns() -> None:
    early = (
        "10 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>\n"
        "20 epoll_create1(0) = 9\n"
        "20 epoll_ctl(9, EPOLL_CTL_ADD, 6, {events=EPOLLIN, data={u32=6, u64=6}}) = 0\n"
        "10 <... clone resumed>, child_tidptr=0x7f10) = 20\n"
    )
    result = found(BIND, LISTEN, early, accept(20, 6, 8))
    assert (result["epoll_add_line"], result["epoll_fd"]) == (5, 9)
    assert [(each["pid"], each["parent"]) for each in result["processes"]] == [(10, None), (20, 10)]


def test_a_number_that_is_given_again_is_another_process() -> None:
    result = found(
        *(BIND, LISTEN, FORK.format(20), accept(20, 6, 8), "20 +++ exited with 0 +++\n"),
        *(FORK.format(20), serve(20, 8)),
    )
    assert result["requests"]["count"] == 0
    assert [(each["pid"], each["ended"]) for each in result["processes"]] == [
        (10, None),
        (20, "exited with 0"),
        (20, None),
    ]


@pytest.mark.parametrize(
    ("copy", "fd"),
    [
        ("10 dup(6) = 7\n", 7),
        ("10 dup2(6, 30) = 30\n", 30),
        ("10 dup3(6<TCP:[0.0.0.0:8079]>, 30, O_CLOEXEC) = 30<TCP:[0.0.0.0:8079]>\n", 30),
        ("10 fcntl(6, F_DUPFD, 40) = 40\n", 40),
        ("10 fcntl(6<TCP:[0.0.0.0:8079]>, F_DUPFD_CLOEXEC, 3) = 41<TCP:[0.0.0.0:8079]>\n", 41),
        ("10 fcntl(6, 0x406, 0x3) = 41\n", 41),
    ],
)
def test_a_copy_is_the_same_socket(copy: str, fd: int) -> None:
    result = found(BIND, LISTEN, copy, "10 close(6) = 0\n", accept(10, fd, 8))
    assert result["accept_lines"] == [5]


@pytest.mark.parametrize(
    ("marked", "accepted"),
    [
        ("", True),
        ("10 fcntl(8, F_SETFD, FD_CLOEXEC) = 0\n", False),
        ("10 ioctl(8, FIOCLEX) = 0\n", False),
        ("10 ioctl(8, FIOCLEX) = 0\n10 ioctl(8, FIONCLEX) = 0\n", True),
        ("10 fcntl(8, F_SETFD, FD_CLOEXEC) = 0\n10 fcntl(8, F_SETFD, 0) = 0\n", True),
        ("10 close_range(7, 4294967295, CLOSE_RANGE_CLOEXEC) = 0\n", False),
        ("10 close_range(7, 4294967295, 0) = 0\n", False),
        ("10 close_range(9, ~0U, 0) = 0\n", True),
    ],
)
def test_an_execve_closes_what_is_marked(marked: str, accepted: bool) -> None:
    execve = '10 execve("/bin/handler", ["handler"], 0x7ffd /* 9 vars */) = 0\n'
    result = found(BIND, LISTEN, accept(10, 6, 8), marked, execve, serve(10, 8))
    assert result["requests"]["count"] == int(accepted)


def test_a_connection_of_accept4_with_cloexec_does_not_survive_an_execve() -> None:
    execve = '10 execve("/bin/handler", ["handler"], 0x7ffd /* 9 vars */) = 0\n'
    connection = accept(10, 6, 8).replace("[16], 0)", "[16], SOCK_CLOEXEC)")
    assert found(BIND, LISTEN, connection, execve, serve(10, 8))["requests"]["count"] == 0


def test_the_use_of_a_listening_socket_after_an_execve_shows_that_it_was_kept() -> None:
    socket = "10 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 6\n"
    execve = '20 execve("/bin/worker", ["worker"], 0x7ffd /* 9 vars */) = 0\n'
    result = found(socket, BIND, FORK.format(20), execve, "20 listen(6, 128) = 0\n", accept(20, 6, 8))
    assert (result["listen_line"], result["accept_lines"]) == (5, [6])


def test_a_socket_that_is_passed_through_a_socket_pair() -> None:
    pair = "10 socketpair(AF_UNIX, SOCK_STREAM, 0, [3, 4]) = 0\n"
    rights = "[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[%s]}]"
    send = f"10 sendmsg(3, {{msg_name=NULL, msg_control={rights % '6'}, msg_flags=0}}, 0) = 1\n"
    take = f"20 recvmsg(4, {{msg_name=NULL, msg_control={rights % '11<TCP:[0.0.0.0:8079]>'}, msg_flags=0}}, 0) = 1\n"
    result = found(pair, FORK.format(20), BIND, LISTEN, send, take, accept(20, 11, 12), serve(20, 12))
    assert [each["tid"] for each in result["connections"]] == [20]
    assert served(result) == [(20, 20)]


def test_a_socket_that_is_taken_from_another_process() -> None:
    take = "20 pidfd_open(10, 0) = 5\n20 pidfd_getfd(5, 6, 0) = 9\n"
    result = found(FORK.format(20), BIND, LISTEN, take, accept(20, 9, 12))
    assert [each["tid"] for each in result["connections"]] == [20]


@pytest.mark.parametrize("name", ["TCP:[5150]", "socket:[5150]"])
def test_the_inode_of_a_descriptor_tells_which_socket_it_is(name: str) -> None:
    """strace -y and -yy: process 30 is not born in the log, and received the socket on a way that is not in it."""
    bind = BIND.replace("bind(6,", f"bind(6<{name}>,")
    take = accept(30, 9, 12).replace("accept4(9,", f"accept4(9<{name}>,")
    result = found(FORK.format(20), bind, LISTEN, '30 execve("/x", [], 0x7ffd /* 9 vars */) = 0\n', take)
    assert [each["tid"] for each in result["connections"]] == [30]


REUSE = "{0} socket(AF_INET, SOCK_STREAM, IPPROTO_IP) = 6\n{0} setsockopt(6, SOL_SOCKET, SO_REUSEPORT, [1], 4) = 0\n"


def test_sockets_that_share_the_port_are_one_run() -> None:
    lines = [FORK.format(20), FORK.format(30)]
    for tid in (20, 30):
        lines += [REUSE.format(tid), BIND.replace("10 ", f"{tid} ", 1), LISTEN.replace("10 ", f"{tid} ", 1)]
    story = story_of("".join([*lines, accept(20, 6, 8), accept(30, 6, 8)]))
    result = as_json(story)
    assert len(story.watch.runs) == 1
    assert [each["tid"] for each in result["listeners"]] == [20, 30]
    assert "2 sockets share the port (SO_REUSEPORT)" in story.steps[0].sentence
    assert "2 threads of 2 processes accepted 2 connections" in story.steps[5].sentence


def test_a_restart_is_another_run() -> None:
    """The worker that bound has ended; another child of the same parent binds again."""
    first = FORK.format(20) + (BIND + LISTEN).replace("10 ", "20 ") + "20 +++ exited with 0 +++\n"
    second = FORK.format(30) + (BIND + LISTEN).replace("10 ", "30 ")
    assert len(story_of(first + second).watch.runs) == 2


def test_one_thread_served_is_said_of_one_thread_alone() -> None:
    alone = story_of("".join([BIND, LISTEN, accept(10, 6, 8), accept(10, 6, 9)])).steps[5].sentence
    assert "One thread served 2 connections" in alone
    two = [BIND, LISTEN, THREAD.format(20), accept(10, 6, 8), accept(20, 6, 9)]
    both = story_of("".join(two)).steps[5].sentence
    assert "One thread" not in both
    assert "2 threads accepted 2 connections" in both


def test_each_thread_that_waits_has_its_own_row() -> None:
    def wait(tid: int, start: float, took: float) -> str:
        return f"{tid} {1700000000 + start:.6f} epoll_wait({tid}, [], 9, -1) = 0 <{took:.6f}>\n"

    stamped = "".join(f"{line[:3]}1700000000.000000 {line[3:]}" for line in (BIND, LISTEN, FORK.format(20)))
    result = found(stamped, wait(10, 1, 2), wait(20, 1, 5), wait(20, 7, 1))
    rows = {each["tid"]: each["waiting"] for process in result["processes"] for each in process["threads"]}
    assert (rows[10]["calls"], rows[10]["slept_s"]) == (1, pytest.approx(2))
    assert (rows[20]["calls"], rows[20]["slept_s"], rows[20]["serving_s"]) == (2, pytest.approx(6), pytest.approx(7))


def test_a_table_is_copied_without_its_entries() -> None:
    """Ten thousand descriptors, five thousand copies of copies: each look-up sees a few layers."""
    table: Table[str] = Table()
    for fd in range(10_000):
        table.put(fd, f"fd {fd}", cloexec=fd % 2 == 1)
    child = table
    for number in range(5_000):
        child = child.copy()
        child.put(20_000 + number, "own")
    assert len(child._layers) < 20
    assert (child.get(7), child.get(24_999), table.get(20_000)) == ("fd 7", "own", None)
    child.put(7, None)
    assert (child.get(7), table.get(7)) == (None, "fd 7")
    child.execute()
    assert (child.get(8), child.get(9), child.get(9, kept=True)) == ("fd 8", None, "fd 9")


def test_an_execve_of_another_thread_ends_the_first() -> None:
    """The thread that calls execve goes on with the number of the first one of its process."""
    lines = (
        f"{BIND}{LISTEN}{THREAD.format(20)}"
        '20 execve("/usr/sbin/nginx", ["nginx"], 0x7ffd /* 9 vars */ <unfinished ...>\n'
        "10 +++ superseded by execve in pid 20 +++\n"
        "10 <... execve resumed>) = 0\n"
    )
    result = found(lines, accept(10, 6, 8))
    assert result["unreadable_lines"] == 0
    assert result["processes"][0]["command"] == "nginx"
    assert result["accept_lines"] == [7]


def test_a_log_without_births_still_tells_its_workers_apart() -> None:
    """A filter without clone: each worker has an epoll and connections of the same numbers as the others."""
    worker = (
        "{n} epoll_create1(0) = 8\n{n} epoll_ctl(8, EPOLL_CTL_ADD, 6, {{events=EPOLLIN, data={{u32=6, u64=6}}}}) = 0\n"
        "{n} epoll_wait(8, [{{events=EPOLLIN, data={{u32=6, u64=6}}}}], 9, -1) = 1\n"
    )
    ask, answer = serve(20, 9).splitlines(keepends=True)
    result = found(
        *(BIND, LISTEN, worker.format(n=20), worker.format(n=30), accept(20, 6, 9), accept(30, 6, 9)),
        *(ask, serve(30, 9), answer),
    )
    assert [each["tid"] for each in result["connections"]] == [20, 30]
    assert sorted(served(result)) == [(20, 20), (30, 30)]
    assert [(each["pid"], len(each["threads"])) for each in result["processes"]] == [(10, 3)]
    assert len(result["listeners"]) == 1


def test_in_a_log_without_births_one_thread_accepts_and_another_serves() -> None:
    result = found(
        BIND,
        LISTEN,
        "30 futex(0x1, FUTEX_WAKE, 1) = 0\n",
        accept(20, 6, 9),
        serve(30, 9),
        accept(20, 6, 9),
        serve(30, 9),
    )
    assert served(result) == [(30, 30), (30, 30)]


def test_sockets_that_share_the_port_in_a_log_without_births() -> None:
    lines = [REUSE.format(tid) + (BIND + LISTEN).replace("10 ", f"{tid} ") for tid in (20, 30)]
    story = story_of("".join([*lines, accept(20, 6, 8), accept(30, 6, 8)]))
    assert len(story.watch.runs) == 1
    assert [each["tid"] for each in as_json(story)["listeners"]] == [20, 30]


def test_a_process_may_share_the_table() -> None:
    birth = "10 clone(child_stack=0x7f, flags=CLONE_FILES|SIGCHLD) = 20\n"
    result = found(BIND, LISTEN, birth, accept(10, 6, 8), serve(20, 8))
    assert served(result) == [(20, 20)]
    assert [each["pid"] for each in result["processes"]] == [10, 20]


def test_a_connection_that_a_parent_passes_to_its_worker() -> None:
    """As node's cluster: the parent accepts, the worker answers."""
    pair = "10 socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, [3, 4]) = 0\n"
    rights = "[{cmsg_len=20, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[%s]}]"
    send = f"10 sendmsg(3, {{msg_name=NULL, msg_control={rights % '8'}, msg_flags=0}}, 0) = 1\n10 close(8) = 0\n"
    take = f"20 recvmsg(4, {{msg_name=NULL, msg_control={rights % '11'}, msg_flags=0}}, MSG_CMSG_CLOEXEC) = 1\n"
    result = found(pair, FORK.format(20), BIND, LISTEN, accept(10, 6, 8), send, take, serve(20, 11))
    assert [each["tid"] for each in result["connections"]] == [10]
    assert served(result) == [(20, 20)]


def test_a_second_bind_may_be_refused_before_the_first_listens() -> None:
    other = BIND.replace("bind(6", "bind(7").replace("= 0\n", "= -1 EADDRINUSE (Address already in use)\n")
    story = story_of(BIND + other + LISTEN)
    assert story.watch.listening.busy is None
    assert "the server's own socket 0.0.0.0:8079" in story.steps[0].sentence
    foreign = story_of(other + BIND.replace("8079", "8080") + LISTEN)
    assert "another program" in foreign.steps[0].sentence


@pytest.mark.parametrize(
    "wait",
    [
        "10 poll([{{fd=6, events=POLLIN}}, {{fd=8, events=POLLIN}}], 2, -1) = 1 ([{{fd={fd}, revents=POLLIN}}])\n",
        "10 ppoll([{{fd=6}}], 1, NULL, NULL, 8) = 1 ([{{fd={fd}, revents=POLLIN}}])\n",
        "10 select(9, [6 8], NULL, NULL, {{tv_sec=1, tv_usec=0}}) = 1 (in [{fd}], left {{tv_sec=0, tv_usec=6}})\n",
        "10 pselect6(9, [6 8], NULL, NULL, NULL, NULL) = 1 (in [{fd}])\n",
    ],
)
def test_a_poll_or_select_wakes_for_a_request(wait: str) -> None:
    lines = [BIND, LISTEN, wait.format(fd=6), accept(10, 6, 8), serve(10, 8), wait.format(fd=8), serve(10, 8)]
    requests = found(*lines)["requests"]["first"]
    assert [each["wake_line"] for each in requests] == [3, 7]


def test_programs_that_share_the_port_are_one_run_whatever_their_parents() -> None:
    start = '{0} execve("/usr/bin/server", ["server"], 0x7ffd /* 9 vars */) = 0\n'
    lines = [start.format(tid) + REUSE.format(tid) + (BIND + LISTEN).replace("10 ", f"{tid} ") for tid in (20, 30)]
    assert len(story_of("".join(lines)).watch.runs) == 1
    alone = [line.replace("SO_REUSEPORT", "SO_REUSEADDR") for line in lines]
    assert len(story_of("".join(alone)).watch.runs) == 2

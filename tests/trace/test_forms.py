"""Forms of a log that strace writes with other options, of other versions, and in several files."""

import io
from pathlib import Path

import pytest

from iolab.errors import UsageError
from iolab.trace.events import Syscall
from iolab.trace.lines import Lines
from iolab.trace.merged import merged
from iolab.trace.story import Story, tell
from iolab.trace.strace import Strace
from iolab.trace.truth import as_json
from tests.conftest import Run
from tests.trace.logs import CLICK, SERVER, server_log, story_of


def tids(*lines: str) -> list[int]:
    return [event.tid for event in Strace(lines) if isinstance(event, Syscall)]


def test_the_first_process_is_the_one_that_no_clone_returned() -> None:
    log = Strace(["clone(flags=0) = 42", "[pid    42] close(9) = 0", "[pid    41] close(8) = 0"])
    assert [event.tid for event in log] == [0, 42, 0]
    assert log.first_pid == 41


def test_a_child_that_is_heard_of_before_its_birth_returns_is_not_the_first_process() -> None:
    lines = ["clone(flags=0 <unfinished ...>", "[pid    42] close(9) = 0", "[pid    41] <... clone resumed>) = 42"]
    log = Strace(lines)
    assert [event.tid for event in log] == [42, 0]
    assert log.first_pid == 41


@pytest.mark.parametrize(
    "lines",
    [
        ["clone(Process 20 attached", "child_stack=NULL, flags=SIGCHLD, child_tidptr=0x7f) = 20"],
        ["clone(Process 20 attached (waiting for parent)", "child_stack=NULL, flags=SIGCHLD) = 20"],
        ["vfork(Process 20 attached", ") = 20"],
        ["vfork(strace: Process 20 attached", " <unfinished ...>", "[pid    10] <... vfork resumed>) = 20"],
    ],
)
def test_a_birth_that_its_child_s_report_tears_is_one_call(lines: list[str]) -> None:
    log = Strace([*lines, "[pid    20] read(4, 9) = 2", "Process 20 detached", "[pid    10] read(5, 9) = 3"])
    found = [event for event in log if isinstance(event, Syscall)]
    assert [(call.tid, call.returned) for call in found] == [(0, 20), (20, 2), (0, 3)]
    assert (log.unreadable, log.first_pid) == (0, 10)


def test_strace_that_was_attached_names_the_first_process_at_once() -> None:
    log = Strace(
        ["strace: Process 10 attached", "close(3) = 0", "fork() = 20", "[pid 10] close(4) = 0", "[pid 20] close(5) = 0"]
    )
    assert [event.tid for event in log] == [0, 0, 0, 20]
    assert log.first_pid == 10


def test_after_the_end_of_the_first_process_lines_without_a_mark_are_the_other_s() -> None:
    """As a server that puts itself into the background: its parent exits, and strace marks no line any more."""
    assert tids(
        "fork() = 20",
        "[pid 20] close(3) = 0",
        "[pid 10] exit_group(0) = ?",
        "[pid 10] +++ exited with 0 +++",
        "close(4) = 0",
    ) == [0, 20, 0, 20]


def test_stacks_of_calls_are_lines_of_strace() -> None:
    log = Strace(
        [
            "10 close(3) = 0",
            " > /usr/lib/x86_64-linux-gnu/libc.so.6(__close+0x10) [0xf6fa0]",
            " > [vdso](clock_gettime+0x1) [0x1]",
            " > unexpected_backtracing_error [0x7f]",
        ]
    )
    assert len(list(log)) == 1
    assert (log.unreadable, log.stack_lines) == (0, 3)


@pytest.mark.parametrize("stamp", ["2:10", "1:2", "9:20:", "1.2.3", "12:61", "123456:00:00"])
def test_what_is_no_time_is_not_taken_for_one(stamp: str) -> None:
    log = Strace([f"{stamp} close(3) = 0"])
    assert (list(log), log.unreadable) == ([], 1)


RAW = """\
10 socket(0x2, 0x1|0x80000, 0) = 7
10 bind(7, {sa_family=0x2, sin_port="\\x1f\\x8f", sin_addr="\\x7f\\x00\\x00\\x01"}, 16) = 0
10 listen(7, 128) = 0
10 epoll_ctl(3, 0x1, 7, {events=0x1, data={u32=7, u64=7}}) = 0
10 epoll_wait(3, [{events=0x1, data={u32=7, u64=7}}], 9, -1) = 1
10 accept4(7, {sa_family=0x2, sin_port="\\xb9\\xf8", sin_addr="\\x7f\\x00\\x00\\x01"}, [16], 0x80000) = 8
"""
VERBOSE = RAW.replace('"\\x1f\\x8f"', '"\\x1f\\x8f" /* htons(8079) */').replace("0x1, 7", "0x1 /* EPOLL_CTL_ADD */, 7")
VERBOSE = VERBOSE.replace('"\\x7f\\x00\\x00\\x01"', '"\\x7f\\x00\\x00\\x01" /* inet_addr("127.0.0.1") */')
VERBOSE = VERBOSE.replace("=0x2,", "=0x2 /* AF_INET */,").replace("socket(0x2,", "socket(0x2 /* AF_INET */,")


@pytest.mark.parametrize("text", [RAW, VERBOSE], ids=["-X raw", "-X verbose"])
def test_numbers_instead_of_names(text: str) -> None:
    found = as_json(story_of(text))
    assert [(each["addr"], each["fd"]) for each in found["listeners"]] == [("127.0.0.1", 7)]
    assert (found["epoll_add_line"], found["accept_lines"]) == (4, [6])
    assert found["connections"][0]["peer"] == "127.0.0.1:47608"


@pytest.mark.parametrize("kind", [2, "SOCK_DGRAM|SOCK_CLOEXEC", "0x2", "0x2|0x80000 /* SOCK_CLOEXEC */"])
def test_a_datagram_socket_is_known_by_its_type(kind: object) -> None:
    bind = 'bind(3, {sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("0.0.0.0")}, 16) = 0\n'
    assert "UDP" in story_of(f"10 socket(AF_INET, {kind}, 0) = 3\n10 {bind}").steps[0].sentence
    assert "UDP" in story_of(f"10 {bind.replace('bind(3', 'bind(3<UDP:[77]>')}").steps[0].sentence


YY = ["TCP:[127.0.0.1:8079]", "TCPv6:[[::]:8079]", "UNIX-STREAM:[1->2]", "socket:[99]", "NETLINK:[ROUTE:7]", "anon_inode:[io_uring]"]  # fmt: skip


@pytest.mark.parametrize("name", YY)
def test_names_of_all_kinds_of_descriptors(name: str) -> None:
    (call,) = Strace([f"10 epoll_ctl(3<anon_inode:[eventpoll]>, EPOLL_CTL_ADD, 7<{name}>, {{events=EPOLLIN}}) = 0"])
    assert isinstance(call, Syscall)
    assert (call.fd, call.returned) == (3, 0)
    found = as_json(story_of(SERVER.replace("ADD, 7,", f"ADD, 7<{name}>,")))
    assert found["epoll_add_line"] == 7


def split(log: str, folder: Path) -> list[Path]:
    """Write a log as strace -ff does: a file for each thread."""
    files: dict[str, list[str]] = {}
    for line in log.splitlines():
        tid, _, rest = line.partition(" ")
        files.setdefault(tid, []).append(rest.lstrip())
    for tid, lines in files.items():
        (folder / f"log.{tid}").write_text("\n".join(lines) + "\n", encoding="latin-1")
    return sorted(folder.glob("log.*"))


def story_of_files(paths: list[Path], port: int = 8079) -> Story:
    return tell(merged(paths), "log", port)


def test_the_files_of_ff_are_one_log(tmp_path: Path) -> None:
    story = story_of_files(split(SERVER + CLICK, tmp_path))
    assert [step.status for step in story.steps] == ["proved"] * 6
    assert as_json(story)["opens"][0]["tid"] == 20
    assert story.clicks[0].open_ms == pytest.approx(6, abs=0.01)


def test_without_stamps_the_files_follow_each_other(tmp_path: Path) -> None:
    bare = "".join(" ".join(line.split(" ")[:1] + line.split(" ")[2:]) + "\n" for line in (SERVER + CLICK).splitlines())
    story = story_of_files(split(bare, tmp_path))
    assert [click.status for click in story.clicks] == ["proved"]


def test_files_of_ff_of_a_real_server(tmp_path: Path) -> None:
    """The recorded log cut into files, with the calls that others interrupted joined again: the same requests."""
    events = Strace(server_log("nginx_2workers").decode("latin-1").splitlines())
    ended = [event for event in events if isinstance(event, Syscall) and event.result_at >= 0]
    joined = [f"{event.tid} {event.stamp} {event.name}({event.rest}" for event in ended]
    found = as_json(story_of_files(split("\n".join(joined), tmp_path), 8080))
    assert len(found["accept_lines"]) == 3
    assert [each["read_tid"] for each in found["requests"]["first"]] == [32335, 32335, 32335, 32334]
    assert [each["how"] for each in found["processes"]] == ["not shown", "fork", "fork"]


def test_files_of_ff_are_in_the_order_in_which_calls_ended(tmp_path: Path) -> None:
    """Thread 20 accepts for five seconds; meanwhile the descriptor that it will get is another's, which is closed."""
    accept = "= 8 <{}>\n"
    log = (
        '10 1700000000.0 bind(6, {sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("1.1.1.1")}, 16) = 0 <0.1>\n'
        "10 1700000000.2 listen(6, 9) = 0 <0.1>\n"
        "10 1700000000.4 clone3({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD}, 88) = 20 <0.1>\n"
        f"20 1700000001.0 accept4(6, NULL, NULL, 0) {accept.format('5.000000')}"
        f"10 1700000001.5 accept4(6, NULL, NULL, 0) {accept.format('0.100000')}"
        "10 1700000003.0 close(8) = 0 <0.1>\n"
        '20 1700000006.1 read(8, "GET / HTTP/1.1", 99) = 14 <0.1>\n'
    )
    found = as_json(story_of_files(split(log, tmp_path)))
    assert [(each["read_tid"], each["fd"]) for each in found["requests"]["first"]] == [(20, 8)]


def test_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    lines = [f"{10 + n} 1700000000.{n:06d} close({n}) = 0" for n in range(3000)]
    story = story_of_files(split("\n".join(lines), tmp_path))
    assert (story.lines, len(story.watch.calls)) == (3000, 3000)


def test_mistakes_with_several_files_are_one_line(inside: Run, tmp_path: Path) -> None:
    (tmp_path / "log.10").write_text("1700000000.1 close(3) = 0\n")
    (tmp_path / "log.txt").write_text("1700000000.1 close(3) = 0\n")
    (tmp_path / "log.11").write_text("     0.000012 close(3) = 0\n")
    for other, words in (("log.txt", "each with a thread's number"), ("log.11", "use -ttt"), ("log.12", "no such log")):
        done = inside("trace", str(tmp_path / "log.10"), str(tmp_path / other))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert words in done.stderr


def test_several_files_are_read_by_the_command(inside: Run, tmp_path: Path) -> None:
    done = inside("trace", *map(str, split(SERVER + CLICK, tmp_path)))
    assert done.returncode == 0, done.stderr
    assert "log.10 and 1 more files" in done.stdout


def test_a_name_that_is_no_part_of_ff_is_refused() -> None:
    with pytest.raises(UsageError, match="thread's number"):
        merged([Path("a.log"), Path("b.log")])


def test_lines_of_one_file_are_those_of_before() -> None:
    assert tell(Lines(io.BytesIO(SERVER.encode())), "x").lines == SERVER.count("\n")

from pathlib import Path

import pytest

from iolab.errors import ServerFailed
from iolab.kinds.crowd.obstacle import LossDiagnosis, Room, Signs, judge
from iolab.runtime.local import LocalServer
from tests.conftest import ROOT
from tests.fakes import FakeServer
from tests.own import free_ports
from tests.runtime.scripts import connected_users, model, running, serving
from tests.waiting import wait_until

linux = pytest.mark.needs("linux")
EVERYTHING = Signs(
    ended="the server ended with status 1: KeyError",
    output="MemoryError\nRuntimeError: can't start new thread\nOSError: [Errno 24] Too many open files\n",
    tasks_refused=70,
    kills=2,
    overflows=9,
    threads=29,
    files=Room("open files", 30, 30),
    rooms=(Room("memory maps (vm.max_map_count)", 65_530, 65_530), Room("tasks of this user (ulimit -u)", 29, 9000)),
    backlog=4096,
)


def without(signs: Signs, **changed: object) -> Signs:
    return Signs(**{**signs.__dict__, **changed})


def test_the_first_obstacle_in_order_is_the_one_that_is_told() -> None:
    left = EVERYTHING
    told = []
    for taken in (
        {"kills": 0},
        {"ended": ""},
        {"output": EVERYTHING.output.removeprefix("MemoryError\n")},
        {"tasks_refused": 0},
        {"output": "OSError: [Errno 24] Too many open files\n"},
        {"files": None},
        {"output": ""},
        {"overflows": 0},
    ):
        told.append(judge(left, 1, 1, None)[0])
        left = without(left, **taken)
    told.append(judge(left, 1, 1, None)[0])
    told.append(judge(left, 1, 0, None)[0])
    assert told == ["memory", "died", "memory", "pids", "threads", "files", "files", "queue", "refused", "slow"]


def test_a_server_that_died_for_memory_is_told_as_that() -> None:
    ended = "the server ended with status 137 (out of memory)"
    assert judge(Signs(ended=ended), 0, 5, None) == ("memory", ended)
    assert judge(Signs(ended="the server ended with status -11"), 0, 5, None)[0] == "died"


@pytest.mark.parametrize(
    ("signs", "pool", "words"),
    [
        (Signs(), 8, "all its 8 threads are in use, and 992 users wait"),
        (Signs(overflows=1200, backlog=4096), 1, "its only thread is in use, and 992 users wait; "
         "the accept queue was full 1,200 times (net.core.somaxconn is 4,096)"),
        (Signs(files=Room("open files", 2000, 2000)), 8, "all its 8 threads are in use, and 992 users wait; "
         "a process of the server has 2,000 of 2,000 open files"),
    ],
)  # fmt: skip
def test_a_pool_that_is_taken_is_a_queue(signs: Signs, pool: int, words: str) -> None:
    assert judge(signs, 992, 0, pool) == ("queue", words)


def test_threads_are_told_with_the_limit_that_is_used_up() -> None:
    words = "RuntimeError: can't start new thread"
    sentence = judge(Signs(output=words, threads=21_843, rooms=EVERYTHING.rooms), 0, 5, None)[1]
    assert sentence == (
        f'the server printed "{words}" with 21,843 threads: 65,530 of 65,530 memory maps (vm.max_map_count)'
    )
    assert judge(Signs(output=words), 0, 5, None)[1].endswith(": the kernel could not start another thread")


def test_without_users_that_are_not_held_there_is_no_obstacle() -> None:
    assert LossDiagnosis(FakeServer(("127.0.0.1", 1), [], "Z")).why(0, 0, 8) == (None, "")


def test_users_that_were_lost_have_the_end_of_their_server_as_reason() -> None:
    ended = "the server ended with status -11"
    assert judge(Signs(ended=ended), 0, 0, 8) == ("died", ended)
    assert judge(Signs(output="hello"), 0, 0, 8) == (None, "")


class Talks(FakeServer):
    said = ""

    def last_output(self) -> str:
        return self.said


def test_what_was_said_before_is_no_evidence() -> None:
    server = Talks(("127.0.0.1", 1), [], "Z")
    server.said = "here from port 1: can't start new thread\n"
    diagnosis = LossDiagnosis(server)
    server.said += "hello\n"
    assert diagnosis.why(1, 0, None)[0] != "threads"
    server.said += "here from port 2: can't start new thread\n"
    assert diagnosis.why(1, 0, None)[0] == "threads"
    diagnosis.begin()
    server.said = "a whole window later: can't start new thread\n"
    assert diagnosis.why(1, 0, None)[0] == "threads"


@linux
def test_a_server_at_its_limit_of_files_is_seen_though_it_says_nothing(tmp_path: Path) -> None:
    quiet = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30)); sys.stderr = open(os.devnull, 'w')"
    with serving(tmp_path, first=quiet) as server:
        diagnosis = LossDiagnosis(server)
        with connected_users(server.address, 60) as (waiting, refused):
            assert waiting + refused > 30
            assert diagnosis.why(waiting, refused, None) == (
                "files", "a process of the server has 30 of 30 open files",
            )  # fmt: skip


@linux
def test_the_chat_server_of_threads_is_seen_at_its_limit_of_files(tmp_path: Path) -> None:
    """It says nothing of it: the standard library takes an accept() that fails for nothing."""
    chat = ROOT / "services" / "threadperconnection" / "chat.py"
    (tmp_path / "few.py").write_text(
        f"import resource, runpy\nresource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))\nrunpy.run_path({str(chat)!r})"
    )
    with running(model(tmp_path, free_ports(1)[0], "python3", "few.py")) as server:
        diagnosis = LossDiagnosis(server)
        with connected_users(server.address, 60, path="/poll?{number}") as (waiting, refused):
            obstacle, evidence = diagnosis.why(waiting, refused, None)
    assert waiting > 20
    assert (obstacle, evidence) == ("files", "a process of the server has 30 of 30 open files")


@linux
def test_a_server_that_can_start_no_thread_says_so(tmp_path: Path) -> None:
    little = "import resource; used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\nresource.setrlimit(resource.RLIMIT_AS, (used + 2**27, -1))"
    with serving(tmp_path, first=little) as server:
        diagnosis = LossDiagnosis(server)
        with connected_users(server.address, 60) as (waiting, refused):
            assert waiting + refused > 30
            obstacle, evidence = diagnosis.why(waiting, refused, None)
    assert obstacle == "threads"
    assert evidence.startswith('the server printed "can\'t start new thread" with ')


def ended(server: LocalServer) -> bool:
    try:
        server.check_alive()
    except ServerFailed:
        return True
    return False


def test_a_server_that_has_ended_is_told_with_its_last_words(tmp_path: Path) -> None:
    ends = "def end():\n    time.sleep(0.5)\n    print('no more of this', flush=True)\n    os._exit(3)\nthreading.Thread(target=end).start()"
    with serving(tmp_path, then=ends) as server:
        diagnosis = LossDiagnosis(server)
        wait_until(lambda: ended(server))
        with connected_users(server.address, 3) as (waiting, refused):
            assert refused == 3
            obstacle, evidence = diagnosis.why(waiting, refused, None)
    assert (obstacle, evidence) == ("died", "the server ended with status 3: no more of this")


@linux
@pytest.mark.alone  # the kernel counts for the whole machine
def test_a_listen_queue_that_is_full_is_counted(tmp_path: Path) -> None:
    blocking = "threading.Thread.start = threading.Thread.run\nlistener.listen(3)"
    with serving(tmp_path, then=blocking) as server:
        diagnosis = LossDiagnosis(server)
        with connected_users(server.address, 12, patience_s=0.3) as (waiting, refused):
            assert waiting + refused >= 10
            obstacle, evidence = diagnosis.why(waiting, refused, 1)
    assert obstacle == "queue"
    assert evidence.startswith(f"its only thread is in use, and {waiting} users wait; the accept queue was full ")


@pytest.mark.alone  # the kernel counts for the whole machine
def test_a_server_that_stands_still_is_slow(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        diagnosis = LossDiagnosis(server)
        server.freeze()
        with connected_users(server.address, 3, patience_s=0.3) as (waiting, refused):
            verdict = diagnosis.why(waiting, refused, None)
        server.thaw()
    assert (waiting, refused) == (3, 0)
    assert verdict == ("slow", "the server had not answered 3 users yet")


@pytest.mark.alone  # the kernel counts for the whole machine
def test_a_door_that_is_closed_without_a_word_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path, each="if b'healthz' not in asked: return") as server:
        diagnosis = LossDiagnosis(server)
        with connected_users(server.address, 5) as (waiting, refused):
            assert diagnosis.why(waiting, refused, None) == ("refused", "5 users got no connection")

"""The parser: every form that strace writes, and anything else."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iolab.trace.events import Exit, Signal, Syscall
from iolab.trace.lines import LONGEST_LINE, Lines
from iolab.trace.story import tell
from iolab.trace.strace import Strace
from iolab.trace.truth import as_json
from tests.trace.logs import CLICK, SERVER, recorded


def calls(text: str) -> list[Syscall]:
    return [event for event in Strace(text.splitlines()) if isinstance(event, Syscall)]


@pytest.mark.parametrize(
    ("line", "tid", "time_s"),
    [
        ("close(3) = 0", 0, None),
        ("17 close(3) = 0", 17, None),
        ("17    close(3)                          = 0", 17, None),
        ("17<python3> close(3) = 0", 17, None),
        ("[pid    17] close(3) = 0", 0, None),  # the first process, before it was marked
        ("17 1700000000.123456 close(3) = 0", 17, 1700000000.123456),
        ("1700000000.123456 close(3) = 0 <0.000007>", 0, 1700000000.123456),
        ("17 12:00:01 close(3) = 0", 17, 43201.0),
        ("17 12:00:01.500000 close(3) = 0", 17, 43201.5),
        ("     0.250000 close(3) = 0", 0, 0.25),
        ("17      0.250000 close(3) = 0", 17, 0.25),
        ("17 12:00:01 (+     0.250000) close(3) = 0", 17, 43201.0),
        ("17 [00007f0000000000] close(3) = 0", 17, None),
    ],
)
def test_pid_and_time_stand_in_any_of_their_forms(line: str, tid: int, time_s: float | None) -> None:
    (call,) = calls(line)
    assert (call.name, call.fd, call.returned, call.tid, call.time_s) == ("close", 3, 0, tid, time_s)


def test_relative_times_add_up() -> None:
    assert [call.time_s for call in calls("0.000000 a() = 0\n0.5 b() = 0\n0.25 c() = 0")] == [0.0, 0.5, 0.75]


def test_midnight_is_no_step_back() -> None:
    before, after = calls("23:59:59.5 a() = 0\n00:00:00.5 b() = 0")
    assert (after.time_s or 0) - (before.time_s or 0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("line", "returned", "error", "duration_s"),
    [
        ("read(3, 0x5, 9) = -1 EAGAIN (Resource temporarily unavailable) <0.000004>", -1, "EAGAIN", 0.000004),
        ("read(3, 0x5, 9) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)", None, "ERESTARTSYS", None),
        ("exit_group(0) = ?", None, None, None),
        ("exit_group(0 <unfinished ...>) = ?", None, None, None),
        ("mmap(NULL, 5) = 0x7f00 <0.000004>", 0x7F00, None, 0.000004),
        ('openat(AT_FDCWD</app>, "a") = 7</app/a> <0.25>', 7, None, 0.25),
        ('openat(AT_FDCWD, "a") = 7</odd = 9/a>', 7, None, None),
        ('sendto(5, "x) = 3", 6, 0, NULL, 0) = 6', 6, None, None),
        ('sendto(5, "a = b", 5, 0, NULL, 0)      = 5', 5, None, None),
        ('write(1, "\\") = 1\\"", 9) = 9', 9, None, None),
        ("fcntl(3, F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)", 0x802, None, None),
    ],
)
def test_results_of_any_kind(line: str, returned: int | None, error: str | None, duration_s: float | None) -> None:
    (call,) = calls(line)
    assert (call.returned, call.error, call.duration_s) == (returned, error, duration_s)


def test_a_call_that_others_interrupt_is_joined_by_thread() -> None:
    text = (
        "1 5.0 epoll_wait(3,  <unfinished ...>\n"
        '2 5.1 openat(AT_FDCWD, "x", O_RDONLY <unfinished ...>\n'
        "1 5.2 <... epoll_wait resumed>[{events=EPOLLIN, data={u32=7, u64=7}}], 9, -1) = 1 <0.2>\n"
        "2 5.3 <... openat resumed>)             = 4\n"
    )
    wait, opened = calls(text)
    assert (wait.line, wait.end_line, wait.arguments) == (1, 3, "3, [{events=EPOLLIN, data={u32=7, u64=7}}], 9, -1")
    assert (opened.line, opened.end_line, opened.returned) == (2, 4, 4)
    assert opened.arguments == 'AT_FDCWD, "x", O_RDONLY'


def test_what_never_ends_is_kept_without_a_result() -> None:
    (call,) = calls("1 epoll_wait(3,  <unfinished ...>")
    assert (call.end_line, call.result, call.returned) == (None, None, None)


def test_an_end_without_a_beginning_is_a_call_all_the_same() -> None:
    (call,) = calls("1 <... epoll_wait resumed>[], 9, 100) = 0")
    assert (call.name, call.returned) == ("epoll_wait", 0)


def test_the_first_process_has_a_mark_only_when_there_is_a_second() -> None:
    text = (
        "bind(3, {}, 16) = 0\n"
        "clone(flags=0) = 42\n"
        "strace: Process 42 attached\n"
        "[pid    42] close(9) = 0\n"
        "[pid    41] close(8) = 0\n"
        "close(7) = 0\n"
    )
    log = Strace(text.splitlines())
    tids = [event.tid for event in log]
    assert tids == [0, 0, 42, 0, 0]
    assert (log.first_pid, log.unreadable, log.chatter) == (41, 0, 1)


def test_signals_and_exits() -> None:
    signal, end = Strace(["7 --- SIGINT {si_signo=SIGINT} ---", "7 +++ killed by SIGKILL +++"])
    assert isinstance(signal, Signal)
    assert isinstance(end, Exit)
    assert (signal.name, end.how) == ("SIGINT", "killed by SIGKILL")


def test_what_cannot_be_read_is_counted_and_nothing_else_is_lost() -> None:
    log = Strace(["hello", "7 close(3) = 0", "\x00\xff", "7 close(", ""])
    assert [event.line for event in log] == [2, 4]
    assert log.unreadable == 3


@pytest.mark.parametrize(("text", "cut"), [(b"a\nb\n", False), (b"a\nb", True), (b"", False), (b"\n", False)])
def test_a_last_line_without_an_end_is_cut(text: bytes, cut: bool) -> None:
    lines = Lines(io.BytesIO(text))
    assert len(list(lines)) == text.count(b"\n") + cut
    assert lines.cut == cut


def test_a_log_that_grows_is_read_up_to_the_size_it_had() -> None:
    assert list(Lines(io.BytesIO(b"one\ntwo\nthree\n"), limit_bytes=8)) == ["one", "two"]


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    lines = list(Lines(io.BytesIO(b"x" * (5 * LONGEST_LINE) + b"\nclose(3) = 0\n")))
    assert [len(line) for line in lines] == [LONGEST_LINE, 12]


@pytest.mark.parametrize(
    "line",
    [
        " = " * 20000,
        ") = " * 16000,
        " " * 60000 + "x",
        "1 " + "(" * 60000,
        "1 f(" + " <1.1" * 12000 + " = 5",
        "f(" + ")   " * 15000 + " = ",
        "9" * 60000 + " close(3) = 0",
        '1 recvfrom(3, "' + "\\202" * 15000 + '", 9) = 1',
        "1 openat(AT_FDCWD, " + '"balloons' * 6000,
        "1 bind(3, sa_family=AF_INET, sin_port=htons(1)" * 1000 + " = 0",
        "[pid " + "1" * 50000 + "] close(3) = 0",
    ],
)
def test_no_line_takes_time_that_grows_with_its_square(line: str) -> None:
    """Sixty such lines: 4 MB, a moment; a quadratic case would take minutes."""
    text = (SERVER + (line[: LONGEST_LINE - 1] + "\n") * 60).encode("latin-1")
    assert tell(Lines(io.BytesIO(text)), "x").lines == SERVER.count("\n") + 60


LOG = recorded("k2_recommended_seccomp_2click")[-400_000:]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes(data: bytes) -> None:
    story = tell(Lines(io.BytesIO(data)), "x")
    assert story.lines == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    as_json(story)


_WORDS = st.sampled_from(
    [
        "10",
        "20",
        "1700000000.5",
        "epoll_wait(",
        "bind(",
        "3",
        "7",
        "8079",
        ",",
        "[{events=EPOLLIN,",
        "data={u32=8,",
        "u64=8}}]",
        ")",
        "=",
        "-1",
        "0",
        "1",
        "8",
        "<unfinished",
        "...>",
        "<...",
        "resumed>",
        "epoll_ctl(3,",
        "EPOLL_CTL_ADD",
        "openat(AT_FDCWD",
        '"/app/balloons.py"',
        "O_RDONLY",
        "recvfrom(8",
        '"\\202',
        "clone3(",
        "---",
        "+++",
        "exited",
        "?",
        "EAGAIN",
        "<0.0001>",
        "[pid",
        "5]",
        "\x00",
        "\n",
        "\n",
        "listen(",
        "accept4(",
        "sin_port=htons(8079)",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_WORDS, max_size=200))
def test_any_order_of_the_words_of_a_log(words: list[str]) -> None:
    as_json(tell(Lines(io.BytesIO((SERVER + " ".join(words)).encode("latin-1"))), "x"))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(LOG)), st.integers(0, len(LOG)))
def test_any_piece_of_a_log(one: int, other: int) -> None:
    piece = LOG[min(one, other) : max(one, other)][:60_000]
    as_json(tell(Lines(io.BytesIO(piece)), "x"))


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_interleaving_of_threads_joins_each_thread_s_own_calls(random: object) -> None:
    """Four threads, each with its calls in order, cut into halves wherever another comes in between."""
    pending = {tid: [(tid, number) for number in range(20)] for tid in (11, 12, 13, 14)}
    lines: list[str] = []
    under_way: dict[int, int] = {}
    while any(pending.values()) or under_way:
        tid = random.choice([tid for tid in pending if pending[tid] or tid in under_way])  # type: ignore[attr-defined]
        if tid in under_way:
            lines.append(f"{tid} <... read resumed>, 9) = {under_way.pop(tid)}")
        else:
            _, number = pending[tid].pop(0)
            lines.append(f"{tid} read({tid} <unfinished ...>")
            under_way[tid] = number
    found: dict[int, list[int | None]] = {tid: [] for tid in pending}
    for event in Strace(lines):
        assert isinstance(event, Syscall)
        assert event.fd == event.tid
        found[event.tid].append(event.returned)
    assert found == {tid: list(range(20)) for tid in pending}


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1 << 18])
def test_a_log_with_the_line_ends_of_windows_is_the_same_log(chunk_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iolab.trace.lines.CHUNK_BYTES", chunk_bytes)
    text = SERVER + CLICK + "10 epoll_wait(3,  <unfinished ...>\n10 <... epoll_wait resumed>[], 3, 9) = 0 <0.009000>\n"
    assert list(Lines(io.BytesIO(text.replace("\n", "\r\n").encode()))) == text.splitlines()


@pytest.mark.parametrize(
    ("lines", "unfinished"),
    [
        (["clone3({flags=CLONE_VM}strace: Process 20 attached", " => {parent_tid=[20]}, 88) = 20 <0.000057>"], 0),
        (["clone(child_stack=0x7fstrace: Process 20 attached", ", parent_tid=[20], tls=0x7f) = 20 <0.000057>"], 0),
        (["vfork(strace: Process 20 attached", ") = 20 <0.000057>"], 0),
        (
            [
                "clone3({flags=CLONE_VM}strace: Process 20 attached",
                " <unfinished ...>",
                "[pid    20] read(4, 9) = 1",
                "[pid    10] <... clone3 resumed> => {parent_tid=[20]}, 88) = 20 <0.000057>",
            ],
            1,
        ),
    ],
)
def test_a_call_that_the_birth_of_its_thread_tears_is_one_call(lines: list[str], unfinished: int) -> None:
    """As strace writes to standard error; the first line of a torn pair is all that tells whose child 20 is."""
    log = Strace([*lines, "[pid    20] read(4, 9) = 2", "[pid    10] read(5, 9) = 3"])
    found = [event for event in log if isinstance(event, Syscall)]
    (born,) = [call for call in found if call.name.startswith(("clone", "vfork"))]
    assert (born.line, born.tid, born.returned, born.duration_s) == (1, 0, 20, 0.000057)
    assert (log.unreadable, log.unfinished, log.first_pid) == (0, unfinished, 10)
    assert [(call.tid, call.returned) for call in found[-2:]] == [(20, 2), (0, 3)]


def test_a_click_is_in_the_story_of_a_log_made_by_hand() -> None:
    story = tell(Lines(io.BytesIO((SERVER + CLICK).encode())), "x")
    assert [step.status for step in story.steps] == ["proved"] * 6

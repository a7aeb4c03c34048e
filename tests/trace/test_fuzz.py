"""Any tree of processes, and lines torn in any way: nothing raises, and what is counted stays true."""

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iolab.report.trace_html import render
from iolab.trace.lines import Lines
from iolab.trace.story import Story, tell
from iolab.trace.strace import Strace
from iolab.trace.tables import Table
from iolab.trace.truth import as_json
from tests.trace.logs import FOLDER, server_log

SERVERS = sorted(path.stem for path in (FOLDER / "servers").glob("*.json"))


def read(text: str) -> Story:
    return tell(Lines(io.BytesIO(text.encode("latin-1", errors="replace"))), "x")


def check(story: Story) -> dict[str, Any]:
    """Assert what holds for any log."""
    found = as_json(story)
    rows = [each for process in found["processes"] for each in process["threads"]]
    for waiting in [found["waiting"], *(each["waiting"] for each in rows)]:
        if waiting is None:
            continue
        assert waiting["share_asleep"] is None or 0 <= waiting["share_asleep"] <= 1
        assert waiting["by_event"] + waiting["by_timeout"] + waiting["polls"] <= waiting["calls"] + waiting["polls"]
        assert waiting["serving_s"] is None or waiting["serving_s"] > 0
    assert sum(each["accepted"] for each in rows) == len(found["accept_lines"])
    requests = found["requests"]
    assert requests is None or requests["answered"] <= requests["count"]
    assert [step["step"] for step in found["steps"]] == [1, 2, 3, 4, 5, 6]
    return found


# What a process may do, on a few descriptors: numbers collide on purpose.
FDS = st.integers(3, 9)
CALLS = st.one_of(
    st.builds(
        'bind({}, {{sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("0.0.0.0")}}, 16) = 0'.format, FDS
    ),
    st.builds("socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, 0) = {}".format, FDS),
    st.builds("setsockopt({}, SOL_SOCKET, SO_REUSEPORT, [1], 4) = 0".format, FDS),
    st.builds("listen({}, 5) = 0".format, FDS),
    st.builds("accept4({}, NULL, NULL, SOCK_CLOEXEC) = {}".format, FDS, FDS),
    st.builds("close({}) = 0".format, FDS),
    st.builds("dup2({}, {}) = {}".format, FDS, FDS, FDS),
    st.builds("fcntl({}, F_SETFD, FD_CLOEXEC) = 0".format, FDS),
    st.builds("close_range({}, {}, 0) = 0".format, FDS, FDS),
    st.builds("epoll_create1(0) = {}".format, FDS),
    st.builds(
        "epoll_ctl({}, EPOLL_CTL_ADD, {}, {{events=EPOLLIN, data=0x{:x}}}) = 0".format, FDS, FDS, st.integers(0, 20)
    ),
    st.builds("epoll_ctl({}, EPOLL_CTL_DEL, {}, NULL) = 0".format, FDS, FDS),
    st.builds("epoll_wait({}, [{{events=EPOLLIN, data=0x{:x}}}], 9, 5) = 1".format, FDS, st.integers(0, 20)),
    st.builds('recvfrom({}, "GET / HTTP/1.1", 9, 0, NULL, NULL) = 9'.format, FDS),
    st.builds('sendto({}, "HTTP/1.1 200 OK", 9, 0, NULL, 0) = 9'.format, FDS),
    st.builds("socketpair(AF_UNIX, SOCK_STREAM, 0, [{}, {}]) = 0".format, FDS, FDS),
    st.just('execve("/bin/x", ["x"], 0x7f /* 1 var */) = 0'),
    st.just("poll([{fd=3}], 1, 5) = 0 (Timeout)"),
)
BIRTHS = st.sampled_from([
    "fork() = {}",
    "vfork() = {}",
    "clone(child_stack=NULL, flags=SIGCHLD) = {}",
    "clone3({{flags=CLONE_VM|CLONE_FILES|CLONE_THREAD, exit_signal=0}}, 88) = {}",
])  # fmt: skip
TIDS = st.integers(10, 16)
EVENTS = st.one_of(
    st.tuples(TIDS, CALLS),
    st.tuples(TIDS, st.builds(str.format, BIRTHS, TIDS)),
    st.tuples(TIDS, st.sampled_from(["+++ exited with 0 +++", "+++ superseded by execve in pid 12 +++"])),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(EVENTS, max_size=60), st.booleans())
def test_any_tree_of_processes(events: list[tuple[int, str]], stamped: bool) -> None:
    lines = [
        f"{tid} {f'{1700000000 + number / 8:.6f} ' if stamped else ''}{text}"
        for number, (tid, text) in enumerate(events)
    ]
    story = read("\n".join(lines) + "\n")
    found = check(story)
    assert found["unreadable_lines"] == 0
    calls = sum(not text.startswith("+++") for _, text in events)
    assert sum(sum(each.values()) for each in found["calls_by_thread"].values()) == calls
    render(story)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=40), st.randoms(use_true_random=False))
def test_lines_torn_into_halves_are_the_same_calls(events: list[tuple[int, str]], random: Any) -> None:
    """Each call begins on one line and ends on a later one of its thread, with other threads in between."""
    waiting: dict[int, list[str]] = {}
    for tid, text in events:
        if not text.startswith("+++"):
            waiting.setdefault(tid, []).append(text)
    lines: list[str] = []
    under_way: dict[int, str] = {}
    while any(waiting.values()) or under_way:
        tid = random.choice([tid for tid in waiting if waiting[tid] or tid in under_way])
        if tid in under_way:
            name, _, rest = under_way.pop(tid).partition("(")
            lines.append(
                f"{tid} <... {name} resumed>{rest[len(rest) // 2 :] if ')' in rest[len(rest) // 2 :] else rest}"
            )
            continue
        text = waiting[tid].pop(0)
        if random.random() < 0.5 and ")" in text[len(text) // 2 :]:
            name, _, rest = text.partition("(")
            half = len(rest) // 2
            if ")" in rest[half:]:
                lines.append(f"{tid} {name}({rest[:half]} <unfinished ...>")
                under_way[tid] = text
                continue
        lines.append(f"{tid} {text}")
    log = Strace(lines)
    assert sum(1 for _ in log) == sum(not text.startswith("+++") for _, text in events)
    check(read("\n".join(lines) + "\n"))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SERVERS), st.data())
def test_any_lines_of_a_server_s_log_left_out_torn_or_repeated(name: str, data: st.DataObject) -> None:
    lines = server_log(name).decode("latin-1").splitlines()[:900]
    for _ in range(data.draw(st.integers(0, 12))):
        at = data.draw(st.integers(0, len(lines) - 1))
        how = data.draw(st.sampled_from(["drop", "cut", "twice", "join", "swap"]))
        if how == "drop":
            del lines[at]
        elif how == "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
        elif how == "twice":
            lines.insert(at, lines[at])
        elif how == "join" and at + 1 < len(lines):
            lines[at : at + 2] = [lines[at] + lines[at + 1]]
        elif at + 1 < len(lines):
            lines[at], lines[at + 1] = lines[at + 1], lines[at]
    check(tell(Lines(io.BytesIO("\n".join(lines).encode("latin-1"))), "x", 8000))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("pcfxm"), st.integers(0, 9), st.booleans()), max_size=80), st.data())
def test_tables_are_what_dictionaries_would_be(steps: list[tuple[str, int, bool]], data: st.DataObject) -> None:
    """Put, close, fork, execute, mark: beside each table, a dictionary that copies everything."""
    pairs: list[tuple[Table[str], dict[int, tuple[str, bool]]]] = [(Table(), {})]
    for number, (step, fd, cloexec) in enumerate(steps):
        table, model = data.draw(st.sampled_from(pairs))
        if step == "p":
            table.put(fd, f"{number}", cloexec=cloexec)
            model[fd] = f"{number}", cloexec
        elif step == "c":
            table.put(fd, None)
            model.pop(fd, None)
        elif step == "f":
            pairs.append((table.copy(), dict(model)))
        elif step == "x":
            table.execute()
            for each in [each for each, (_, closes) in model.items() if closes]:
                del model[each]
        elif fd in model:
            table.mark(fd, cloexec=cloexec)
            model[fd] = model[fd][0], cloexec
        for table, model in pairs:
            assert [table.get(fd) for fd in range(10)] == [model[fd][0] if fd in model else None for fd in range(10)]


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_s_log_cut_anywhere(name: str) -> None:
    log = server_log(name)
    for part in range(1, 12):
        check(tell(Lines(io.BytesIO(log[: len(log) * part // 12])), "x", 8000))

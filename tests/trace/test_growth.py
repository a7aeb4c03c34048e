"""The time and memory that a log takes grow with its size, whatever is in it."""

import gc
import io
import time
from collections.abc import Callable, Iterator

import pytest

from iolab.report.trace_html import render
from iolab.trace.lines import Lines
from iolab.trace.story import tell
from iolab.trace.truth import as_json
from tests.trace.logs import CLICK, SERVER

LISTENS = '1 bind({n}, {{sa_family=AF_INET, sin_port=htons(8079), sin_addr=inet_addr("{n}")}}, 16) = 0\n1 listen({n}, 128) = 0\n'
WORKER = (
    "10 clone(child_stack=NULL, flags=SIGCHLD) = {n}\n{n} epoll_create1(0) = 9\n"
    "{n} epoll_ctl(9, EPOLL_CTL_ADD, 7, {{events=EPOLLIN, data=0x7}}) = 0\n"
    "{n} epoll_wait(9, [{{events=EPOLLIN, data=0x7}}], 9, -1) = 1\n{n} accept4(7, NULL, NULL, 0) = 12\n"
)
SHAPES: dict[str, tuple[Callable[[int], str], int]] = {
    "quotes without an end": (lambda n: '1 openat(AT_FDCWD, "balloons' + '\\"' * min(n, 30_000) + " = 3\n", 8_000),
    "quotes without an end, many lines": (lambda n: ('1 openat(AT_FDCWD, "balloons' + '\\"' * 40 + " = 3\n") * n, 2_000),
    "listeners": (lambda n: "".join(LISTENS.format(n=number) for number in range(n)), 2_000),
    "binds without listen": (lambda n: "".join(LISTENS.format(n=number).split("\n")[0] + "\n" for number in range(n)), 4_000),
    "threads": (lambda n: "".join(f"{number + 1} futex(0x1, FUTEX_WAIT, 0, NULL) = 0\n" for number in range(n)), 4_000),
    "clones": (lambda n: SERVER + "".join(f"1 clone(child_stack=NULL) = {number + 9}\n" for number in range(n)), 4_000),
    "clicks": (lambda n: SERVER + CLICK * n, 250),
    "opens of the script": (lambda n: SERVER + '1 openat(AT_FDCWD, "/app/balloons.py", O_RDONLY) = 9\n' * n, 1_000),
    "calls that do not end": (lambda n: "".join(f"{number + 1} read(3, <unfinished ...>\n" for number in range(n)), 4_000),
    "resumed without a begin": (lambda n: "1 <... read resumed>) = 5\n" * n, 8_000),
    "descriptors": (
        lambda n: SERVER + "".join(f"1 epoll_ctl(3, EPOLL_CTL_ADD, {number}, {{}}) = 0\n" for number in range(n)), 4_000
    ),
    "processes": (lambda n: SERVER + "".join(WORKER.format(n=number + 100) for number in range(n)), 625),
    "workers of a parent that only binds": (
        lambda n: LISTENS.format(n=7) + "".join(WORKER.replace("10 ", "1 ", 1).format(n=number + 100) for number in range(n)), 625
    ),
    "processes, each of the one before": (
        lambda n: SERVER + "".join(f"{number or 10} fork() = {number + 1}\n{number + 1} close(9) = 0\n" for number in [0, *range(100, 100 + n)]), 2_500
    ),
    "a process for each connection that stays": (
        lambda n: SERVER + "".join(
            f"10 accept4(7, NULL, NULL, 0) = {number + 20}\n10 fork() = {number + 100}\n{number + 100} close(7) = 0\n" for number in range(n)
        ), 1_250
    ),
    "listeners that many processes inherit": (
        lambda n: "".join(LISTENS.format(n=number) for number in range(n))
        + "".join(f"1 fork() = {number + 100}\n{number + 100} accept4(5, NULL, NULL, 0) = {n + 5}\n" for number in range(n)), 1_000
    ),
    "births that do not return": (
        lambda n: "".join(f"{number + 1} fork( <unfinished ...>\n{number + n + 1} close(3) = 0\n" for number in range(n)), 5_000
    ),
    "nonsense": (lambda n: "[pid [pid (((= = = --- +++ <... \\\"\n" * n, 8_000),
    "equals signs": (lambda n: "1 read(3" + " = " * min(n, 20_000) + "\n", 8_000),
}  # fmt: skip


def seconds(*texts: str) -> list[float]:
    """Return the least CPU time of three readings of each text; they take turns, so that a disturbance hits all."""
    found: list[list[float]] = [[] for _ in texts]
    gc.collect()
    gc.freeze()  # the thousands of tests of this process: a collection for a longer log must not scan them
    try:
        for _ in range(3):
            for text, readings in zip(texts, found, strict=True):
                gc.collect()
                began = time.process_time()
                render(tell(Lines(io.BytesIO(text.encode())), "a.log"))
                readings.append(time.process_time() - began)
    finally:
        gc.unfreeze()
    return [min(readings) for readings in found]


@pytest.mark.load
@pytest.mark.bounds
@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_log_takes_less_than_three_times_the_time(shape: str) -> None:
    text, number = SHAPES[shape]
    once_s, twice_s = seconds(text(number), text(2 * number))
    assert twice_s < 3 * once_s + 0.02


def stamped(clicks: int) -> Iterator[str]:
    yield SERVER
    for _ in range(clicks):
        yield CLICK


@pytest.mark.load
def test_the_page_of_thousands_of_clicks_has_a_bound_and_counts_them() -> None:
    story = tell(Lines(io.BytesIO("".join(stamped(4_000)).encode())), "a.log")
    assert len(story.clicks) == 4_000
    page = render(story)
    assert len(page) < 2_000_000
    assert page.count('class="click ') == 40
    assert "3960 further clicks are not shown here" in page


@pytest.mark.parametrize("duration", ["9" * 400 + ".5", "1e999", "inf", "nan", "9" * 400])
def test_a_duration_that_is_none_is_left_out(duration: str) -> None:
    text = SERVER + f"1 1700000009.000000 epoll_wait(3, [], 64, 100) = 0 <{duration}>\n"
    page = render(tell(Lines(io.BytesIO(text.encode())), "a.log"))
    assert "Infinity" not in page
    assert "NaN" not in page


@pytest.mark.load
def test_ten_thousand_listeners_of_one_thread_are_all_told() -> None:
    text = "".join(LISTENS.format(n=number) for number in range(10_000))
    story = tell(Lines(io.BytesIO(text.encode())), "a.log")
    (run,) = story.watch.runs
    assert [listener.fd for listener in run.listeners] == list(range(10_000))
    assert len(render(story)) < 200_000


@pytest.mark.load
def test_five_thousand_processes_are_told_apart() -> None:
    text = SERVER + "".join(WORKER.format(n=number + 100) for number in range(5_000))
    story = tell(Lines(io.BytesIO(text.encode())), "a.log")
    found = as_json(story)
    assert len(found["processes"]) == 5_001
    assert sum(each["threads"][0]["accepted"] for each in found["processes"]) == len(found["accept_lines"]) == 5_001
    assert len(render(story)) < 500_000


@pytest.mark.load
def test_what_ended_is_not_kept_beyond_a_bound() -> None:
    """A process for each of 30,000 connections: the first ten thousand are kept, all are counted."""
    one = (
        "10 accept4(7, NULL, NULL, 0) = 9\n10 fork() = {n}\n10 close(9) = 0\n"
        '{n} read(9, "GET / HTTP/1.1", 99) = 14\n{n} write(9, "HTTP/1.1 200 OK", 15) = 15\n{n} +++ exited with 0 +++\n'
    )
    log = SERVER + "".join(one.format(n=number + 100) for number in range(30_000))
    story = tell(Lines(io.BytesIO(log.encode())), "a.log", draw=False)
    watch, run = story.watch, story.watch.runs[0]
    assert (run.accepted, run.requests.count, run.requests.answered) == (30_001, 30_000, 30_000)
    assert len(run.connections) <= 10_000
    assert len(watch.processes.all) <= 10_000
    assert len(watch.processes.tasks) == 1
    assert len(run.tasks) <= 10_001
    assert len(watch.processes.all) + watch.processes.left_out == 30_001

"""The recorded logs of other servers and their truth: the reader must agree with what was written by reading the log."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from iolab.trace.facts import identity
from iolab.trace.story import Story
from iolab.trace.truth import as_json
from tests.trace.logs import FOLDER, server_log, story_of

TRUTHS = sorted((FOLDER / "servers").glob("*.json"))
by_server = pytest.mark.parametrize("name", [path.stem for path in TRUTHS])
FIRST_VALUES = (
    *("listeners", "listen_fd", "epoll_fd", "bind_line", "listen_line", "epoll_add_line", "main_tid"),
    *("accept_call", "accept_lines", "bytes", "lines", "last_line_cut", "unfinished_lines", "port"),
)


@cache
def told(name: str) -> tuple[Story, dict[str, Any], dict[str, Any]]:
    """Return the story of a log, the same as JSON, and its truth."""
    truth: dict[str, Any] = json.loads(Path(FOLDER / "servers" / f"{name}.json").read_text())
    story = story_of(server_log(name), truth["port"])
    return story, as_json(story), truth


def threads(found: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {each["tid"]: each for process in found["processes"] for each in process["threads"]}


@by_server
def test_listeners_and_accepts_are_those_of_the_log(name: str) -> None:
    _, found, truth = told(name)
    assert {key: found[key] for key in FIRST_VALUES} == {key: truth[key] for key in FIRST_VALUES}
    assert found["unreadable_lines"] == 0


@by_server
def test_each_process_and_thread_was_born_where_the_log_says(name: str) -> None:
    _, found, truth = told(name)
    born = {each["tid"]: each["born_line"] for each in threads(found).values()}
    assert born == {each["tid"]: each["born_line"] for each in truth["processes"]}
    processes = {each["pid"]: each["parent"] for each in found["processes"]}
    assert processes == {each["tid"]: each["parent"] for each in truth["processes"] if each["kind"] == "process"}


@by_server
def test_each_connection_is_its_thread_s(name: str) -> None:
    _, found, truth = told(name)
    accepted = [
        (each["accept_line"], each["tid"], each["fd"], int(each["peer"].rpartition(":")[2]))
        for each in found["connections"]
    ]
    assert accepted == [(each["line"], each["tid"], each["fd"], each["peer_port"]) for each in truth["accepts"]]
    for tid, thread in threads(found).items():
        assert thread["accepted"] == sum(each["tid"] == tid for each in truth["accepts"])


@by_server
def test_each_request_and_its_answer(name: str) -> None:
    _, found, truth = told(name)
    requests = [
        (each["fd"], each["read_line"], each["read_tid"], each["answer_line"], each["answer_tid"], each["status"])
        for each in found["requests"]["first"]
    ]
    assert requests == [
        (each["fd"], each["read_line"], each["tid"], each["answer_line"], each["answer_tid"], "200")
        for each in truth["requests"]
    ]
    assert found["requests"]["answered"] == found["requests"]["count"] == len(truth["requests"])


@by_server
def test_each_thread_waits_as_often_and_as_long_as_the_log_says(name: str) -> None:
    _, found, truth = told(name)
    waiting = {tid: each["waiting"] for tid, each in threads(found).items() if each["waiting"]}
    for tid, calls in truth["waits_by_thread"].items():
        if int(tid) not in waiting:  # it waited only before the server listened
            assert int(tid) not in truth["accepting"]
            continue
        has = waiting[int(tid)]
        begun = sum(each["calls"] for each in calls.values())
        early = begun - (has["calls"] + has["unended"])  # before its process had the listening socket: only checks
        assert 0 <= early <= sum(each.get("zero", 0) + each.get("without_result", 0) for each in calls.values())
        assert has["polls"] <= sum(each.get("zero", 0) for each in calls.values())
        in_accept_us = truth.get("in_accept_us", {}).get(tid, 0)
        assert (has["in_accept_s"] or 0) == pytest.approx(in_accept_us / 1e6, abs=1e-6)
        slept_us = sum(each.get("slept_us", 0) for each in calls.values()) + in_accept_us
        unended_s = has["slept_s"] - slept_us / 1e6
        assert unended_s == pytest.approx(0, abs=1e-4) or (has["unended"] and unended_s > 0)
        assert 0 <= has["share_asleep"] <= 1


@by_server
def test_the_loop_has_the_name_that_the_log_proves_and_no_other(name: str) -> None:
    story, found, truth = told(name)
    loop, it = truth["which_loop"], identity(story.watch)
    assert (it.server, it.loop) == (loop["server"], loop["loop"])
    assert bool(it.evidence) == bool(loop["server"] or loop["loop"])
    kinds = {
        "epoll_wait": "epoll",
        "pselect6": "select",
        "poll": "poll",
        "io_uring_enter": "io_uring",
        "accept4": "accept",
    }
    assert found["loop_kind"] in {kinds[call] for call in loop["waits_in"]}


@by_server
def test_without_streamlit_nothing_is_said_of_it(name: str) -> None:
    story, _, _ = told(name)
    text = (
        " ".join(f"{step.title} {step.sentence} {step.advice}" for step in story.steps)
        .lower()
        .replace("file descriptor", "fd")
    )
    for word in ("balloons", "click", "websocket", "browser", " script"):
        assert word not in text
    assert [step.number for step in story.steps] == [1, 2, 3, 4, 5, 6]


@by_server
def test_a_thread_serves_from_its_first_registration_and_sleeps_no_longer_than_that(name: str) -> None:
    """A worker of nginx takes the listening socket off its list after each accept, and puts it back: that is no start."""
    _, found, truth = told(name)
    first: dict[int, int] = {}
    for add in truth["epoll_adds"]:
        first.setdefault(add["tid"], add["line"])
    lines = server_log(name).decode("latin-1").splitlines()
    for tid, thread in threads(found).items():
        if tid in first and thread["waiting"]:
            began_s = float(lines[first[tid] - 1].split()[1])
            ended_s = max(float(line.split()[1]) for line in lines if int(line.split()[0]) == tid and "+++" not in line)
            assert thread["waiting"]["serving_s"] == pytest.approx(ended_s - began_s, abs=0.15)
        if thread["waiting"]:
            assert thread["waiting"]["slept_s"] <= thread["waiting"]["serving_s"] + 1e-3

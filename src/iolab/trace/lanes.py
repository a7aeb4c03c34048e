"""Which lanes the page of a story has, and what each thread and descriptor is called."""

from typing import Any

from iolab.trace.decode import ACCEPTS
from iolab.trace.facts import loop_of
from iolab.trace.records import Connection
from iolab.trace.steps_served import request_lines
from iolab.trace.story import Story
from iolab.trace.tasks import Task
from iolab.trace.timeline import Lane

SHOWN_LANES = 24  # of each kind: 16 connections and what else a server holds; more unfold
MOST_LANES = 320  # of each kind in the page
NO_PROCESS = 0  # of a thread whose process the log does not show: it only ended, as far as the log goes


def main_name(story: Story) -> str:
    """Name the thread that listens after what it does."""
    loops = any(listener.add or listener.woke for run in story.watch.runs for listener in run.listeners)
    return "the event loop" if loops or loop_of(story.watch) else "the listening thread"


def roles(story: Story) -> dict[int, str]:
    """Say what each thread does, as far as the log shows it; "" where it does not."""
    first, main = mains(story), main_name(story)
    scripts = {click.opened.tid for click in story.clicks}
    tasks = [task for process in story.watch.processes.all for task in process.threads.values()]
    return {task.tid: _role(task, main if task.tid in first else "", scripts) for task in tasks}


def _role(task: Task, main: str, scripts: set[int]) -> str:
    run = task.process.run
    in_accept = task.waits_in in ACCEPTS
    if main and not (in_accept and task.accepts) and (task.registered or (run and task is run.binder)):
        return main
    if task.registered and not in_accept and (task.accepts or task.sleep.waits):
        return "an event loop"
    if task.accepts:
        return "accepts"
    if task.requests:
        return "serves"
    if task.registered:
        by_itself = task.registered.name == "epoll_ctl"
        return "registers the listening socket" if by_itself else "is woken by the listening socket"
    return "script thread" if task.tid in scripts else ""


def mains(story: Story) -> set[int]:
    """Return the threads that the story is about: of each run, the one that serves."""
    return {run.main.tid for run in story.watch.runs if run.main}


def fd_names(story: Story) -> dict[tuple[int, int], str]:
    """Say what each descriptor of the story is, by its process and its number."""
    names: dict[tuple[int, int], str] = {}
    asyncio = loop_of(story.watch) == "asyncio"
    clicked = {(opened.wake.tid, opened.wake.fd) for run in story.watch.runs for opened in run.opens if opened.wake}
    for run in story.watch.runs:
        for connection in run.connections:
            pid = process_of(story, connection.tid)
            names[pid, connection.fd] = _connection_name(connection, clicked)
        holders = {run.process.pid, *(task.process.pid for task in run.tasks.values())}
        fds = {listener.fd for listener in run.listeners}
        for kind, fd, pid in story.timeline.seen:
            if kind == "fd" and fd in fds and pid in holders:
                names.setdefault((pid, fd), "the listening socket")
        for listener in run.listeners:
            if listener.epoll_fd is not None and listener.add:
                pid = process_of(story, listener.add.tid)
                names[pid, listener.epoll_fd] = "epoll"
                if asyncio:
                    names |= {(pid, fd): "the loop's self-pipe" for fd in listener.early if (pid, fd) not in names}
        for opened in run.opens:
            if opened.wake:
                names[process_of(story, opened.wake.tid), opened.wake.fd] = "the websocket"
    return names


def _connection_name(connection: Connection, clicked: set[tuple[int, int]]) -> str:
    if not connection.websocket:
        return "a connection"
    return "the websocket" if not clicked or (connection.tid, connection.fd) in clicked else "another websocket"


def process_of(story: Story, tid: int) -> int:
    """Return the process of a thread that is or was in the log."""
    task = story.watch.processes.tasks.get(tid)
    if task is None:
        for run in story.watch.runs:
            if tid in run.tasks:
                return run.tasks[tid].process.pid
    return task.process.pid if task else tid


def _working(story: Story) -> set[int]:
    """Return the threads of the first request, which the page shows when it opens."""
    run = story.watch.run
    requests = run.requests.first[:1] if run else []
    lines = [cited for request in requests for cited, _ in request_lines(request, {})]
    return {cited.tid for cited in lines}


def lanes_of(story: Story, names: dict[tuple[int, int], str]) -> list[dict[str, Any]]:
    """Return the lanes: the story's own threads first, by process, then the descriptors; quiet ones are folded."""
    seen = story.timeline.seen
    tasks = {task.tid: task for process in story.watch.processes.all for task in process.threads.values()}
    first = mains(story)
    working = _working(story)
    said = roles(story)
    of_story = {tasks[tid].process.pid for tid in said if said[tid] and ("thread", tid, 0) in seen}
    busy = {tasks[tid].process.pid for tid in working if tid in tasks}
    chosen: list[dict[str, Any]] = []
    for kind in ("thread", "fd"):
        lanes = [lane for lane in seen if lane[0] == kind and lane[1] >= 0]

        def weight(lane: Lane, kind: str = kind) -> tuple[bool, bool, bool, int]:
            if kind == "thread":
                return lane[1] in first, lane[1] in working, bool(said.get(lane[1])), seen[lane]
            return (lane[2], lane[1]) in names, lane[2] in busy, lane[2] in of_story, seen[lane]

        ranked = sorted(lanes, key=weight, reverse=True)[:MOST_LANES]
        shown = set(ranked[:SHOWN_LANES])
        kept = set(ranked)
        for lane in lanes:
            if lane in kept:
                pid = lane[2]
                if kind == "thread":
                    pid = tasks[lane[1]].process.pid if lane[1] in tasks else NO_PROCESS
                name = said.get(lane[1], "") if kind == "thread" else names.get((lane[2], lane[1]), "")
                folded = lane not in shown or (kind == "fd" and lane in story.timeline.idle)
                chosen.append({"lane": lane, "pid": pid, "name": name, "calls": seen[lane], "folded": folded})
    # The event loop above the other threads; then by process, in the order of their first call.
    order = {pid: number for number, pid in enumerate(dict.fromkeys(each["pid"] for each in chosen))}
    return sorted(
        chosen,
        key=lambda each: (
            each["lane"][0] != "thread",
            each["lane"][0] == "thread" and each["lane"][1] not in first,
            order[each["pid"]],
        ),
    )

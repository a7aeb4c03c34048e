"""The later steps of a story: a connection, a click or a request, totals."""

from collections.abc import Mapping

from iolab.trace.decode import ACCEPTS
from iolab.trace.facts import loop_of, rate, script_opens, task_serving_s
from iolab.trace.records import Cited, Request, Requests, Run
from iolab.trace.telling import (
    Click,
    Status,
    Step,
    a_second,
    acceptors,
    count,
    newest,
    range_ms,
    subject,
    times,
    total_calls,
)
from iolab.trace.watch import Watch
from iolab.trace.why import click_missing, request_missing, unseen


def connected(watch: Watch, title: str) -> Step:
    """Tell of the first connection; of the websocket, if there is one."""
    connections = [connection for run in watch.runs for connection in run.connections]
    if not connections:
        return _no_connection(watch, title)
    sockets = [connection for connection in connections if connection.websocket]
    clicked_on = {opened.wake.fd for opened in script_opens(watch) if opened.wake}
    shown = next((each for each in sockets if each.fd in clicked_on), (sockets or connections)[0])
    lines: list[tuple[Cited, str]] = []
    if shown.accept:
        lines.append(
            (shown.accept, f"{shown.accept.name} takes a connection from the accept queue: it is fd {shown.fd}.")
        )
    if shown.add:
        same = shown.accept is None or shown.accept.tid == shown.add.tid
        actor = "the same thread serves it" if same else f"thread {shown.add.tid} serves it"
        lines.append((shown.add, f"epoll watches fd {shown.fd} too: {actor}."))
    if shown.upgrade:
        lines.append((shown.upgrade, "The browser asks to turn this connection into a websocket."))
    if shown.switched:
        lines.append((shown.switched, "101: both sides now send frames, and clicks use this connection."))
    lines.sort(key=lambda each: each[0].line)
    on_list = any(listener.add or listener.woke for run in watch.runs for listener in run.listeners)
    followed = shown.add or shown.reads or loop_of(watch) == "uvloop" or not on_list
    status: Status = "proved" if shown.accept and followed else "inferred"
    accepted = sum(run.accepted for run in watch.runs)
    sentence = f"The server accepted {count(accepted, 'connection')}; fd {shown.fd} "
    if sockets:
        sentence += (
            "became the websocket that carries the clicks."
            if title.startswith("A browser")
            else ("became a websocket.")
        )
    elif title.startswith("A browser"):
        sentence += "is the first of them; the log shows no upgrade to a websocket."
    else:
        sentence += "is the first of them."
    if not shown.accept:
        sentence += " This log has no accept: the registrations show the connections."
    return Step(4, title, status, sentence, tuple(lines))


def _no_connection(watch: Watch, title: str) -> Step:
    clicks = bool(script_opens(watch))
    if not clicks and (why := unseen(watch)):
        return Step(4, title, "missing", why)
    if not watch.runs and (watch.listening.binds or not clicks):
        why = f"Nothing listens on port {watch.port} in this log"
        client = title.removesuffix(" connects").lower()
        result = "the click used another port" if clicks else f"{client} cannot connect"
        return Step(4, title, "missing", f"{why}: {result}.")
    if clicks:
        why = "There was a click, so a browser was connected; but the log shows neither accept4 nor epoll_ctl for it."
        return Step(4, title, "missing", why, advice="Trace with accept4, epoll_ctl and recvfrom in the filter.")
    if watch.uring and not any(calls["accept"] + calls["accept4"] for calls in watch.calls.values()):
        why = "The log shows no accept, but an io_uring: a server may pass its accepts to it, and strace sees no call."
        return Step(4, title, "missing", why)
    why, advice = "The log shows no connection yet.", f"If the app runs, open http://localhost:{watch.port}."
    return Step(4, title, "missing", why, advice=advice)


def clicked(watch: Watch, clicks: tuple[Click, ...], script: str) -> Step:
    """Tell how often the script was opened, or why that is not known."""
    title = "The click"
    if clicks:
        status: Status = "proved" if all(click.status == "proved" for click in clicks) else "inferred"
        took = [click.open_ms for click in clicks if click.open_ms is not None]
        sentence = f"A script thread opened {script} {times(len(clicks))}"
        if took:
            sentence += f", {range_ms(took)} after the wake-up"
        return Step(5, title, status, sentence + ".")
    reason = click_missing(watch)
    lines = tuple((cited, reason.of_line) for cited in reason.lines)
    return Step(5, title, "missing", reason.sentence, lines, reason.advice)


def requested(watch: Watch, names: Mapping[int, int]) -> Step:
    """Tell of a request and its answer: wake-up, read, the thread or process that works, answer."""
    title = "A request is answered"
    run = watch.run
    kept = run.requests.first if run else []
    shown = next((each for each in kept if each.answer), kept[0] if kept else None)
    if run is None or shown is None:
        reason = request_missing(watch)
        return Step(5, title, "missing", reason.sentence, advice=reason.advice)
    requests = run.requests
    sentence = f"The log shows {count(requests.count, 'request')}, {requests.answered} of them answered."
    if requests.timed:
        starts = " or ".join(each for each in ("wake-up", "accept", "read") if each in requests.since)
        sentence += f" From the {starts} to the answer: {range_ms([requests.least_ms, requests.most_ms])}"
        if requests.timed > 2:
            sentence += f", {requests.sum_ms / requests.timed:.1f} ms on average"
        sentence += "."
    tids = {each.tid for each in kept} | {each.answer.tid for each in kept if each.answer}
    if len(tids) == 1 and requests.count <= len(kept):
        tid = next(iter(tids))
        task = run.tasks.get(tid)
        sentence += f" {subject(run, task, names)} {_read_and_answered(requests)}."
    status: Status = "proved" if shown.answer and (shown.wake or shown.accept) else "inferred"
    return Step(5, title, status, sentence, request_lines(shown, names))


def _read_and_answered(requests: Requests) -> str:
    """Say what the only thread that read requests did with them."""
    them = "it" if requests.count == 1 else "them all"
    if requests.answered == requests.count:
        return f"read and answered {them}"
    return f"read {them}" + (", and sent each answer" if requests.answered else "")


def request_lines(request: Request, names: Mapping[int, int]) -> tuple[tuple[Cited, str], ...]:
    """Return the lines of a request, each with what it means."""
    fd = request.connection.fd
    lines: list[tuple[Cited, str]] = []
    if wake := request.wake:
        ready = "ready to read" if wake.fd == fd else "ready: a connection is waiting"
        end = f" at line {wake.line}" if wake.line != wake.start_line else ""
        cited = Cited(wake.start_line, wake.text, wake.end_s, wake.tid, wake.name)
        lines.append((cited, f"The wait ends{end}: fd {wake.fd} is {ready}."))
    if request.accept:
        lines.append((request.accept, f"{request.accept.name} takes the connection: it is fd {fd}."))
    if request.worker:
        lines.append((request.worker, "The thread or process that works on the request begins."))
    what = f": {request.text}" if request.text else ""
    lines.append((request.read, f"Thread {names.get(request.tid, request.tid)} reads the request{what}."))
    if request.answer:
        took = f", {request.took_ms:.1f} ms after the {request.since}" if request.took_ms is not None else ""
        status = f" with status {request.status}" if request.status else ""
        by = names.get(request.answer.tid, request.answer.tid)
        lines.append((request.answer, f"Thread {by} sends the answer{status}{took}."))
    return tuple(sorted(lines, key=lambda each: each[0].line))


def totals(watch: Watch, names: Mapping[int, int]) -> Step:
    """Tell how many calls there were, and how many connections were served."""
    counts = total_calls(watch)
    total = sum(counts.values())
    if not total:
        return Step(6, "Totals", "missing", "The log has no system call.")
    common = ", ".join(f"{name} {number}" for name, number in counts.most_common(6))
    processes = len(watch.processes.all) + watch.processes.left_out
    of = f" of {count(processes, 'process')}" if processes > 1 else ""
    sentence = f"{total} system calls by {count(len(watch.calls), 'thread')}{of}: {common}."
    if watch.run:
        sentence += _served(watch, watch.run, names)
    return Step(6, "Totals", "proved", sentence)


def _served(watch: Watch, run: Run, names: Mapping[int, int]) -> str:
    task = run.main
    accepting = acceptors(run)
    ended = task.sleep.wakes + task.sleep.timeouts if task and task.waits_in not in ACCEPTS else 0
    woke = rate(ended, task_serving_s(run, task)) if task and ended else None
    actor = newest(watch, subject(run, task, names))
    if len(accepting) > 1:
        pids = {each.process.pid for each in accepting}
        by = count(len(accepting), "thread") + (f" of {len(pids)} processes" if len(pids) > 1 else "")
        text = f" {newest(watch, by)} accepted {count(run.accepted, 'connection')}."
        return text + (f" {subject(run, task, names)} woke {a_second(woke)}." if woke is not None else "")
    alone = not accepting or accepting == [task]
    connections = count(run.accepted, "connection")
    served = f"served {connections}" if run.accepted and alone else ""
    tail = "" if alone else f" {subject(run, accepting[0], names)} accepted {connections}."
    if woke is not None:
        return f" {actor} woke {a_second(woke)}{' and ' + served if served else ''}.{tail}"
    if served:
        one = newest(watch, "One thread") if task is run.binder else actor
        return f" {one} {served}."
    return tail

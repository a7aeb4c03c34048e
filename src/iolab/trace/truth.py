"""The story as one JSON object; its first keys are those of the truth files in tests/data/strace."""

from typing import Any

from iolab.trace.facts import all_opens, duration_s, identity, share_asleep, task_serving_s, waits
from iolab.trace.records import Cited, Connection, Listener, Open, Request, Run
from iolab.trace.story import Story
from iolab.trace.tasks import Process, Task
from iolab.trace.telling import Click, Step


def as_json(story: Story) -> dict[str, Any]:
    """Return the story as plain values. Lines count from 1; a thread without a pid column is 0."""
    watch, it = story.watch, identity(story.watch)
    return {
        **_read(story),
        "streamlit": watch.made.streamlit,
        "python_version": watch.made.python,
        "server": it.server,
        "loop": it.loop,
        "loop_kind": it.kind,
        "loop_evidence": list(it.evidence),
        **_listening(story),
        "accept_lines": [line for run in watch.runs for line in sorted(run.accept_lines)],
        "accept_call": watch.accept_call,
        "waits": waits(watch),
        "opens": [_open(opened, story) for opened in all_opens(watch)],
        "pyc_opens": [
            {"line": cited.line, "tid": story.thread(cited.tid), "ret": ret or None}
            for cited, ret in watch.clicks.pyc_opens
        ],
        "clicks_visible": len(story.clicks),
        "proved": story.proved,
        "duration_s": duration_s(watch),
        "waiting": _waiting(story),
        "connections": [_connection(each, story) for run in watch.runs for each in sorted(run.connections, key=_begun)],
        "connections_accepted": sum(run.accepted for run in watch.runs),
        "requests": _requests(story),
        "processes": [_process(process, story) for process in watch.processes.all],
        "clicks": [_click(click) for click in story.clicks],
        "calls_by_thread": {
            str(story.thread(tid) if tid >= 0 else "others"): dict(counts.most_common())
            for tid, counts in watch.calls.items()
        },
        "steps": [_step(step) for step in story.steps],
    }


def _read(story: Story) -> dict[str, Any]:
    """Return what was read, and how well that went."""
    return {
        "log": story.source,
        "port": story.port,
        "error": None if any(run.listeners for run in story.watch.runs) else "no bind to the port",
        "lines": story.lines,
        "bytes": story.bytes,
        "last_line_cut": story.cut,
        "unfinished_lines": story.unfinished,
        "unreadable_lines": story.unreadable,
    }


def _listening(story: Story) -> dict[str, Any]:
    """Return the listeners, and the first one's own values once more."""
    listeners = [_listener(each, story) for run in story.watch.runs for each in run.listeners]
    first = listeners[0] if listeners else {}
    return {
        "main_tid": first.get("tid"),
        "listeners": listeners,
        "listen_fd": first.get("fd"),
        "epoll_fd": first.get("epoll_fd"),
        "bind_line": first.get("bind_line"),
        "listen_line": first["listen_lines"][0] if first else None,
        "epoll_add_line": first.get("epoll_add_line"),
    }


def _listener(listener: Listener, story: Story) -> dict[str, Any]:
    return {
        "tid": story.thread(listener.tid),
        "fd": listener.fd,
        "addr": listener.addr,
        "bind_line": listener.bind.line,
        "listen_lines": [cited.line for cited in listener.listens],
        "epoll_add_line": _line(listener.add),
        "epoll_fd": listener.epoll_fd,
    }


def _open(opened: Open, story: Story) -> dict[str, Any]:
    found: dict[str, Any] = {
        "line": opened.cited.line,
        "end_line": opened.end_line,
        "tid": story.thread(opened.tid),
        "path": opened.path,
        "ret": opened.ret,
        "ts": opened.stamp,
        "by": opened.by,
    }
    if opened.clone:
        found["clone_line"] = opened.clone.line
    if wake := opened.wake:
        found |= {
            "wake_line": wake.line,
            "wake_start_line": wake.start_line,
            "wake_fd": wake.fd,
            "wake_ts": wake.stamp,
        }
        if wake.read and wake.frame == "binary":
            found["recv_line"] = wake.read.line
        if len(wake.rearm) == 2:
            found["rearm"] = [list(each) for each in wake.rearm]
    return found


def _begun(connection: Connection) -> int:
    return _line(connection.accept) or _line(connection.add) or 0


def _connection(connection: Connection, story: Story) -> dict[str, Any]:
    return {
        "tid": story.thread(connection.tid),
        "fd": connection.fd,
        "peer": connection.peer or None,
        "accept_line": _line(connection.accept),
        "epoll_add_line": _line(connection.add),
        "upgrade_line": _line(connection.upgrade),
        "switched_line": _line(connection.switched),
    }


def _click(click: Click) -> dict[str, Any]:
    return {
        "click": click.number,
        "status": click.status,
        "open_line": click.opened.cited.line,
        "answer_line": _line(click.opened.answer),
        "wake_to_recv_ms": click.read_ms,
        "wake_to_clone_ms": click.clone_ms,
        "wake_to_open_ms": click.open_ms,
        "wake_to_answer_ms": click.answer_ms,
    }


def _requests(story: Story) -> dict[str, Any] | None:
    run = story.watch.run
    if run is None:
        return None
    found = run.requests
    return {
        "count": found.count,
        "answered": found.answered,
        "least_ms": found.least_ms if found.timed else None,
        "mean_ms": found.sum_ms / found.timed if found.timed else None,
        "most_ms": found.most_ms if found.timed else None,
        "first": [_request(request, story) for request in found.first],
    }


def _request(request: Request, story: Story) -> dict[str, Any]:
    return {
        "request": request.number,
        "fd": request.connection.fd,
        "wake_line": request.wake.line if request.wake else None,
        "accept_line": _line(request.accept),
        "read_line": request.read.line,
        "read_tid": story.thread(request.tid),
        "worker_line": _line(request.worker),
        "answer_line": _line(request.answer),
        "answer_tid": story.thread(request.answer.tid) if request.answer else None,
        "status": request.status or None,
        "text": request.text or None,
        "wake_to_answer_ms": request.took_ms,
    }


def _process(process: Process, story: Story) -> dict[str, Any]:
    return {
        "pid": story.thread(process.pid),
        "parent": None if process.parent is None else story.thread(process.parent),
        "how": process.how,
        "born_line": _line(process.born),
        "command": process.command,
        "ended": process.ended,
        "threads": [_task(task, story) for task in process.threads.values()],
    }


def _task(task: Task, story: Story) -> dict[str, Any]:
    run = task.process.run
    return {
        "tid": story.thread(task.tid),
        "born_line": _line(task.born),
        "calls": sum(task.calls.values()),
        "accepted": task.accepts,
        "requests": task.requests,
        "epoll_add_line": _line(task.registered) if task.registered and task.registered.name == "epoll_ctl" else None,
        "waiting": _sleep(run, task) if run and task.sleep.seen else None,
    }


def _waiting(story: Story) -> dict[str, Any] | None:
    run = story.watch.run
    return _sleep(run, run.main) if run and run.main else None


def _sleep(run: Run, task: Task) -> dict[str, Any]:
    sleep = task.sleep
    return {
        "calls": sleep.calls,
        "by_event": sleep.wakes,
        "by_timeout": sleep.timeouts,
        "polls": sleep.polls,
        "unended": sleep.unended,
        "slept_s": sleep.slept_s if sleep.timed else None,
        "longest_s": sleep.longest_s if sleep.timed else None,
        "in_accept": sleep.accepts.total(),
        "in_accept_s": sleep.in_accept_s if sleep.accepts else None,
        "serving_s": task_serving_s(run, task),
        "share_asleep": share_asleep(run, task),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "step": step.number,
        "title": step.title,
        "status": step.status,
        "sentence": step.sentence,
        "advice": step.advice or None,
        "lines": [{"line": cited.line, "text": cited.text, "means": means} for cited, means in step.lines],
    }


def _line(cited: Cited | None) -> int | None:
    return cited.line if cited else None

"""How a thread waits: what wakes it, and how long it sleeps."""

import re

from iolab.trace.decode import EPOLL_WAITS, hides_fds, ready
from iolab.trace.events import Syscall
from iolab.trace.objects import Epoll, Socket
from iolab.trace.records import Cited, Connection, Run, Wake, cite
from iolab.trace.tasks import Task
from iolab.trace.waiting import IDLE, timeout_s, waits

# Calls that hold a thread, and wait for no descriptor.
HOLDS = ("futex", "clock_nanosleep", "nanosleep", "flock", "semop", "semtimedop", "wait4", "waitid")
_INTERRUPTED = ("EINTR", "ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND")
LEAST_IN_ACCEPT_S = 0.001  # of an accept that waited: strace itself can take most of a millisecond
LONGEST_RESULT = 20_000  # characters in which descriptors are looked for
_POLLED = re.compile(r"\bfd=(\d{1,9})")
_SELECTED = re.compile(r"(?:in|out|except) \[([\d ]{1,9000})\]")


def wait(task: Task, call: Syscall) -> None:
    """Take a waiting call of a process that serves, and what it returned."""
    run = task.process.run
    if run is None:
        return
    idle = IDLE.match(call.rest)
    if idle is None and not waits(call):
        return
    if call.tid not in run.tasks:
        run.join(task)
    if task.serves_from_s is None:
        task.serves_from_s = call.time_s
    if idle:
        task.wait_calls[call.name] += 1
        task.unnamed = None
        task.sleep.idle(float(idle[2]), int(idle[1]))
    elif call.end_line is None:
        _not_ended(task, call)
    else:
        task.wait_calls[call.name] += 1
        _ended(task, run, call)


def in_accept(task: Task, call: Syscall, socket: Socket) -> None:
    """Take an accept: on a socket that blocks it is a wait, unless another call has waited for the connection."""
    if call.error is not None and call.error not in _INTERRUPTED:
        socket.nonblocking = socket.nonblocking or call.error == "EAGAIN"
        return
    if socket.nonblocking or task.called or socket.listener is None:
        return
    took_s = _took_s(call)
    if call.result_at < 0 or call.returned is None:  # its thread was killed in it, or the log ends first
        task.in_accept = cite(call)
        socket.listener.run.join(task)
        if task.serves_from_s is None:
            task.serves_from_s = call.time_s
    if took_s is not None and took_s >= LEAST_IN_ACCEPT_S:
        task.sleep.accept(call.name, took_s)


def held(task: Task, call: Syscall) -> None:
    """Take a call that waits for no descriptor (for a lock, a time, another process) of a thread that serves."""
    if call.rest[-10:-4] == "<0.000" or task.process.run is None:  # most are over in less than a millisecond
        return
    if task.serves_from_s is None and task is not task.process.run.binder:
        return
    took_s = _took_s(call)
    if took_s is not None:
        task.sleep.held_us[call.name] += round(took_s * 1e6)


def _ended(task: Task, run: Run, call: Syscall) -> None:
    returned = call.returned
    if returned is None and call.error is None:  # `= ?`: its thread was killed in it
        task.sleep.unended += 1
        task.under_way, task.waited_until_s = cite(call), call.end_s
        if (took_s := _took_s(call)) is not None:
            task.sleep.add(took_s, None)
        return
    _slept(task, call, returned)
    task.unnamed = None
    if returned and returned > 0:
        if call.name in EPOLL_WAITS:
            _woken(task, run, call)
        else:
            _polled(task, run, call)


def _polled(task: Task, run: Run, call: Syscall) -> None:
    """Take what a poll or select returned with: strace writes it behind the result."""
    shown = call.rest[call.result_at :][:LONGEST_RESULT]
    for fd in [int(one) for one in _POLLED.findall(shown)] + [
        int(one) for found in _SELECTED.findall(shown) for one in found.split()
    ]:
        what = task.process.find(fd)
        if isinstance(what, Socket) and what.listener:
            task.called = _wake(task, fd, call)
            _first_connection(task, run, call)
        elif isinstance(what, Connection):
            task.wakes.append(_wake(task, fd, call))


def _woken(task: Task, run: Run, call: Syscall) -> None:
    epoll = task.process.find(call.fd)
    early = epoll.early if isinstance(epoll, Epoll) else frozenset()
    others = any(listener.add for listener in run.listeners[:1]) and not (isinstance(epoll, Epoll) and epoll.watches)
    for word, guess in ready(call):
        fd = epoll.descriptor(word, guess) if isinstance(epoll, Epoll) else guess
        if fd is None:
            continue
        what = task.process.find(fd)
        if isinstance(what, Socket) and what.listener:
            what.listener.woke = what.listener.woke or cite(call)
            task.registered = task.registered or cite(call)
            task.called = _wake(task, fd, call)
            _first_connection(task, run, call)
            continue
        if not isinstance(what, Connection) and (run.accept_lines or others or fd in early):
            continue
        task.wakes.append(_wake(task, fd, call))
    if hides_fds(call):
        task.unnamed = _wake(task, -1, call)


def end_wakes(task: Task, call: Syscall) -> None:
    """Without durations a wait has ended, at the latest, when its thread makes the next call."""
    for wake in task.unended:
        wake.end_s = call.time_s
    task.unended = []
    if task.untimed and call.time_s is not None:
        start_s, timeout = task.untimed
        task.sleep.add(call.time_s - start_s, timeout)
        task.sleep.at_most = True
    task.untimed = None


def end_of_log(task: Task, last_s: float | None) -> None:
    """Count a wait that the log does not end up to the last known moment."""
    accept, last = task.in_accept, task.last
    if accept and last and last.line == accept.line and _took_s(last) is None and not last.whole_seconds:
        _until(task, accept, last_s)
    waiting = task.under_way
    if waiting is None or task.sleep.unended:  # in which its thread ended: it is counted
        return
    task.sleep.unended += 1
    if waiting.time_s is not None and last_s is not None and last_s >= waiting.time_s:
        task.sleep.add(last_s - waiting.time_s, None)
        task.waited_until_s = last_s


def _until(task: Task, accept: Cited, last_s: float | None) -> None:
    """Count an accept that the log does not end up to the last known moment."""
    if accept.time_s is not None and last_s is not None and last_s >= accept.time_s:
        task.sleep.accept(accept.name, last_s - accept.time_s)
        task.waited_until_s = last_s


def _not_ended(task: Task, call: Syscall) -> None:
    task.wait_calls[call.name] += 1
    task.under_way = cite(call)
    if call.end_stamp_s is not None and call.time_s is not None:  # its thread was killed then
        task.sleep.unended += 1
        task.sleep.add(max(0.0, call.end_stamp_s - call.time_s), None)
        task.waited_until_s = call.end_stamp_s
        return
    if call.whole_seconds:
        task.under_way.time_s = None


def _wake(task: Task, fd: int, call: Syscall) -> Wake:
    end_line = call.end_line or call.line
    wake = Wake(fd, end_line, call.line, call.text, call.stamp, call.time_s, call.end_s, call.tid, call.name)
    if wake.end_s is None:
        task.unended.append(wake)
    return wake


def _first_connection(task: Task, run: Run, call: Syscall) -> None:
    """Note how often the thread woke before the first connection."""
    if run.idle is not None:
        return
    registered = run.listeners[0].add or run.listeners[0].bind
    end_s = call.end_s if call.end_s is not None else call.time_s
    if end_s is not None and registered.time_s is not None:
        run.idle = task.sleep.wakes + task.sleep.timeouts - 1, end_s - registered.time_s


def _slept(task: Task, call: Syscall, returned: int | None) -> None:
    sleep = task.sleep
    sleep.calls += 1
    timeout = timeout_s(call)
    if timeout == 0:
        sleep.polls += 1
    elif returned == 0 and call.name != "io_uring_enter":  # which returns how many entries it took
        sleep.timeouts += 1
    elif returned is not None and returned >= 0:
        sleep.wakes += 1
    elif call.error == "ETIME":
        sleep.timeouts += 1
    took_s = _took_s(call)
    if took_s is not None:
        sleep.add(took_s, timeout)
    elif call.time_s is not None and not call.whole_seconds:
        task.untimed = call.time_s, timeout


def _took_s(call: Syscall) -> float | None:
    """Return how long a call took, by its duration, else by its two stamps."""
    duration_s = call.duration_s
    if duration_s is None and not call.whole_seconds and (start_s := call.time_s) is not None:
        return None if call.end_stamp_s is None else max(0.0, call.end_stamp_s - start_s)
    return duration_s

"""How the thread that listens waits: what wakes it, and how long it sleeps."""

from iolab.trace.decode import EPOLL_WAITS, hides_fds, ready_fds, timeout_ms
from iolab.trace.events import Syscall
from iolab.trace.records import Run, Wake, cite


def wait(run: Run, call: Syscall) -> None:
    """Take a waiting call of the run's thread, and what it returned."""
    if call.end_line is None:
        return
    _slept(run, call)
    run.unnamed = None
    if run.idle is None and call.returned and call.returned > 0:
        _first_connection(run, call)
    if call.name not in EPOLL_WAITS or not call.returned or call.returned < 0 or not _same_epoll(run, call.fd):
        return
    for fd in ready_fds(call):
        if listener := run.listener_of(fd):
            listener.woke = listener.woke or cite(call)
            continue
        if fd in run.early and fd not in run.open_fds:
            continue
        if run.accept_lines and fd not in run.open_fds:
            continue
        run.wakes.append(_wake(run, fd, call, call.end_line))
    if hides_fds(call):
        run.unnamed = _wake(run, -1, call, call.end_line)


def end_wakes(run: Run, call: Syscall) -> None:
    """Without durations a wait has ended, at the latest, when its thread makes the next call."""
    for wake in run.unended:
        wake.end_s = call.time_s
    run.unended = []
    if run.untimed and call.time_s is not None:
        start_s, timeout = run.untimed
        run.sleep.add(call.time_s - start_s, timeout)
        run.sleep.at_most = True
    run.untimed = None


def _same_epoll(run: Run, epoll_fd: int | None) -> bool:
    known = [listener.epoll_fd for listener in run.listeners if listener.epoll_fd is not None]
    return not known or epoll_fd in known


def _wake(run: Run, fd: int, call: Syscall, end_line: int) -> Wake:
    wake = Wake(fd, end_line, call.line, call.text, call.stamp, call.time_s, call.end_s, call.tid, call.name)
    if wake.end_s is None:
        run.unended.append(wake)
    return wake


def _first_connection(run: Run, call: Syscall) -> None:
    """Note how often the thread woke before the first connection."""
    registered = run.listeners[0].add or run.listeners[0].bind
    if any(run.listener_of(fd) for fd in ready_fds(call)):
        end_s = call.end_s if call.end_s is not None else call.time_s
        if end_s is not None and registered.time_s is not None:
            run.idle = run.sleep.wakes + run.sleep.timeouts - 1, end_s - registered.time_s


def _slept(run: Run, call: Syscall) -> None:
    sleep = run.sleep
    sleep.calls += 1
    ready = call.returned
    timeout = timeout_ms(call)
    if timeout == 0:
        sleep.polls += 1
    elif ready == 0:
        sleep.timeouts += 1
    elif ready and ready > 0:
        sleep.wakes += 1
    end_s, start_s = call.end_s, call.time_s
    duration_s = call.duration_s
    if duration_s is None and end_s is not None and start_s is not None and not call.whole_seconds:
        duration_s = end_s - start_s
    if duration_s is not None:
        sleep.add(duration_s, timeout)
    elif start_s is not None and not call.whole_seconds:
        run.untimed = start_s, timeout

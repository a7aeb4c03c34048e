"""The first three steps of a story: the listening socket, its registration, waiting."""

from collections.abc import Mapping

from iolab.trace.facts import longest_held, loop_of, task_serving_s
from iolab.trace.records import Cited, Listener, Run
from iolab.trace.steps_served import clicked, connected, requested, totals
from iolab.trace.strace import Strace
from iolab.trace.tasks import Task
from iolab.trace.telling import Click, Status, Step, address, count, newest, subject, times
from iolab.trace.watch import Watch
from iolab.trace.why import no_registration, no_waits, nothing_listens, unseen

LEAST_SERVED_S = 0.01  # of a share that is worth telling
MOST_SHOWN = 200  # listening sockets with their lines


def tell_steps(
    watch: Watch, log: Strace, names: Mapping[int, int], clicks: tuple[Click, ...], script: str | None
) -> tuple[Step, ...]:
    """Return the steps; the fifth is about clicks if the log shows an app that opens `script`, else about requests.

    `names` are the numbers of threads as the log writes them, where those are not their own.
    """
    return (
        _listening(watch, log),
        _registered(watch),
        _waiting(watch, names),
        connected(watch, "A browser connects" if script else "A client connects"),
        clicked(watch, clicks, script) if script else requested(watch, names),
        totals(watch, names),
    )


def _listening(watch: Watch, log: Strace) -> Step:
    title = "The listening socket"
    if not watch.runs:
        reason = nothing_listens(watch, log)
        shown = tuple((cited, reason.of_line) for cited in reason.lines)
        return Step(1, title, "missing", reason.sentence, shown, reason.advice)
    run = watch.runs[0]
    listener = run.listeners[0]
    sentence = (
        f"The server asked the kernel for port {watch.port} (bind) and to queue incoming connections there (listen):"
        f" file descriptor {listener.fd} is the listening socket."
    )
    if (sharing := len(watch.runs[-1].listeners)) > 1 and watch.runs[-1].listeners[-1].shares_port:
        sentence += f" {sharing} sockets share the port (SO_REUSEPORT)."
    if listener.listens[0].tid != listener.tid:
        sentence += f" Thread {listener.tid} bound it, {listener.listens[0].tid} listens on it."
    if len(watch.runs) > 1:
        sentence += f" The log holds {len(watch.runs)} runs of the server."
    lines = [line for each in watch.runs for one in each.listeners[:MOST_SHOWN] for line in _of_listener(one, watch)]
    own, busy = watch.listening.own, watch.listening.busy
    if own:
        holder = address(own[1], watch.port)
        sentence += (
            f" A second bind (line {own[0].line}) was refused because the server's own socket {holder} holds the port"
            f" there, too: harmless."
        )
        lines.append((own[0], f"Refused: this server's own {holder} (line {own[2].line}) has the port already."))
    if busy and busy.line > watch.runs[-1].started.line:
        sentence += f" A later bind or listen failed because the port was in use (EADDRINUSE, line {busy.line})."
        lines.append((busy, "The kernel refuses the address: another socket uses it already."))
    return Step(1, title, "proved", sentence, tuple(lines))


def _of_listener(listener: Listener, watch: Watch) -> list[tuple[Cited, str]]:
    lines = [(listener.bind, f"Fd {listener.fd} gets the address {address(listener.addr, watch.port)}.")]
    seen: set[int] = set()
    for cited in listener.listens[:MOST_SHOWN]:
        again = "The kernel now queues incoming connections." if not seen else "The same again: harmless."
        if seen and cited.tid not in seen:
            again = f"Thread {cited.tid} listens on the same socket."
        lines.append((cited, again))
        seen.add(cited.tid)
    return lines


def _registered(watch: Watch) -> Step:
    title = "On the interest list"
    registered = [each for run in watch.runs for each in run.listeners if each.add]
    if registered:
        return _on_list(watch, title, registered)
    reason = no_registration(watch)
    shown = [(each, reason.of_line) for each in reason.lines]
    listeners = [each for run in watch.runs for each in run.listeners]
    if woken := [each for each in listeners if each.woke]:
        means = f"The wait ends because fd {woken[0].fd} is ready: epoll watches it."
        shown += [(each.woke, means) for each in woken[:1] if each.woke]
        sentence = f"{reason.sentence} That it is on the list follows from a wake-up of epoll for it."
        return Step(2, title, "inferred", sentence, tuple(shown))
    if removed := [each for each in listeners if each.removed]:
        means = f"epoll_ctl can remove only a descriptor that is on the list: fd {removed[0].fd} was on it."
        shown += [(each.removed, means) for each in removed[:1] if each.removed]
        sentence = f"{reason.sentence} That it was on the list follows from its removal."
        return Step(2, title, "inferred", sentence, tuple(shown))
    return Step(2, title, "missing", reason.sentence, tuple(shown), reason.advice)


def _on_list(watch: Watch, title: str, registered: list[Listener]) -> Step:
    first = registered[0]
    lines = [
        (each.add, f"epoll (fd {each.epoll_fd}) now watches fd {each.fd}: EPOLLIN means that a connection is waiting.")
        for each in registered[:MOST_SHOWN]
        if each.add
    ]
    lines += [
        (cited, f"Thread {tid} watches the same socket by an epoll of its own.")
        for each in registered[:MOST_SHOWN]
        for tid, cited in list(each.adds.items())[1:MOST_SHOWN]
    ]
    by = {cited.tid for each in registered for cited in each.adds.values()}
    processes = {task.process.pid for run in watch.runs for task in run.tasks.values() if task.tid in by}
    sentence = (
        f"epoll_ctl put fd {first.fd} on the interest list of epoll fd {first.epoll_fd}: one thread can now sleep"
        " until any descriptor on the list is ready."
    )
    if len(by) > 1 and len(watch.runs) == 1:
        sentence += f" {len(by)} threads did so" + (f", in {len(processes)} processes." if len(processes) > 1 else ".")
    return Step(2, title, "proved", sentence, tuple(lines))


def _waiting(watch: Watch, names: Mapping[int, int]) -> Step:
    title = "Waiting"
    run = watch.run
    if run is None:
        why = unseen(watch) or f"Nothing listens on port {watch.port} in this log, so nothing waits there."
        return Step(3, title, "missing", why)
    task, sleep = run.main, run.sleep
    if task is None or not sleep.seen:
        reason = no_waits(watch, loop_of(watch))
        return Step(3, title, "missing", reason.sentence, advice=reason.advice)
    lines: list[tuple[Cited, str]] = []
    if task.in_accept:
        lines.append((task.in_accept, "An accept that waits: the log, or the thread, ends before a connection comes."))
    if task.under_way:
        means = "The thread ended in this wait." if task.ended else "A wait that had not ended when the log did."
        lines.append((task.under_way, means))
    first, *others = (*_waited(task), _slept(run, task))
    told = [f"{newest(watch, subject(run, task, names))} {first}", *(f"It {each}" for each in others)]
    if held := longest_held(run, task):
        told.append(f"For another {held[1]:.2f} s it was in {held[0]}, which is no wait for descriptors")
    more = [each for each in run.tasks.values() if each is not task and each.serves and each.sleep.waits]
    if more:
        pids = {each.process.pid for each in (task, *more)}
        where = f" ({len(pids)} processes in all)" if len(pids) > 1 else ""
        told.append(f"{count(len(more), 'other thread')} waited and served too{where}: the table has a row for each")
    status: Status = "proved" if sleep.timed and not sleep.at_most else "inferred"
    return Step(3, title, status, ". ".join(told) + ".", tuple(lines))


def _waited(task: Task) -> list[str]:
    """Say how often a thread waited and checked, as the rests of sentences about it."""
    sleep, where = task.sleep, ""
    told: list[str] = []
    if sleep.accepts:
        name, number = sleep.accepts.most_common(1)[0][0], times(sleep.accepts.total())
        told.append(f"waited for a connection in {name} {number}, {sleep.in_accept_s:.2f} s in all")
        where = f" in {task.wait_calls.most_common(1)[0][0]}" if task.wait_calls else ""
    if sleep.calls:
        others = f", {sleep.others} with a signal or an error" if sleep.others else ""
        told.append(
            f"waited {times(sleep.wakes + sleep.timeouts + sleep.others)}{where}:"
            f" {sleep.wakes} of these waits ended with an event, {sleep.timeouts} with a timeout{others}"
        )
        told.append(f"also checked {times(sleep.polls)} without waiting (timeout 0)")
    if task.under_way:
        when = f"when it ended ({task.ended}, " if task.ended else "that had not ended when the log did ("
        told.append(f"was in a wait {when}line {task.under_way.line})")
    return told


def _slept(run: Run, task: Task) -> str:
    """Say how long a thread slept, as the rest of a sentence about it."""
    sleep, total_s = task.sleep, task_serving_s(run, task)
    at_most = "at most " if sleep.at_most else ""
    if not sleep.timed:
        return "slept for a time that is not in the log: trace with -ttt -T"
    if not total_s:
        return f"slept for {sleep.slept_s:.2f} s; how long it served is not in the log: trace with -ttt -T"
    if total_s < LEAST_SERVED_S:
        return "served for too short a time to tell how long it slept"
    return (
        f"slept for {at_most}{min(sleep.slept_s, total_s):.2f} s of the {total_s:.2f} s in which it served:"
        f" it was idle for {at_most}{100 * min(1, sleep.slept_s / total_s):.1f}% of the time"
    )

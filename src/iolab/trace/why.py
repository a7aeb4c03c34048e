"""Why a step of the story is missing: one sentence, and what to do."""

from dataclasses import dataclass

from iolab.trace.decode import EPOLL_WAITS, OPENS, READS, WRITES
from iolab.trace.facts import loop_of
from iolab.trace.records import MAIN_THREAD, Cited
from iolab.trace.strace import Strace
from iolab.trace.waiting import WAIT_CALLS
from iolab.trace.watch import Watch


@dataclass(frozen=True)
class Reason:
    """`id` for programs, `sentence` and `advice` for readers, `lines` that show it, and what such a line means."""

    id: str
    sentence: str
    advice: str = ""
    lines: tuple[Cited, ...] = ()
    of_line: str = ""


PREFIXED = "{} wrote something before each line"


def nothing_listens(watch: Watch, log: Strace) -> Reason:
    """Say why no listener on the port is found."""
    calls = sum(sum(counts.values()) for counts in watch.calls.values())
    if not log.lines:
        return Reason("empty", "The log is empty.", "Start the app under strace first: make up.")
    if not calls:
        prefix = max(log.foreign, key=lambda name: log.foreign[name], default=None)
        return Reason(
            "rubbish",
            f"None of the {log.lines} lines is a system call as strace writes it"
            + (f": {PREFIXED.format(prefix)}." if prefix else "."),
            "Give the file that strace -o wrote.",
        )
    if udp := watch.listening.datagrams:
        return Reason(
            "udp",
            f"The socket that was bound to port {watch.port} is a UDP socket: UDP has neither listen nor connections,"
            " so this story has no listening socket.",
            "",
            tuple(cited for cited in (udp.created, udp.bound) if cited),
            "A datagram socket (UDP): it receives without listening.",
        )
    if bound := watch.listening.not_listening:
        return Reason(
            "no_listen",
            f"A socket was bound to port {watch.port}, but no listen follows: the log ends before it, or its filter"
            " leaves listen out.",
            "Trace to the end, with listen in the filter: make up does.",
            (bound,),
            "The socket gets its address; it does not accept connections yet.",
        )
    busy = watch.listening.busy
    return _port_busy(watch, busy) if busy else _not_bound(watch, log)


def _port_busy(watch: Watch, busy: Cited) -> Reason:
    taken = f"Port {watch.port} was taken by another program: {busy.name} failed with EADDRINUSE, and the server"
    if later := [each for each in watch.listening.binds if each[2].line > busy.line]:
        return Reason(
            "port_busy",
            f"{taken} took port {later[0][0]} instead.",
            f"Use that port: --port {later[0][0]}.",
            (busy, later[0][2]),
            "The kernel refuses the first address and accepts the second.",
        )
    return Reason(
        "port_busy",
        f"{taken} gave up.",
        f"Find the program that uses it (ss -ltnp 'sport = :{watch.port}'), stop it, and start the server again.",
        (busy,),
        "The kernel refuses the address.",
    )


def _not_bound(watch: Watch, log: Strace) -> Reason:
    if watch.listening.binds:
        ports = sorted({port for port, _, _ in watch.listening.binds})
        named = ", ".join(map(str, ports[:5]))
        return Reason(
            "other_port",
            f"Nothing was bound to port {watch.port}, but to {named}.",
            f"Use that port: --port {ports[0]}.",
            tuple(cited for _, _, cited in watch.listening.binds[:5]),
            "This is the port that was bound.",
        )
    if seen := watch.listening.named:
        return Reason(
            "no_bind",
            f"{seen.name} in line {seen.line} takes a connection from a socket of port {watch.port}, as strace names it"
            " (-yy), but the log has neither its bind nor its listen: they were before the log, or in a process that"
            " is not in it.",
            "Trace from the start, with bind in the filter (make up does), or give all files of -ff together.",
            (seen,),
            "strace names the descriptor as a socket of the port.",
        )
    if not any("bind" in counts for counts in watch.calls.values()):
        return Reason(
            "no_bind",
            f"The log has no bind: strace started after the server, its filter leaves bind out, or the program ended"
            f" before it listened (the last line is {log.lines}).",
            "Trace from the start, with bind in the filter: make up does.",
        )
    return Reason("no_listener", f"No bind to port {watch.port} was followed by listen.")


def unseen(watch: Watch) -> str:
    """Say that a server may be there that this story cannot follow; "" where the log shows what was bound."""
    listening = watch.listening
    if watch.runs or listening.busy or listening.not_listening or not any(watch.calls.values()):
        return ""
    if listening.datagrams:
        return f"UDP has no connections: what the socket of port {watch.port} received is not part of this story."
    if listening.binds:
        return ""
    return (
        f"The log does not show the listening socket of port {watch.port} (step 1), so it does not show which threads"
        " and connections are the server's."
    )


def no_registration(watch: Watch) -> Reason:
    """Say why the listener is on no interest list."""
    if not watch.runs:
        return Reason("no_listener", "There is no listening socket to register.")
    if loop_of(watch) == "uvloop":
        seen = (watch.uring,) if watch.uring else ()
        return Reason(
            "uvloop",
            "This is uvloop (libuv): it registers descriptors in batches through io_uring, not by epoll_ctl"
            + (", and waits in epoll_pwait." if _called(watch, "epoll_pwait") else "."),
            "Trace with io_uring_setup, io_uring_enter and epoll_pwait in the filter, or run without uvloop.",
            seen,
            "An io_uring: a queue of requests that the kernel reads without a system call for each.",
        )
    if not watch.saw_pids and (watch.processes.first_birth or _called(watch, "epoll_ctl")):
        return _not_followed(watch, "The log does not have the thread that registered the listening socket")
    main = watch.run.main if watch.run else None
    waits_in = [main.waits_in] if main and main.waits_in else []
    if not _called(watch, "epoll_ctl") or (waits_in and not set(waits_in) & set(EPOLL_WAITS)):
        return _no_epoll_ctl(watch, waits_in)
    return Reason("not_registered", "No epoll_ctl in the log adds the listening socket: the log may end before it.")


def _no_epoll_ctl(watch: Watch, waits_in: list[str]) -> Reason:
    found = waits_in or [name for name in WAIT_CALLS if _called(watch, name)]
    epolls = [name for name in found if name in EPOLL_WAITS]
    others = [name for name in found if name not in EPOLL_WAITS]
    seen = (watch.uring,) if watch.uring else ()
    means = "An io_uring: a queue of requests that the kernel reads without a system call for each."
    if watch.uring and (epolls or others == ["io_uring_enter"]):
        return Reason(
            "io_uring",
            "The log has no epoll_ctl, but an io_uring: a program can register descriptors and accept connections"
            " through it, and no system call shows each of them.",
            "",
            seen,
            means,
        )
    if epolls:
        return Reason(
            "no_epoll_ctl",
            f"The server waits in {epolls[0]}, but the log has no epoll_ctl: the filter leaves it out.",
            "Trace with epoll_ctl in the filter.",
        )
    if others:
        return Reason("no_epoll", f"This server does not use epoll: it waits in {others[0]}.")
    return Reason("no_epoll_ctl", "The log has no epoll_ctl: the server uses no epoll, or the filter leaves it out.")


def no_waits(watch: Watch, loop: str | None) -> Reason:
    """Say why no wait of the server is found."""
    run = watch.run
    in_accept = run is not None and any(each.accepts for each in run.tasks.values())
    if loop == "uvloop":
        why = "The listening thread makes no call that waits, or the log does not record it."
        why += " uvloop waits in epoll_pwait: an strace filter with epoll_wait alone misses it."
        return Reason("no_waits", why, "Trace with epoll_pwait in the filter.")
    if not watch.saw_pids and watch.processes.first_birth and not in_accept:
        return _not_followed(watch, "The thread of this log makes no call that waits")
    if in_accept:
        return Reason(
            "waits_in_accept",
            "The log has no call that waits for several descriptors: the server waits in accept and in reads.",
        )
    return Reason("no_waits", "The listening thread makes no call that waits, or the log does not record it.")


def request_missing(watch: Watch) -> Reason:
    """Say why no request is found."""
    run = watch.run
    if run is None:
        return Reason("no_listener", unseen(watch) or "Without a server there is no request.")
    if not run.accepted:
        return Reason("no_connection", "The log shows no connection, so it shows no request.")
    if not any(_called(watch, name) for name in (*READS, *WRITES)):
        return Reason(
            "no_reads",
            "The log has no call that reads or sends: its filter leaves them out, so it shows no request.",
            "Trace with read, write, recvfrom, sendto, recvmsg, sendmsg, readv and writev in the filter.",
        )
    return Reason("no_request", "Nothing was read from a connection that the log shows.")


def click_missing(watch: Watch) -> Reason:
    """Say why no click is found."""
    if not watch.runs:
        return Reason("no_listener", "Without a server there is no click.")
    pyc = tuple(cited for cited, _ in watch.clicks.pyc_opens)
    watched = tuple(opened.cited for run in watch.runs for opened in run.opens if opened.by == MAIN_THREAD)
    if pyc:
        sentence = (
            "A script thread opened only the compiled balloons.pyc: the app imports the file and does not read it."
        )
        if watched:
            sentence += " balloons.py itself was opened by the main thread, the file watcher."
        return Reason(
            "only_pyc",
            sentence,
            "Read and run the file at each click, as services/streamlit/streamlit_fun.py does.",
            pyc + watched,
            "Python loads the compiled file.",
        )
    if watched:
        return Reason(
            "file_watcher",
            "Only the main thread opened balloons.py: that is the file watcher, not a click.",
            f"If the app runs, open http://localhost:{watch.port} and click, or: make trace CLICK=1.",
            watched,
            "The file watcher checks whether the file has changed.",
        )
    if not any(_called(watch, name) for name in OPENS):
        return Reason(
            "no_openat",
            "The log has no openat: its filter leaves it out, so it cannot show a click.",
            "Trace with openat in the filter: make up does.",
        )
    if not watch.saw_pids:
        return _not_followed(watch, "The log has only one thread, so the system calls of script threads are not in it")
    return Reason(
        "no_click",
        "There was no click yet: no thread has opened balloons.py.",
        f"If the app runs, open http://localhost:{watch.port} and press the button, or: make trace CLICK=1.",
    )


def _not_followed(watch: Watch, what: str) -> Reason:
    """Say that other threads are not in the log: two ways to trace make such a log."""
    birth = watch.processes.first_birth
    others = f"it started others (line {birth.line}), and " if birth else ""
    return Reason(
        "no_follow",
        f"{what}: {others}strace ran without -f, or this is one file of strace -ff.",
        "Trace with -f, or give all files of -ff together: iolab trace log.*",
        (birth,) if birth else (),
        "Another thread or process starts: its calls are not in this log.",
    )


def _called(watch: Watch, name: str) -> bool:
    return any(counts[name] for counts in watch.calls.values())

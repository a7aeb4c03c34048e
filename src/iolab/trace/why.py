"""Why a step of the story is missing: one sentence, and what to do."""

from dataclasses import dataclass

from iolab.trace.decode import OPENS
from iolab.trace.records import MAIN_THREAD, Cited
from iolab.trace.strace import Strace
from iolab.trace.watch import Watch


@dataclass(frozen=True)
class Reason:
    """`id` for programs, `sentence` and `advice` for readers, `lines` that show it, and what such a line means."""

    id: str
    sentence: str
    advice: str = ""
    lines: tuple[Cited, ...] = ()
    of_line: str = ""


def nothing_listens(watch: Watch, log: Strace) -> Reason:
    """Say why no listener on the port is found."""
    calls = sum(sum(counts.values()) for counts in watch.calls.values())
    if not log.lines:
        return Reason("empty", "The log is empty.", "Start the app under strace first: make up.")
    if not calls:
        return Reason(
            "rubbish",
            f"None of the {log.lines} lines is a system call as strace writes it.",
            "Give the file that strace -o wrote.",
        )
    if bound := watch.not_listening:
        return Reason(
            "no_listen",
            f"A socket was bound to port {watch.port}, but no listen follows: the log ends before it, or its filter"
            " leaves listen out.",
            "Trace to the end, with listen in the filter: make up does.",
            (bound,),
            "The socket gets its address; it does not accept connections yet.",
        )
    return _port_busy(watch, watch.busy) if watch.busy else _not_bound(watch, log)


def _port_busy(watch: Watch, busy: Cited) -> Reason:
    taken = f"Port {watch.port} was taken by another program: {busy.name} failed with EADDRINUSE, and the server"
    if later := [each for each in watch.binds if each[2].line > busy.line]:
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
    if watch.binds:
        ports = sorted({port for port, _, _ in watch.binds})
        named = ", ".join(map(str, ports[:5]))
        return Reason(
            "other_port",
            f"Nothing was bound to port {watch.port}, but to {named}.",
            f"Use that port: --port {ports[0]}.",
            tuple(cited for _, _, cited in watch.binds[:5]),
            "This is the port that was bound.",
        )
    if not any("bind" in counts for counts in watch.calls.values()):
        return Reason(
            "no_bind",
            f"The log has no bind: strace started after the server, its filter leaves bind out, or the program ended"
            f" before it listened (the last line is {log.lines}).",
            "Trace from the start, with bind in the filter: make up does.",
        )
    return Reason("no_listener", f"No bind to port {watch.port} was followed by listen.")


def no_registration(watch: Watch) -> Reason:
    """Say why the listener is on no interest list."""
    if not watch.runs:
        return Reason("no_listener", "There is no listening socket to register.")
    if watch.uring or watch.made.uvloop or _called(watch, "epoll_pwait"):
        seen = (watch.uring,) if watch.uring else ()
        return Reason(
            "uvloop",
            "This is uvloop (libuv): it registers descriptors in batches through io_uring, not by epoll_ctl"
            + (", and waits in epoll_pwait." if _called(watch, "epoll_pwait") else "."),
            "Trace with io_uring_setup, io_uring_enter and epoll_pwait in the filter, or run without uvloop.",
            seen,
            "An io_uring: a queue of requests that the kernel reads without a system call for each.",
        )
    if not _called(watch, "epoll_ctl"):
        waits = [name for name in ("poll", "ppoll", "select", "pselect6") if _called(watch, name)]
        if waits:
            return Reason("no_epoll", f"This server does not use epoll: it waits in {waits[0]}.")
        return Reason(
            "no_epoll_ctl", "The log has no epoll_ctl: the server uses no epoll, or the filter leaves it out."
        )
    if not watch.saw_pids:
        return Reason(
            "no_follow",
            "The log does not have the thread that registered the listening socket: strace ran without -f.",
            "Trace with -f.",
        )
    return Reason("not_registered", "No epoll_ctl in the log adds the listening socket: the log may end before it.")


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
        return Reason(
            "no_follow",
            "The log has only one thread: strace ran without -f, so the system calls of script threads are not in it.",
            "Trace with -f.",
        )
    return Reason(
        "no_click",
        "There was no click yet: no thread has opened balloons.py.",
        f"If the app runs, open http://localhost:{watch.port} and press the button, or: make trace CLICK=1.",
    )


def _called(watch: Watch, name: str) -> bool:
    return any(counts[name] for counts in watch.calls.values())

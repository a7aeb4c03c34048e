"""The steps of a story: each with its lines, each proved, inferred or missing."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from iolab.trace.facts import loop_of, script_opens, serving_s
from iolab.trace.records import Cited, Open
from iolab.trace.strace import Strace
from iolab.trace.watch import Watch
from iolab.trace.why import click_missing, no_registration, nothing_listens

Status = Literal["proved", "inferred", "missing"]


@dataclass(frozen=True)
class Step:
    """One step of the story; `lines` are (line, what it means)."""

    number: int
    title: str
    status: Status
    sentence: str
    lines: tuple[tuple[Cited, str], ...] = ()
    advice: str = ""


@dataclass(frozen=True)
class Click:
    """One click, with the milliseconds since its wake-up (None where the log has no times)."""

    number: int
    status: Status
    opened: Open
    lines: tuple[tuple[Cited, str], ...]
    read_ms: float | None
    clone_ms: float | None
    open_ms: float | None
    answer_ms: float | None


def tell_steps(watch: Watch, log: Strace, clicks: tuple[Click, ...], script: str | None) -> tuple[Step, ...]:
    """Return the steps; the click's step is left out for a server that opens no `script` at a click."""
    steps = [
        _listening(watch, log),
        _registered(watch),
        _waiting(watch),
        _connected(watch, "A browser connects" if script else "A client connects"),
    ]
    if script:
        steps.append(_clicked(watch, clicks, script))
    steps.append(_totals(watch))
    return tuple(steps)


def _listening(watch: Watch, log: Strace) -> Step:
    title = "The listening socket"
    if not watch.runs:
        reason = nothing_listens(watch, log)
        shown = tuple((cited, reason.of_line) for cited in reason.lines)
        return Step(1, title, "missing", reason.sentence, shown, reason.advice)
    listener = watch.runs[0].listeners[0]
    sentence = (
        f"The server asked the kernel for port {watch.port} (bind) and to queue incoming connections there (listen):"
        f" file descriptor {listener.fd} is the listening socket."
    )
    if len(watch.runs) > 1:
        sentence += f" The log holds {len(watch.runs)} runs of the server."
    busy = watch.busy if watch.busy and watch.busy.line > watch.runs[-1].started.line else None
    if busy:
        sentence += f" A later bind or listen failed because the port was in use (EADDRINUSE, line {busy.line})."
    lines: list[tuple[Cited, str]] = []
    for run in watch.runs:
        for each in run.listeners:
            lines.append((each.bind, f"Fd {each.fd} gets the address {_address(each.addr, watch.port)}."))
            lines.extend(
                (cited, "The kernel now queues incoming connections." if not number else "The same again: harmless.")
                for number, cited in enumerate(each.listens)
            )
    if busy:
        lines.append((busy, "The kernel refuses the address: another socket uses it already."))
    return Step(1, title, "proved", sentence, tuple(lines))


def _registered(watch: Watch) -> Step:
    title = "On the interest list"
    registered = [each for run in watch.runs for each in run.listeners if each.add]
    if not registered:
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
        return Step(
            2, title, "missing", reason.sentence, tuple((each, reason.of_line) for each in reason.lines), reason.advice
        )
    first = registered[0]
    lines = tuple(
        (each.add, f"epoll (fd {each.epoll_fd}) now watches fd {each.fd}: EPOLLIN means that a connection is waiting.")
        for each in registered
        if each.add
    )
    return Step(
        2,
        title,
        "proved",
        f"epoll_ctl put fd {first.fd} on the interest list of epoll fd {first.epoll_fd}: one thread can now sleep"
        " until any descriptor on the list is ready.",
        lines,
    )


def _waiting(watch: Watch) -> Step:
    title = "Waiting"
    run = watch.run
    if run is None:
        return Step(3, title, "missing", f"Nothing listens on port {watch.port} in this log, so nothing waits there.")
    sleep = run.sleep
    if not sleep.calls:
        why = "The listening thread makes no call that waits, or the log does not record it."
        if loop_of(watch) == "uvloop":
            why += " uvloop waits in epoll_pwait: an strace filter with epoll_wait alone misses it."
        return Step(3, title, "missing", why)
    parts = [
        f"{_newest(watch, 'The')} listening thread waited {_times(sleep.wakes + sleep.timeouts)}:"
        f" {sleep.wakes} of these waits ended with an event, {sleep.timeouts} with a timeout."
        f" It also checked {_times(sleep.polls)} without waiting (timeout 0)"
    ]
    total_s = serving_s(run)
    at_most = "at most " if sleep.at_most else ""
    if sleep.timed and total_s:
        parts.append(
            f"It slept for {at_most}{sleep.slept_s:.2f} s of the {total_s:.2f} s in which it served:"
            f" it was idle for {at_most}{100 * min(1, sleep.slept_s / total_s):.1f}% of the time"
        )
    elif sleep.timed:
        parts.append(f"It slept for {sleep.slept_s:.2f} s; how long it served is not in the log: trace with -ttt -T")
    else:
        parts.append("How long it slept is not in the log: trace with -ttt -T")
    status: Status = "proved" if sleep.timed and not sleep.at_most else "inferred"
    return Step(3, title, status, ". ".join(parts) + ".")


def _connected(watch: Watch, title: str) -> Step:
    connections = [connection for run in watch.runs for connection in run.connections]
    if not connections:
        return _no_connection(watch, title)
    sockets = [connection for connection in connections if connection.websocket]
    shown = (sockets or connections)[0]
    lines: list[tuple[Cited, str]] = []
    if shown.accept:
        lines.append((shown.accept, f"accept4 takes a connection from the accept queue: it is fd {shown.fd}."))
    if shown.add:
        lines.append((shown.add, f"epoll watches fd {shown.fd} too: the same thread serves it."))
    if shown.upgrade:
        lines.append((shown.upgrade, "The browser asks to turn this connection into a websocket."))
    if shown.switched:
        lines.append((shown.switched, "101: both sides now send frames, and clicks use this connection."))
    lines.sort(key=lambda each: each[0].line)
    status: Status = "proved" if shown.accept and (shown.add or loop_of(watch) == "uvloop") else "inferred"
    sentence = f"The server accepted {_count(len(connections), 'connection')}; fd {shown.fd} "
    if sockets:
        sentence += "became the websocket that carries the clicks."
    else:
        sentence += "is the first of them; the log shows no upgrade to a websocket."
    if not shown.accept:
        sentence += " This log has no accept4 (Python never calls accept): the registrations show the connections."
    return Step(4, title, status, sentence, tuple(lines))


def _no_connection(watch: Watch, title: str) -> Step:
    clicked = bool(script_opens(watch))
    if not watch.runs and (watch.binds or not clicked):
        why = f"Nothing listens on port {watch.port} in this log"
        return Step(
            4, title, "missing", f"{why}: {'the click used another port' if clicked else 'a browser cannot connect'}."
        )
    if clicked:
        why = "There was a click, so a browser was connected; but the log shows neither accept4 nor epoll_ctl for it."
        return Step(4, title, "missing", why, advice="Trace with accept4, epoll_ctl and recvfrom in the filter.")
    why, advice = "The log shows no connection yet.", f"If the app runs, open http://localhost:{watch.port}."
    return Step(4, title, "missing", why, advice=advice)


def _clicked(watch: Watch, clicks: tuple[Click, ...], script: str) -> Step:
    title = "The click"
    if clicks:
        status: Status = "proved" if all(click.status == "proved" for click in clicks) else "inferred"
        times = [click.open_ms for click in clicks if click.open_ms is not None]
        sentence = f"A script thread opened {script} {_times(len(clicks))}"
        if times:
            sentence += f", {_range_ms(times)} after the wake-up"
        return Step(5, title, status, sentence + ".")
    reason = click_missing(watch)
    lines = tuple((cited, reason.of_line) for cited in reason.lines)
    return Step(5, title, "missing", reason.sentence, lines, reason.advice)


def _totals(watch: Watch) -> Step:
    counts: Counter[str] = Counter()
    for calls in watch.calls.values():
        counts.update(calls)
    total = sum(counts.values())
    if not total:
        return Step(6, "Totals", "missing", "The log has no system call.")
    common = ", ".join(f"{name} {number}" for name, number in counts.most_common(6))
    sentence = f"{total} system calls by {_count(len(watch.calls), 'thread')}: {common}."
    run = watch.run
    if run and (total_s := serving_s(run)):
        wakes = run.sleep.wakes + run.sleep.timeouts
        sentence += f" {_newest(watch, 'The')} listening thread woke {wakes / total_s:.1f} times a second"
        sentence += f" and served {_count(len(run.connections), 'connection')}." if run.connections else "."
    elif run and run.connections:
        sentence += f" {_newest(watch, 'One')} thread served {_count(len(run.connections), 'connection')}."
    return Step(6, "Totals", "proved", sentence)


def _newest(watch: Watch, start: str) -> str:
    return start if len(watch.runs) < 2 else f"In the newest run {start.lower()}"


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _range_ms(values: list[float]) -> str:
    low, high = f"{min(values):.1f}", f"{max(values):.1f}"
    return f"{low} ms" if low == high else f"{low} to {high} ms"

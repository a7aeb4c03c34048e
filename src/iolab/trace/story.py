"""System calls -> the story of a server: six steps, each with its lines, each proved, inferred or missing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from iolab.trace.decode import EPOLL_WAITS
from iolab.trace.records import SCRIPT_THREAD, Cited, Open, Run
from iolab.trace.strace import Lines, Strace
from iolab.trace.timeline import Timeline
from iolab.trace.watch import Watch
from iolab.trace.why import click_missing, no_registration, nothing_listens

PORT = 8079
SCRIPT = "balloons.py"

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


@dataclass(frozen=True)
class Story:
    """What a log shows. Times are seconds of the log's own clock."""

    source: str
    port: int
    watch: Watch
    steps: tuple[Step, ...]
    clicks: tuple[Click, ...]
    timeline: Timeline
    lines: int
    bytes: int
    unfinished: int
    unreadable: int
    cut: bool
    damaged: str | None
    names: Mapping[int, int] = field(default_factory=dict)

    @property
    def proved(self) -> bool:
        """Whether the listening socket, its registration and at least one click are proved."""
        return (
            all(step.status == "proved" for step in self.steps[:2])
            and bool(self.clicks)
            and all(click.status == "proved" for click in self.clicks)
        )

    def thread(self, tid: int) -> int:
        """Return the number of a thread as the log writes it."""
        return self.names.get(tid, tid)


def tell(lines: Lines, source: str, port: int = PORT, script: str | None = SCRIPT, *, draw: bool = True) -> Story:
    """Read a log to its end and return its story; no text raises.

    A click opens `script`; a server that has none is told without that step. With `draw` false the timeline, which
    only a page needs, stays empty: that takes a third less time.
    """
    log, watch, timeline = Strace(lines), Watch(port, script or SCRIPT), Timeline()
    for event in log:
        watch.see(event)
        if draw:
            timeline.see(event)
    steps = [
        _listening(watch, log),
        _registered(watch),
        _waiting(watch),
        _connected(watch, "A browser connects" if script else "A client connects"),
    ]
    clicks = tuple(_click(number, opened) for number, opened in enumerate(script_opens(watch), 1))
    if script:
        steps.append(_clicked(watch, clicks))
    steps.append(_totals(watch))
    return Story(
        source=source,
        port=port,
        watch=watch,
        steps=tuple(steps),
        clicks=clicks,
        timeline=timeline,
        lines=log.lines,
        bytes=lines.bytes,
        unfinished=log.unfinished,
        unreadable=log.unreadable,
        cut=lines.cut,
        damaged=lines.damaged,
        names={0: log.first_pid} if log.first_pid is not None else {},
    )


def script_opens(watch: Watch) -> list[Open]:
    """Return the clicks: opens of the script by another thread than the listener's."""
    return [opened for opened in all_opens(watch) if opened.by == SCRIPT_THREAD]


def all_opens(watch: Watch) -> list[Open]:
    """Return every open of the script, in the order of the log."""
    return [*watch.orphans, *(opened for run in watch.runs for opened in run.opens)]


def waits(watch: Watch) -> dict[str, int]:
    """Return how often each epoll wait was called, by name."""
    counts: Counter[str] = Counter()
    for calls in watch.calls.values():
        counts.update({name: calls[name] for name in EPOLL_WAITS if calls[name]})
    return dict(counts)


def loop_of(watch: Watch) -> str | None:
    """Say which event loop ran: "uvloop" or "asyncio"; None where the log does not show it."""
    if watch.made.uvloop or watch.uring:
        return "uvloop"
    return "asyncio" if watch.made.server or any(run.listeners and run.listeners[0].add for run in watch.runs) else None


def duration_s(watch: Watch) -> float | None:
    """Return how long the log lasts, in seconds."""
    if watch.first_s is None or watch.last_s is None or watch.last_s <= watch.first_s:
        return None
    return watch.last_s - watch.first_s


def serving_s(run: Run) -> float | None:
    """Return how long a run has served: from its registration (else its bind) to its last call, in seconds."""
    first = run.listeners[0].add or run.listeners[0].bind
    if first.time_s is None or run.last_s is None or run.last_s <= first.time_s:
        return None
    return run.last_s - first.time_s


def _listening(watch: Watch, log: Strace) -> Step:
    title = "The listening socket"
    if not watch.runs:
        reason = nothing_listens(watch, log)
        shown = tuple((cited, reason.of_line) for cited in reason.lines)
        return Step(1, title, "missing", reason.sentence, shown, reason.advice)
    listener = watch.runs[0].listeners[0]
    sentence = (
        f"The server asked the kernel for port {watch.port} (bind) and to queue callers there (listen):"
        f" file descriptor {listener.fd} is the listening socket."
    )
    if len(watch.runs) > 1:
        sentence += f" The log holds {len(watch.runs)} runs of the server."
    busy = watch.busy if watch.busy and watch.busy.line > watch.runs[-1].started.line else None
    if busy:
        sentence += f" Later the port was found taken (EADDRINUSE, line {busy.line})."
    lines: list[tuple[Cited, str]] = []
    for run in watch.runs:
        for each in run.listeners:
            lines.append((each.bind, f"Fd {each.fd} gets the address {_address(each.addr, watch.port)}."))
            lines.extend(
                (cited, "Callers may come now: the kernel queues them." if not number else "The same again: harmless.")
                for number, cited in enumerate(each.listens)
            )
    if busy:
        lines.append((busy, "The kernel refuses the address: somebody listens there already."))
    return Step(1, title, "proved", sentence, tuple(lines))


def _registered(watch: Watch) -> Step:
    title = "On the interest list"
    registered = [each for run in watch.runs for each in run.listeners if each.add]
    if not registered:
        reason = no_registration(watch)
        shown = [(each, reason.of_line) for each in reason.lines]
        listeners = [each for run in watch.runs for each in run.listeners]
        if woken := [each for each in listeners if each.woke]:
            means = f"The wait ends because of fd {woken[0].fd}: epoll watches it."
            shown += [(each.woke, means) for each in woken[:1] if each.woke]
            sentence = f"{reason.sentence} That it is there shows when epoll wakes for it."
            return Step(2, title, "inferred", sentence, tuple(shown))
        if removed := [each for each in listeners if each.removed]:
            means = f"Only what is on the list can be taken off it: fd {removed[0].fd} was there."
            shown += [(each.removed, means) for each in removed[:1] if each.removed]
            sentence = f"{reason.sentence} That it was there shows when it is taken off."
            return Step(2, title, "inferred", sentence, tuple(shown))
        return Step(
            2, title, "missing", reason.sentence, tuple((each, reason.of_line) for each in reason.lines), reason.advice
        )
    first = registered[0]
    lines = tuple(
        (each.add, f"From now on epoll (fd {each.epoll_fd}) watches fd {each.fd}: EPOLLIN means that someone calls.")
        for each in registered
        if each.add
    )
    return Step(
        2,
        title,
        "proved",
        f"epoll_ctl put fd {first.fd} on the interest list of epoll fd {first.epoll_fd}: one thread can now sleep"
        " until any of its descriptors has something for it.",
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
        f" {sleep.wakes} ended because something happened, {sleep.timeouts} because the time was up."
        f" It looked {_times(sleep.polls)} without waiting (timeout 0)"
    ]
    total_s = serving_s(run)
    at_most = "at most " if sleep.at_most else ""
    if sleep.timed and total_s:
        parts.append(
            f"It slept {at_most}{sleep.slept_s:.2f} s of the {total_s:.2f} s that it served:"
            f" {100 * min(1, sleep.slept_s / total_s):.1f}% of the time it did nothing"
        )
    elif sleep.timed:
        parts.append(f"It slept {sleep.slept_s:.2f} s; how long it served is not in the log: trace with -ttt -T")
    else:
        parts.append("How long it slept is not in the log: trace with -ttt -T")
    status: Status = "proved" if sleep.timed and not sleep.at_most else "inferred"
    return Step(3, title, status, ". ".join(parts) + ".")


def _connected(watch: Watch, title: str) -> Step:
    connections = [connection for run in watch.runs for connection in run.connections]
    if not connections:
        return _nobody(watch, title)
    sockets = [connection for connection in connections if connection.websocket]
    shown = (sockets or connections)[0]
    lines: list[tuple[Cited, str]] = []
    if shown.accept:
        lines.append((shown.accept, f"accept4 takes the caller from the queue: the connection is fd {shown.fd}."))
    if shown.add:
        lines.append((shown.add, f"epoll watches fd {shown.fd} too: the same thread serves it."))
    if shown.upgrade:
        lines.append((shown.upgrade, "The browser asks to turn this connection into a websocket."))
    if shown.switched:
        lines.append((shown.switched, "101: from now on both sides send frames, and clicks travel here."))
    lines.sort(key=lambda each: each[0].line)
    count = f"{len(connections)} connection{'s' if len(connections) > 1 else ''}"
    status: Status = "proved" if shown.accept and (shown.add or loop_of(watch) == "uvloop") else "inferred"
    sentence = f"{count} came in; fd {shown.fd} "
    if sockets:
        sentence += "became the websocket that clicks travel on."
    else:
        sentence += "is the first of them; no upgrade to a websocket is seen."
    if not shown.accept:
        sentence += " This log has no accept4 (Python never calls accept): the registrations show the connections."
    return Step(4, title, status, sentence, tuple(lines))


def _nobody(watch: Watch, title: str) -> Step:
    clicked = bool(script_opens(watch))
    if not watch.runs and (watch.binds or not clicked):
        why = f"Nothing listens on port {watch.port} in this log"
        return Step(
            4, title, "missing", f"{why}: {'they connected elsewhere' if clicked else 'nobody can connect there'}."
        )
    if clicked:
        why = "Someone did connect, for there was a click; but this log shows neither accept4 nor a registration of it."
        return Step(4, title, "missing", why, advice="Trace with accept4, epoll_ctl and recvfrom in the filter.")
    why, advice = "Nobody has connected yet.", f"If it runs, open http://localhost:{watch.port}."
    return Step(4, title, "missing", why, advice=advice)


def _clicked(watch: Watch, clicks: tuple[Click, ...]) -> Step:
    title = "The click"
    if clicks:
        status: Status = "proved" if all(click.status == "proved" for click in clicks) else "inferred"
        times = [click.open_ms for click in clicks if click.open_ms is not None]
        sentence = f"{_times(len(clicks)).capitalize()} a script thread opened {SCRIPT}"
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
        return Step(6, "Totals", "missing", "The log holds no system call.")
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


def _click(number: int, opened: Open) -> Click:
    wake, clone = opened.wake, opened.clone
    lines: list[tuple[Cited, str]] = []
    if wake:
        end = f" at line {wake.line}" if wake.line != wake.start_line else ""
        lines.append(
            (
                Cited(wake.start_line, wake.text, wake.end_s, wake.tid, wake.name),
                f"The wait ends{end}: fd {wake.fd} has something to read.",
            )
        )
        if wake.read and wake.frame == "binary":
            lines.append((wake.read, "A masked binary frame (first byte \\202): the browser's message."))
    if clone:
        lines.append((clone, f"A script thread is born: {opened.tid}."))
    lines.append((opened.cited, f"Thread {opened.tid} opens {opened.path.rsplit('/', 1)[-1]}: the click has arrived."))
    if opened.answer:
        lines.append((opened.answer, "The answer goes back to the browser."))
    whole_seconds = opened.stamp is not None and "." not in opened.stamp  # strace -t: no milliseconds can be read off
    wake_s = wake.end_s if wake and not whole_seconds else None

    def since(cited: Cited | None) -> float | None:
        return (
            None if wake_s is None or cited is None or cited.time_s is None else max(0.0, (cited.time_s - wake_s) * 1e3)
        )

    return Click(
        number=number,
        status="proved" if opened.proved else "inferred",
        opened=opened,
        lines=tuple(lines),
        read_ms=since(wake.read if wake and wake.frame == "binary" else None),
        clone_ms=since(clone),
        open_ms=since(opened.cited),
        answer_ms=since(opened.answer),
    )


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

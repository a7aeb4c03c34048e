"""System calls -> the story of a server: six steps, each with its lines, each proved, inferred or missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from iolab.trace.facts import script_opens, shows_streamlit
from iolab.trace.lines import Lines
from iolab.trace.merged import Merged
from iolab.trace.records import Cited, Open
from iolab.trace.steps import tell_steps
from iolab.trace.strace import Strace
from iolab.trace.telling import Click, Step
from iolab.trace.timeline import Timeline
from iolab.trace.watch import Watch

PORT = 8079
SCRIPT = "balloons.py"


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
    foreign: str | None = None
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


def tell(
    lines: Lines | Merged, source: str, port: int = PORT, script: str | None = SCRIPT, *, draw: bool = True
) -> Story:
    """Read a log to its end and return its story; no text raises.

    A click opens `script`: the fifth step is about it if the log shows Streamlit, else about requests. With `draw`
    false the timeline, which only a page needs, stays empty: that takes a third less time.
    """
    log = Strace(lines)
    watch, timeline = Watch(port, script or SCRIPT, log.cloning), Timeline()
    see, draws, tasks = watch.see, timeline.see, watch.processes.tasks
    for event in log:
        see(event)
        if draw:
            draws(event, tasks.get(event.tid))
    watch.finish()
    script = script if shows_streamlit(watch) else None
    names = {0: log.first_pid} if log.first_pid is not None else {}
    clicks = tuple(_click(number, opened) for number, opened in enumerate(script_opens(watch), 1))
    return Story(
        source=source,
        port=port,
        watch=watch,
        steps=tell_steps(watch, log, names, clicks, script),
        clicks=clicks,
        timeline=timeline,
        lines=log.lines,
        bytes=lines.bytes,
        unfinished=log.unfinished,
        unreadable=log.unreadable,
        cut=lines.cut,
        damaged=lines.damaged,
        foreign=max(log.foreign, key=lambda name: log.foreign[name], default=None),
        names=names,
    )


def _click(number: int, opened: Open) -> Click:
    wake, clone = opened.wake, opened.clone
    lines: list[tuple[Cited, str]] = []
    if wake:
        end = f" at line {wake.line}" if wake.line != wake.start_line else ""
        lines.append(
            (
                Cited(wake.start_line, wake.text, wake.end_s, wake.tid, wake.name),
                f"The wait ends{end}: fd {wake.fd} is ready to read.",
            )
        )
        if wake.read and wake.frame == "binary":
            lines.append((wake.read, "A masked binary frame (first byte \\202): the browser's message."))
    if clone:
        lines.append((clone, f"A new script thread starts: {opened.tid}."))
    lines.append((opened.cited, f"Thread {opened.tid} opens {opened.path.rsplit('/', 1)[-1]}: the click has arrived."))
    if opened.answer:
        lines.append((opened.answer, "The server sends the response to the browser."))
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

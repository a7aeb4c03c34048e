"""Follows clicks: the wake-up, the thread that is started for it, its open of the script, the answer."""

from collections import Counter, deque

from iolab.trace.decode import first_string
from iolab.trace.events import Exit, Signal, Syscall
from iolab.trace.records import KEPT_AFTER_OPEN, MAIN_THREAD, Cited, Open, Run, Wake, cite
from iolab.trace.tasks import Task

KEPT_LINES = 1500  # before an open, to show what led to it; the socket pair between threads is talkative
KEPT_LINES_AFTER = 40  # of them, to show
MOST_FOLLOWED = 64  # opens whose answers are looked for at once


class Clicks:
    """Finds the opens of a script, what led to each, and the answer to it."""

    def __init__(self, script: str) -> None:
        self._script = script
        self._stem = script.removesuffix(".py")
        self.orphans: list[Open] = []  # opens in a log without a listener
        self.pyc_opens: list[tuple[Cited, str]] = []
        self.recent: deque[Syscall] = deque(maxlen=KEPT_LINES)
        self.following: list[Open] = []

    def open(self, run: Run | None, task: Task, call: Syscall, rest: str, by: str) -> None:
        """Take an open whose arguments name the script; `rest` is those in plain text, `by` which thread it was."""
        path = first_string(rest)
        if path is None or "/site-packages/" in path or call.error:
            return
        if "O_WRONLY" in call.rest or "O_RDWR" in call.rest or "O_CREAT" in call.rest:
            return
        name = path.rsplit("/", 1)[-1]
        if name == self._script:
            self._script_opened(run, task, call, path, by)
        elif name.startswith(f"{self._stem}.") and name.endswith(".pyc"):
            self.pyc_opens.append((cite(call), _number(call)))

    def _script_opened(self, run: Run | None, task: Task, call: Syscall, path: str, by: str) -> None:
        opened = Open(cite(call), call.end_line, call.tid, path, _number(call) or None, call.stamp, by)
        if run is None:
            self.orphans.append(opened)
            return
        run.opens.append(opened)
        if by == MAIN_THREAD:
            return
        # A thread that runs the script a second time was not cloned for that click.
        clone = run.clones.pop(call.tid, None)
        if clone:
            opened.clone, opened.wake = clone
        else:
            loop = run.main
            opened.wake = _cause(loop if loop and loop.wakes else task, call.line)
        twin = run.opens[-2] if opened.wake and len(run.opens) > 1 and run.opens[-2].wake is opened.wake else None
        self._tell_before(opened, twin)
        self.following = [*self.following[1 - MOST_FOLLOWED :], opened]

    def _tell_before(self, opened: Open, twin: Open | None) -> None:
        """Keep the lines since the wake-up; if a `twin` of the same wake-up has those, only the lines since it."""
        begin = twin.cited.line + 1 if twin else opened.wake.start_line if opened.wake else opened.cited.line
        before: list[Cited] = []
        for call in reversed(self.recent):  # by their ends
            if call.end_line is not None and call.end_line < begin:
                break
            if begin <= call.line:
                before.append(cite(call))
        opened.lines = sorted(before, key=lambda cited: cited.line)
        if twin:
            opened.calls = twin.calls + Counter([opened.cited.name])
        else:
            opened.calls.update(cited.name for cited in before)

    def follow(self, event: Syscall | Signal | Exit) -> None:
        """Take an event that comes after the opens that are followed."""
        line, name = event.line, event.name if type(event) is Syscall else None
        over = False
        for opened in self.following:
            if line > opened.cited.line:
                opened.after -= 1
                if name and (opened.answer is None or opened.answer.line >= line):
                    opened.calls[name] += 1
                if opened.after > KEPT_AFTER_OPEN - KEPT_LINES_AFTER:
                    opened.lines.append(Cited(line, event.text, event.time_s, event.tid))
                over = over or opened.after <= 0
        if over:
            self.following = [opened for opened in self.following if opened.after > 0]

    def answer(self, fd: int, call: Syscall) -> None:
        """Take what the thread that listens writes to a descriptor: the answer to a click from that descriptor."""
        for opened in self.following:
            if opened.answer is None and opened.wake and opened.wake.fd == fd:
                opened.answer = cite(call)


def clone(run: Run, task: Task, call: Syscall) -> None:
    """Keep the call that started a thread, and the wake-up before it: a click of that thread has both."""
    child = call.returned
    if not child or child < 0:
        return
    run.clones[child] = cite(call), _cause(task, call.line)


def _cause(task: Task, before: int) -> Wake | None:
    """Return the last wake-up before a line; where reads are seen, the last that may have read a binary frame."""
    wakes = [wake for wake in task.wakes if wake.line < before]
    found = [wake for wake in wakes if wake.frame in ("binary", "hidden")] or wakes
    return found[-1] if found else None


def _number(call: Syscall) -> str:
    return "" if call.returned is None else str(call.returned)

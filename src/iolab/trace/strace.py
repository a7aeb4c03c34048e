"""strace's text -> system calls, one by one, in constant memory.

The format is strace's own (man 1 strace, "TRACE OUTPUT FORMAT"): an optional pid, an optional time stamp, then
`name(arguments) = result <duration>`, or a part of that if another thread made a call in between.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from iolab.trace.clock import Clock
from iolab.trace.decode import CLONES
from iolab.trace.events import Exit, Signal, Syscall
from iolab.trace.foreign import foreign_prefix
from iolab.trace.pids import Pids

MOST_PENDING = 1 << 16  # calls under way at once; a kernel has fewer threads

_STAMP = r"\d{1,2}:\d\d:\d\d(?:\.\d{1,9})?|\d{1,10}\.\d{1,9}|\d{10}"  # -t, -tt; -ttt, -r; -ttt in whole seconds
_LEADER = (
    r" *(?:\[pid +(\d{1,9})(?:<[^>]*>)?\] +|(\d{1,7})(?:<[^>]*>)? +)?"  # [pid 17] | 17 | 17<python>
    rf"(?:({_STAMP}) +)?"
    r"(?:\(\+ *[\d.]+\) )?(?:\[[ 0-9a-fx?]+\] )*"  # -r beside -t; -n and -i
)
# Nearly all lines, at half the cost of _CALL and _OTHER.
_USUAL = re.compile(
    rf"(?:(\d{{1,7}}) +)?(?:(\d{{10}}\.\d{{6}}) |({_STAMP}) )?(?:([a-z_]\w*)\(|<\.\.\. (\w+) resumed>)", re.ASCII
)
_CALL = re.compile(_LEADER + r"([a-z_]\w*)\(", re.ASCII)
_OTHER = re.compile(_LEADER + r"(?:<\.\.\. (\w+) resumed>(.*)|--- (\w+)(.*) ---|\+\+\+ (.*) \+\+\+)", re.ASCII)
# What strace says of itself; before 4.11 without its name.
_CHATTER = re.compile(r"strace: |\[ Process |Process \d{1,9} (?:attached|detached|resumed|suspended|\()")
_ATTACHED = re.compile(r"Process (\d{1,9}) attached")
_STACK = " > "  # a frame of a stack trace (-k)
_UNFINISHED = "<unfinished ...>"
# Where strace writes to standard error, it reports a new thread in the middle of a line; the call goes on below it.
_TORN = re.compile(r"(?:strace: )?Process (\d{1,9}) attached(?: \(waiting for parent\))?$")
_REST_OF_TORN = re.compile(r" =>|[,)] | ?<unfinished \.\.\.>$|(?:child_)?stack=|\{?flags=")
_DETACHED = "<detached ...>"  # strace was detached from the thread in the middle of this call
_SUPERSEDED = re.compile(r"superseded by execve in pid (\d{1,9})")


class Strace:
    """Iterates once over a log's events, in the order in which they ended, and counts the lines of each sort.

    No text raises: a line that cannot be read is counted in `unreadable`. A line without a pid belongs to thread 0;
    where strace wrote `[pid 17]` only when there was more than one process, thread 0 is the first, `first_pid`; after
    its end, lines without a mark are those of the one that is left.

    `cloning` are the births under way, by the thread that made the call. `foreign` counts, of the lines that cannot be
    read, those that would be strace's without what another program (grep -n) wrote before them.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.lines = 0
        self.unfinished = 0
        self.unreadable = 0
        self.chatter = 0
        self._clock = Clock()
        self._pending: dict[int, Syscall] = {}
        self.cloning: dict[int, Syscall] = {}
        self.foreign: Counter[str] = Counter()
        self._pids = Pids()
        self.stack_lines = 0
        self._torn: Syscall | None = None

    @property
    def first_pid(self) -> int | None:
        """The number of thread 0, if a line tells it."""
        return self._pids.first

    def __iter__(self) -> Iterator[Syscall | Signal | Exit]:
        match_usual, pending, time_of, pids = _USUAL.match, self._pending, self._clock.time_of, self._pids
        number = 0
        time_s: float | None
        for number, text in enumerate(self._lines, 1):
            match = match_usual(text)
            if match is None:
                yield from self._unusual(number, text)
                continue
            pid, stamp, other_stamp, name, resumed = match.groups()
            tid = int(pid) if pid else pids.bare
            if stamp:
                time_s = float(stamp)
            else:
                stamp = other_stamp
                time_s = time_of(stamp) if stamp else None
            rest = text[match.end() :]
            call = Syscall(number, tid, stamp, time_s, name or resumed, rest, text)
            at = rest.rfind(" = ")
            if resumed:
                yield self._resumed(call)
            elif at > 0 and rest[at - 1] == ")" and tid not in pending and not rest.endswith(_UNFINISHED):
                call.result_at = at
                if not pid and name in CLONES:
                    self._pids.returned(call)
                yield call
            else:
                yield from self._began(call)
        self.lines = number
        yield from map(self._abandoned, list(pending))

    def _began(self, call: Syscall) -> Iterator[Syscall]:
        """Yield a call that has ended; keep one that has not."""
        tid, rest, pending = call.tid, call.rest, self._pending
        if tid in pending:
            yield self._abandoned(tid)
        if rest.endswith(_UNFINISHED):
            self.unfinished += 1
            call.rest = rest[: -len(_UNFINISHED)].rstrip()
            call.end_line = None
            self._keep(call)
            return
        if torn := _TORN.search(rest):
            self.chatter += 1
            self._pids.born(int(torn[1]))
            call.rest = rest[: torn.start()]
            call.end_line = None
            self._keep(call)
            self._torn = call
            return
        call.result_at = _result_at(rest, rest.rfind(" = "))
        if call.result_at < 0:
            call.end_line = None
            self.unreadable += not rest.endswith(_DETACHED)
        elif call.name in CLONES:
            self._pids.returned(call)
        yield call

    def _keep(self, call: Syscall) -> None:
        if len(self._pending) < MOST_PENDING:
            self._pending[call.tid] = call
            if call.name in CLONES:
                self.cloning[call.tid] = call

    def _abandoned(self, tid: int, at_s: float | None = None) -> Syscall:
        """Return a call that does not end; if its thread was killed in it, that was `at_s`."""
        self.cloning.pop(tid, None)
        call = self._pending.pop(tid)
        call.end_stamp_s = at_s
        return call

    def _unusual(self, number: int, text: str) -> Iterator[Syscall | Signal | Exit]:
        if match := _CALL.match(text):
            bracket, pid, stamp, name = match.groups()
            tid = self._tid(bracket, pid, name, resumed=False)
            time_s = self._clock.time_of(stamp) if stamp else None
            yield from self._began(Syscall(number, tid, stamp, time_s, name, text[match.end() :], text))
        elif match := _OTHER.match(text):
            yield from self._other(number, text, match)
        elif _CHATTER.match(text.lstrip()):
            self.chatter += 1
            if born := _ATTACHED.search(text):
                self._pids.attached(int(born[1]), first_lines=number <= self.chatter)
        elif (torn := self._torn) and self._pending.get(torn.tid) is torn and _REST_OF_TORN.match(text):
            self._torn = None
            if text.endswith(_UNFINISHED):
                self.unfinished += 1
            else:
                self._done(torn.tid)
                yield self._ended(torn, text, number, None)
        elif text.startswith(_STACK):
            self.stack_lines += 1
        elif text.strip():
            self.unreadable += 1
            if prefix := foreign_prefix(text):
                self.foreign[prefix] += 1

    def _tid(self, bracket: str | None, pid: str | None, name: str | None, *, resumed: bool) -> int:
        if pid:
            return int(pid)
        if bracket is None:
            return self._pids.bare
        return self._pids.marked(int(bracket), name, self._pending.get(0), resumed=resumed)

    def _done(self, tid: int) -> Syscall | None:
        self.cloning.pop(tid, None)
        return self._pending.pop(tid, None)

    def _other(self, number: int, text: str, match: re.Match[str]) -> Iterator[Syscall | Signal | Exit]:
        bracket, pid, stamp, resumed, rest, signal, _, how = match.groups()
        tid = self._tid(bracket, pid, resumed, resumed=bool(resumed))
        time_s = self._clock.time_of(stamp) if stamp else None
        if signal:
            yield Signal(number, tid, time_s, signal, text)
        elif how is not None:
            if other := _SUPERSEDED.match(how):
                self._superseded(tid, int(other[1]))
            elif tid in self._pending:
                yield self._abandoned(tid, time_s)
            self._pids.ended(tid, marked=bracket is not None)
            yield Exit(number, tid, time_s, how, text)
        else:
            yield self._resumed(Syscall(number, tid, stamp, time_s, resumed, rest, text))

    def _superseded(self, tid: int, by: int) -> None:
        """Give a thread's execve to the first thread of its process, whose number it has from then on."""
        self._done(tid)
        if execve := self._done(by):
            execve.tid = tid
            self._pending[tid] = execve

    def _resumed(self, end: Syscall) -> Syscall:
        number, tid, name, text = end.line, end.tid, end.name, end.text
        call = self._done(tid)
        rest = end.rest.replace(_UNFINISHED, "").lstrip()
        if call is None or call.name != name:
            if call is not None:
                self._keep(call)
            # The log begins in the middle of this call: it has an end, and the arguments that the kernel wrote.
            call = Syscall(number, tid, None, None, name, "", text)
        if call.rest and not rest.startswith(")"):
            rest = " " + rest
        return self._ended(call, rest, number, end.time_s)

    def _ended(self, call: Syscall, rest: str, number: int, stamp_s: float | None) -> Syscall:
        call.rest += rest
        call.end_line, call.end_stamp_s = number, stamp_s
        at = call.rest.rfind(" = ")
        call.result_at = _result_at(call.rest, at)
        if call.result_at < 0:
            call.end_line = None
            self.unreadable += not call.rest.endswith(_DETACHED)
        elif call.name in CLONES:
            self._pids.returned(call)
        return call


def _result_at(rest: str, at: int) -> int:
    """Return where ` = ` stands that follows the closing bracket, looking from `at` to the left; -1 for nowhere.

    strace pads with blanks between the two, and an equals sign may stand in a path after it (-y).
    """
    while at > 0:
        before = at - 1
        while before >= 0 and rest[before] == " ":
            before -= 1
        if before >= 0 and rest[before] == ")":
            return at
        at = rest.rfind(" = ", 0, before + 1)
    return -1

"""Which thread a line is of, where strace writes `[pid 17]` only while there is more than one process."""

from iolab.trace.decode import CLONES
from iolab.trace.events import Syscall


class Pids:
    """Follows which threads there are: a line without a pid is of thread `bare`.

    That is thread 0, the first one, whose own number is `first` as soon as a mark tells it; after its end, the one that
    is left.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        self.bare = 0
        self._children: set[int] = set()
        self._first_ended = False

    def born(self, child: int) -> None:
        """Take a thread that another one made."""
        self._children.add(child)

    def returned(self, call: Syscall) -> None:
        """Learn from the result of a birth which thread it made."""
        child = call.returned
        if child and child > 0 and child != call.tid:
            self._children.add(child)

    def attached(self, pid: int, *, first_lines: bool) -> None:
        """Take strace's word that it follows a thread; in the `first_lines` it is one that strace was attached to."""
        if self.first is None and first_lines and not self._children:
            self.first = pid
        elif pid != self.first:
            self._children.add(pid)

    def marked(self, pid: int, name: str | None, inside: Syscall | None, *, resumed: bool) -> int:
        """Return the thread of `[pid N]`: the first process has no such mark until there is a second.

        `name` is the call of the line, `inside` the call of thread 0 that is under way.
        """
        if self.first is None and pid not in self._children:
            if inside is not None and not (resumed and inside.name == name) and inside.name in CLONES:
                self._children.add(pid)  # the first process is inside of the call that made this one
            else:
                self.first = pid
        return 0 if pid == self.first else pid

    def ended(self, tid: int, *, marked: bool) -> None:
        """Take the end of a thread, with a mark or without."""
        self._children.discard(tid)
        if marked and tid == 0:
            self._first_ended = True
        if self._first_ended and len(self._children) == 1:
            self.bare = next(iter(self._children))

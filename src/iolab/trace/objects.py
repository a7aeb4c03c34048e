"""What descriptors refer to: sockets, epoll instances, ends of pairs; each is one object for all that refer to it."""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from iolab.trace.records import Cited, Connection, Listener

MOST_IN_FLIGHT = 256  # descriptors that were sent through a socket and not yet received


@dataclass(eq=False)
class Socket:
    """A socket that is no connection: `kind` as in "tcp", "udp"; None where the log does not show it."""

    kind: str | None = None
    created: "Cited | None" = None
    bound: "Cited | None" = None
    host: str = ""
    shares_port: bool = False  # SO_REUSEPORT
    nonblocking: bool = False
    listener: "Listener | None" = None


@dataclass(eq=False)
class Epoll:
    """An interest list: descriptor -> the word that epoll returns for it, and what it refers to."""

    list: "dict[int, tuple[int | None, Descriptor | None]]" = field(default_factory=dict)
    by_word: dict[int, int] = field(default_factory=dict)
    early: frozenset[int] = frozenset()  # what was on it before its process listened: no connections
    watches: "Listener | None" = None

    def add(self, fd: int, word: int | None, what: "Descriptor | None") -> None:
        """Put a descriptor on the list, or change its word."""
        self.remove(fd)
        self.list[fd] = word, what
        if word is not None:
            self.by_word[word] = fd

    def remove(self, fd: int) -> None:
        """Take a descriptor off the list."""
        word, _ = self.list.pop(fd, (None, None))
        if word is not None and self.by_word.get(word) == fd:
            del self.by_word[word]

    def descriptor(self, word: int, guess: int | None) -> int | None:
        """Return the descriptor that epoll means by a word; `guess` is its lower half, if that may be a descriptor."""
        return self.by_word.get(word, guess)


@dataclass(eq=False)
class PairEnd:
    """One end of a socket pair or pipe, and the descriptors that were sent to it."""

    inbox: "deque[Descriptor | None]" = field(default_factory=lambda: deque(maxlen=MOST_IN_FLIGHT))
    peer: "PairEnd | None" = None


@dataclass(frozen=True)
class ProcessHandle:
    """A pidfd."""

    pid: int


Descriptor = Union[Socket, Epoll, PairEnd, ProcessHandle, "Connection"]

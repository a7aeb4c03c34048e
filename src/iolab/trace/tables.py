"""Tables of file descriptors, as the kernel keeps them: shared by threads, copied by fork, thinned out by execve."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Table(Generic[T]):
    """What each descriptor of a process refers to.

    A copy costs the same for any number of descriptors: what was there before is shared in layers, of which each is at
    least twice as large as the next, so a look-up sees a few of them.
    """

    __slots__ = ("_layers", "_own")

    def __init__(self) -> None:
        self._own: dict[int, tuple[T | None, bool]] = {}
        self._layers: list[tuple[dict[int, tuple[T | None, bool]], bool]] = []  # older first; did an execve follow?

    def get(self, fd: int | None, *, kept: bool = False) -> T | None:
        """Return what a descriptor refers to; with `kept`, also what an execve would have closed, as far as known."""
        if fd is None:
            return None
        entry = self._own.get(fd)
        if entry is not None:
            return entry[0]
        for layer, thinned in reversed(self._layers):
            entry = layer.get(fd)
            if entry is not None:
                return None if thinned and entry[1] and not kept else entry[0]
        return None

    def put(self, fd: int, what: T | None, *, cloexec: bool = False) -> None:
        """Let a descriptor refer to something; None closes it. `cloexec`: execve closes it."""
        if what is None and not self._layers:
            self._own.pop(fd, None)
        else:
            self._own[fd] = what, cloexec

    def mark(self, fd: int, *, cloexec: bool) -> None:
        """Change whether execve closes a descriptor."""
        what = self.get(fd, kept=not cloexec)
        if what is not None:
            self._own[fd] = what, cloexec

    def close_range(self, first: int, last: int, *, cloexec: bool = False) -> None:
        """Close the descriptors from `first` to `last`, or mark them for execve."""
        known = {fd for layer in (*(layer for layer, _ in self._layers), self._own) for fd in layer}
        for fd in known:
            if first <= fd <= last:
                if cloexec:
                    self.mark(fd, cloexec=True)
                else:
                    self.put(fd, None)

    def copy(self) -> "Table[T]":
        """Return the table of a child after fork."""
        self._settle(thinned=False)
        child: Table[T] = Table()
        child._layers = list(self._layers)
        return child

    def execute(self) -> None:
        """Close what execve closes."""
        self._settle(thinned=False)
        self._layers = [(layer, True) for layer, _ in self._layers]

    def _settle(self, *, thinned: bool) -> None:
        """Make a layer of the own entries, and join layers that are not much larger than the next."""
        if self._own:
            self._layers.append((self._own, thinned))
            self._own = {}
        while len(self._layers) > 1 and len(self._layers[-2][0]) < 2 * len(self._layers[-1][0]):
            (upper, upper_thinned), (lower, lower_thinned) = self._layers.pop(), self._layers.pop()
            bottom = not self._layers
            if upper_thinned == lower_thinned:
                joined, thin = {**lower, **upper}, upper_thinned
            else:
                joined, thin = {**_thinned(lower, lower_thinned), **_thinned(upper, upper_thinned)}, False
            if bottom:
                joined = {fd: entry for fd, entry in joined.items() if entry[0] is not None}
            if joined:
                self._layers.append((joined, thin))


def _thinned(layer: dict[int, tuple[T | None, bool]], thinned: bool) -> dict[int, tuple[T | None, bool]]:
    return {fd: (None, False) if entry[1] else entry for fd, entry in layer.items()} if thinned else layer

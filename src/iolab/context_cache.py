"""A cache of contexts that are expensive to open: opened when first needed, and kept open."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Generic, Self, TypeVar

Key = TypeVar("Key")
Thing = TypeVar("Thing")


class ContextCache(Generic[Key, Thing]):
    """Contexts that are opened when first needed, kept open, and opened again after they were discarded."""

    def __init__(self) -> None:
        self._open: dict[Key, tuple[ExitStack, Thing]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with ExitStack() as stack:
            for key in self._open:
                stack.callback(self._open[key][0].close)
            self._open = {}

    def get(self, key: Key, opening: Callable[[], AbstractContextManager[Thing]]) -> Thing:
        """Return the open context of a key."""
        if key not in self._open:
            with ExitStack() as stack:
                thing = stack.enter_context(opening())
                self._open[key] = (stack.pop_all(), thing)
        return self._open[key][1]

    def discard(self, *keys: Key) -> None:
        """Close the contexts of these keys, if they are open."""
        for key in keys:
            if key in self._open:
                self._open.pop(key)[0].close()

    def opened(self) -> list[Key]:
        """Return the keys of all open contexts."""
        return list(self._open)

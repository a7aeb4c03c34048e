"""Ctrl-C and its like: the first one interrupts, those after it do not disturb the cleaning up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The user wants to stop; `exit_status` is what shells expect then: 130 for Ctrl-C."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_status = 128 + signum


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted in the block at the first signal; ignore more of them until the block has ended."""

    def interrupt(signum: int, _: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(signum)

    # What the starter ignores stays ignored: `nohup make bench` outlives its terminal.
    heard = [each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, interrupt) for each in heard}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def undivided() -> Iterator[None]:
    """Hold signals back until the block has ended: a program must not start without its starter knowing its pid."""
    held: list[int] = []
    heard = [each for each in SIGNALS if callable(signal.getsignal(each))]
    before = {each: signal.signal(each, lambda signum, _: held.append(signum)) for each in heard}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if held:
            signal.raise_signal(signal.Signals(held[0]))

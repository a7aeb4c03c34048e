"""Ctrl-C and similar signals: the first one interrupts, later ones do not disturb the clean-up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The user wants to stop; `exit_status` is what shells expect: 130 for Ctrl-C."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_status = 128 + signum


_received: list[int] = []  # the first signal of the block in progress


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise Interrupted in the block at the first signal; ignore later ones until the block has ended."""

    def interrupt(signum: int, _: FrameType | None) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        _received.append(signum)
        raise Interrupted(signum)

    # A signal that the parent process ignores stays ignored: `nohup make bench` outlives its terminal.
    handled = [each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, interrupt) for each in handled}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        _received.clear()


def check() -> None:
    """Raise Interrupted again if the block goes on after a signal: an import can lose the exception."""
    if _received:
        raise Interrupted(_received[0])


@contextmanager
def delayed() -> Iterator[None]:
    """Delay signals until the block has ended: a program must not be started without its pid being known."""
    held: list[int] = []
    handled = [each for each in SIGNALS if callable(signal.getsignal(each))]
    before = {each: signal.signal(each, lambda signum, _: held.append(signum)) for each in handled}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        if held:
            signal.raise_signal(signal.Signals(held[0]))

"""What breaks a promise."""


class Broken(Exception):
    """A promise is not kept: what was sent, what was expected, what was seen; `hint` replaces that of the promise."""

    def __init__(self, sent: str, expected: str, seen: str, hint: str = "") -> None:
        super().__init__(f"{sent}: expected {expected}, seen: {seen}")
        self.sent, self.expected, self.seen, self.hint = sent, expected, seen, hint


class DoesNotStart(Broken):
    """The server has ended, or does not listen; `seen` has its last output."""

    def __init__(self, seen: str) -> None:
        super().__init__("a start of the server", "a server that listens on its port", seen)

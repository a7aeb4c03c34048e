"""The exceptions that this program raises on purpose.

LabError
├── UsageError            the user can correct it: one line, exit status 2
│   └── EngineMissing     no Docker engine that this lab can use; `auto` then uses local processes
└── TrialFailed           one trial is invalid, with this reason; the others continue, exit status 1
    ├── ServerFailed      the server does not start, does not answer, or died
    └── LoadFailed        the load generator failed or took too long
"""


class LabError(Exception):
    """Base class; the message is one line for the user."""


class UsageError(LabError):
    """What the user wants cannot be done; the message says what is wrong and what to do."""


class EngineMissing(UsageError):
    """Docker cannot be used here: `why`, and the `remedy`."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(f"{why}: {remedy} (make bench RUNTIME=local needs no Docker)")
        self.why = why


class TrialFailed(LabError):
    """A trial has no result that can be trusted; the message is the reason in its record."""


class ServerFailed(TrialFailed):
    """The server did not start, did not answer as it should, or died."""


class LoadFailed(TrialFailed):
    """The load generator failed, or did not end in time."""

"""The exceptions that this program raises on purpose.

LabError
├── UsageError            the user can correct it: one line, exit status 2
│   └── EngineMissing     no Docker engine that this lab can use; `auto` then uses local processes
└── TrialFailed           one trial is invalid, with this reason; the others continue, exit status 1
    ├── ServerFailed      the server does not start, does not answer, or died
    └── LoadFailed        the load generator failed or took too long

An OSError that the user can correct, such as a full disk, ends in one line and exit status 2, too: `explained`.
"""

import errno

ELSEWHERE = "use another folder (RESULTS)"
REMEDIES = {  # of errors of the system that a user can mend
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR), f"give it to this user, or {ELSEWHERE}"),
    errno.EROFS: ELSEWHERE,
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), f"make room, or {ELSEWHERE}"),
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.ELOOP: "use a path without a loop of links",
    errno.EMFILE: "allow more open files: ulimit -n 1024",
    errno.ENFILE: "end programs that have many open files",
    errno.EIO: "the disk fails: use another one",
    errno.ESTALE: "the network file system has lost it: use another folder (RESULTS)",
}
NO_TEMPORARY_FOLDER = "No usable temporary directory"  # in the text of tempfile's FileNotFoundError


def explained(error: OSError) -> str | None:
    """Return one line about an error of the system that a user can correct; None for any other."""
    if NO_TEMPORARY_FOLDER in str(error):
        return f"{error.strerror}: make room in one of them, or name another one (TMPDIR)"
    if error.errno not in REMEDIES:
        return None
    return f"{error.filename or 'a file'}: {error.strerror}: {REMEDIES[error.errno]}"


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

"""All promises, as data, and how they are checked."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

from iolab.contract import requests, starting, together
from iolab.contract.broken import Broken, DoesNotStart
from iolab.contract.promise import Kept, Promise
from iolab.contract.server import Launcher
from iolab.errors import UsageError
from iolab.host import programs
from iolab.host.processes import temporary_folder
from iolab.lab import Lab, Model

PROMISES = (
    Promise(
        "starts", "it starts, and prints one line", starting.prints_one_line,
        "Print one line when the server listens, and nothing about requests: that would be part of each measurement.",
    ),
    Promise(
        "health", "GET /healthz is answered at once, while others wait", together.answers_health_while_others_wait,
        "Look at what your loop does while a request waits: only epoll may wait, and a timer ends the request's wait.",
        timed=True,
    ),
    Promise(
        "wait", "GET / is answered 200 after WAIT_MS", requests.answers_after_the_wait,
        "Look at where the wait of a request begins, and at what your loop does when its timer is due.",
        timed=True,
    ),
    Promise(
        "together", f"{together.USERS} users at once wait together", together.waits_together,
        "Look for all places at which your loop can wait. One of them is epoll; all others stop every connection.",
        timed=True,
    ),
    Promise(
        "pieces", "a request may arrive in pieces", requests.takes_a_request_in_pieces,
        "recv returns what has arrived, not a request. Keep it for each connection until the blank line.",
        timed=True,
    ),
    Promise(
        "paths", "other paths are answered 404", requests.knows_its_paths,
        "Read the path from the first line of the head, without what follows a question mark.",
    ),
    Promise(
        "head", "HEAD is answered without a body", requests.head_has_no_body,
        "HEAD has the same head as GET, also Content-Length, and no body.",
    ),
    Promise(
        "body", "a request with a body is answered 413", requests.refuses_a_body,
        "Content-Length above 0, or Transfer-Encoding, announces a body. Answer 413 and close: otherwise the body would"
        " be read as the next request.",
    ),
    Promise(
        "leaving", "a client that leaves does no harm", together.survives_clients_that_leave,
        "recv returns b'' or raises ConnectionError when the client has gone, and send may raise, too. Remove the"
        " connection, and let its timer end without an answer.",
    ),
    Promise(
        "garbage", "garbage is refused", requests.refuses_garbage,
        "A first line without method, path and version is not HTTP: answer 400 and close. Limit the size of a head,"
        " too.",
    ),
    Promise(
        "idle", "an idle connection does not block others", together.serves_beside_idle_connections,
        "Do not wait for the first bytes of a connection after accept: register it with epoll, and go on.",
        timed=True,
    ),
    Promise(
        "values", "a bad WAIT_MS or BACKLOG ends it with status 2", starting.refuses_bad_values,
        "Read all variables with number(), as the skeleton does, before the server listens.",
    ),
    Promise(
        "sigterm", "SIGTERM ends it with status 0", starting.ends_on_sigterm,
        "The skeleton's handler of SIGTERM calls sys.exit(0). An `except BaseException` or a bare `except` around the"
        " loop would stop that.",
    ),
    Promise(
        "descriptors", "all descriptors are closed", starting.closes_descriptors,
        "When recv returns b'', the client has closed: unregister the socket, close it, and forget it. Do the same"
        " after an answer with Connection: close.",
    ),
    Promise(
        "sleeps", "it sleeps while nothing happens", starting.sleeps_while_idle,
        "Your loop turns without a pause. Either epoll has a timeout of 0, or it reports the same event again and"
        " again: one that you do not read, or the end of a connection that is still registered (EPOLLHUP).",
        timed=True,
    ),
    Promise(
        "keep-alive", "a connection serves several requests", requests.keeps_alive,
        "HTTP/1.1 keeps the connection open after an answer, unless a head says Connection: close.",
        extra=True,
    ),
    Promise(
        "pipelining", "several requests in one piece are answered in order", requests.pipelines,
        "What follows the blank line is the next request: keep it until the answer before it has been sent.",
        extra=True,
    ),
)  # fmt: skip

UNWRITTEN = "501 is the skeleton's answer to every request: write this part."
NOT_STARTED = DoesNotStart("it does not start: this promise was not tried")


def script(model: Model) -> Path:
    """Return the file of the server."""
    if model.service.folder is None:
        raise UsageError(f"{model.name}: docker-compose.yml names no folder for it (build.context)")
    return programs.source(model.service)


def source(lab: Lab, model: Model) -> bytes:
    """Return the program of the server; raises UsageError, with file and line, if it is Python and not valid."""
    path = script(model)
    name = path.relative_to(lab.root) if path.is_relative_to(lab.root) else path
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}: restore it, for example with git") from error
    try:
        if path.suffix == ".py":
            ast.parse(text)
    except SyntaxError as error:
        raise UsageError(f"{name}, line {error.lineno or 1}: {error.msg}: correct it, and try again") from error
    except ValueError as error:
        raise UsageError(f"{name}: {error}: correct it, and try again") from error
    return text


def check(model: Model, free_port: Callable[[], int]) -> Iterator[Kept]:
    """Check all promises of a model's server, and yield the result of each; each starts a local process of its own.

    If the server does not start, no other promise is tried.
    """
    broken: Broken | None = None
    with temporary_folder() as folder:
        launcher = Launcher(model, folder, free_port)
        for promise in PROMISES:
            broken = NOT_STARTED if isinstance(broken, DoesNotStart) else find_broken(promise, launcher)
            yield result(promise, broken)


def find_broken(promise: Promise, launcher: Launcher) -> Broken | None:
    """Return what breaks a promise; None if it is kept."""
    return broken_by(promise, lambda: promise.holds(launcher))


def broken_by(promise: Promise, holds: Callable[[], None]) -> Broken | None:
    """Return what breaks a promise that is kept if `holds` raises nothing. A timed one has two tries."""
    found: Broken | None = None
    for _ in range(1 + promise.timed):
        try:
            holds()
        except DoesNotStart as broken:
            return broken
        except Broken as broken:
            found = broken
        else:
            return None
    return found


def result(promise: Promise, broken: Broken | None) -> Kept:
    """Return what is recorded about a promise."""
    about = {"name": promise.name, "says": promise.says, "extra": promise.extra}
    if broken is None:
        return Kept(**about, kept=True)
    told = {"sent": broken.sent, "expected": broken.expected, "seen": broken.seen}
    hint = broken.hint or promise.hint
    return Kept(**about, kept=False, **told, hint=f"{UNWRITTEN} {hint}" if "status 501" in broken.seen else hint)

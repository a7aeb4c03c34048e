"""Promises about single requests: what is answered, and what is refused."""

import time

from iolab.contract.broken import Broken
from iolab.contract.server import Starts
from iolab.contract.talk import LIMIT_S, Rest, request

WAIT_S = 0.15
PIECE_EVERY_S = 0.05
ENDLESS = b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 300_000
INNER = request("/healthz")


def answers_after_the_wait(launcher: Starts) -> None:
    """Status 200 and the model's name, after WAIT_MS."""
    sent, wait = "GET /?with=query, with WAIT_MS=150", "150 ms"
    with launcher.start(WAIT_MS="150") as server:
        answer = server.ask("/?with=query")
        if answer.status != 200:
            raise Broken(sent, f"status 200 after {wait}", server.seen(answer.seen))
        if not 0.93 * WAIT_S <= answer.took_s < WAIT_S + 0.8:
            raise Broken(sent, f"an answer after {wait}", f"an answer after {answer.took_s * 1000:.0f} ms")
        if (name := f"{server.model.code}\n".encode()) != answer.body:
            raise Broken(
                sent,
                f"the body {name!r}",
                f"the body {answer.body[:40]!r}",
                "The body is the name of the server and a line feed; Content-Length is its length in bytes.",
            )


def knows_its_paths(launcher: Starts) -> None:
    """Only / and /healthz exist."""
    with launcher.start() as server:
        answer = server.ask("/nowhere")
        if answer.status != 404:
            raise Broken("GET /nowhere", "status 404", server.seen(answer.seen))


def head_has_no_body(launcher: Starts) -> None:
    """The head of GET, without the body."""
    with launcher.start() as server, server.connect() as talk:
        talk.send(request("/", "HEAD", "Connection: close"))
        rest = talk.rest()
        if rest.statuses != [200]:
            raise Broken("HEAD /", "status 200", server.seen(rest.seen))
        body = rest.data.partition(b"\r\n\r\n")[2]
        if body:
            raise Broken("HEAD /", "a head without a body", f"the body {body[:40]!r}")


def takes_a_request_in_pieces(launcher: Starts) -> None:
    """A head that arrives in three pieces is one request; others are served meanwhile."""
    sent = f"GET /healthz in three pieces, one every {PIECE_EVERY_S * 1000:.0f} ms"
    with launcher.start() as server, server.connect() as talk:
        for piece in (b"GET /hea", b"lthz HTTP/1.1\r\nHost: lab\r", b"\n\r\n"):
            talk.send(piece)
            time.sleep(PIECE_EVERY_S)
        answer = talk.answer()
        if answer.status != 200:
            raise Broken(sent, "status 200", server.seen(answer.seen))


def refuses_a_body(launcher: Starts) -> None:
    """A body is answered 413, and is never read as a request."""
    sent = f"GET / with a body of {len(INNER)} bytes, which look like another request"
    with launcher.start() as server, server.connect() as talk:
        talk.send(request("/", "GET", f"Content-Length: {len(INNER)}") + INNER)
        rest = talk.rest()
        if rest.statuses != [413]:
            raise Broken(sent, "status 413, and no other answer", server.seen(rest.seen))


def refuses_garbage(launcher: Starts) -> None:
    """Status 4xx or a close, at once; the server lives."""
    with launcher.start() as server:
        for sent, data in (
            ("hello and a blank line, which is not HTTP", b"hello\r\n\r\n"),
            (f"a head of {len(ENDLESS):,} bytes that does not end", ENDLESS),
        ):
            with server.connect() as talk:
                talk.send(data)
                rest = talk.rest(answers=1)
            if not _refused(rest):
                raise Broken(sent, "status 400, or the end of the connection", server.seen(rest.seen))
        answer = server.ask("/healthz")
        if answer.status != 200:
            raise Broken("GET /healthz after garbage", "status 200", server.seen(answer.seen))


def _refused(rest: Rest) -> bool:
    return 400 <= rest.statuses[0] < 500 if rest.statuses else rest.closed


def keeps_alive(launcher: Starts) -> None:
    """A second request on the same connection."""
    with launcher.start() as server, server.connect() as talk:
        for number in ("first", "second"):
            talk.send(request("/healthz"))
            answer = talk.answer()
            if answer.status != 200:
                raise Broken(f"the {number} of two requests on one connection", "status 200", answer.seen)


def pipelines(launcher: Starts) -> None:
    """Two requests in one segment are answered in their order, though the second need not wait."""
    with launcher.start(WAIT_MS="100") as server, server.connect() as talk:
        talk.send(request("/") + request("/nowhere"))
        rest = talk.rest(answers=2)
        if rest.statuses != [200, 404]:
            waited = f" and nothing more within {LIMIT_S:g} s" if not rest.closed and len(rest.statuses) < 2 else ""
            raise Broken("GET / and GET /nowhere in one piece", "status 200 and status 404", f"{rest.seen}{waited}")
